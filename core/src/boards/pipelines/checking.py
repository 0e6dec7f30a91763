"""Mistakes in a pipeline, told before anything is paid for: names, order, and types of files."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from boards.errors import NotFoundError, SpecError
from boards.pipelines.reader import read_document, salvage_document
from boards.pipelines.references import Reference, paths_in
from boards.spec.grammar import shown
from boards.spec.inputs import FileInput, InputSchema
from boards.spec.operators import Body, Items, Literal, Members, Secret, compile_body
from boards.spec.paths import Path
from boards.spec.places import NOWHERE, Document, Place, Problems, did_you_mean
from boards.spec.predicates import Predicate, same
from boards.spec.tokens import FILE_FILTERS, Template

if TYPE_CHECKING:
    from boards.pipelines.model import PipelineSpec, Step
    from boards.registry import Registry
    from boards.spec.model import GeneratorSpec

__all__ = ["RESULTS", "Known", "LookUp", "check_document", "check_pipeline", "installed"]

RESULTS: Final = ("artifacts", "text", "meta", "status")
"""What is known of a step: ``${steps.NAME.artifacts.0}`` and so on."""

_FACTS: Final = (
    "type", "mime", "size", "sha256", "meta", "width", "height", "duration", "fps", "sample_rate",
    "channels", "text",
)  # fmt: skip
"""What is known of an artifact."""


_ENDS: Final = ("succeeded", "failed", "skipped", "canceled")
"""The statuses of a step that is over, as it is when others ask."""


@frozen
class Known:
    """What the checker knows of a generator.

    Attributes:
        id: Its full id.
        artifact_type: What it makes.
        inputs: What it takes.
    """

    id: str
    artifact_type: str
    inputs: InputSchema


LookUp = Callable[[str], Known | None]
"""Finds a generator; None where nothing can be said of it; raises where there is none."""


def installed(
    registry: "Registry", *, besides: Iterable["GeneratorSpec"] = (), whole: bool = True
) -> LookUp:
    """Looks generators up among what is installed.

    Args:
        registry: Of the host.
        besides: Generators that are defined otherwise; they stand in for installed ones.
        whole: Whether those have no mistakes; otherwise nothing but their names can be relied on.
    """
    defined: dict[str, GeneratorSpec] = {}
    for one in besides:
        defined.setdefault(one.name, one)
        defined[one.id] = one

    def look_up(name: str) -> Known | None:
        if name in defined:
            one = defined[name]
            schema = one.io.input_schema
            return Known(one.id, one.artifact_type, InputSchema(schema)) if whole else None
        try:
            entry = registry.resolve(name)[0]
        except NotFoundError:
            provider, _, model = name.partition("/")
            offered = {one.name for one in registry.providers()}
            if model and provider in offered and registry.provider(provider).spec.catalog:
                return None  # imported at its first use
            raise
        return Known(entry.id, entry.artifact_type, registry.compiled(entry.id).inputs)

    return look_up


def check_document(
    document: Document, problems: Problems, look_up: LookUp | None = None
) -> "PipelineSpec | None":
    """Note every mistake in a document with a pipeline, those of reading and those of checking.

    What can be read of it is checked although other parts of it cannot be.

    Returns:
        The pipeline; None where a mistake of reading was noted.
    """
    before = problems.count
    spec = read_document(document, problems)
    if spec is not None and problems.count == before:
        check_pipeline(spec, problems, look_up)
        return spec
    part, faults = salvage_document(document)
    if part is not None:
        found = Problems()
        check_pipeline(part, found, look_up, whole=False)
        problems.take(found, but_at=faults | problems.error_places)
    return None


def check_pipeline(
    spec: "PipelineSpec",
    problems: Problems,
    look_up: LookUp | None = None,
    *,
    whole: bool = True,
) -> dict[str, Known]:
    """Note every mistake in a pipeline.

    Args:
        spec: As it was read.
        problems: Where mistakes are noted.
        look_up: Finds generators; without it only what the pipeline itself tells is checked.
        whole: All of it could be read: what it does not use, nobody uses.

    Returns:
        The generators that were found, by step.
    """
    schema = _check_inputs(spec, problems)
    place = spec.place or NOWHERE
    if not spec.steps:
        problems.error(place.at("steps"), "a pipeline has at least one step")
    known: dict[str, Known] = {}
    for name, step in spec.steps.items():
        if look_up is not None and (found := _generator(step, problems, look_up)) is not None:
            known[name] = found
    used: set[str] = set()
    for name, step in spec.steps.items():
        _check_step(_Context(spec, schema, known, problems, used), name, step)
    for name in spec.outputs:
        if name not in spec.steps:
            problems.error(
                place.at("outputs"), f"there is no step {name!r}{did_you_mean(name, spec.steps)}"
            )
    for name in spec.inputs.keys() - used if whole else ():
        at = place.at("inputs")
        problems.warn(getattr(at, "keys", {}).get(name, at), f"the input {name!r} is not used")
    _check_order(spec, problems)
    return known


def _check_inputs(spec: "PipelineSpec", problems: Problems) -> InputSchema | None:
    at = (spec.place or NOWHERE).at("inputs")
    try:
        schema = spec.input_schema
    except ValueError as error:
        problems.error(at, f"inputs are no JSON Schemas: {error}")
        return None
    for problem in schema.problems(schema.complete({})):
        name = problem.where.partition(".")[0].partition("[")[0]
        if name in schema.defaults:
            problems.error(at.at(name).at("default"), f"the default of {name} {problem.message}")
    return schema


def _generator(step: "Step", problems: Problems, look_up: LookUp) -> Known | None:
    place = (step.place or NOWHERE).at("generator")
    try:
        found = look_up(step.generator)
    except NotFoundError as error:
        problems.error(place, error.message)
        return None
    except SpecError as error:
        problems.error(place, error.message)
        return None
    if found is None:
        problems.warn(
            place, f"nothing is known of {step.generator!r} yet: its input is not checked"
        )
    return found


@frozen
class _Context:
    spec: "PipelineSpec"
    schema: InputSchema | None
    known: Mapping[str, Known]
    problems: Problems
    used: set[str]


def _check_step(context: _Context, name: str, step: "Step") -> None:
    problems, place = context.problems, step.place or NOWHERE
    for secret in _secrets(step.input):
        problems.error(secret.place or place, "$secret has no place here: a provider's spec has it")
    for one in step.references:
        _check_reference(context, name, one)
    for path, predicate in paths_in(step.input, step.when):
        _check_path(context, name, path, predicate)
    for needed in step.needs:
        _check_name(context, name, needed, place.at("needs"))
    if not isinstance(step.input, Members):
        if isinstance(step.input, Literal | Items | Template):
            problems.error(place.at("input"), "input is a mapping of inputs by name")
        return
    if name in context.known:
        _check_members(context, step, step.input, context.known[name])


def _check_name(context: _Context, name: str, needed: str, place: Place) -> bool:
    """Whether another step has that name; a problem if not."""
    steps = context.spec.steps
    if needed == name:
        context.problems.error(place, f"the step {name!r} cannot wait for itself")
    elif needed not in steps:
        others = [one for one in steps if one != name]
        context.problems.error(place, f"there is no step {needed!r}{did_you_mean(needed, others)}")
    return needed in steps and needed != name


def _check_reference(context: _Context, name: str, reference: Reference) -> None:
    token, place, problems = reference.token, reference.place, context.problems
    roots = ("input", "steps", *(("item",) if reference.each else ()))
    if token.root not in roots:
        problems.error(
            place, f"{token.text}: {token.root!r} is not known here; known: {', '.join(roots)}"
        )
        return
    if not FILE_FILTERS.isdisjoint(token.filters):
        problems.error(place, f"{token.text}: a file is passed on as it is, without a filter")
    if token.root == "input":
        _check_input(context, reference)
    elif token.root == "steps":
        if not token.steps:
            problems.error(place, f"{token.text}: name a step: ${{steps.NAME.artifacts.0}}")
        elif _check_name(context, name, token.name, place):
            _check_result(context, reference)


def _check_input(context: _Context, reference: Reference) -> None:
    token, place, problems = reference.token, reference.place, context.problems
    if not token.name:
        problems.error(place, f"{token.text}: name an input: ${{input.NAME}}")
        return
    context.used.add(token.name)
    if token.name not in context.spec.inputs:
        near = did_you_mean(token.name, context.spec.inputs)
        problems.error(place, f"{token.text}: there is no {token.name!r}{near}")
        return
    schema = context.schema
    certain = schema is None or token.name in schema.required or token.name in schema.defaults
    if not certain and not reference.may_be_absent:
        problems.error(place, f"{token.text} may be absent: end it with '?', or give a default")
    file = _file(schema, token.name)
    if file is not None and reference.embedded and len(token.steps) == 1:
        problems.error(place, f"{token.text} is a file, which cannot stand in a text")


def _check_result(context: _Context, reference: Reference) -> None:
    """A token on a step: what it takes of that is there, and may stand where it stands."""
    token, place, problems = reference.token, reference.place, context.problems
    below = token.steps[1:]
    if not below or below[0] not in RESULTS:
        shown = did_you_mean(below[0], RESULTS) if below else f"; known: {', '.join(RESULTS)}"
        what = f"a step has no {below[0]!r}" if below else "say what of the step"
        problems.error(place, f"{token.text}: {what}{shown}")
        return
    step, kind = context.spec.steps[token.name], context.known.get(token.name)
    if below[0] == "artifacts" and len(below) > 1 and not below[1].isdecimal():
        problems.error(place, f"{token.text}: artifacts are numbered: artifacts.0 is the first")
    elif below[0] == "artifacts" and len(below) > 2 and below[2] not in _FACTS:
        near = did_you_mean(below[2], _FACTS)
        problems.error(place, f"{token.text}: an artifact has no {below[2]!r}{near}")
    elif "text" in below[:3:2] and kind is not None and kind.artifact_type != "text":
        problems.error(place, f"{token.text}: {kind.id} makes {kind.artifact_type}, and no text")
    elif reference.embedded and below[0] == "artifacts" and len(below) < 3:
        text = f"${{steps.{token.name}.text}}"
        problems.error(
            place, f"{token.text} is a file, which cannot stand in a text; a text is {text}"
        )
    if step.on_failure == "continue" and not reference.may_be_absent:
        problems.error(
            place,
            f"{token.text} may be absent, because {token.name!r} may fail and the run continues: "
            "end it with '?'",
        )


def _check_path(context: _Context, name: str, path: Path, predicate: Predicate) -> None:
    place, problems = path.place or predicate.place or NOWHERE, context.problems
    if path.root == "input":
        if len(path.steps) > 1:
            context.used.add(str(path.steps[1]))
            if path.steps[1] not in context.spec.inputs:
                near = did_you_mean(str(path.steps[1]), context.spec.inputs)
                problems.error(place, f"{path.text}: there is no {str(path.steps[1])!r}{near}")
    elif path.root != "steps":
        problems.error(place, f"{path.text!r} begins with none of input, steps")
    elif len(path.steps) < 3 or path.steps[2] not in RESULTS:
        problems.error(place, f"{path.text!r}: ask for steps.NAME.status, for example")
    elif _check_name(context, name, str(path.steps[1]), place):
        _check_artifacts(context, path, place)
    _check_compared(context, path, predicate, place)


def _check_compared(context: _Context, path: Path, predicate: Predicate, place: Place) -> None:
    """A comparison with what is never there: it would never hold, and nobody would know why."""
    properties = context.schema.properties if context.schema else {}
    schema = properties.get(str(path.steps[1])) if len(path.steps) == 2 else None
    allowed: Any = None
    if path.root == "steps" and path.steps[2:] == ("status",):
        allowed = _ENDS
    elif path.root == "input" and isinstance(schema, dict):
        allowed = schema.get("enum", [True, False] if schema.get("type") == "boolean" else None)
    if allowed is None:
        return
    for condition in predicate.conditions:
        if condition.path is path and condition.operator in ("eq", "in"):
            for one in condition.operands:
                if not isinstance(one, Template) and not any(same(one, each) for each in allowed):
                    near = f"; known: {', '.join(map(shown, allowed))}"
                    context.problems.error(place, f"{path.text} is never {shown(one)}{near}")


def _check_artifacts(context: _Context, path: Path, place: Place) -> None:
    """What a condition asks of artifacts: of what cannot be there it would never hold."""
    problems, below = context.problems, path.steps[3:]
    if path.steps[2] != "artifacts" or not below:
        return
    if isinstance(below[0], str):
        problems.error(place, f"{path.text!r}: artifacts are numbered: artifacts[0] is the first")
    elif len(below) > 1 and below[1] not in _FACTS:
        near = did_you_mean(str(below[1]), _FACTS)
        problems.error(place, f"{path.text!r}: an artifact has no {str(below[1])!r}{near}")


def _check_members(context: _Context, step: "Step", members: Members, known: Known) -> None:
    """The input of a step against the schema of its generator."""
    problems, schema = context.problems, known.inputs
    place = (step.place or NOWHERE).at("input")
    given = dict(members.members)
    closed = schema.schema.get("additionalProperties") is False
    for name in given if closed else ():
        if name not in schema.properties:
            at = getattr(place, "keys", {}).get(name, place)
            near = did_you_mean(name, schema.properties)
            problems.error(at, f"{known.id} has no input {name!r}{near}")
    for name in sorted(schema.required - given.keys() - schema.defaults.keys()):
        problems.error(place, f"{known.id} needs {name!r}")
    constant = {name: value for name, value in given.items() if _is_constant(value)}
    values = {name: compile_body(value)({}) for name, value in constant.items()}
    for problem in schema.problems(values):
        name = problem.where.partition(".")[0].partition("[")[0]
        if name in constant and name in schema.properties:
            problems.error(place.at(name), f"{problem.where} {problem.message}")
    files = {one.name: one for one in schema.files}
    for name, value in given.items():
        if name in schema.properties:
            _check_file(context, value, name, files.get(name), known)


def _check_file(
    context: _Context, body: Body, name: str, file: FileInput | None, known: Known
) -> None:
    """What a step made, as the input of another: files go where files are taken."""
    if isinstance(body, Items) and file is not None and file.many:
        for one in body.items:
            _check_file(context, one, name, FileInput(file.name, file.format, many=False), known)
        return
    token = body.only_token if isinstance(body, Template) else None
    if token is None or not isinstance(body, Template):
        return
    problems, place = context.problems, (body.place or NOWHERE).find(token.text)
    if token.root == "input" and len(token.steps) == 1:
        if _file(context.schema, token.name) is not None and file is None:
            problems.error(place, f"{token.text} is a file, and {name!r} of {known.id} takes none")
        return
    if token.root != "steps" or token.steps[1:2] != ("artifacts",) or len(token.steps) > 3:
        if file is not None and token.root == "steps" and token.name in context.spec.steps:
            problems.error(
                place, f"{name!r} of {known.id} takes a file: ${{steps.{token.name}.artifacts.0}}"
            )
        return
    whole = len(token.steps) == 2
    if file is None:
        text = f"; its text is ${{steps.{token.name}.text}}"
        problems.error(
            place, f"{token.text} is a file, and {name!r} of {known.id} takes none{text}"
        )
    elif whole != file.many:
        first = f"${{steps.{token.name}.artifacts.0}}"
        wanted = f"one file: {first}" if whole else f'a list: ["{first}"]'
        problems.error(place, f"{name!r} of {known.id} takes {wanted}")
    elif (made := context.known.get(token.name)) is not None and not _fits(made, file.format):
        problems.error(
            place,
            f"{made.id} makes {made.artifact_type}, and {name!r} of {known.id} takes {file.format}",
        )


def _fits(made: Known, format_: str) -> bool:
    """Whether an artifact may be such a file; what an intermediate is, nobody knows."""
    return format_ == "file" or made.artifact_type in (format_, "intermediate")


def _file(schema: InputSchema | None, name: str) -> FileInput | None:
    files = schema.files if schema is not None else ()
    return next((one for one in files if one.name == name), None)


def _is_constant(body: Body) -> bool:
    match body:
        case Literal():
            return True
        case Members(members):
            return all(_is_constant(value) for _, value in members)
        case Items(items):
            return all(map(_is_constant, items))
        case _:
            return False


def _secrets(body: Any) -> Iterator[Secret]:
    """Every ``$secret`` of a body."""
    if isinstance(body, Secret):
        yield body
    for name in ("items", "parts", "then", "otherwise", "do"):
        inner = getattr(body, name, None)
        for one in inner if isinstance(inner, tuple) else (inner,):
            if one is not None:
                yield from _secrets(one)
    for name in ("members", "to"):
        for _, one in getattr(body, name, ()):
            yield from _secrets(one)


def _check_order(spec: "PipelineSpec", problems: Problems) -> None:
    """No step waits, by way of others, for itself."""
    over: set[str] = set()
    told: set[frozenset[str]] = set()

    def awaited(name: str) -> Iterator[str]:
        return (one for one in spec.steps[name].awaits if one in spec.steps and one != name)

    for first in spec.steps:
        # Not by recursion: a chain of steps may be longer than Python's stack is deep.
        trail = {} if first in over else {first: awaited(first)}
        while trail:
            name = next(reversed(trail))
            needed = next(trail[name], None)
            if needed is None:
                over.add(name)
                del trail[name]
            elif needed in trail:
                names = [*trail]
                circle = names[names.index(needed) :]
                if frozenset(circle) not in told:
                    told.add(frozenset(circle))
                    place = spec.steps[needed].place or spec.place or NOWHERE
                    shown = " needs ".join((*circle, needed))
                    problems.error(place, f"steps wait for each other in a circle: {shown}")
            elif needed not in over:
                trail[needed] = awaited(needed)
