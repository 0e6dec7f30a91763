"""Instances from inputs, and inputs from instances, with cattrs."""

from collections.abc import Mapping
from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin

import cattrs
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError, IterableValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.strategies import configure_union_passthrough

from boards.artifacts import Artifact
from boards.dsl.compiling import fields_of, input_name
from boards.dsl.inputs import FileType, default_of
from boards.errors import InvalidInputError, Problem
from boards.spec.places import did_you_mean

if TYPE_CHECKING:
    from boards.dsl.generator import Generator

__all__ = ["structured", "unstructured"]

G = TypeVar("G", bound="Generator")

_FILES = (str, PathLike, bytes, Artifact)


def unstructured(generator: "Generator") -> dict[str, Any]:
    """The input that an instance is, by the names of its spec."""
    found: dict[str, Any] = _converter().unstructure(generator)
    return found


def structured(generator: type[G], given: Mapping[str, Any]) -> G:
    """The instance that an input makes.

    Raises:
        InvalidInputError: It does not fit the fields; each problem names its input.
    """
    try:
        return _converter().structure(given, generator)
    except ClassValidationError as error:
        known = [input_name(one) for one in fields_of(generator)]
        raise InvalidInputError(
            f"The input does not fit {generator.__qualname__}.", list(_problems(error, known=known))
        ) from error


@cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, prefer_attrib_converters=True)
    configure_union_passthrough(str | bool | int | float | None, converter)
    for type_ in (str, int, float, bool):
        converter.register_structure_hook(type_, _exactly)
    converter.register_structure_hook_func(_is_file, _file)
    # Files go as they are: the engine keeps their bytes.
    converter.register_unstructure_hook_func(_is_file, lambda value: value)
    for kept in (Artifact, Path):
        converter.register_unstructure_hook(kept, lambda value: value)
    converter.register_unstructure_hook_factory(
        _is_generator, lambda type_: _unstructure(type_, converter)
    )
    converter.register_structure_hook_factory(
        _is_generator, lambda type_: _structure(type_, converter)
    )
    return converter


def _is_generator(type_: Any) -> bool:
    return isinstance(type_, type) and hasattr(type_, "__boards_header__")


def _is_file(type_: Any) -> bool:
    return get_origin(type_) is Annotated and any(
        isinstance(mark, FileType) for mark in get_args(type_)[1:]
    )


def _unstructure(type_: Any, converter: cattrs.Converter) -> Any:
    overrides: dict[str, Any] = {
        one.name: override(rename=input_name(one), omit_if_default=default_of(one) is None)
        for one in fields_of(type_)
    }
    return make_dict_unstructure_fn(type_, converter, **overrides)


def _structure(type_: Any, converter: cattrs.Converter) -> Any:
    overrides: dict[str, Any] = {
        one.name: override(rename=input_name(one)) for one in fields_of(type_)
    }
    return make_dict_structure_fn(type_, converter, _cattrs_forbid_extra_keys=True, **overrides)


def _exactly(value: Any, type_: type) -> Any:
    """A value of that type: nothing is turned into anything else, but 1 is a number too."""
    if type_ is float and type(value) is int:
        return value
    if type(value) is not type_:
        raise TypeError(f"must be {_WORDS[type_]}, not {value!r}")
    return value


_WORDS = {str: "a string", int: "an integer", float: "a number", bool: "true or false"}


def _file(value: Any, _: Any) -> Any:
    if not isinstance(value, _FILES):
        raise TypeError(f"must be a file: a path, bytes, an artifact or a URL, not {value!r}")
    return value


def _problems(error: BaseException, where: str = "", known: Any = ()) -> "list[Problem]":
    """All that is wrong, each with the path to it."""
    match error:
        case ClassValidationError():
            found: list[Problem] = []
            for inner, note in error.group_exceptions()[0]:
                found += _problems(inner, _join(where, note.name))
            for inner in error.group_exceptions()[1]:
                found += _problems(inner, where, known)
            return found
        case IterableValidationError():
            return [
                problem
                for inner, note in error.group_exceptions()[0]
                for problem in _problems(inner, f"{where}[{note.index}]")
            ]
        case ForbiddenExtraKeysError():
            return [
                Problem(_join(where, name), f"is not an input{did_you_mean(name, known)}")
                for name in sorted(error.extra_fields)
            ]
        case KeyError():
            return [Problem(where, "is required")]
    return [Problem(where, str(error))]


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
