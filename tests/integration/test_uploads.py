"""Uploads that live are used again: for the same bytes, by the same account, and no longer."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from attrs import evolve

from boards import Boards, GenerationFailedError
from boards.adapters import Adapter
from boards.testing.emulators import media
from tests.integration.acme import PNG, Acme, Handler, drop, generator
from tests.integration.conftest import Open
from tests.integration.emulated import emulators, settings

OTHER = PNG + b"\0"


def uploading(expires: str | None = "24h", **changes: Any) -> dict[str, Any]:
    """A provider that takes files by upload alone, each at an address of its own."""
    upload: dict[str, Any] = {
        "init": {"method": "POST", "path": "/uploads", "json": {"type": "${file.mime}"}},
        "capture": {"put": "body.put", "url": "body.url"},
        "put": {"method": "PUT", "url": "${upload.put}", "auth": "none", "body": "${file.bytes}"},
        "result": "${upload.url}",
        **changes,
    }
    if expires is not None:
        upload["expires"] = expires
    return {"files": {"accept": ["upload"], "upload": upload}}


@pytest.fixture(autouse=True)
def _numbered(acme: Acme) -> None:
    """Each upload has another address."""

    async def upload(_request: web.Request) -> web.StreamResponse:
        number = acme.counts["upload"]
        await asyncio.sleep(0.02)
        put = f"{acme.url}/v1/uploads/{number}"
        return web.json_response({"put": put, "url": f"https://acme.example/{number}.png"})

    acme.answers["upload"] = upload


def taken(acme: Acme) -> list[str]:
    """What each submit had for its image, by number."""
    images = [str(job["input"]["image"]) for job in acme.jobs.values()]
    return [one.removeprefix("https://acme.example/").removesuffix(".png") for one in images]


def shift(home: Path, seconds: float) -> None:
    """As if all uploads had been made so much earlier."""
    database = sqlite3.connect(home / "boards.db")
    database.execute("UPDATE uploads SET at = at - ?, until = until - ?", (seconds, seconds))
    database.commit()
    database.close()


async def test_a_file_is_uploaded_once_while_its_upload_lives(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """Whether it comes as bytes or as a path; other bytes are another file. A restart knows it."""
    picture = tmp_path / "cat.png"
    picture.write_bytes(PNG)
    async with open_boards(provider=uploading()) as boards:
        await boards.generate("acme/draw", prompt="a", image=PNG)
        await boards.generate("acme/draw", prompt="b", image=picture)
        await boards.generate("acme/draw", prompt="c", image=OTHER)
    async with open_boards(provider=uploading()) as boards:
        await boards.generate("acme/draw", prompt="d", image=OTHER)
    assert taken(acme) == ["1", "1", "2", "2"]
    assert (acme.counts["upload"], acme.counts["put"]) == (2, 2)


async def test_without_a_life_every_submit_uploads(acme: Acme, open_boards: Open) -> None:
    """Nobody told how long it would be there."""
    async with open_boards(provider=uploading(expires=None)) as boards:
        for prompt in "ab":
            await boards.generate("acme/draw", prompt=prompt, image=PNG)
    assert taken(acme) == ["1", "2"]


@pytest.mark.parametrize(("hours", "uploads"), [(11.9, 1), (12.1, 2), (-0.1, 2)])
async def test_an_upload_is_used_in_the_first_half_of_its_life(
    acme: Acme, open_boards: Open, tmp_path: Path, hours: float, uploads: int
) -> None:
    """A job that waits still finds it; one of the future tells of a clock that was set back."""
    async with open_boards(provider=uploading()) as boards:
        await boards.generate("acme/draw", prompt="a", image=PNG)
        shift(tmp_path / "home", hours * 3600)
        await boards.generate("acme/draw", prompt="b", image=PNG)
    assert acme.counts["upload"] == uploads


async def test_what_is_over_is_forgotten(acme: Acme, open_boards: Open, tmp_path: Path) -> None:
    """The table has what is of use, and no more."""
    async with open_boards(provider=uploading()) as boards:
        for number in range(5):
            content = PNG + bytes([number])
            await boards.generate("acme/draw", prompt="a", image=content)
            shift(tmp_path / "home", 13 * 3600)
    database = sqlite3.connect(tmp_path / "home" / "boards.db")
    assert database.execute("SELECT count(*) FROM uploads").fetchone() == (1,)
    database.close()


async def test_uploads_of_one_file_at_the_same_time_are_one(acme: Acme, open_boards: Open) -> None:
    """Whoever comes second waits for the first."""
    async with open_boards(provider=uploading()) as boards:
        await asyncio.gather(
            *(boards.generate("acme/draw", prompt=str(n), image=PNG) for n in range(20)),
            *(boards.generate("acme/draw", prompt=str(n), image=OTHER) for n in range(20)),
        )
    assert acme.counts["upload"] == 2
    assert sorted(taken(acme)) == ["1"] * 20 + ["2"] * 20


async def test_an_upload_that_fails_fails_for_all_who_wait_and_is_tried_again(
    acme: Acme, open_boards: Open
) -> None:
    """The next generation begins anew."""
    working = acme.answers["upload"]

    async def refused(_request: web.Request) -> web.StreamResponse:
        while len(boards._running.machine.flights) < 5:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)  # they read the file first
        return web.json_response({"error": {"message": "no room"}}, status=400)

    acme.answers["upload"] = refused
    async with open_boards(provider=uploading()) as boards:
        made = [boards.generate("acme/draw", prompt=str(n), image=PNG) for n in range(5)]
        errors = await asyncio.gather(*made, return_exceptions=True)
        assert all(isinstance(one, GenerationFailedError) for one in errors)
        assert acme.counts["upload"] == 1
        acme.answers["upload"] = working
        await boards.generate("acme/draw", prompt="a", image=PNG)
    assert acme.counts["upload"] == 2


def any_key(acme: Acme) -> Handler:
    """A submit that every account may make."""

    async def submit(request: web.Request) -> web.StreamResponse:
        job = {"id": f"job-{len(acme.jobs) + 1}", "status": "queued", "polls": 0}
        acme.jobs[str(job["id"])] = {**job, "input": await request.json()}
        return web.json_response(job, status=201)

    return submit


async def test_another_account_uploads_for_itself(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """Its credentials may not reach what the first one has put there."""
    acme.answers["submit"] = any_key(acme)
    for key in ("first", "second", "first"):
        async with open_boards(provider=uploading(), environment={"ACME_KEY": key}) as boards:
            await boards.generate("acme/draw", prompt="a", image=PNG)
    assert taken(acme) == ["1", "2", "1"]


class Keyed(Adapter):
    """Signs with a key that its specification does not name."""

    async def authenticate(self, request: Any) -> Any:
        key = self.client.secret("HIDDEN_KEY")
        return evolve(request, headers={**request.headers, "Authorization": f"Bearer {key}"})


async def test_an_account_that_only_the_adapter_knows_uploads_each_time(
    acme: Acme, open_boards: Open
) -> None:
    """What the specification does not name tells no two accounts apart."""
    provider = {**uploading(), "adapter": "tests.integration.test_uploads:Keyed"}
    acme.answers["submit"] = any_key(acme)
    for key in ("first", "second"):
        environment = {"ACME_KEY": "acme-secret-key", "HIDDEN_KEY": key}
        async with open_boards(provider=provider, environment=environment) as boards:
            await boards.generate("acme/draw", prompt="a", image=PNG)
    assert taken(acme) == ["1", "2"]


async def test_another_way_to_upload_is_another_upload(acme: Acme, open_boards: Open) -> None:
    """What the spec says now may not be what it said when the file was sent."""
    async with open_boards(provider=uploading()) as boards:
        await boards.generate("acme/draw", prompt="a", image=PNG)
    changed = uploading(result="${upload.url}?v=2")
    async with open_boards(provider=changed) as boards:
        await boards.generate("acme/draw", prompt="a", image=PNG)
    assert acme.counts["upload"] == 2


@pytest.mark.parametrize("when", ["submit", "poll"])
async def test_a_generation_that_fails_has_its_upload_forgotten(
    acme: Acme, open_boards: Open, when: str
) -> None:
    """It may be gone, whatever the provider calls that: the next generation uploads again."""

    async def gone(request: web.Request) -> web.StreamResponse:
        if when == "submit":
            return web.json_response({"error": {"message": "cannot download"}}, status=422)
        return web.json_response({"id": "job", "status": "failed", "reason": "cannot download"})

    async with open_boards(provider=uploading()) as boards:
        await boards.generate("acme/draw", prompt="a", image=PNG)
        acme.answers[when] = gone
        with pytest.raises(GenerationFailedError):
            await boards.generate("acme/draw", prompt="b", image=PNG)
        assert acme.counts["upload"] == 1
        del acme.answers[when]
        await boards.generate("acme/draw", prompt="c", image=PNG)
    assert acme.counts["upload"] == 2


async def test_a_generation_that_goes_elsewhere_has_its_upload_forgotten(
    acme: Acme, tmp_path: Path
) -> None:
    """It ends well at another provider; the first one may have lost the file all the same."""

    async def gone(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "cannot download"}}, status=404)

    async with (
        Acme() as other,
        Boards(
            home=tmp_path / "home",
            environment={"ACME_KEY": "acme-secret-key"},
            providers={
                "acme": acme.provider(**uploading()),
                "other": other.provider(files={"accept": ["data_uri"]}),
            },
            generators=[generator(), {**generator(), "provider": "other"}],
            provider_priority=("acme", "other"),
            allow_private_hosts=True,
        ) as boards,
    ):
        await boards.generate("draw", prompt="a", image=PNG)
        acme.answers["submit"] = gone
        elsewhere = await boards.generate("draw", prompt="b", image=PNG, fallback="on_error")
        assert (elsewhere.provider, acme.counts["upload"]) == ("other", 1)
        del acme.answers["submit"]
        assert (await boards.generate("draw", prompt="c", image=PNG)).provider == "acme"
    assert acme.counts["upload"] == 2


async def test_a_submit_with_a_file_can_be_sent_again_after_a_crash(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """It is the same request, because the file is where it was: the key is known again."""
    execution = {
        "submit": {
            "path": "/jobs",
            "json": {"prompt": "${input.prompt}", "image": "${input.image?|file}"},
            "capture": {"id": "body.id"},
            "idempotency": {"header": "Idempotency-Key"},
        }
    }
    async with open_boards(provider=uploading(), execution=execution) as boards:
        generation = await boards.generate("acme/draw", prompt="a", image=PNG)
    database = sqlite3.connect(tmp_path / "home" / "boards.db")
    database.execute("UPDATE generations SET phase = 'submitting', finished_at = NULL, due_at = 0")
    database.execute("UPDATE attempts SET outcome = NULL, job = NULL, provider_job_id = NULL")
    database.commit()
    database.close()
    async with open_boards(provider=uploading(), execution=execution) as boards:
        again = await boards.wait(generation.id)
    keys = [
        request.headers["Idempotency-Key"]
        for name, (request, _) in acme.requests
        if name == "submit"
    ]
    assert again.status == "succeeded"
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert acme.counts["upload"] == 1


@pytest.mark.parametrize("accept", ["url", "upload"])
async def test_a_submit_with_a_file_whose_answer_was_lost_is_sent_again_as_it_was(
    acme: Acme, open_boards: Open, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    """The storage signs each address anew, or an upload is used once: the key is known again."""
    execution = {
        "submit": {
            "path": "/jobs",
            "json": {"prompt": "${input.prompt}", "image": "${input.image?|file}"},
            "capture": {"id": "body.id"},
            "idempotency": {"header": "Idempotency-Key"},
        }
    }
    provider = uploading(expires=None)
    provider["files"]["accept"] = [accept]
    signed: list[str] = []

    async def url(_key: str, *, expires: float = 3600.0) -> str:
        signed.append(f"{acme.url}/files/a.png?{len(signed)}")
        return signed[-1]

    submit, sent = acme.submit, list[tuple[str, str]]()

    async def lossy(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        sent.append((request.headers["Idempotency-Key"], body["image"]))
        return await (drop(request) if len(sent) < 3 else submit(request))

    acme.answers["submit"] = lossy
    async with open_boards(provider=provider, execution=execution) as boards:
        monkeypatch.setattr(boards._running.storage, "url", url)
        again = await boards.generate("acme/draw", prompt="a", image=PNG)
        assert again.status == "succeeded"
    assert (len(sent), len(set(sent)), len(signed) + acme.counts["upload"]) == (3, 1, 1)


async def test_a_file_that_cannot_be_made_ready_for_now_does_not_lose_the_submit(
    acme: Acme, open_boards: Open, tmp_path: Path
) -> None:
    """The provider knows the key: once the input's address answers again, it is sent again."""
    execution = {
        "submit": {
            "path": "/jobs",
            "json": {"prompt": "${input.prompt}", "image": "${input.image?|file}"},
            "capture": {"id": "body.id"},
            "idempotency": {"header": "Idempotency-Key"},
        }
    }
    provider = {"files": {"accept": ["data_uri"]}}
    asked: list[str] = []

    async def outage(request: web.Request) -> web.StreamResponse:
        asked.append(request.match_info["name"])
        return web.Response(status=503) if len(asked) < 3 else await acme.file(request)

    async with open_boards(provider=provider, execution=execution) as boards:
        image = f"{acme.url}/files/input.png"
        generation = await boards.generate("acme/draw", prompt="a", image=image)
    database = sqlite3.connect(tmp_path / "home" / "boards.db")
    database.execute("UPDATE generations SET phase = 'submitting', finished_at = NULL, due_at = 0")
    database.execute("UPDATE attempts SET outcome = NULL, job = NULL, provider_job_id = NULL")
    database.commit()
    database.close()
    acme.answers["file"] = outage
    async with open_boards(provider=provider, execution=execution) as boards:
        again = await boards.wait(generation.id)
    keys = [
        request.headers["Idempotency-Key"]
        for name, (request, _) in acme.requests
        if name == "submit"
    ]
    assert again.status == "succeeded"
    assert asked[:3] == ["input.png"] * 3
    assert (len(keys), len(set(keys))) == (2, 1)


async def test_whoever_begins_an_upload_may_leave(acme: Acme, open_boards: Open) -> None:
    """Closing does not wait for it, and leaves nothing behind."""
    begun = asyncio.Event()

    async def slow(_request: web.Request) -> web.StreamResponse:
        begun.set()
        await asyncio.sleep(30)
        return web.Response()

    acme.answers["upload"] = slow
    boards: Boards
    async with open_boards(provider=uploading()) as boards:
        await boards.submit("acme/draw", prompt="a", image=PNG)
        await begun.wait()
        before = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - before < 2


@pytest.mark.parametrize(
    ("provider", "route"),
    [("replicate", "POST /v1/files"), ("fal", "POST /rest/storage/upload/initiate")],
)
async def test_the_plugins_know_how_long_their_uploads_live(
    tmp_path: Path, provider: str, route: str
) -> None:
    """A large file goes there once."""
    picture = media.image("x", 1, width=64, height=64).content + b"\0" * 1_200_000
    with emulators() as pair:
        async with Boards(home=tmp_path / "home", **settings(*pair)) as boards:
            for prompt in ("blue", "red"):
                name = f"{provider}/flux-kontext-pro"
                generation = await boards.generate(name, prompt=prompt, image=picture)
                assert generation.status == "succeeded"
        assert sum(emulator.stats[route] for emulator in pair) == 1
