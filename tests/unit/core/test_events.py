"""The one table of events: what the store keeps, what types say, and what the schema tells."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import jsonschema_rs
import pytest
from attrs import fields

import boards
from boards import Artifact, Cost, Event
from boards.errors import PROVIDER_ERROR_KINDS, Failure
from boards.events import (
    EVENT_DATA,
    EVENT_TYPES,
    AnyEvent,
    ArtifactData,
    CostData,
    FailedData,
    schema,
)

# The wheel has the template of plugins, too, whose files are no Python yet.
SOURCES = sorted(
    path for path in Path(boards.__file__).parent.rglob("*.py") if "{{" not in str(path)
)
VALID = jsonschema_rs.validator_for(schema())

SHAPES = {"artifact": "artifact.as_dict()"}
"""What is no literal where it happens: the artifact's own JSON, compared below."""


def test_every_type_has_its_data() -> None:
    """In the table and among the types, in one order."""
    assert tuple(EVENT_DATA) == EVENT_TYPES
    of_types = [get_args(one) for one in get_args(AnyEvent)]
    assert {get_args(kind)[0]: data for kind, data in of_types} == EVENT_DATA


def test_data_that_records_give_has_their_keys() -> None:
    """An artifact, a cost and a failure are told as they are elsewhere."""
    artifact = Artifact("g.0", "image", "image/png", 1, "0" * 64, "key")
    assert list(artifact.as_dict()) == list(ArtifactData.__annotations__)
    assert list(Cost(1.0, "image").as_dict()) == list(CostData.__annotations__)
    assert [one.name for one in fields(Failure)] == list(FailedData.__annotations__)
    kinds = schema()["$defs"]["failed"]["properties"]["data"]["properties"]["kind"]
    assert tuple(kinds["enum"]) == PROVIDER_ERROR_KINDS


def happenings() -> Iterator[tuple[str, str, str, ast.expr | None, ast.AST]]:
    """Each place of the package where something happens: where, what, with which data."""
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        functions = [
            one
            for one in ast.walk(tree)
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module)
        ]
        inner_first = sorted(functions, key=lambda one: -getattr(one, "lineno", 0))
        seen: set[int] = set()
        for function in inner_first:
            for call in ast.walk(function):
                if id(call) in seen or not isinstance(call, ast.Call):
                    continue
                seen.add(id(call))
                if isinstance(call.func, ast.Name) and call.func.id == "Happening":
                    kind, *data = call.args
                    assert isinstance(kind, ast.Constant), "the type is written out"
                    where = f"{path.name}:{call.lineno}"
                    told = data[0] if data else None
                    yield where, ast.unparse(call), str(kind.value), told, function


def keys_of(data: ast.expr | None, function: ast.AST) -> set[str] | None:
    """The keys of a literal, or of one with a name in the same function; None for all others."""
    if data is None:
        return set()
    if isinstance(data, ast.Name):
        for one in ast.walk(function):
            if isinstance(one, ast.AnnAssign):
                targets: list[ast.expr] = [one.target]
            elif isinstance(one, ast.Assign):
                targets = one.targets
            else:
                continue
            if ast.unparse(targets[0]) == data.id and one.value is not None:
                return keys_of(one.value, function)
    if isinstance(data, ast.Dict):
        return {str(key.value) for key in data.keys if isinstance(key, ast.Constant)}
    return None


def test_nobody_invents_keys() -> None:
    """Wherever the package says that something happened, the data is what the table says."""
    places = list(happenings())
    assert {kind for _, _, kind, _, _ in places} == set(EVENT_TYPES)
    for where, text, kind, data, function in places:
        keys = keys_of(data, function)
        if keys is None:
            assert data is not None
            assert ast.unparse(data) == SHAPES[kind], where
            continue
        assert keys == set(EVENT_DATA[kind].__annotations__), f"{where}: {text}"  # type: ignore[index]


def event(kind: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    return Event(7, "g1", kind, 1.5, data).as_dict()


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("canceling", {}),
        ("submitted", {"provider_job_id": None}),
        ("progress", {"status": "running", "percent": 12.5, "queue_position": None}),
        ("succeeded", {"artifacts": 1, "cost": Cost(0.1, "image").as_dict()}),
        ("log", {"lines": ["a"], "of a later version": 1}),
    ],
)
def test_the_schema_accepts_what_the_table_says(kind: str, data: dict[str, Any]) -> None:
    """And keys of a later version."""
    VALID.validate(event(kind, data))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("boiled", {}),
        ("submitted", {}),
        ("progress", {"status": "done", "percent": None, "queue_position": None}),
        ("succeeded", {"artifacts": 1, "cost": {"usd": 1}}),
        ("log", {"lines": "a"}),
    ],
)
def test_the_schema_refuses_what_it_does_not(kind: str, data: dict[str, Any]) -> None:
    """Another type, a missing key, a value of another kind."""
    assert not VALID.is_valid(event(kind, data))
