"""The check that what goes over the wire is what the specification's tests say."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from boards.engine.transport import Request
from boards.spec.model import Fixture
from boards.testing.conformance.checks import CheckTable, require
from boards.testing.conformance.proxy import Call
from boards.testing.conformance.rig import Rig, rig
from boards.testing.conformance.subject import ProviderSubject
from boards.testing.fixtures.comparing import request_differences
from boards.testing.fixtures.playing import PLACEHOLDER, known_of

if TYPE_CHECKING:
    from boards.spec.compile import CompiledGenerator

__all__ = ["CHECKS"]

CHECKS: CheckTable[ProviderSubject] = CheckTable()

_BODIES: Final = ("json", "form", "multipart", "body")


@CHECKS.add("request-as-declared")
async def request_as_declared(subject: ProviderSubject) -> None:
    """What is submitted is what the tests say, and they say where it goes and what it carries."""
    wrong: list[str] = []
    _ = subject.tried  # where nothing is sent, there is nothing to compare
    async with rig(subject) as made:
        for generator in subject.compiled.values():
            tests = [one for one in generator.spec.tests if one.raises is None and one.exchanges]
            sent = [(one, await _sent(made, generator, one)) for one in tests]
            wrong += _unsaid(generator, sent)
            for fixture, (submit, expect) in sent:
                name = f"{generator.id}, test {fixture.name!r}"
                wrong += [f"{name}: {one}" for one in _differences(made, expect, submit)]
    require(
        not wrong,
        "\n".join(wrong),
        "expect: of a submit has its method, its path (or url), and its body as it is sent.",
    )


Sent = tuple[Call, dict[str, Any]]
"""A submit, and what its test expects of it."""


async def _sent(made: Rig, generator: "CompiledGenerator", fixture: Fixture) -> Sent:
    """Send what a test gives."""
    before = len(made.proxy.calls)

    def calls(role: str) -> list[Call]:
        return [call for call in made.proxy.calls[before:] if call.role == role]

    generation = await made.boards.submit(generator.id, input=fixture.input)
    await made.until(
        lambda: [one for one in calls("submit") if one.ended], f"{generator.id} was to be submitted"
    )
    attempt = (await made.boards._running.store.attempts(generation.id))[-1]
    (submit, *_) = calls("submit")
    expects = [known_of(one.expect, attempt.run) for one in fixture.exchanges]
    expect = min(expects, key=lambda one: len([*_differences(made, _place(one), submit)]))
    if calls("upload"):  # to another address each time
        expect = {name: value for name, value in expect.items() if name not in _BODIES}
    return submit, expect


def _place(expect: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in expect.items() if name in ("method", "path", "url")}


def _unsaid(generator: "CompiledGenerator", sent: Sequence[tuple[Fixture, Sent]]) -> Iterator[str]:
    """What no test of a generator expects of its submit."""
    said = {name for fixture, _ in sent for one in fixture.exchanges for name in one.expect}
    if not said & {"path", "url"}:
        yield f"{generator.id}: no test expects a path or url of the submit"
    if any(submit.body for _, (submit, _) in sent) and not said & {*_BODIES}:
        yield f"{generator.id}: no test expects a body of the submit"


def _differences(made: Rig, expect: Mapping[str, Any], submit: Call) -> Iterator[str]:
    """A submit as it was sent, against what a test expects where secrets are placeholders."""
    config = made.boards.registry.provider(made.subject.provider).spec.config
    expect = dict(expect)
    for name, value in made.subject.spec.config.items():
        url = expect.get("url", "")
        if isinstance(value, str) and value.startswith("http") and url.startswith(value):
            expect["url"] = url.replace(value, config[name])
    if made.subject.spec.auth is not None and made.subject.spec.auth.kind in ("basic", "jwt_hs256"):
        headers = expect.get("headers", {}).items()
        expect["headers"] = {k: v for k, v in headers if k.lower() != "authorization"}
    request = Request(
        submit.method,
        _without(submit.url, made.secrets),
        {name: _without(value, made.secrets) for name, value in submit.headers.items()},
        submit.body,
    )
    return request_differences(expect, request, config)


def _without(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, PLACEHOLDER)
    return text
