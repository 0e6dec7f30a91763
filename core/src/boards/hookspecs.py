"""The hooks that a plugin may implement, in a module that its distribution names.

.. code-block:: toml

    [project.entry-points."boards.plugins"]
    s3 = "boards_s3.plugin"

A hook is a plain function, marked with :data:`hookimpl`; it takes those of the parameters below
that it needs. Six hooks tell what there is: they are called once, and return records. Two are
called while generations run, on a thread of their own, and may block.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from boards.dsl import Generator, Provider
    from boards.events import Event
    from boards.generations import Generation
    from boards.records import (
        AuthRecord,
        GeneratorRecord,
        ProviderRecord,
        RunnerRecord,
        StorageRecord,
        StoreRecord,
    )
    from boards.spec.requests import Rendered

__all__ = [
    "boards_auths",
    "boards_before_submit",
    "boards_generation_event",
    "boards_generators",
    "boards_providers",
    "boards_runners",
    "boards_storages",
    "boards_stores",
    "hookimpl",
]

hookimpl = pluggy.HookimplMarker("boards")
"""Marks a function of a plugin as the implementation of a hook."""

_hookspec = pluggy.HookspecMarker("boards")


@_hookspec
def boards_providers() -> "Iterable[ProviderRecord | Provider]":  # type: ignore[empty-body]
    """Providers that are made in Python. Most are YAML, in the entry-point group ``boards.specs``.

    .. code-block:: python

        @hookimpl
        def boards_providers():
            yield ProviderRecord("studio", ProviderSpec(config={"base_url": URL}, auth=...))

    Returns:
        A :class:`boards.dsl.Provider`, or a record, per provider.

    .. versionadded:: 0.1
    """


@_hookspec
def boards_generators() -> "Iterable[GeneratorRecord | type[Generator]]":  # type: ignore[empty-body]
    """Generators that are made in Python. Most are YAML, as providers are.

    .. code-block:: python

        @hookimpl
        def boards_generators():
            return [FluxPro, *(GeneratorRecord(spec) for spec in SPECS)]

    Returns:
        A class of :mod:`boards.dsl`, or a record, per generator; it names a provider of any plugin.

    .. versionadded:: 0.1
    """


@_hookspec
def boards_storages() -> "Iterable[StorageRecord]":  # type: ignore[empty-body]
    """Places for the bytes of artifacts.

    .. code-block:: python

        @hookimpl
        def boards_storages():
            return [StorageRecord("s3", lambda settings: S3Storage(settings.secret("S3_BUCKET")))]

    Returns:
        Records whose ``create`` makes a :class:`boards.storage.Storage`.

    .. versionadded:: 0.1
    """


@_hookspec
def boards_auths() -> "Iterable[AuthRecord]":  # type: ignore[empty-body]
    """Ways to tell who asks.

    .. code-block:: python

        @hookimpl
        def boards_auths():
            return [AuthRecord("tokens", lambda settings: TokenAuth(settings.home / "tokens"))]

    Returns:
        Records whose ``create`` makes a :class:`boards.auth.Auth`.

    .. versionadded:: 0.1
    """


@_hookspec
def boards_stores() -> "Iterable[StoreRecord]":  # type: ignore[empty-body]
    """Places for generations, attempts and events.

    .. code-block:: python

        @hookimpl
        def boards_stores():
            return [StoreRecord("postgres", lambda settings: PostgresStore(settings.secret("DSN")))]

    Returns:
        Records whose ``create`` makes a :class:`boards.store.Store`.

    .. versionadded:: 0.1
    """


@_hookspec
def boards_runners() -> "Iterable[RunnerRecord]":  # type: ignore[empty-body]
    """What calls ``drive`` for generations that are due.

    .. code-block:: python

        @hookimpl
        def boards_runners():
            return [RunnerRecord("dramatiq", lambda settings: DramatiqRunner())]

    Returns:
        Records whose ``create`` makes a :class:`boards.runner.protocol.Runner`.

    .. versionadded:: 0.1
    """


@_hookspec
def boards_generation_event(event: "Event") -> None:
    """Observe what happened to a generation, after it was committed.

    What a hook raises is logged, and changes nothing.

    .. code-block:: python

        @hookimpl
        def boards_generation_event(event):
            if event.type == "succeeded":
                done.labels("ok").inc()

    Args:
        event: What happened; told at least once, and again after a crash.

    .. versionadded:: 0.1
    """


@_hookspec
def boards_before_submit(generation: "Generation", request: "Rendered") -> None:
    """See a submit before it takes a slot, and veto it by raising: nothing is sent then.

    .. code-block:: python

        @hookimpl
        def boards_before_submit(generation, request):
            if budget.spent(generation.owner) > LIMIT:
                raise RuntimeError("the budget of this month is spent")

    Args:
        generation: As the store has it.
        request: The request, without credentials.

    .. versionadded:: 0.1
    """
