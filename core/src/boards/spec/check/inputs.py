"""The input schema: a JSON Schema whose defaults and required names fit it."""

from typing import Any

from boards.spec.inputs import InputSchema
from boards.spec.model import GeneratorSpec
from boards.spec.places import NOWHERE, Mapping, Place, Problems, Sequence, did_you_mean, nearest

__all__ = ["check_inputs", "misnamed", "place_in"]


def check_inputs(generator: GeneratorSpec, problems: Problems) -> InputSchema | None:
    """Note what is wrong with what a generator takes; the schema, if it is one."""
    written = generator.io.input_schema
    place = getattr(written, "place", generator.place) or NOWHERE
    try:
        schema = InputSchema(written)
    except ValueError as error:
        at, _, _ = str(error).partition(":")
        problems.error(
            place_in(written, at.split("."), place), f"input_schema is no JSON Schema: {error}"
        )
        return None
    if schema.schema.get("additionalProperties") is False:
        for index, name in enumerate(written.get("required", ())):
            if name not in schema.properties:
                problems.error(
                    place_in(written, ["required", str(index)], place),
                    f"the required input {name!r} is not among the properties"
                    f"{did_you_mean(name, schema.properties)}",
                )
    for problem in schema.problems(schema.complete({})) if schema.defaults else ():
        name = problem.where.partition(".")[0].partition("[")[0]
        if name in schema.defaults:
            problems.error(
                place_in(written, ["properties", name, "default"], place),
                f"the default of {problem.where} {problem.message}",
            )
    return schema


def misnamed(schema: InputSchema | None) -> frozenset[str]:
    """The inputs that are meant by required names which are none: they are there for sure."""
    if schema is None:
        return frozenset()
    strange = schema.required - schema.properties.keys()
    near = (nearest(name, schema.properties) for name in strange)
    return frozenset(f"input.{name}" for name in near if name is not None)


def place_in(value: Any, steps: list[str], place: Place) -> Place:
    """Where the value stands that some steps lead to, as far as they lead."""
    for step in steps:
        if isinstance(value, Mapping) and step in value:
            place, value = value.value_places[step], value[step]
        elif isinstance(value, Sequence) and step.isdecimal() and int(step) < len(value):
            place, value = value.item_places[int(step)], value[int(step)]
        else:
            break
    return place
