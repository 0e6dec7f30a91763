"""Generators as classes, through the facade and a real server on the loopback."""

from pathlib import Path
from typing import Any

import pytest

import boards.sync
from boards import Artifact, Boards, InvalidInputError, SpecError, UnavailableError
from boards.dsl import (
    Auth,
    Cost,
    Generator,
    Image,
    Output,
    Provider,
    Status,
    body,
    field,
    get,
    input,
    job,
    post,
)
from tests.integration.acme import PNG, Acme

LOOK_ALIKES = (
    "42",
    "1_000",
    "[1, 2]",
    "None",
    "${x}",
    "{{x}}",
    "16:9",
    "no",
    "true",
    "0x10",
    "1e3",
)
PLAIN: tuple[Any, ...] = (42, 1.5, True, False, [1, 2], {"a": None}, "")


class Draw(Generator, name="draw", provider="acme", artifact="image"):
    """Draws."""

    prompt: str = field(min_length=1)
    seed: int | None = None
    size: int = field(default=512, ge=64, le=1024)
    image: Image | None = None
    any_: Any = field(default=None, name="any")

    submit = post(
        "/jobs",
        json={
            "prompt": input.prompt,
            "again": f"<{input.prompt}>",
            "seed": input.seed,
            "size": input.size,
            "image": input.image.file,
            "any": input["any"],
            "fixed": list(LOOK_ALIKES[:5]),
            "plain": list(PLAIN),
        },
        capture={"id": body.id},
    )
    poll = get(f"/jobs/{job.id}", every="20ms", backoff=1)
    result = get(f"/jobs/{job.id}/result")
    outputs = Output(body.images[:].url, expires="1h")
    cost = Cost("image", usd=0.04, source="https://acme.example/pricing", as_of="2025-01-15")


def host(acme: Acme, home: Path, **more: Any) -> dict[str, Any]:
    return {
        "home": home,
        "environment": {"ACME_KEY": "acme-secret-key"},
        "providers": {"acme": acme.provider()},
        "allow_private_hosts": True,
        **more,
    }


async def test_an_instance_is_generated(acme: Acme, tmp_path: Path) -> None:
    """A class that nobody registered: name and input in one."""
    async with Boards(**host(acme, tmp_path)) as boards:
        generation = await boards.generate(Draw(prompt="a cat", seed=7))
        assert generation.generator == "acme/draw"
        assert generation.input == {"prompt": "a cat", "seed": 7, "size": 512}
        assert isinstance(generation.artifacts[0], Artifact)
        assert [entry.id for entry in boards.generators(provider="acme")] == ["acme/draw"]
        again = await boards.generate("draw", prompt="another cat")
        assert again.generator == "acme/draw"
        price = boards.estimate(Draw(prompt="x"))
        assert price is not None
        assert price.usd == 0.04


@pytest.mark.parametrize("wrong", [Draw, 7, None])
async def test_what_is_neither_a_name_nor_an_instance_is_told(
    acme: Acme, tmp_path: Path, wrong: Any
) -> None:
    """A class that should have been called, or what a caller's JSON had for a name."""
    async with Boards(**host(acme, tmp_path)) as boards:
        with pytest.raises(InvalidInputError, match="must be a name, or an instance of a class"):
            await boards.generate(wrong, prompt="a cat")
    assert not acme.jobs


@pytest.mark.parametrize("text", LOOK_ALIKES)
async def test_no_text_becomes_anything_else(acme: Acme, tmp_path: Path, text: str) -> None:
    """Through a full run, what looks like a number, a list, a token or nothing stays a text."""
    async with Boards(**host(acme, tmp_path)) as boards:
        generation = await boards.generate(Draw(prompt=text, any_={"a": [text, 1]}))
    assert generation.input["prompt"] == text
    (sent,) = (one["input"] for one in acme.jobs.values())
    assert sent == {
        "prompt": text,
        "again": f"<{text}>",
        "size": 512,
        "any": {"a": [text, 1]},
        "fixed": list(LOOK_ALIKES[:5]),
        "plain": list(PLAIN),
    }
    assert [type(one) for one in sent["plain"]] == [type(one) for one in PLAIN]


async def test_files_are_given_as_paths_bytes_and_artifacts(acme: Acme, tmp_path: Path) -> None:
    """Whatever a file is given as, the provider gets its bytes."""
    file = tmp_path / "in.png"
    file.write_bytes(PNG)
    async with Boards(**host(acme, tmp_path / "home")) as boards:
        first = await boards.generate(Draw(prompt="a", image=file))
        await boards.generate(Draw(prompt="b", image=PNG))
        await boards.generate(Draw(prompt="c", image=first.artifacts[0]))
    sent = [one["input"]["image"] for one in acme.jobs.values()]
    assert all(one.startswith("data:image/png;base64,") for one in sent)
    assert len(set(sent)) == 1


async def test_a_provider_may_come_along(acme: Acme, tmp_path: Path) -> None:
    """Code alone: no YAML anywhere."""
    here = Provider(
        "here",
        base_url=f"{acme.url}/v1",
        api_key_env="ACME_KEY",
        auth=Auth("bearer"),
        status=Status(
            body.status,
            {"queued": "queued", "running": "running", "done": "succeeded"},
            unknown="fail",
        ),
    )

    class Own(Draw, name="own", provider=here):
        pass

    class Second(Draw, name="second", provider=here):
        pass

    async with Boards(**host(acme, tmp_path, providers=None, generators=[Second])) as boards:
        assert (await boards.generate("second", prompt="a")).generator == "here/second"
        assert (await boards.generate(Own(prompt="a"))).generator == "here/own"


async def test_a_class_that_was_written_anew_replaces_the_old_one(
    acme: Acme, tmp_path: Path
) -> None:
    """As in a notebook."""

    def define(limit: int) -> type[Draw]:
        class Anew(Draw, name="anew"):
            size: int = field(default=64, ge=64, le=limit)

        return Anew

    async with Boards(**host(acme, tmp_path)) as boards:
        with pytest.raises(InvalidInputError):
            await boards.generate(define(100)(prompt="a", size=200))
        assert await boards.generate(define(300)(prompt="a", size=200))


async def test_mistakes_are_errors_of_ours(acme: Acme, tmp_path: Path) -> None:
    """Input, provider and class: each tells what is wrong."""

    class Elsewhere(Draw, name="elsewhere", provider="nowhere"):
        pass

    class Broken(Draw, name="broken"):
        submit = post("/jobs", json={"prompt": input.promt}, capture={"id": body.id})

    async with Boards(**host(acme, tmp_path)) as boards:
        with pytest.raises(InvalidInputError, match="at most 1024"):
            await boards.submit(Draw(prompt="a", size=5000))
        with pytest.raises(UnavailableError, match="defines the provider 'nowhere'"):
            await boards.submit(Elsewhere(prompt="a"))
        with pytest.raises(SpecError, match="did you mean 'prompt'"):
            await boards.submit(Broken(prompt="a"))
    assert not acme.jobs


def test_from_input_tells_all_mistakes() -> None:
    """JSON of a request becomes an instance, or an error that names each input."""
    made = Draw.from_input({"prompt": "a", "size": 64, "any": [1], "image": "https://x.example/a"})
    assert made == Draw(prompt="a", size=64, any_=[1], image="https://x.example/a")
    with pytest.raises(InvalidInputError) as caught:
        Draw.from_input({"prompt": 1, "size": "64", "image": {}, "sead": 2})
    assert {one.where: one.message for one in caught.value.problems} == {
        "prompt": "must be a string, not 1",
        "size": "must be an integer, not '64'",
        "image": "must be a file: a path, bytes, an artifact or a URL, not {}",
        "sead": "is not an input; did you mean 'seed'?",
    }
    with pytest.raises(InvalidInputError, match="prompt: is required"):
        Draw.from_input({})


def test_instances_are_values() -> None:
    """Frozen, comparable, and shown by their inputs."""
    one = Draw(prompt="a")
    assert one == Draw(prompt="a")
    assert one != Draw(prompt="b")
    assert "prompt='a'" in repr(one)
    with pytest.raises(AttributeError):
        one.prompt = "b"  # type: ignore[misc]


async def test_the_sync_facade_takes_instances(acme: Acme, tmp_path: Path) -> None:
    """As the asynchronous one does."""
    import asyncio

    def run() -> None:
        with boards.sync.Boards(**host(acme, tmp_path)) as there:
            assert there.generate(Draw(prompt="a")).artifacts
            assert there.estimate(Draw(prompt="a")) is not None

    await asyncio.to_thread(run)


def test_a_class_may_be_given_and_listed(tmp_path: Path) -> None:
    """Without opening anything."""
    here = Provider("here", base_url="https://here.example", auth=Auth("none"))

    class Own(Generator, name="own", provider=here, artifact="image"):
        """Its own."""

        submit = post("/a")
        outputs = body.url

    there = Boards(home=tmp_path, environment={}, providers=[here], generators=[Own])
    (entry,) = there.generators(provider="here")
    assert (entry.id, entry.description) == ("here/own", "Its own.")
