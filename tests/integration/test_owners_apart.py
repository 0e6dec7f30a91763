"""Owners of several tenants act at random, and try to reach each other's: they never do.

A model knows what is whose. After each step every owner's view agrees with it, so nothing was seen,
changed, shared or counted across.
"""

import asyncio
import contextlib
import tempfile
from collections import defaultdict
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import web
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from boards import (
    Artifact,
    Boards,
    ConflictError,
    Generation,
    GenerationUnresolvedError,
    InvalidInputError,
    NotFoundError,
    ScopedBoards,
)
from boards.auth import Identity
from boards.pipelines import Pipeline
from tests.integration.acme import PNG, Acme, drop, generator

T = TypeVar("T")

HOST = Identity("")
IDENTITIES = [
    HOST,
    Identity("alice", tenant="acme"),
    Identity("bob", tenant="acme"),
    Identity("alice", tenant="other"),
    Identity("alice"),
    Identity("eu/alice", tenant="acme"),
    Identity("alice", tenant="acme/eu"),
    Identity("", tenant="acme"),
]
LIMIT = 4
LISTED = {"unit": "image", "usd": 0.01, "source": "https://acme.example", "as_of": "2026-11-01"}

ACTORS = st.sampled_from(IDENTITIES)
INDEX = st.integers(0, 10_000)


class World:
    """A host with a provider: of ``draw`` the answer comes at once, of ``slow`` never."""

    def __init__(self) -> None:
        self._exit = contextlib.AsyncExitStack()

    async def open(self) -> None:
        home = self._exit.enter_context(tempfile.TemporaryDirectory())
        self.acme = acme = await self._exit.enter_async_context(Acme())
        answer = acme.submit

        async def submit(request: web.Request) -> web.StreamResponse:
            if (await request.json())["prompt"] == "lost":
                return await drop(request)
            response = await answer(request)
            assert isinstance(response, web.Response)
            url = f"{acme.url}/files/{len(acme.jobs)}.png"
            job = {"id": f"job-{len(acme.jobs)}", "status": "queued", "images": [{"url": url}]}
            return web.json_response(job, status=201)

        async def file(request: web.Request) -> web.StreamResponse:
            name = request.match_info["name"]
            return web.Response(body=PNG + name.encode(), content_type="image/png")

        acme.answers.update(submit=submit, file=file)
        acme.polls_needed = 1_000_000
        draw, slow = generator(), generator()
        del draw["execution"]["poll"], draw["execution"]["result"]
        slow.update(name="slow")
        slow["execution"]["poll"]["every"] = "10m"
        self.host = await self._exit.enter_async_context(
            Boards(
                home=Path(home),
                environment={"ACME_KEY": "acme-secret-key"},
                providers={"acme": acme.provider()},
                generators=[{**draw, "cost": LISTED}, {**slow, "cost": LISTED}],
                allow_private_hosts=True,
                max_in_flight=LIMIT,
            )
        )

    async def close(self) -> None:
        await self._exit.aclose()


class Owners(RuleBasedStateMachine):
    """What owners do, and what is theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = World()
        self.views: dict[Identity, Boards | ScopedBoards] = {}
        self.mine: dict[Identity, list[str]] = defaultdict(list)
        self.runs: dict[Identity, list[str]] = defaultdict(list)
        self.live: dict[Identity, list[str]] = defaultdict(list)
        self.canceled: set[str] = set()
        self.files: dict[Identity, set[str]] = defaultdict(set)
        self.keyed: dict[tuple[Identity, str], str] = {}
        self.shared: dict[tuple[Identity, str], str] = {}
        self.artifacts: list[Artifact] = []

    def go(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(asyncio.wait_for(work, 20))

    @initialize()
    def opened(self) -> None:
        self.go(self.world.open())
        for one in IDENTITIES:
            view = self.world.host if one == HOST else self.go(self.world.host.as_owner(one))
            self.views[one] = view

    def teardown(self) -> None:
        self.go(self.world.close())
        self.runner.close()

    def whose(self, generation_id: str) -> Identity:
        return next(one for one in IDENTITIES if generation_id in self.mine[one])

    def any_id(self, index: int) -> str:
        known = [one for ids in self.mine.values() for one in ids]
        return known[index % len(known)]

    def made(self, actor: Identity, generation: Generation) -> None:
        """A generation is new, and an actor's; so are its files."""
        assert all(generation.id not in ids for ids in self.mine.values())
        assert generation.owner == actor.scope
        self.mine[actor].append(generation.id)
        self.artifacts += generation.artifacts
        self.files[actor] |= {one.key for one in generation.artifacts}

    # Act

    @rule(
        actor=ACTORS,
        prompt=st.sampled_from("ab"),
        cache=st.booleans(),
        key=st.sampled_from([None, "one"]),
    )
    def generates(self, actor: Identity, prompt: str, cache: bool, key: str | None) -> None:
        """One that was made before stands for it, if it is the actor's own."""
        expected = self.shared.get((actor, prompt)) if cache else None
        crowded = len(self.live[actor]) >= LIMIT
        if expected is None and key is not None and not crowded:
            expected = self.keyed.get((actor, key))
        options: dict[str, Any] = {"cache": cache, "dedupe_key": key}
        asked = self.views[actor].generate("acme/draw", prompt=prompt, **options)
        if expected is None and crowded:
            with pytest.raises(ConflictError) as caught:
                self.go(asked)
            assert set(caught.value.running) <= set(self.live[actor])
            return
        got = self.go(asked)
        if expected is not None:
            assert got.id == expected
            return
        self.made(actor, got)
        if key is not None:
            self.keyed[actor, key] = got.id
        if cache:
            self.shared[actor, prompt] = got.id

    @rule(actor=ACTORS, lost=st.booleans())
    def begins_what_stays(self, actor: Identity, lost: bool) -> None:
        """It is under way for ever, or nobody knows: it counts for the actor's limit alone."""
        view = self.views[actor]
        if len(self.live[actor]) >= LIMIT:
            with pytest.raises(ConflictError):
                self.go(view.submit("acme/slow", prompt="a"))
            return
        if lost:
            with pytest.raises(GenerationUnresolvedError) as caught:
                self.go(view.generate("acme/draw", prompt="lost"))
            begun = caught.value.generation
        else:
            begun = self.go(_waiting(view))
        self.made(actor, begun)
        self.live[actor].append(begun.id)

    @rule(actor=ACTORS, content=st.sampled_from([b"1", b"2"]))
    @precondition(lambda self: all(len(ids) < LIMIT for ids in self.live.values()))
    def gives_a_file(self, actor: Identity, content: bytes) -> None:
        """Two who give the same bytes both have them."""
        view = self.views[actor]
        got = self.go(view.generate("acme/draw", prompt="x", image=PNG + content))
        self.made(actor, got)
        self.files[actor].add(got.input["image"].removeprefix("artifact:"))

    @rule(actor=ACTORS, index=INDEX, as_text=st.booleans(), run=st.booleans())
    @precondition(lambda self: any(self.files.values()))
    @precondition(lambda self: all(len(ids) < LIMIT for ids in self.live.values()))
    def takes_a_file(self, actor: Identity, index: int, as_text: bool, run: bool) -> None:
        """Anybody's: it is an input only of whoever has it, and of the host."""
        keys = sorted(set().union(*self.files.values()))
        given: Artifact | str = f"artifact:{keys[index % len(keys)]}"
        if not as_text and self.artifacts:
            given = self.artifacts[index % len(self.artifacts)]
        key = given.removeprefix("artifact:") if isinstance(given, str) else given.key
        view = self.views[actor]
        pipeline = Pipeline("take", inputs={"picture": str})
        pipeline.step("draw", "acme/draw", prompt="p", image=pipeline.input.picture)
        if key not in self.files[actor] and actor != HOST:
            with pytest.raises(InvalidInputError):
                self.go(view.generate("acme/draw", prompt="x", image=given))
            with pytest.raises(InvalidInputError):
                self.go(view.generate("acme/draw", prompt=f"artifact:{key}"))
            with pytest.raises(InvalidInputError):
                self.go(view.start_run(pipeline, picture=f"artifact:{key}"))
            return
        self.files[actor].add(key)
        if run:
            ran = self.go(view.run(pipeline, picture=f"artifact:{key}"))
            (step,) = ran.steps
            assert step.generation is not None
            self.runs[actor].append(ran.id)
            self.made(actor, step.generation)
        else:
            self.made(actor, self.go(view.generate("acme/draw", prompt="x", image=given)))

    @rule(actor=ACTORS, prefix=st.booleans(), index=INDEX)
    @precondition(lambda self: any(self.mine.values()))
    def reaches_for(self, actor: Identity, prefix: bool, index: int) -> None:
        """What is another's does not exist, whatever is asked of it."""
        wanted = self.any_id(index)
        owner = self.whose(wanted)
        view = self.views[actor]
        name = wanted[:24] if prefix else wanted
        if owner == actor:
            assert self.go(view.get(name)).id == wanted
            return
        for ask in (view.get, view.wait, view.cancel, view.resolve, view.attempts, view.lineage):
            with pytest.raises(NotFoundError):
                self.go(ask(name))
        for follow in (False, True):
            with pytest.raises(NotFoundError):
                self.go(_first(view.events(name, follow=follow)))
        assert self.go(view.list(before=wanted)) == []
        for run_id in self.runs[owner]:
            for reach in (view.get_run, view.wait_run, view.cancel_run):
                with pytest.raises(NotFoundError):
                    self.go(reach(run_id))
            assert self.go(view.runs(before=run_id)) == []

    @rule(actor=ACTORS, index=INDEX)
    @precondition(lambda self: any(self.live.values()))
    def ends_what_is_live(self, actor: Identity, index: int) -> None:
        """It makes room for the actor, and for nobody else."""
        if not self.live[actor]:
            return
        ended = self.live[actor].pop(index % len(self.live[actor]))
        view = self.views[actor]
        if self.go(view.get(ended)).phase == "unknown":
            self.go(view.resolve(ended))
        else:
            self.go(view.cancel(ended))
            self.canceled.add(ended)
        assert self.go(view.wait(ended)).final

    # Agree

    @invariant()
    def everybody_sees_what_is_theirs(self) -> None:
        if self.views:
            self.go(self._agree())

    async def _agree(self) -> None:
        spent: dict[str, int] = {}
        for actor, view in self.views.items():
            listed = await view.list(limit=1000)
            assert [one.id for one in listed] == self.mine[actor][::-1]
            assert {one.owner for one in listed} <= {actor.scope}
            assert {one.id for one in listed if not one.final} == set(self.live[actor])
            assert {one.id for one in listed if one.canceling} <= self.canceled
            assert [one.id for one in await view.runs(limit=1000)] == self.runs[actor][::-1]
            submitted = [one.id for one in listed if await view.attempts(one.id)]
            if submitted:
                spent[actor.scope] = len(submitted)
            if isinstance(view, ScopedBoards):
                told = await view.costs(group_by="owner")
                assert {one.name: one.generations for one in told} == (
                    {actor.scope: len(submitted)} if submitted else {}
                )
        of_all = await self.world.host.costs(group_by="owner")
        assert {one.name: one.generations for one in of_all} == spent


async def _waiting(view: Boards | ScopedBoards) -> Generation:
    """A generation of which the provider has a job, which never ends."""
    begun = await view.submit("acme/slow", prompt="a")
    while begun.phase != "waiting":
        await asyncio.sleep(0.005)
        begun = await view.get(begun.id)
    return begun


async def _first(events: Any) -> Any:
    return await anext(aiter(events))


def test_owners_never_meet() -> None:
    """Whatever each of them does, and however alike their names are."""
    few = settings(max_examples=settings.default.max_examples // 5, stateful_step_count=25)
    run_state_machine_as_test(Owners, settings=few)
