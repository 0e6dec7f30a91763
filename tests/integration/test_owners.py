"""One host, several owners: each sees and changes what is its own."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from attrs import evolve

import boards.sync
from boards import (
    AuthError,
    Boards,
    BoardsError,
    ConflictError,
    GenerationUnresolvedError,
    InvalidInputError,
    NotFoundError,
    ScopedBoards,
    SettingsError,
)
from boards.auth import Identity
from boards.errors import GenerationFailedError
from boards.pipelines import Pipeline
from boards.storage.local import LocalStorage
from tests.integration.acme import PNG, Acme, drop, generator
from tests.integration.conftest import Open

ALICE = Identity("alice", tenant="acme")
BOB = Identity("bob", tenant="acme")
TOKENS = {"alices-token": ALICE, "bobs-token": BOB, "nobodys-token": Identity("")}


LISTED = {"unit": "image", "usd": 0.04, "source": "https://acme.example", "as_of": "2026-11-01"}


class Tokens:
    """An auth that knows some tokens."""

    def __init__(self) -> None:
        self.known = dict(TOKENS)

    async def identify(self, credentials: Mapping[str, str]) -> Identity:
        found = self.known.get(credentials.get("authorization", "").removeprefix("Bearer "))
        if found is None:
            raise AuthError("The token is not known.")
        return found


@pytest.fixture
def auth() -> Tokens:
    return Tokens()


async def pair(host: Boards) -> tuple[ScopedBoards, ScopedBoards]:
    """The views of two owners of one tenant."""
    return await host.as_owner("alices-token"), await host.as_owner("bobs-token")


async def test_each_sees_their_own(open_boards: Open, auth: Tokens) -> None:
    """In every call; so does the host, which is an owner like any other there."""
    async with open_boards(auth=auth) as host:
        alice, bob = await pair(host)
        hers = await alice.generate("acme/draw", prompt="a")
        his = await bob.generate("acme/draw", prompt="b")
        own = await host.generate("acme/draw", prompt="c")
        assert [hers.owner, his.owner, own.owner] == ["acme/alice", "acme/bob", ""]
        for view, mine, others in (
            (alice, hers, (his, own)),
            (bob, his, (hers, own)),
            (host, own, (hers, his)),
        ):
            assert await view.list() == [mine]
            assert await view.get(mine.id[:20]) == mine
            assert [one.generation_id for one in await view.attempts(mine.id)] == [mine.id]
            kept = [event.type async for event in view.events(mine.id, follow=False)]
            assert kept[-1] == "succeeded"
            for other in others:
                for ask in (view.get, view.wait, view.cancel, view.resolve, view.attempts):
                    with pytest.raises(NotFoundError):
                        await ask(other.id)
                for follow in (False, True):
                    with pytest.raises(NotFoundError):
                        await anext(view.events(other.id, follow=follow))
                assert await view.list(before=other.id) == []


async def test_a_server_hands_over_headers(open_boards: Open, auth: Tokens) -> None:
    """Names in any case; a token alone does as well, and an identity that is known already."""
    async with open_boards(auth=auth) as host:
        for credentials in (
            {"Authorization": "Bearer alices-token", "Host": "example.com"},
            "alices-token",
            ALICE,
        ):
            view = await host.as_owner(credentials)
            assert (view.identity, view.scope) == (ALICE, "acme/alice")
        assert repr(view) == "<ScopedBoards 'acme/alice'>"


async def test_who_is_not_known_gets_no_view(open_boards: Open, auth: Tokens) -> None:
    """Nor does who is nobody: that would be the host itself."""
    async with open_boards(auth=auth) as host:
        for credentials in ("a-token", {}, "nobodys-token", Identity("")):
            with pytest.raises(AuthError):
                await host.as_owner(credentials)


async def test_a_token_that_expires_ends_no_view(open_boards: Open, auth: Tokens) -> None:
    """Who it acts for is settled when it is made; the next view is refused."""
    async with open_boards(auth=auth) as host:
        alice = await host.as_owner("alices-token")
        del auth.known["alices-token"]
        assert (await alice.generate("acme/draw", prompt="a")).owner == "acme/alice"
        with pytest.raises(AuthError):
            await host.as_owner("alices-token")


async def test_without_an_auth_everybody_is_the_host(open_boards: Open) -> None:
    """The one owner, whatever token comes along."""
    async with open_boards() as host:
        view = await host.as_owner("any")
        made = await view.generate("acme/draw", prompt="a")
        assert await host.get(made.id) == made


async def test_a_view_ends_with_its_host(open_boards: Open, auth: Tokens) -> None:
    """And there is none before it is open."""
    host = open_boards(auth=auth)
    assert isinstance(host, Boards)
    with pytest.raises(BoardsError, match="not open"):
        await host.as_owner("alices-token")
    async with host:
        alice = await host.as_owner("alices-token")
    with pytest.raises(BoardsError, match="not open"):
        await alice.list()


async def test_keys_and_equal_requests_are_an_owners_own(
    acme: Acme, open_boards: Open, auth: Tokens
) -> None:
    """What one owner paid for is not given to another for the asking."""
    async with open_boards(auth=auth) as host:
        alice, bob = await pair(host)
        for given in ({"dedupe_key": "one"}, {"cache": True}):
            hers = await alice.generate("acme/draw", prompt="a", **given)
            his = await bob.generate("acme/draw", prompt="a", **given)
            assert hers.id != his.id
            assert await alice.generate("acme/draw", prompt="a", **given) == hers
            assert await bob.generate("acme/draw", prompt="a", **given) == his
    assert acme.counts["submit"] == 4


async def test_limits_and_budgets_count_an_owners_own(
    acme: Acme, open_boards: Open, auth: Tokens
) -> None:
    """One who is at the limit keeps nobody else from generating."""
    acme.polls_needed = 1000
    async with open_boards(auth=auth, max_in_flight=1) as host:
        alice, bob = await pair(host)
        hers = await alice.submit("acme/draw", prompt="a")
        with pytest.raises(ConflictError) as caught:
            await alice.submit("acme/draw", prompt="a")
        assert caught.value.running == (hers.id,)
        his = await bob.submit("acme/draw", prompt="b")
        assert await bob.cancel(his.id)
        assert (await alice.get(hers.id)).canceling is False


async def test_costs_are_an_owners_own(acme: Acme, tmp_path: Path, auth: Tokens) -> None:
    """The host's are of all, by their scopes."""
    spec = {**generator(), "cost": LISTED}
    async with Boards(
        home=tmp_path,
        environment={"ACME_KEY": "acme-secret-key"},
        providers={"acme": acme.provider()},
        generators=[spec],
        allow_private_hosts=True,
        owner_budget="0.10 USD/day",
        auth=auth,
    ) as host:
        alice, bob = await pair(host)
        for _ in range(2):
            await alice.generate("acme/draw", prompt="a")
        with pytest.raises(GenerationFailedError, match="budget"):
            await alice.generate("acme/draw", prompt="a")
        await bob.generate("acme/draw", prompt="b")
        (hers,) = await alice.costs(since=timedelta(hours=1))
        (his,) = await bob.costs(group_by="owner")
        assert (hers.usd, his.usd, his.name) == (0.08, 0.04, "acme/bob")
        of_all = {
            Identity.of_scope(one.name): one.usd for one in await host.costs(group_by="owner")
        }
        assert of_all == {ALICE: 0.08, BOB: 0.04}


async def test_files_of_others_are_no_input(
    acme: Acme, open_boards: Open, auth: Tokens, tmp_path: Path
) -> None:
    """Neither as an artifact, nor by the name that it has in the storage; nothing is sent."""
    pipeline = Pipeline("again", inputs={"picture": str})
    pipeline.step("draw", "acme/draw", prompt="a", image=pipeline.input.picture)
    private = tmp_path / "private.png"
    private.write_bytes(PNG + b"hers")
    async with open_boards(auth=auth) as host:
        alice, bob = await pair(host)
        hers = await alice.generate("acme/draw", prompt="a", image=private)
        (made,) = hers.artifacts
        reference = hers.input["image"]
        before = acme.counts["submit"]
        taken = [
            made,
            made.reference,
            evolve(made, id=f"{hers.id}.7"),
            evolve(made, id="no-id"),
            reference,
        ]
        for given in taken:
            for ask in (bob.generate, bob.submit, bob.explain):
                with pytest.raises(InvalidInputError) as caught:
                    await ask("acme/draw", prompt="b", image=given)
                assert [one.where for one in caught.value.problems] == ["image"]
            with pytest.raises(InvalidInputError):
                await bob.generate("acme/draw", input={"prompt": "b", "other": [{"deep": given}]})
        with pytest.raises(InvalidInputError):
            await bob.start_run(pipeline, picture=made.reference)
        # A text is what its generator makes of it, so it is refused wherever it stands.
        with pytest.raises(InvalidInputError, match="names files"):
            await bob.generate("acme/draw", prompt=reference)
        assert acme.counts["submit"] == before
        assert await bob.list() == []
        for given in taken:
            again = await alice.generate("acme/draw", prompt="a", image=given)
            assert again.status == "succeeded"
        run = await alice.run(pipeline, picture=reference)
        assert run.status == "succeeded"
        # Whoever has the bytes themselves has the file.
        assert (await bob.generate("acme/draw", prompt="b", image=private)).status == "succeeded"
        assert await bob.generate("acme/draw", prompt="b", image=reference)
        # The host is trusted with all.
        assert await host.generate("acme/draw", prompt="c", image=made)


async def test_a_step_gets_no_file_by_a_text_that_another_made(
    acme: Acme, tmp_path: Path, auth: Tokens
) -> None:
    """What a model wrote is looked at as what a caller wrote is."""
    write = {**generator(), "name": "write", "artifact_type": "text"}
    write["execution"]["extract"] = {"outputs": [{"from": "body.text", "as": "text"}]}
    pipeline = Pipeline("steal")
    words = pipeline.step("words", "acme/write", prompt="repeat after me")
    pipeline.step("take", "acme/draw", prompt=words.text)
    async with Boards(
        home=tmp_path / "home",
        environment={"ACME_KEY": "acme-secret-key"},
        providers={"acme": acme.provider()},
        generators=[generator(), write],
        allow_private_hosts=True,
        auth=auth,
    ) as host:
        alice, bob = await pair(host)
        hers = await alice.generate("acme/draw", prompt="a", image=PNG + b"hers")

        async def repeat(_request: web.Request) -> web.StreamResponse:
            return web.json_response({"text": hers.input["image"], "images": []})

        acme.answers["result"] = repeat
        run = await bob.start_run(pipeline)
        run = await bob.wait_run(run.id)
        assert run["words"].status == "succeeded"
        assert run["take"].failure is not None
        assert run["take"].failure.kind == "invalid_input"


async def test_a_job_of_another_is_no_result(acme: Acme, open_boards: Open, auth: Tokens) -> None:
    """Who decides a lost submit by a job's id cannot name one that is a generation's already."""
    async with open_boards(auth=auth) as host:
        alice, bob = await pair(host)
        await alice.generate("acme/draw", prompt="a")
        acme.answers["submit"] = drop
        with pytest.raises(GenerationUnresolvedError) as caught:
            await bob.generate("acme/draw", prompt="b")
        his = caught.value.generation
        with pytest.raises(BoardsError, match="another generation's"):
            await bob.resolve(his.id, job="job-1")
        with pytest.raises(BoardsError, match="Only the host"):  # it could lead to that job, too
            await bob.resolve(his.id, job="job-8", captured={"url": f"{acme.url}/v1/jobs/job-1"})
        assert (await bob.get(his.id)).phase == "unknown"
        acme.jobs["job-9"] = {**acme.jobs["job-1"], "id": "job-9"}
        await bob.resolve(his.id, job="job-9")
        assert (await bob.wait(his.id)).status == "succeeded"


async def test_a_job_is_the_result_of_one(acme: Acme, open_boards: Open) -> None:
    """Of two decisions for one job, at once, one counts; the other generation stays unknown."""
    acme.answers["submit"] = drop
    acme.jobs["job-9"] = {"id": "job-9", "status": "queued", "polls": 0, "input": {}}
    async with open_boards() as boards:
        lost = [await boards.submit("acme/draw", prompt="a") for _ in range(2)]
        for one in lost:
            assert (await boards.wait(one.id)).phase == "unknown"
        told = await asyncio.gather(
            *(boards.resolve(one.id, job="job-9") for one in lost), return_exceptions=True
        )
        assert sorted(type(one).__name__ for one in told) == ["ClaimedError", "Generation"]
        phases = [(await boards.get(one.id)).phase for one in lost]
        assert phases.count("unknown") == 1


async def test_runs_are_an_owners_own(acme: Acme, open_boards: Open, auth: Tokens) -> None:
    """And so are the generations of their steps."""
    pipeline = Pipeline("two", inputs={"idea": str})
    first = pipeline.step("first", "acme/draw", prompt=pipeline.input.idea)
    pipeline.step("second", "acme/draw", prompt="b", image=first.artifacts[0])
    async with open_boards(auth=auth) as host:
        alice, bob = await pair(host)
        hers = await alice.run(pipeline, idea="a", dedupe_key="one")
        his = await bob.run(pipeline, idea="b", dedupe_key="one")
        assert hers.id != his.id
        assert {one.owner for one in await alice.list()} == {"acme/alice"}
        for view, mine, other in ((alice, hers, his), (bob, his, hers)):
            assert [one.id for one in await view.runs()] == [mine.id]
            assert (await view.get_run(mine.id[:20])).id == mine.id
            assert [one.id async for one in view.watch_run(mine.id)] == [mine.id]
            assert await view.runs(before=other.id) == []
            for ask in (view.get_run, view.wait_run, view.cancel_run):
                with pytest.raises(NotFoundError):
                    await ask(other.id)
            with pytest.raises(NotFoundError):
                await anext(aiter(view.watch_run(other.id)))


async def test_an_operators_functions_are_not_on_a_view(open_boards: Open, auth: Tokens) -> None:
    """They are for all owners at once."""
    async with open_boards(auth=auth) as host:
        alice, _ = await pair(host)
        for name in ("prune", "collect_garbage", "receive_webhook", "as_owner", "check_provider"):
            assert hasattr(host, name)
            assert not hasattr(alice, name)


async def test_the_facade_without_await_has_views_too(acme: Acme, tmp_path: Path) -> None:
    """With the same calls."""

    def work() -> None:
        with boards.sync.Boards(
            home=tmp_path,
            environment={"ACME_KEY": "acme-secret-key"},
            providers={"acme": acme.provider()},
            generators=[generator()],
            allow_private_hosts=True,
            auth=Tokens(),
        ) as host:
            alice, bob = (
                host.as_owner("alices-token"),
                host.as_owner({"Authorization": "bobs-token"}),
            )
            assert isinstance(host.auth, Tokens)
            assert (alice.identity, alice.scope) == (ALICE, "acme/alice")
            hers = alice.generate("acme/draw", prompt="a")
            assert alice.list() == [hers]
            assert bob.list() == []
            with pytest.raises(NotFoundError):
                bob.get(hers.id)
            assert [event.type for event in alice.events(hers.id)][-1] == "succeeded"
            assert [one.generation_id for one in alice.attempts(hers.id)] == [hers.id]
            assert bob.costs() == []
            assert alice.explain("acme/draw", prompt="a").generator == "acme/draw"
            assert [one.id for one in alice.generators(provider="acme")] == ["acme/draw"]

    await asyncio.to_thread(work)


async def test_storages_and_auths_are_chosen_by_name(acme: Acme, tmp_path: Path) -> None:
    """By the argument, or by the setting; one that is not installed is told with what there is."""
    local = {"storage": "local", "auth": "none"}
    async with Boards(home=tmp_path, environment={}, **local) as host:
        assert (host.settings.storage, host.settings.auth) == ("local", "none")
    environment = {"BOARDS_STORAGE": "lokal", "BOARDS_AUTH": "non"}
    with pytest.raises(SettingsError, match=r"No storage 'lokal' .*'local'.*; there are: .*local"):
        await Boards(home=tmp_path, environment=environment).__aenter__()
    with pytest.raises(SettingsError, match="No auth 'non' is installed"):
        await Boards(home=tmp_path, environment=environment, storage="local").__aenter__()
    kept = LocalStorage(tmp_path / "elsewhere")
    async with Boards(home=tmp_path, environment=environment, storage=kept, auth=Tokens()) as host:
        assert isinstance(host.auth, Tokens)
        assert host._running.storage is kept
