"""Pipelines in Python: the same language, each mistake told at its line."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boards.dsl.document import Writer
from boards.dsl.inputs import schema_of
from boards.dsl.origin import caller
from boards.dsl.references import Names, Predicate, Root, Token, Value
from boards.errors import SpecError
from boards.pipelines.checking import check_pipeline
from boards.pipelines.model import ON_FAILURE, PipelineSpec, Step
from boards.pipelines.reader import read_document
from boards.spec import places
from boards.spec.grammar import Shape, keys_of
from boards.spec.places import Problems, locate, plain

if TYPE_CHECKING:
    from boards.dsl import Generator
    from boards.records import GeneratorRecord
    from boards.registry import Registry

__all__ = ["GivenPipeline", "Pipeline", "spec_of"]


class Pipeline:
    """Steps of which each takes what others made.

    Example:
        >>> pipeline = Pipeline("poster", inputs={"idea": str})
        >>> base = pipeline.step("base", "flux-dev", prompt=pipeline.input.idea)
        >>> pipeline.step("large", "fal/esrgan", image=base.artifacts[0])

    Args:
        name: For listings.
        inputs: By name: a type (``str``, ``int``, ``Literal[...]``, ``boards.dsl.Image``) or a
            JSON Schema. One without a default is required; ``"default": None`` is optional.
        description: One or two sentences.

    Attributes:
        input: The inputs: ``pipeline.input.idea`` stands for a value of the run.
    """

    def __init__(
        self, name: str, *, inputs: Mapping[str, Any] | None = None, description: str = ""
    ) -> None:
        if not isinstance(inputs, Mapping | None):
            raise TypeError(f'inputs are types by name, {{"idea": str}}, not {inputs!r}')
        self.input: Token = Root("input")
        self._spot = caller().spot(("name",))
        self._problems = Problems()
        self._writer = Writer(Names(), self._problems)
        self._records: list[GeneratorRecord] = []
        place = self._spot.place
        self._steps = places.Mapping(place)
        self._outputs: tuple[str, ...] = ()
        self._root = places.Mapping(place)
        self._root.put("name", name, place, self._spot.key("name")[0])
        if description:
            self._root.put("description", description, place, self._spot.key("description")[0])
        schemas = {one: self._schema(one, given) for one, given in (inputs or {}).items()}
        self._root.put("inputs", locate(schemas, place), place, place)
        self._root.put("steps", self._steps, place, place)

    @property
    def name(self) -> str:
        """For listings."""
        return str(self._root["name"])

    def step(
        self,
        name: str,
        generator: "str | type[Generator]",
        /,
        *,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # the field's word
        needs: Sequence["Token | str"] = (),
        when: Predicate | None = None,
        on_failure: str = "fail",
        **inputs: Any,
    ) -> Token:
        """Add a step.

        Args:
            name: Of the step.
            generator: As in :meth:`boards.Boards.generate`: a name, or a class of
                :mod:`boards.dsl`, whose fields are the inputs then.
            input: Inputs, for names that are taken here.
            needs: Steps that must succeed before, though nothing is taken of them.
            when: A condition, such as ``pipeline.input.large.is_(True)`` or
                ``check.text.contains("yes")``: where it does not hold, the step is skipped.
            on_failure: ``fail``: the run fails, and nothing more begins. ``skip``: steps that
                need this one are skipped. ``continue``: they go on without its result.
            inputs: The generator's inputs: values, inputs of the pipeline, and what other steps
                made, also in f-strings.

        Returns:
            What stands for its results, as in ``base.artifacts[0]``, ``base.artifacts``,
            ``base.text``, ``base.meta.seed`` and ``base.status``; ``base.text.optional`` may be
            absent.

        Raises:
            TypeError: A name is given twice, or an argument is of a wrong type.
        """
        if not isinstance(name, str):
            raise TypeError(f"a step's name is a text, not {name!r}")
        if name in self._steps:
            raise TypeError(f"the pipeline {self.name} has a step {name!r} already")
        if not isinstance(input, Mapping | None):
            raise TypeError(f"input is a mapping of inputs by name, not {input!r}")
        if isinstance(needs, str) or not isinstance(needs, Sequence):
            raise TypeError(f"needs is a list of steps, [{needs!r}], not {needs!r}")
        spot = caller().spot(("", "generator"))
        says: dict[str, Any] = {"generator": self._named(generator)}
        if given := {**(input or {}), **inputs}:
            says["input"] = given
        if needs:
            says["needs"] = [_step_of(one) for one in needs]
        if when is not None:
            says["when"] = when
        if on_failure != ON_FAILURE[0]:
            says["on_failure"] = on_failure
        kinds = {key: one.metadata["kind"] for key, one in keys_of(Step).items()}
        written = places.Mapping(spot.place)
        for key, value in says.items():
            key_place, inner = (spot.place, spot) if key == "input" else spot.key(key)
            done = self._writer.write(kinds[key], value, inner)
            at = done.located(inner.place) if isinstance(done, places.Mapping) else inner.place
            written.put(key, done, key_place, at)
        self._steps.put(name, written, spot.place, written.located(spot.place))
        return Value("steps", (name,))

    def outputs(self, *steps: "Token | str") -> None:
        """Say whose artifacts are the run's; else those of the steps that no other one needs."""
        self._outputs = tuple(_step_of(one) for one in steps)

    @property
    def spec(self) -> PipelineSpec:
        """What its YAML would be read into.

        Raises:
            SpecError: It has mistakes; all of them are told, each at its line.
        """
        problems = Problems()
        spec = read_document(self.located(problems), problems)
        if spec is not None:
            check_pipeline(spec, problems)
        if spec is None or problems.errors:
            raise SpecError(f"The pipeline {self.name} has mistakes.", problems.errors)
        return spec

    def located(self, problems: Problems) -> places.Document:
        """The document of a YAML file that says the same, each part at its line of Python.

        Args:
            problems: Takes what was wrong with how it was built.
        """
        problems.take(self._problems)
        place = self._spot.place
        root = places.Mapping(place)
        for key, value in self._root.items():
            root.put(key, value, self._root.key_places[key], self._root.value_places[key])
        if self._outputs:
            root.put("outputs", locate(list(self._outputs), place), place, place)
        top = places.Mapping(place)
        top.put("pipeline", root, place, root.located(place))
        return places.Document(place.source, top, place)

    @property
    def document(self) -> dict[str, Any]:
        """The whole document of a YAML file that says the same.

        Raises:
            SpecError: It has mistakes.
        """
        return {"spec": 1, "pipeline": Shape(PipelineSpec).write(self.spec)}

    @property
    def records(self) -> tuple["GeneratorRecord", ...]:
        """The generators that it brings along."""
        return tuple(self._records)

    def _named(self, generator: "str | type[Generator]") -> str:
        if isinstance(generator, str):
            return generator
        if not hasattr(generator, "__boards_record__"):
            raise TypeError(
                f"a step's generator is a name or a class of boards.dsl, not {generator!r}"
            )
        record = generator.__boards_record__()
        self._records.append(record)
        return record.spec.id

    def _schema(self, name: str, given: Any) -> Any:
        if isinstance(given, Mapping):
            return plain(dict(given))
        try:
            return schema_of(given)
        except TypeError as error:
            self._problems.error(self._spot.place, f"the input {name!r}: {error}")
            return {}


GivenPipeline = Pipeline | PipelineSpec | PathLike[str] | str
"""A pipeline as :meth:`boards.Boards.run` takes it: itself, or a YAML file."""


def spec_of(given: GivenPipeline, registry: "Registry") -> PipelineSpec:
    """The spec of a pipeline.

    Args:
        given: The pipeline.
        registry: What there is to generate with: a file is checked against it.

    Raises:
        SpecError: It has mistakes.
    """
    if isinstance(given, Pipeline):
        return given.spec
    if isinstance(given, PipelineSpec):
        return given
    from boards.pipelines.starting import read_file  # noqa: PLC0415  # with the engine

    return read_file(Path(given), registry)


def _step_of(given: "Token | str") -> str:
    if isinstance(given, str):
        return given
    if not isinstance(given, Token):
        raise TypeError(f"a step is what step() returned, or a name, not {given!r}")
    return given.path_text(Names()).removeprefix("steps.")
