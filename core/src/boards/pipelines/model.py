"""What a pipeline says, once read: frozen values, the same whether from YAML or from Python."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from attrs import frozen

from boards.pipelines.references import Reference, predicate_steps, references
from boards.spec.grammar import (
    BodyKind,
    Choice,
    JsonKind,
    Listed,
    Mapped,
    PredicateKind,
    Shape,
    TextKind,
    key,
    no_place,
)
from boards.spec.inputs import InputSchema
from boards.spec.operators import Body, Members
from boards.spec.places import Place
from boards.spec.predicates import Predicate

__all__ = ["ON_FAILURE", "PipelineSpec", "Step"]

ON_FAILURE: Final = ("fail", "skip", "continue")

_NAME: Final = TextKind(r"[A-Za-z][A-Za-z0-9_-]{0,63}", "a name of letters, digits, - and _")
_TEXT: Final = TextKind()


@frozen
class Step:
    """One generation of a pipeline."""

    generator: str = key(_TEXT, doc="provider/name, a short name, or @provider")
    input: Body = key(
        BodyKind(), default=Members(()), doc="Its input: tokens begin with input or steps"
    )
    needs: tuple[str, ...] = key(
        Listed(_NAME), default=(), doc="Steps that must succeed before, though nothing is taken"
    )
    when: Predicate | None = key(
        PredicateKind(), default=None, doc="Skip the step where this does not hold"
    )
    on_failure: str = key(
        Choice(ON_FAILURE),
        default="fail",
        doc="fail: so does the run. skip: so are steps that need it. continue: they go on without",
    )
    place: Place | None = no_place()

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """The tokens of its input."""
        return tuple(references(self.input, self.when))

    @cached_property
    def awaits(self) -> tuple[str, ...]:
        """The steps that must be over before it begins."""
        used = [one.step for one in self.references if one.step is not None]
        return tuple(dict.fromkeys([*used, *predicate_steps(self.input, self.when), *self.needs]))

    @cached_property
    def takes(self) -> frozenset[str]:
        """The steps whose results it cannot do without."""
        return frozenset(
            one.step for one in self.references if one.step is not None and not one.may_be_absent
        )

    @cached_property
    def reads(self) -> frozenset[str]:
        """The steps of which it takes text."""
        return frozenset(
            one.step
            for one in self.references
            if one.step is not None and "text" in one.token.steps[1:]
        ) | set(predicate_steps(self.input, self.when, "text"))


@frozen(kw_only=True)
class PipelineSpec:
    """Steps in an order that follows from what each takes of the others."""

    name: str = key(_NAME, doc="For listings")
    description: str = key(_TEXT, default="", doc="One or two sentences")
    inputs: Mapping[str, Any] = key(
        Mapped(JsonKind(mapping=True), _NAME),
        default={},
        doc="JSON Schemas by name; one without a default is required, default: null is optional",
    )
    steps: Mapping[str, Step] = key(Mapped(Shape(Step), _NAME), doc="The steps, by name")
    outputs: tuple[str, ...] = key(
        Listed(_NAME), default=(), doc="The steps whose artifacts count; else those nobody needs"
    )
    place: Place | None = no_place()

    @cached_property
    def input_schema(self) -> InputSchema:
        """The inputs as one schema.

        Raises:
            ValueError: One is no JSON Schema; the message tells where.
        """
        return InputSchema(
            {
                "type": "object",
                "properties": {
                    name: {
                        one: value
                        for one, value in schema.items()
                        if not (one == "default" and value is None)
                    }
                    for name, schema in self.inputs.items()
                },
                "required": [name for name, one in self.inputs.items() if "default" not in one],
            }
        )

    @cached_property
    def results(self) -> tuple[str, ...]:
        """The steps whose artifacts are the run's."""
        if self.outputs:
            return self.outputs
        needed = {name for step in self.steps.values() for name in step.awaits}
        return tuple(name for name in self.steps if name not in needed)
