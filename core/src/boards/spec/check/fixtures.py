"""The tests inside a spec: inputs that the schema takes, replies that can be."""

from boards.spec.check.context import place_of
from boards.spec.check.rules import check_rules
from boards.spec.inputs import InputSchema
from boards.spec.model import Fixture
from boards.spec.places import Problems

__all__ = ["check_fixture"]


def check_fixture(fixture: Fixture, schema: InputSchema | None, problems: Problems) -> None:
    """Note what is wrong with one test."""
    check_rules(fixture, problems)
    refused = fixture.raises == "invalid_input" and not fixture.exchanges
    if schema is None or refused:
        return
    for problem in schema.problems(schema.complete(fixture.input)):
        name = problem.where.partition(".")[0].partition("[")[0]
        if name not in fixture.input and (name in schema.defaults or name not in schema.properties):
            continue  # a mistake of the schema, which is told there
        problems.error(
            place_of(fixture, "input"),
            f"the input of a test does not fit the schema: {problem.where} {problem.message}",
        )
