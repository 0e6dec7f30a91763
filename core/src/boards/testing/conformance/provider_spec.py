"""Checks of what a provider's author wrote, without a server."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from boards.errors import BoardsError, SpecError
from boards.spec.model import ErrorRule, FailureSpec, Fixture, GeneratorSpec, StatusSpec
from boards.testing.conformance.checks import (
    CheckTable,
    NonconformanceError,
    NotApplicable,
    require,
)
from boards.testing.conformance.rig import rig
from boards.testing.conformance.subject import FAST, ProviderSubject
from boards.testing.fixtures.playing import run_fixtures

if TYPE_CHECKING:
    from boards.spec.compile import CompiledGenerator

__all__ = ["CHECKS"]

CHECKS: CheckTable[ProviderSubject] = CheckTable()

_WEB: Final = ("https://", "http://")


@CHECKS.add("spec-valid")
async def spec_valid(subject: ProviderSubject) -> None:
    """The specification has no mistakes, and the adapter can be imported."""
    try:
        problems = subject.registry.problems()
    except SpecError as error:
        raise NonconformanceError("\n".join(map(str, error.problems)), _REMEDY) from error
    sources = {str(path) for path in subject.specs}
    found = [str(one) for one in problems if not sources or one.where.rsplit(":", 2)[0] in sources]
    _expect_none(found)
    for id_ in subject.names:
        try:
            subject.registry.compiled(id_)
        except SpecError as error:
            found += map(str, error.problems)
    _expect_none(found)
    entry = subject.registry.provider(subject.provider)
    if entry.adapter is not None:
        from boards.adapters import load_adapter  # noqa: PLC0415  # only where there is one

        load_adapter(entry.adapter)


def _expect_none(problems: list[str]) -> None:
    text = "\n".join(dict.fromkeys(problems))
    require(not problems, text, _REMEDY)


_REMEDY: Final = "See all mistakes with: boards check FILE"


@CHECKS.add("documented")
async def documented(subject: ProviderSubject) -> None:
    """The provider says where it is documented and how it is set up; generators what they do."""
    spec = subject.spec
    lacking = []
    if not spec.docs.startswith(_WEB):
        lacking.append(f"providers.{subject.provider}.docs is no web address")
    unsaid = [name for name in subject.needs if name not in spec.setup]
    if unsaid:
        lacking.append(f"providers.{subject.provider}.setup does not name {', '.join(unsaid)}")
    if not (spec.display_name and spec.description):
        lacking.append(f"providers.{subject.provider} lacks display_name or description")
    for id_ in subject.names:
        generator = subject.registry.spec(id_)
        if not (generator.display_name or generator.description):
            lacking.append(f"{id_} lacks display_name and description")
        elif generator.docs and not generator.docs.startswith(_WEB):
            lacking.append(f"{id_}: docs is no web address")
    require(not lacking, "\n".join(lacking), "Write it for those who choose and set up.")


@CHECKS.add("fixtures")
async def fixtures(subject: ProviderSubject) -> None:
    """Every generator has tests of success and of failure, and of moderation where it is known."""
    lacking = []
    moderated = False
    for id_ in subject.names:
        spec = subject.registry.spec(id_)
        wanted = {
            "a success": any(_succeeds(one) for one in spec.tests),
            "a failure": any(one.raises is not None for one in spec.tests),
        }
        shown = any(one.raises == "moderated" for one in spec.tests)
        moderated = moderated or shown
        own = spec.execution
        if _moderates(own.errors, own.failure):
            wanted["a refusal by content policy"] = shown
        lacking += [f"{id_} has no test of {what}" for what, there in wanted.items() if not there]
    whole = subject.generators is None  # what is common to all may be shown by another one
    if whole and _moderates(subject.spec.errors, subject.spec.failure) and not moderated:
        lacking.append(f"no generator of {subject.provider} has a test with raises: moderated")
    require(
        not lacking,
        "\n".join(lacking),
        "Add them below tests:, or record them with: boards test --record NAME",
    )


def _succeeds(fixture: Fixture) -> bool:
    return fixture.raises is None and bool(fixture.outputs)


def _moderates(errors: Iterable[ErrorRule], failure: FailureSpec | None) -> bool:
    kinds = [rule.kind for rule in errors]
    kinds += [rule.kind for rule in failure.kinds] if failure is not None else []
    return "moderated" in kinds


@CHECKS.add("fixtures-pass")
async def fixtures_pass(subject: ProviderSubject) -> None:
    """Every test inside the specification passes."""
    readable = []
    for id_ in subject.names:
        try:
            subject.registry.compiled(id_)
        except BoardsError:
            continue  # spec-valid tells
        readable.append(id_)
    given: dict[str, Any] = {
        "plugins": (),
        "providers": {subject.provider: subject.spec},
        "generators": [subject.registry.spec(id_) for id_ in readable],
    }
    results = await run_fixtures(readable, **given)
    require(results, "there are no tests", "Add them below tests:.")
    failed = [f"{one.generator}: {one.name}: {one.problems[0]}" for one in results if one.problems]
    require(not failed, "\n".join(failed), f"See: boards test {subject.provider}")


@CHECKS.add("statuses-total")
async def statuses_total(subject: ProviderSubject) -> None:
    """The words of the provider lead to every status, and all that it is heard to say are known."""
    asked = []
    for generator in subject.compiled.values():
        status = generator.run.status
        if status is None or generator.run.synchronous:
            continue
        asked.append((generator, status))
        lacking = _unreached(status, generator)
        require(
            not lacking,
            f"{generator.id}: no word of the provider means {' or '.join(lacking)}",
            "Complete status.map, or the rules, from the provider's documentation.",
        )
        unknown = sorted(_unknown_words(generator.spec, status))
        require(
            not unknown,
            f"{generator.id}: its tests show {', '.join(unknown)}, which status.map lacks",
            "Add each to status.map.",
        )
    if not asked:
        raise NotApplicable("no generator asks for the status of a job")
    tried = {one.id for one in subject.tried}
    for generator, status in [one for one in asked if one[0].id in tried]:
        async with rig(subject, knobs=_UNHURRIED) as made:
            await made.run(generator)
            replies = [call.said.value for call in made.proxy.of("poll") if call.said]
        unknown = sorted(_words(status, replies) - status.map.keys())
        require(
            not unknown,
            f"{generator.id}: the server says {', '.join(unknown)}, which status.map lacks",
            "Add each to status.map.",
        )


_UNHURRIED: Final = evolve(FAST, queue_seconds=0.1, run_seconds=0.2)
"""Jobs that are asked for in each of their states."""


def _unreached(status: StatusSpec, generator: "CompiledGenerator") -> list[str]:
    """Statuses that no reply can lead to."""
    reached = {*status.map.values(), *(rule.status for rule in status.rules), status.otherwise}
    reached |= {status.unknown, status.absent}
    # Without a word for failure, a refusal of poll or result is what tells of one.
    fails = status.fail_if is not None or bool(generator.run.errors) or "failed" in reached
    lacking = [] if "succeeded" in reached else ["succeeded"]
    lacking += [] if fails else ["failed"]
    return lacking if {"queued", "running"} & reached else [*lacking, "queued or running"]


def _unknown_words(spec: GeneratorSpec, status: StatusSpec) -> set[str]:
    """Words in the tests' replies, where the status is, that the map does not have."""
    if status.unknown != "fail":
        return set()  # a test that shows one may do so on purpose
    replies: list[dict[str, Any]] = [
        {"status": 200, "header": {}, "body": exchange.reply.get("json")}
        for fixture in spec.tests
        if fixture.raises is None  # the others may show an unknown word on purpose
        for exchange in fixture.exchanges
    ]
    return _words(status, replies) - status.map.keys()


def _words(status: StatusSpec, replies: Iterable[Mapping[str, Any]]) -> set[str]:
    """The words where the status is."""
    if status.at is None:
        return set()
    from boards.spec.paths import values  # noqa: PLC0415  # only for maps

    found_at = values(status.at)
    found = [one for reply in replies for one in found_at(reply) if one is not None]
    return {str(one).lower() if isinstance(one, bool) else str(one) for one in found}
