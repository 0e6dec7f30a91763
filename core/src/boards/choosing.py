"""Which generator a request goes to, and the request made ready to be committed.

The same configuration and the same request give the same choice: candidates come in the order of
their providers, and whatever is passed over is told with the reason.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args

from attrs import frozen

from boards.errors import InvalidInputError, Problem, SpecError, UnavailableError
from boards.events import Happening
from boards.generations import Alternative, Cost, Generation, new_id
from boards.lineage import Source, sources
from boards.settings import Fallback, OnAmbiguous

if TYPE_CHECKING:
    from boards.entries import GeneratorEntry
    from boards.registry import Registry
    from boards.settings import Settings
    from boards.spec.compile import CompiledGenerator
    from boards.storage import Storage

__all__ = ["Choice", "Options", "Prepared", "choose", "estimate", "prepare"]


@frozen
class Options:
    """How a request is treated, beside its input.

    Attributes:
        dedupe_key: Unique per owner, if given.
        priority: Lower first.
        cache: Whether the result of an equal request will do.
        fallback: None for what the settings say; so is ``on_ambiguous``.
        owner: Whose it is.

    Raises:
        InvalidInputError: One is nothing that it can be. An empty key too: it is a variable that
            is not set, and all requests without one would be the first of them.
    """

    dedupe_key: str | None = None
    priority: int = 0
    cache: bool = False
    fallback: Fallback | None = None
    on_ambiguous: OnAmbiguous | None = None
    owner: str = ""

    def __attrs_post_init__(self) -> None:
        problems = []
        key = self.dedupe_key
        if key is not None and not (isinstance(key, str) and key):
            problems.append(Problem("dedupe_key", f"must be a text that is not empty, not {key!r}"))
        if not isinstance(self.priority, int):
            problems.append(Problem("priority", f"must be an integer, not {self.priority!r}"))
        for name, words in (
            ("fallback", get_args(Fallback)),
            ("on_ambiguous", get_args(OnAmbiguous)),
        ):
            if (word := getattr(self, name)) is not None and word not in words:
                problems.append(Problem(name, f"must be one of {', '.join(words)}, not {word!r}"))
        if problems:
            raise InvalidInputError(
                "The request cannot be made so; nothing was sent.",
                problems,
                remedy="Change the argument, or leave it out.",
            )


@frozen
class Prepared:
    """A request, ready to be committed.

    Attributes:
        generation: Queued.
        happenings: Its first events.
        shared_as: What equal requests have in common; None where none is shared.
        sources: Its inputs that may be artifacts of earlier generations.
    """

    generation: Generation
    happenings: list[Happening]
    shared_as: str | None = None
    sources: tuple[Source, ...] = ()


@frozen
class Choice:
    """The candidates for a name.

    Attributes:
        entries: Those whose providers can be used now, the preferred one first; at least one.
        passed: Those before the first that cannot be used: full id and reason.
    """

    entries: "tuple[GeneratorEntry, ...]"
    passed: tuple[tuple[str, str], ...] = ()


def choose(
    registry: "Registry",
    name: str,
    fallback: Fallback = "on_unavailable",
    given: Mapping[str, Any] | None = None,
) -> Choice:
    """The candidates for a name that can be used now.

    Args:
        registry: Where they are.
        name: Of a generator.
        fallback: Whether others than the first may be used.
        given: The input: what takes the place of another one has to take it, and its mistakes are
            told where none can be used.

    Raises:
        NotFoundError: There is no such generator.
        SpecError: It has mistakes, or with ``fallback="off"`` the first one has.
        UnavailableError: None can be used, or with ``fallback="off"`` not the first; tells why.
    """
    found = registry.candidates(name)
    usable: list[GeneratorEntry] = []
    unfit: list[tuple[GeneratorEntry, int]] = []
    passed: list[tuple[str, str]] = []
    reasons: dict[str, tuple[str, str]] = {}
    for entry in found[:1] if fallback == "off" else found:
        if isinstance(entry, SpecError):
            if fallback == "off":
                raise entry
            if not usable:
                id_ = str(entry.generator)
                passed.append((id_, entry.message.rstrip(".")))
                reasons[id_.partition("/")[0]] = (entry.message, "See: boards plugins doctor")
            continue
        availability = registry.provider(entry.provider).availability()
        if availability.ok:
            if passed and not usable and given is not None and _mistakes(registry, entry, given):
                unfit.append((entry, len(passed)))
                passed.append((entry.id, "It does not take this input"))
                continue
            usable.append(entry)
            if fallback != "on_error":
                break
        elif not usable:
            passed.append((entry.id, availability.reason))
            reasons[entry.provider] = (f"{availability.reason}.", availability.setup)
    if unfit and not usable:  # the input fits none: what is wrong with it is told by the first
        usable, passed = [unfit[0][0]], passed[: unfit[0][1]]
    if usable:
        return Choice(tuple(usable), tuple(passed))
    candidates = [one for one in found if not isinstance(one, SpecError)]
    only = candidates[0] if len(found) == 1 or fallback == "off" else None
    raise UnavailableError(
        f"No provider of {name} can be used now."
        if only is None
        else f"The provider {only.provider} cannot be used now.",
        reasons=reasons,
        problems=() if given is None else _mistakes(registry, candidates[0], given),
        remedy="Set up one of them, then check it: boards providers --check",
        provider=None if only is None else only.provider,
        generator=None if only is None else only.id,
    )


def _mistakes(
    registry: "Registry", entry: "GeneratorEntry", given: Mapping[str, Any]
) -> tuple[Problem, ...]:
    """What is wrong with an input, as far as that is known."""
    from boards.engine.inputs import checked  # noqa: PLC0415  # loaded with the engine

    try:
        checked(registry.compiled(entry.id).inputs, given, entry.id)
    except InvalidInputError as error:
        return error.problems
    except SpecError:
        pass
    return ()


async def prepare(
    registry: "Registry",
    storage: "Storage",
    settings: "Settings",
    choice: Choice,
    given: Mapping[str, Any],
    options: Options,
) -> Prepared:
    """Check the input, take its files into the storage, and make the generation.

    Raises:
        InvalidInputError: The input does not fit the generator.
    """
    from boards.engine.inputs import checked, ingested  # noqa: PLC0415  # loaded with the engine

    entry = choice.entries[0]
    compiled = registry.compiled(entry.id)
    complete = checked(compiled.inputs, given, entry.id)
    as_given = dict(complete)
    complete = await ingested(compiled.inputs, complete, storage)
    taken = {name: value for name, value in complete.items() if name in given}
    now = time.time()
    generation = Generation(
        id=new_id(),
        generator=entry.id,
        provider=entry.provider,
        artifact_type=entry.artifact_type,
        input=complete,
        cost=estimate(compiled, complete),
        owner=options.owner,
        dedupe_key=options.dedupe_key,
        priority=options.priority,
        created_at=now,
        due_at=now,
        on_ambiguous=options.on_ambiguous or settings.on_ambiguous,
        alternatives=tuple(_alternatives(registry, choice.entries[1:], taken)),
    )
    happenings = [Happening("queued", {"generator": entry.id})]
    for id_, reason in choice.passed:
        happenings.append(Happening("fallback", {"from": id_, "to": entry.id, "reason": reason}))
    files = sources(compiled.inputs, as_given, complete)
    shared_as = _shared(generation, files) if options.cache else None
    return Prepared(generation, happenings, shared_as, files)


def _alternatives(
    registry: "Registry", entries: "tuple[GeneratorEntry, ...]", taken: Mapping[str, Any]
) -> Iterator[Alternative]:
    """Further candidates that take the same input; what they do not take rules them out."""
    from boards.engine.inputs import checked  # noqa: PLC0415  # loaded with the engine

    for entry in entries:
        try:
            compiled = registry.compiled(entry.id)
            complete = checked(compiled.inputs, taken, entry.id)
        except (InvalidInputError, SpecError):
            continue
        yield Alternative(entry.id, entry.provider, complete, estimate(compiled, complete))


def _shared(generation: Generation, files: tuple[Source, ...]) -> str:
    """SHA-256 of generator and input: files in it are named by their content.

    However it was given, and whatever its name ends with.
    """
    contents = {one.input: f"sha256:{one.sha256}" for one in files}
    given = {
        name: [contents.get(f"{name}[{number}]", item) for number, item in enumerate(value)]
        if isinstance(value, list)
        else contents.get(name, value)
        for name, value in generation.input.items()
    }
    canonical = json.dumps([generation.generator, given], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "replace")).hexdigest()


def refuse_reserved(reserved: frozenset[str], inputs: Mapping[str, Any], generator: str) -> None:
    """Refuse keyword arguments that can never be inputs.

    Raises:
        InvalidInputError: There are some.
    """
    taken = sorted(reserved & inputs.keys())
    if taken:
        raise InvalidInputError(
            f"{', '.join(taken)}: reserved as arguments of Boards.",
            [Problem(one, "give it as input={...} if the generator takes it") for one in taken],
            generator=generator,
        )


def estimate(compiled: "CompiledGenerator", complete: Mapping[str, Any]) -> Cost | None:
    """What a generation with that input costs by the spec's list price, if it has one."""
    found = compiled.estimate({"input": complete})
    return None if found is None else Cost(*found)
