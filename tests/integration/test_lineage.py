"""Lineage through the facade, the command line and pipelines: what was made from what."""

import asyncio
import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import boards.sync
from boards import Artifact, Boards, Generation, NotFoundError
from boards.cli.app import boards as command
from boards.pipelines import Pipeline
from tests.integration.acme import PNG, Acme, generator
from tests.integration.test_prune import age


@pytest.fixture(autouse=True)
def _own_outputs(acme: Acme) -> None:
    """Each job has an output of its own."""

    async def result(request: web.Request) -> web.StreamResponse:
        id_ = request.match_info["id"]
        asked = acme.jobs[id_]["input"]["prompt"]
        url = f"{acme.url}/files/{id_}.png"
        return web.json_response({"images": [{"url": url}], "text": f"<{asked}>"})

    async def file(request: web.Request) -> web.StreamResponse:
        return web.Response(
            body=PNG + request.match_info["name"].encode(), content_type="image/png"
        )

    acme.answers.update(result=result, file=file)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def opened(acme: Acme, home: Path, **settings: Any) -> Boards:
    """A host that draws, and writes."""
    draw, write = generator(), generator()
    properties = draw["io"]["input_schema"]["properties"]
    properties["images"] = {"type": "array", "items": {"type": "string", "format": "image"}}
    write.update(name="write", artifact_type="text")
    write["execution"]["extract"] = {"outputs": [{"from": "body.text", "as": "text"}]}
    return Boards(
        home=home,
        environment={"ACME_KEY": "acme-secret-key"},
        providers={"acme": acme.provider()},
        generators=[draw, write],
        allow_private_hosts=True,
        **settings,
    )


async def draw(boards: Boards, prompt: str = "a", **inputs: Any) -> Generation:
    return await boards.generate("acme/draw", prompt=prompt, **inputs)


def content(artifact: Artifact) -> bytes:
    assert artifact.path is not None
    return artifact.path.read_bytes()


async def test_artifacts_are_known_however_they_come_back(
    acme: Acme, home: Path, tmp_path: Path
) -> None:
    """As artifacts, references, files, bytes, data URIs, and in lists; a text is none of these."""
    async with opened(acme, home) as boards:
        (artifact,) = (await draw(boards)).artifacts
        copy = tmp_path / "copy.bin"
        copy.write_bytes(content(artifact))
        uri = f"data:image/png;base64,{base64.b64encode(content(artifact)).decode()}"
        for given in (artifact, artifact.reference, copy, content(artifact), uri):
            taker = await draw(boards, image=given)
            found = await boards.lineage(taker)
            assert [(one.input, one.artifact_id) for one in found.ancestors] == [
                ("image", artifact.id)
            ]
        several = await draw(boards, images=[PNG, artifact])
        (link,) = (await boards.lineage(several.artifacts[0])).ancestors
        assert (link.input, link.artifact_id) == ("images[1]", artifact.id)
        stranger = await draw(boards, prompt=artifact.reference, image="https://acme.example/a.png")
        assert (await boards.lineage(stranger.id)).ancestors == ()
        everything = await boards.lineage(artifact.id)
    assert len(everything.descendants) == 6
    assert everything.generation_id == artifact.id.partition(".")[0]


async def test_what_is_not_there_is_told(acme: Acme, home: Path) -> None:
    """No such generation, no such artifact; the beginning of an id is enough."""
    async with opened(acme, home) as boards:
        one = await draw(boards)
        assert (await boards.lineage(one.id[:20])).id == one.id
        assert (await boards.lineage(f"{one.id[:20]}.0")).id == f"{one.id}.0"
        with pytest.raises(NotFoundError, match="has no artifact 1"):
            await boards.lineage(f"{one.id}.1")
        with pytest.raises(NotFoundError):
            await boards.lineage("nobody.0")
        for digits in ("9" * 25, "9" * 5000):  # more than SQLite has, and than Python reads
            with pytest.raises(NotFoundError):
                await boards.lineage(f"{one.id}.{digits}")
            with pytest.raises(NotFoundError):
                await boards.url(f"{one.id}.{digits}")


async def test_steps_of_a_pipeline_are_linked_by_files_and_by_texts(acme: Acme, home: Path) -> None:
    """A text that is part of a prompt is what the picture was made from, too."""
    made = Pipeline("story", inputs={"name": str})
    written = made.step("written", "acme/write", prompt=made.input.name)
    drawn = made.step("drawn", "acme/draw", prompt=f"draw {written.text} twice: {written.text}")
    made.step("refined", "acme/draw", prompt=f"{written.text}", image=drawn.artifacts[0])
    async with opened(acme, home) as boards:
        run = await boards.run(made, name="fox")
        ids = {step.name: step.generation_id for step in run.steps}
        found = await boards.lineage(run["refined"].artifacts[0])
    assert {(one.generation_id, one.input, one.source_id) for one in found.ancestors} == {
        (ids["refined"], "image", ids["drawn"]),
        (ids["refined"], "prompt", ids["written"]),
        (ids["drawn"], "prompt", ids["written"]),
    }


async def test_the_command_draws_a_tree(
    acme: Acme, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was deleted is named still; --json has the links."""

    async def told(*arguments: str) -> str:
        capsys.readouterr()
        given = ["--home", str(home), "lineage", *arguments]
        assert await asyncio.to_thread(command.main, given, standalone_mode=False) == 0
        return capsys.readouterr().out

    async with opened(acme, home) as boards:
        root = await draw(boards)
        left, right = [await draw(boards, p, image=root.artifacts[0]) for p in ("l", "r")]
        end = await draw(boards, images=[left.artifacts[0], right.artifacts[0]])
        alone = await draw(boards)
        assert await told(f"{end.id}.0") == (
            f"{end.id}.0  acme/draw  image\n"
            "made from\n"
            f"├─ images[0]: {left.id}.0  acme/draw  image\n"
            f"│  └─ image: {root.id}.0  acme/draw  image\n"
            f"└─ images[1]: {right.id}.0  acme/draw  image\n"
            f"   └─ image: {root.id}.0  acme/draw  image\n"
        )
        assert await told(root.id) == (
            f"{root.id}  acme/draw  image\n"
            "made into\n"
            f"├─ {left.id}  acme/draw  image, as image\n"
            f"│  └─ {end.id}  acme/draw  image, as images[0]\n"
            f"└─ {right.id}  acme/draw  image, as image\n"
            f"   └─ {end.id}  acme/draw  image, as images[1]\n"
        )
        shown = json.loads(await told(left.id, "--json"))
        assert shown["ancestors"] == [
            {"generation_id": left.id, "input": "image", "artifact_id": f"{root.id}.0"}
        ]
        assert set(shown["generations"]) == {root.id, left.id, end.id}
        assert await told(alone.id) == f"{alone.id}  acme/draw  image\n"
        assert "└─" in await told(root.id, "--limit", "1")
        age(home)
        last = await draw(boards, image=left.artifacts[0])
        await boards.prune(older_than=timedelta(days=1))
        assert f"└─ image: {left.id}.0  (deleted)\n" in await told(last.id)


def test_without_await(acme: Acme, tmp_path: Path) -> None:
    """`boards.sync` has it, too."""
    with boards.sync.Boards(home=tmp_path, environment={}) as host, pytest.raises(NotFoundError):
        host.lineage("nobody")
