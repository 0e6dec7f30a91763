"""``boards check`` tells every mistake at its place."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]

GOOD = """\
spec: 1
providers:
  acme:
    config: {base_url: https://acme.test}
    auth: {kind: none}
generators:
  - name: draw
    provider: acme
    artifact_type: image
    io:
      input_schema:
        type: object
        required: [prompt]
        properties:
          prompt: {type: string}
    execution:
      submit: {path: /run, json: {prompt: "${input.prompt}"}}
      extract: {outputs: [{from: "body.images[*]", expires: 1h}]}
    tests:
      - {input: {prompt: x}, exchanges: [{reply: {status: 402}}], raises: quota}
"""


def test_a_file_without_mistakes_passes(cli: Cli, tmp_path: Path) -> None:
    """With exit code 0."""
    (tmp_path / "good.yaml").write_text(GOOD)
    ran = cli("check", "good.yaml")
    assert (ran.code, ran.err) == (0, "1 file: no errors, no warnings\n")


def test_all_mistakes_are_told_with_line_and_caret(cli: Cli, tmp_path: Path) -> None:
    """In the shape that editors read; exit code 1."""
    text = GOOD.replace("input.prompt", "input.promt").replace("path: /run", "pth: /run")
    (tmp_path / "bad.yaml").write_text(text)
    ran = cli("check", "bad.yaml")
    assert ran.code == 1
    errors = [line for line in ran.out.splitlines() if line.startswith("bad.yaml:")]
    assert [line.split(": ", 1)[0] for line in errors] == ["bad.yaml:17:16", "bad.yaml:17:43"]
    assert all(": error: " in line for line in errors)
    assert ran.out.count("^") == 2
    assert ran.err == "1 file: 2 errors, no warnings\n"


PYTHON = """\
from boards.dsl import Auth, Error, Fixture, Generator, Output, Provider, body, input, post

acme = Provider("acme", base_url="https://acme.test", auth=Auth("none"))
other = Provider("other", base_url="https://other.test", auth=Auth("none"))


class Base(Generator, provider=acme, artifact="image"):
    prompt: str


class Draw(Base, name="draw"):
    submit = post("/run", json={"prompt": input.prompt})
    outputs = Output(body.images.every, expires="1h")
    tests = [Fixture(input={"prompt": "x"}, exchanges=[{"reply": {"status": 402}}], raises="quota")]
"""


def test_python_is_checked_at_its_own_lines(cli: Cli, tmp_path: Path) -> None:
    """Errors and warnings of all classes and providers of a file, beside those of YAML."""
    (tmp_path / "good.py").write_text(PYTHON)
    (tmp_path / "good.yaml").write_text(GOOD.replace("name: draw", "name: paint"))
    ran = cli("check", "good.py", "good.yaml")
    assert (ran.code, ran.out, ran.err) == (0, "", "2 files: no errors, no warnings\n")
    wrong = PYTHON.replace("input.prompt", "input.promt").replace(', expires="1h"', "")
    (tmp_path / "bad.py").write_text(wrong.replace('Auth("none"))\n\n', 'Auth("header"))\n\n'))
    shown = json.loads(cli("check", "bad.py", "--json").out)
    assert [(one["file"], one["line"], one["severity"]) for one in shown] == [
        ("bad.py", 4, "error"), ("bad.py", 12, "error"),
        ("bad.py", 8, "warning"), ("bad.py", 13, "warning"),
    ]  # fmt: skip


PIPELINE = """

from boards.pipelines import Pipeline

pipeline = Pipeline("two", inputs={"idea": str})
first = pipeline.step("first", Draw, prompt=pipeline.input.idea)
pipeline.step("second", "acme/draw", prompt=first.status, needs=["first"])
"""


def test_a_pipeline_in_python_is_checked_at_its_lines(cli: Cli, tmp_path: Path) -> None:
    """Against the generators of its own file, and those that are installed."""
    (tmp_path / "good.py").write_text(PYTHON + PIPELINE)
    assert cli("check", "good.py").err == "1 file: no errors, no warnings\n"
    wrong = PIPELINE.replace("prompt=first", "promt=first").replace('["first"]', '["third"]')
    (tmp_path / "bad.py").write_text(PYTHON + wrong)
    shown = json.loads(cli("check", "bad.py", "--json").out)
    assert [(one["line"], one["message"].partition(";")[0]) for one in shown] == [
        (21, "acme/draw needs 'prompt'"),
        (21, "acme/draw has no input 'promt'"),
        (21, "there is no step 'third'"),
    ]
    (tmp_path / "bad.py").write_text(PYTHON.replace("prompt: str", "prompt: object()") + PIPELINE)
    assert "needs" not in cli("check", "bad.py").out  # nobody can tell what it takes


def test_python_that_stops_is_told_at_the_line(cli: Cli, tmp_path: Path) -> None:
    """Of the file itself, however deep below it went wrong."""
    for text, told in (
        (f"{PYTHON}\n\nint('x')\n", "bad.py:17:1: error: ValueError: invalid literal for int()"),
        (f"{PYTHON}\nclass (\n", "bad.py:16:7: error: SyntaxError: invalid syntax"),
    ):
        (tmp_path / "bad.py").write_text(text)
        ran = cli("check", "bad.py")
        assert (ran.code, ran.out.startswith(told)) == (1, True), ran.out
    assert "boards export bad.py" in cli("test", "bad.py").err


def test_mistakes_as_json_have_their_place(cli: Cli, tmp_path: Path) -> None:
    """File, line and column apart."""
    (tmp_path / "bad.yaml").write_text(GOOD.replace("input.prompt", "input.promt"))
    ran = cli("check", "--json", "bad.yaml")
    (found,) = [one for one in json.loads(ran.out) if one["severity"] == "error"]
    assert (found["file"], found["line"]) == ("bad.yaml", 17)
    assert "promt" in found["message"]
    assert ran.code == 1


def test_a_directory_stands_for_its_files(cli: Cli, tmp_path: Path) -> None:
    """A provider may be defined in another of them."""
    head, _, tail = GOOD.partition("generators:")
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "provider.yaml").write_text(head)
    (tmp_path / "specs" / "draw.yaml").write_text(f"spec: 1\ngenerators:{tail}")
    ran = cli("check", "specs")
    assert (ran.code, ran.err) == (0, "2 files: no errors, no warnings\n")


def test_a_provider_that_is_installed_counts(cli: Cli, tmp_path: Path) -> None:
    """And one that is nowhere is a warning."""
    tail = GOOD.partition("generators:")[2]
    installed = tail.replace("provider: acme", "provider: replicate")
    (tmp_path / "a.yaml").write_text(f"spec: 1\ngenerators:{installed}")
    assert "is not defined" not in cli("check", "a.yaml").out
    (tmp_path / "b.yaml").write_text(f"spec: 1\ngenerators:{tail}")
    assert "warning: the provider 'acme' is not defined" in cli("check", "b.yaml").out


def test_a_file_that_is_not_there_is_a_wrong_argument(cli: Cli) -> None:
    """Exit code 2."""
    assert cli("check", "missing.yaml").code == 2


def test_warnings_are_apart_and_no_failure(cli: Cli, tmp_path: Path) -> None:
    """After the errors, and with exit code 0."""
    (tmp_path / "odd.yaml").write_text(GOOD.replace(", expires: 1h", ""))
    ran = cli("check", "odd.yaml")
    assert ran.code == 0
    assert ran.out.startswith("odd.yaml:18:34: warning: how long does this address live?")
    assert ran.err == "1 file: no errors, 1 warning\n"
    (found,) = json.loads(cli("check", "--json", "odd.yaml").out)
    assert found["severity"] == "warning"


def test_what_a_host_says_of_installed_ones_is_no_mistake(cli: Cli, tmp_path: Path) -> None:
    """A generator that is switched off, and a provider with a key of its own."""
    (tmp_path / "providers.yaml").write_text(
        "providers:\n  fal: {config: {api_key_env: MY_KEY}}\n"
        "generators:\n  - {provider: fal, name: flux-dev, enabled: false}\n"
    )
    assert cli("check", "providers.yaml").err == "1 file: no errors, no warnings\n"


def test_the_schema_is_printed(cli: Cli) -> None:
    """As JSON, with and without the option."""
    ran = cli("schema")
    assert ran.code == 0
    assert json.loads(ran.out)["definitions"]["GeneratorSpec"]["properties"]["name"]
    assert cli("schema", "--json").out == ran.out


def test_hostile_files_are_refused_quickly(tmp_path: Path) -> None:
    """Each by the command itself, within a second and in less than 100 MB."""
    nines = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    hostile = {
        "large": b"a: b\n" * 10_000_000,
        "deep": b"[" * 100_000,
        "laughs": f"a0: &a0 [x,x,x,x,x,x,x,x,x]\n{nines}".encode(),
        "malformed": b"generators:\n  - name: [a\n",
        "slips": b"generators: [{" + b", ".join(b"nmae%d: 1" % i for i in range(9_000)) + b"}]",
    }
    script = """
        import contextlib, io, json, pathlib, re, resource, sys, time
        from boards.cli.app import boards
        told = {}
        boards.main(["check", sys.argv[1] + "/none"], standalone_mode=False)
        for path in sorted(pathlib.Path(sys.argv[1]).glob("*.yaml")):
            start = time.process_time()
            with contextlib.redirect_stdout(io.StringIO()) as out:
                code = boards.main(["check", str(path)], standalone_mode=False)
            told[path.stem] = code, out.getvalue()[:400], time.process_time() - start
        # On Linux a new process begins with the peak of the one that started it, but for VmHWM.
        status = pathlib.Path("/proc/self/status")
        if status.exists():
            peak = 1024 * int(re.search("VmHWM: *([0-9]+)", status.read_text().expandtabs())[1])
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps([told, peak]))
    """
    for name, content in hostile.items():
        (tmp_path / f"{name}.yaml").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "BOARDS_HOME": str(tmp_path / "home")},
    )
    told, peak = json.loads(done.stdout)
    assert told.keys() == hostile.keys()
    assert [code for code, _, _ in told.values()] == [1] * len(hostile)
    assert all(seconds < 1 for _, _, seconds in told.values())
    assert peak < 100_000_000
    words = {
        "large": "at most 1,048,576 bytes",
        "deep": "nested deeper than 100 levels",
        "laughs": "more than 50,000 nodes",
        "malformed": "while parsing",
        "slips": "missing key 'name'",
    }
    assert all(text in told[name][1] for name, text in words.items()), told
