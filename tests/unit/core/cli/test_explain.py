"""``boards explain`` shows the request, and needs no key for it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def test_a_request_is_shown_as_http_and_as_a_command(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With its price, and what would be asked then; a key that is set is not shown."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_very_secret")
    ran = cli("explain", "flux-schnell", "prompt=a fox", "num_outputs=2")
    assert ran.code == 0
    assert ran.out.startswith("# replicate/flux-schnell, about $0.006. Nothing is sent.\n")
    url = "https://api.replicate.com/v1/models/black-forest-labs/flux-schnell/predictions"
    assert f"\nPOST {url} HTTP/1.1\n" in ran.out
    assert "\nAuthorization: Bearer ***\n" in ran.out
    assert '\n    "prompt": "a fox",\n' in ran.out
    assert f"\ncurl -sS -X POST {url} \\\n" in ran.out
    assert '-H "Authorization: Bearer $REPLICATE_API_TOKEN"' in ran.out
    assert "\nGET https://api.replicate.com/v1/predictions/<job.id> HTTP/1.1\n" in ran.out
    assert "r8_very_secret" not in ran.out + ran.err
    assert not (tmp_path / "home" / "boards.db").exists()


def test_one_form_alone_can_be_piped(cli: Cli) -> None:
    """Only the submit, and only of the form that is asked for."""
    curl = cli("explain", "fal/flux-schnell", "prompt=x", "--curl").out
    assert curl.startswith("curl -sS -X POST https://queue.fal.run/fal-ai/flux/schnell")
    assert curl.endswith("\nJSON\n")
    http = cli("explain", "fal/flux-schnell", "prompt=x", "--http").out
    assert http.startswith("POST https://queue.fal.run/")
    assert "curl" not in http


def test_it_is_json_where_json_is_wanted(cli: Cli) -> None:
    """With every step."""
    shown = json.loads(cli("explain", "flux-schnell", "prompt=x", "--json").out)
    assert shown["generator"] == "replicate/flux-schnell"
    assert shown["cost"] == {"usd": 0.003, "unit": "image", "quantity": 1.0}
    assert [step["name"] for step in shown["steps"]] == ["submit", "poll", "cancel"]
    assert shown["steps"][0]["headers"]["Authorization"] == "Bearer ***"


def test_a_file_is_given_as_for_generate(cli: Cli, tmp_path: Path) -> None:
    """A path, or an address; large ones would be uploaded."""
    (tmp_path / "cat.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(300_000))
    ran = cli("explain", "flux-dev", "prompt=x", "image=@cat.png")
    assert "# cat.png would be uploaded first" in ran.out
    assert '"image": "<upload of cat.png>"' in ran.out
    ran = cli("explain", "flux-dev", "prompt=x", "image=https://acme.test/cat.png")
    assert '"image": "https://acme.test/cat.png"' in ran.out
    ran = cli("explain", "flux-dev", "prompt=x", "image=01m7y915v5yw")
    assert ran.code == 2


def test_more_inputs_come_from_a_file(cli: Cli, tmp_path: Path) -> None:
    """As for generate."""
    (tmp_path / "more.json").write_text('{"prompt": "a fox", "seed": 3}')
    shown = json.loads(
        cli("explain", "flux-schnell", "--input", "more.json", "seed=4", "--json").out
    )
    assert (shown["input"]["prompt"], shown["input"]["seed"]) == ("a fox", 4)


def test_wrong_input_is_told_as_generate_tells_it(cli: Cli) -> None:
    """Exit code 2."""
    ran = cli("explain", "flux-schnell", "promt=x", "num_outputs=9")
    assert ran.code == 2
    assert "num_outputs: must be at most 4" in ran.err
    assert "did you mean 'prompt'?" in ran.err
    assert cli("explain", "no-such-generator").code == 2
