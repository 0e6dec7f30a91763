"""Results as files, on paper and as JSON."""

import hashlib
from pathlib import Path

import pytest
from attrs import evolve

from boards.artifacts import Artifact
from boards.cli.output import ago, plain, seconds, size
from boards.cli.results import as_json, copy_out, cost
from boards.errors import Failure, StorageError
from boards.generations import Cost, Generation, Phase
from boards.testing.contact_sheet import Sheet, write_sheet

ID = "01m7y8r10dxddjr690710twj2a"


@pytest.fixture
def generation(tmp_path: Path) -> Generation:
    """One that made a PNG."""
    path = tmp_path / "stored.png"
    path.write_bytes(b"pixels")
    digest = hashlib.sha256(b"pixels").hexdigest()
    artifact = Artifact(f"{ID}.0", "image", "image/png", 6, digest, "key", path)
    return Generation(
        id=ID,
        generator="fal/flux-dev",
        provider="fal",
        artifact_type="image",
        input={"prompt": "a <cat>"},
        phase="succeeded",
        artifacts=(artifact,),
        created_at=1.0,
        finished_at=3.5,
    )


def test_copies_have_readable_names(generation: Generation, tmp_path: Path) -> None:
    """The generator, the end of the id, the number."""
    copies = copy_out(generation, tmp_path / "out")
    assert copies == {f"{ID}.0": tmp_path / "out" / "flux-dev-710twj2a-0.png"}
    assert copies[f"{ID}.0"].read_bytes() == b"pixels"


def test_the_same_bytes_are_copied_once(generation: Generation, tmp_path: Path) -> None:
    """Waiting a second time makes no second file."""
    copy_out(generation, tmp_path / "out")
    copy_out(generation, tmp_path / "out")
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["flux-dev-710twj2a-0.png"]


def test_a_different_file_is_never_overwritten(generation: Generation, tmp_path: Path) -> None:
    """The copy gets a name beside it."""
    (tmp_path / "flux-dev-710twj2a-0.png").write_bytes(b"edited")
    copies = copy_out(generation, tmp_path)
    assert copies[f"{ID}.0"].name == "flux-dev-710twj2a-0-2.png"
    assert (tmp_path / "flux-dev-710twj2a-0.png").read_bytes() == b"edited"


def test_json_names_the_copy(generation: Generation, tmp_path: Path) -> None:
    """Where ``--out`` made one."""
    copies = copy_out(generation, tmp_path / "out")
    shown = as_json(generation, copies)
    assert shown["artifacts"][0]["path"] == str(tmp_path / "out" / "flux-dev-710twj2a-0.png")
    assert shown["error"] is None


def test_json_tells_a_fault_of_this_machine(generation: Generation) -> None:
    """As the generation's error; it is not the provider's."""
    fault = StorageError("The disk is full.", remedy="Free some space.")
    error = as_json(generation, fault=fault)["error"]
    assert error | {"kind": "storage", "message": "The disk is full."} == error


@pytest.mark.parametrize(("phase", "kind"), [("unknown", "unknown"), ("canceled", "canceled")])
def test_json_always_says_why_there_is_no_result(
    generation: Generation, phase: Phase, kind: str
) -> None:
    """Also where the provider reported no failure."""
    assert as_json(evolve(generation, phase=phase))["error"]["kind"] == kind


def test_figures_are_for_people() -> None:
    """Sizes, durations and prices."""
    assert [size(n) for n in (5, 5_300, 530_000, 5_300_000)] == [
        "5 B",
        "5.3 KB",
        "530 KB",
        "5.3 MB",
    ]
    assert [seconds(n) for n in (1.26, 90, 3700)] == ["1.3 s", "1 min 30 s", "1 h 01 min"]
    assert [ago(n) for n in (5, 90, 90_000)] == ["just now", "1 min ago", "1 d ago"]


def test_a_cost_for_people(generation: Generation) -> None:
    """An estimate is marked as one; what was surely not charged has none."""
    priced = [
        evolve(generation, cost=one)
        for one in (None, Cost(0.025, "image"), Cost(0.00005, "image", estimated=False))
    ]
    assert [cost(one) for one in priced] == ["", "~$0.025", "$0.00005"]
    refused = [evolve(one, error=Failure("moderated", "no")) for one in priced]
    assert [cost(one) for one in refused] == ["", "", "$0.00005"]
    assert cost(evolve(generation, cost=Cost(0.0, "image"))) == "~$0"
    lost = evolve(priced[1], error=Failure("provider", "lost", maybe_charged=True))
    assert cost(lost) == "~$0.025"


def test_a_providers_text_cannot_steer_the_terminal() -> None:
    """Control characters become spaces."""
    assert plain("bad\x1b[2J\r\ninput\x07") == "bad [2J  input"


def test_a_contact_sheet_loads_nothing_from_elsewhere(
    generation: Generation, tmp_path: Path
) -> None:
    """Its files are linked relative to it, and what a user wrote is text."""
    files = tuple(copy_out(generation, tmp_path / "out").values())
    path = tmp_path / "out" / "index.html"
    write_sheet(path, "Title", "Note", [Sheet(generation, "FLUX", files)])
    page = path.read_text()
    assert 'src="flux-dev-710twj2a-0.png"' in page
    assert "a &lt;cat&gt;" in page
    assert "2.5 s" in page
    assert "http" not in page
