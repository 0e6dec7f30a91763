"""What hooks return: frozen records, one for each thing that a plugin offers.

``create`` is called at most once per host, when the thing is first needed.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

if TYPE_CHECKING:
    from boards.auth.protocol import Auth
    from boards.runner.protocol import Runner
    from boards.settings import Settings
    from boards.spec.model import GeneratorSpec, ProviderSpec
    from boards.storage.protocol import Storage
    from boards.store.protocol import Store

__all__ = [
    "AuthRecord",
    "GeneratorRecord",
    "ProviderRecord",
    "RunnerRecord",
    "StorageRecord",
    "StoreRecord",
    "record_of",
]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")


def _is_name(record: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{type(record).__name__}: expected a name such as s3, not {value!r}")


def _is_factory(record: object, attribute: Any, value: Any) -> None:
    if not callable(value):
        raise TypeError(f"{type(record).__name__}: create is a function of the settings")


def _is_provider_spec(record: object, attribute: Any, value: Any) -> None:
    from boards.spec.model import ProviderSpec  # noqa: PLC0415 - most plugins have no specs

    if not isinstance(value, ProviderSpec):
        raise TypeError(f"ProviderRecord: expected a ProviderSpec, not {type(value).__name__}")


def _is_generator_spec(record: object, attribute: Any, value: Any) -> None:
    from boards.spec.model import GeneratorSpec  # noqa: PLC0415 - most plugins have no specs

    if not isinstance(value, GeneratorSpec):
        raise TypeError(f"GeneratorRecord: expected a GeneratorSpec, not {type(value).__name__}")


@frozen
class ProviderRecord:
    """A provider.

    Attributes:
        name: What it is called in ``provider/generator``.
        spec: Its definition.
    """

    name: str = field(validator=_is_name)
    spec: "ProviderSpec" = field(validator=_is_provider_spec)


@frozen
class GeneratorRecord:
    """A generator.

    Attributes:
        spec: What it is; it names its provider.
        provider: The provider, if it comes along.
    """

    spec: "GeneratorSpec" = field(validator=_is_generator_spec)
    provider: ProviderRecord | None = None


def record_of(given: Any) -> Any:
    """The record of a class or provider of :mod:`boards.dsl`; anything else is returned as it is.

    Raises:
        SpecError: It has mistakes.
    """
    make = getattr(given, "__boards_record__", None)
    return given if make is None else make()


@frozen
class StorageRecord:
    """A place for the bytes of artifacts."""

    name: str = field(validator=_is_name)
    create: "Callable[[Settings], Storage]" = field(validator=_is_factory)


@frozen
class AuthRecord:
    """A way to tell who asks."""

    name: str = field(validator=_is_name)
    create: "Callable[[Settings], Auth]" = field(validator=_is_factory)


@frozen
class StoreRecord:
    """A place for generations, attempts and events."""

    name: str = field(validator=_is_name)
    create: "Callable[[Settings], Store]" = field(validator=_is_factory)


@frozen
class RunnerRecord:
    """What calls ``drive``."""

    name: str = field(validator=_is_name)
    create: "Callable[[Settings], Runner]" = field(validator=_is_factory)
