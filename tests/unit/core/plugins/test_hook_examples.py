"""Each hook's example, out of its docstring, is a plugin that a host uses.

The reference in the documentation is made of these docstrings, so what it shows is what runs here.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
import pytest
from tests.hook_examples import HOOKS, example

from boards import Boards, Generation
from boards.auth import Identity
from boards.errors import AuthError
from boards.runner.protocol import Done

PIXEL: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAA"
    "DUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
)
NEEDED: Final = ("boards_providers", "boards_generators")
"""Whose examples are installed beside the one that is tried: so there is something to generate."""


@pytest.fixture
def host(site: Any, configure: Any) -> Callable[..., Boards]:
    """A host with the examples of some hooks installed, whose provider draws a pixel."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"picture": PIXEL})

    def make(*hooks: str, **given: Any) -> Boards:
        for hook in {*hooks, *NEEDED}:
            module = f"example_of_{hook}"
            entry_points = f"[boards.plugins]\n{hook} = {module}\n"
            site.distribution(f"example-{hook}", entry_points, {f"{module}.py": example(hook)})
        settings = configure()
        environment = {"STUDIO_KEY": "placeholder", "TEAM_TOKEN": "t0ken"}
        boards = Boards(
            home=settings.home,
            environment=environment,
            plugins_disabled=settings.plugins_disabled,
            transport=httpx.MockTransport(answer),
            **given,
        )
        assert [one.error for one in boards.plugins() if one.error] == []
        vars(boards)["sent"] = sent
        return boards

    return make


async def draw(boards: Boards, prompt: str = "a fox") -> Generation:
    """Generate with what the examples offer."""
    submitted = await boards.submit("studio/poster-small", prompt=prompt)
    return await boards.wait(submitted.id)


async def use_providers(host: Callable[..., Boards]) -> None:
    """It is listed, and its key is sent to its address."""
    async with host() as boards:
        (entry,) = [one for one in boards.providers() if one.name == "studio"]
        assert entry.fault is None
        await draw(boards)
        (request,) = vars(boards)["sent"]
        assert str(request.url).startswith("https://render.example.com/v1/")
        assert request.headers["authorization"] == "Bearer placeholder"


async def use_generators(host: Callable[..., Boards]) -> None:
    """Both are listed, and each sends its own request."""
    async with host() as boards:
        ids = {one.id for one in boards.generators(provider="studio")}
        assert ids == {"studio/poster-small", "studio/poster-large"}
        large = await boards.generate("studio/poster-large", prompt="a fox")
        assert large.artifacts[0].mime == "image/png"
        assert vars(boards)["sent"][0].url.path == "/v1/posters/large"


async def use_storages(host: Callable[..., Boards]) -> None:
    """A host that takes it by name has its artifacts there."""
    async with host("boards_storages", storage="elsewhere") as boards:
        artifact = (await draw(boards)).artifacts[0]
        assert artifact.path is not None
        assert artifact.path.is_relative_to(boards.settings.home / "elsewhere")
        assert artifact.path.read_bytes() == base64.b64decode(PIXEL)


async def use_auths(host: Callable[..., Boards]) -> None:
    """A host that takes it by name tells who asks."""
    async with host("boards_auths", auth="token") as boards:
        view = await boards.as_owner({"Authorization": "Bearer t0ken"})
        assert view.scope == Identity("team").scope
        with pytest.raises(AuthError):
            await boards.as_owner({"Authorization": "Bearer wrong"})


async def use_stores(host: Callable[..., Boards]) -> None:
    """A host that is given it has its generations there."""
    listing = host("boards_stores")
    store = listing.registry.hooks.stores()["team"].create(listing.settings)
    async with Boards(
        home=listing.settings.home,
        environment={"STUDIO_KEY": "placeholder"},
        store=store,
        transport=vars(listing)["_transport"],
    ) as boards:
        assert (await draw(boards)).status == "succeeded"
        assert (boards.settings.home / "team.db").exists()
        assert not (boards.settings.home / "boards.db").exists()


async def use_runners(host: Callable[..., Boards]) -> None:
    """What it is given is driven."""
    boards = host("boards_runners")
    runner: Any = boards.registry.hooks.runners()["counting"].create(boards.settings)
    driven: asyncio.Queue[str] = asyncio.Queue()

    async def drive(generation_id: str) -> Done:
        driven.put_nowait(generation_id)
        return Done()

    runner.start(drive)
    runner.enqueue("g1")
    assert await asyncio.wait_for(driven.get(), 10) == "g1"
    await runner.stop()
    assert runner.queued == 1


async def use_generation_event(host: Callable[..., Boards]) -> None:
    """It hears the end of a generation, by the time the host has closed."""
    async with host("boards_generation_event") as boards:
        generation = await draw(boards)
    seen = sys.modules["example_of_boards_generation_event"].finished
    assert seen == [(generation.id, "succeeded")]


async def use_before_submit(host: Callable[..., Boards]) -> None:
    """What it refuses is never sent, and what it does not is."""
    async with host("boards_before_submit") as boards:
        refused = await draw(boards, "something forbidden")
        assert refused.status == "failed"
        assert refused.error is not None
        assert "this house draws no such thing" in refused.error.message
        assert vars(boards)["sent"] == []
        assert (await draw(boards)).status == "succeeded"


USES: Final[dict[str, Callable[..., Awaitable[None]]]] = {
    "boards_providers": use_providers,
    "boards_generators": use_generators,
    "boards_storages": use_storages,
    "boards_auths": use_auths,
    "boards_stores": use_stores,
    "boards_runners": use_runners,
    "boards_generation_event": use_generation_event,
    "boards_before_submit": use_before_submit,
}
"""A new hook needs an entry: there is no hook that no plugin was seen to use."""


@pytest.mark.parametrize("hook", HOOKS)
async def test_the_example_of_a_hook_is_a_plugin_that_works(
    hook: str, host: Callable[..., Boards]
) -> None:
    """It is installed as a distribution of its own, and a host uses what it does."""
    assert hook in USES, f"{hook} has no test: write use_{hook.removeprefix('boards_')}"
    assert f"def {hook}(" in example(hook)
    await USES[hook](host)


def test_no_use_is_of_a_hook_that_there_is_not() -> None:
    """A hook that goes takes its test along."""
    assert sorted(USES) == HOOKS


@pytest.mark.parametrize("stumbles", ["next(iter(()))", "raise SystemExit('no')"])
async def test_what_no_future_carries_is_a_veto_too(
    stumbles: str, site: Any, host: Callable[..., Boards]
) -> None:
    """A rule that is not found, or a plugin that would leave: the host neither hangs nor ends."""
    code = f"@hookimpl\ndef boards_before_submit(generation):\n    {stumbles}\n"
    site.hooks("boards-rules", "rules_hooks", code)
    async with host() as boards:
        refused = await asyncio.wait_for(draw(boards), 5)
        assert refused.error is not None
        assert refused.error.message.startswith("A plugin refused it: ")
        assert vars(boards)["sent"] == []


async def test_an_observer_that_would_leave_ends_nothing(
    site: Any, host: Callable[..., Boards]
) -> None:
    """The host goes on, and other observers are told."""
    code = "@hookimpl\ndef boards_generation_event(event):\n    raise SystemExit\n"
    site.hooks("boards-leaver", "leaver_hooks", code)
    async with host("boards_generation_event") as boards:
        generation = await draw(boards)
    seen = sys.modules["example_of_boards_generation_event"].finished
    assert seen == [(generation.id, "succeeded")]


async def test_what_a_hook_writes_into_what_it_sees_is_its_own(
    site: Any, host: Callable[..., Boards]
) -> None:
    """One that hides words for its own log changes neither what is sent nor what others see."""
    code = """
        @hookimpl
        def boards_before_submit(generation, request):
            generation.input["prompt"] = request.json["text"] = "***"
            request.headers["x-seen"] = "yes"
        """
    site.hooks("a-log", "log_hooks", code)
    async with host("boards_before_submit") as boards:
        generation = await draw(boards)
        assert generation.input["prompt"] == "a fox"
        (request,) = vars(boards)["sent"]
        assert json.loads(request.content) == {"text": "a fox"}
        assert "x-seen" not in request.headers
        assert (await draw(boards, "something forbidden")).status == "failed"
