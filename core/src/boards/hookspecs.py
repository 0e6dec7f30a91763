"""The hooks that a plugin may implement, in a module that its distribution names.

.. code-block:: toml

    [project.entry-points."boards.plugins"]
    s3 = "boards_s3.plugin"

A hook is a plain function, marked with :data:`hookimpl`; it takes those of the parameters below
that it needs. Six hooks tell what there is: they are called once, and return records. Two are
called while generations run, on a thread of their own, and may block. None is a coroutine: what
has to be awaited is in the methods of what a hook returns.

Each example below is a whole module, as an entry point names it.
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

        from boards.dsl import Auth, Provider
        from boards.hookspecs import hookimpl

        studio = Provider(
            "studio",
            display_name="Studio",
            setup="Ask for a key and set STUDIO_KEY.",
            base_url="https://render.example.com/v1",
            api_key_env="STUDIO_KEY",
            auth=Auth("bearer"),
        )


        @hookimpl
        def boards_providers():
            return [studio]

    Returns:
        A :class:`boards.dsl.Provider`, or a record, per provider.

    .. versionadded:: 0.1
    """


@_hookspec
def boards_generators() -> "Iterable[GeneratorRecord | type[Generator]]":  # type: ignore[empty-body]
    """Generators that are made in Python: many of one pattern, say. Most are YAML.

    .. code-block:: python

        from boards.dsl import Generator, Output, body, input, post
        from boards.hookspecs import hookimpl


        def poster(size):
            class Poster(Generator, name=f"poster-{size}", provider="studio", artifact="image"):
                prompt: str

                submit = post(f"/posters/{size}", json={"text": input.prompt})
                outputs = Output(body.picture, as_="base64")

            return Poster


        @hookimpl
        def boards_generators():
            return [poster("small"), poster("large")]

    Returns:
        A class of :mod:`boards.dsl`, or a record, per generator; it names a provider of any plugin.

    .. versionadded:: 0.1
    """


@_hookspec
def boards_storages() -> "Iterable[StorageRecord]":  # type: ignore[empty-body]
    """Places for the bytes of artifacts. A host takes one by its name: ``BOARDS_STORAGE``.

    .. code-block:: python

        from pathlib import Path

        from boards.hookspecs import hookimpl
        from boards.records import StorageRecord
        from boards.storage.local import LocalStorage


        def elsewhere(settings):
            directory = settings.secret("ARTIFACTS_DIR") or settings.home / "elsewhere"
            return LocalStorage(Path(directory))


        @hookimpl
        def boards_storages():
            return [StorageRecord("elsewhere", elsewhere)]

    Returns:
        Records whose ``create`` makes a :class:`boards.storage.Storage`.

    .. versionadded:: 0.1
    """


@_hookspec
def boards_auths() -> "Iterable[AuthRecord]":  # type: ignore[empty-body]
    """Ways to tell who asks. A host takes one by its name: ``BOARDS_AUTH``.

    .. code-block:: python

        import hmac

        from boards.auth import Identity
        from boards.errors import AuthError
        from boards.hookspecs import hookimpl
        from boards.records import AuthRecord


        class Token:
            def __init__(self, token):
                self.token = token

            async def identify(self, credentials):
                headers = {name.lower(): value for name, value in credentials.items()}
                given = headers.get("authorization", "").removeprefix("Bearer ")
                given = given.encode(errors="surrogatepass")
                if not self.token or not hmac.compare_digest(given, self.token.encode()):
                    raise AuthError("The token is missing or wrong.")
                return Identity(owner="team")


        @hookimpl
        def boards_auths():
            return [AuthRecord("token", lambda settings: Token(settings.secret("TEAM_TOKEN")))]

    Returns:
        Records whose ``create`` makes a :class:`boards.auth.Auth`.

    .. versionadded:: 0.1
    """


@_hookspec
def boards_stores() -> "Iterable[StoreRecord]":  # type: ignore[empty-body]
    """Places for generations, attempts and events. A host makes one and hands it to ``Boards``.

    .. code-block:: python

        from boards.hookspecs import hookimpl
        from boards.records import StoreRecord
        from boards.store.sqlite import SQLiteStore


        @hookimpl
        def boards_stores():
            return [StoreRecord("team", lambda settings: SQLiteStore(settings.home / "team.db"))]

    Returns:
        Records whose ``create`` makes a :class:`boards.store.Store`.

    .. versionadded:: 0.1
    """


@_hookspec
def boards_runners() -> "Iterable[RunnerRecord]":  # type: ignore[empty-body]
    """What calls ``drive`` for generations that are due, at least once.

    It may call late, twice, or from two processes at once. No host takes another than its own yet.

    .. code-block:: python

        from boards.hookspecs import hookimpl
        from boards.records import RunnerRecord
        from boards.runner.embedded import EmbeddedRunner


        class CountingRunner(EmbeddedRunner):
            queued = 0

            def enqueue(self, generation_id, *, at=0.0):
                self.queued += 1
                super().enqueue(generation_id, at=at)


        @hookimpl
        def boards_runners():
            return [RunnerRecord("counting", lambda settings: CountingRunner())]

    Returns:
        Records whose ``create`` makes a :class:`boards.runner.protocol.Runner`.

    .. versionadded:: 0.1
    """


@_hookspec
def boards_generation_event(event: "Event") -> None:
    """Observe what happened to a generation, after it was committed.

    It runs on a thread of its own and may block. What it raises is logged, and changes nothing.

    What must not miss an end reads :meth:`boards.Boards.events`, or lists what ended, too: a
    process that dies right after the commit of an end, or cannot read it then, tells nobody.

    .. code-block:: python

        from boards.hookspecs import hookimpl

        finished = []


        @hookimpl
        def boards_generation_event(event):
            if event.type in ("succeeded", "failed", "canceled"):
                finished.append((event.generation_id, event.type))

    Args:
        event: What happened; maybe told again, after a crash above all.

    .. versionadded:: 0.1
    """


@_hookspec
def boards_before_submit(generation: "Generation", request: "Rendered") -> None:
    """See a submit before it takes a slot, and veto it by raising: nothing is sent then.

    It is called before the attempt is written and before credentials are added. After a veto the
    generation fails with what was raised.

    .. code-block:: python

        from boards.hookspecs import hookimpl


        @hookimpl
        def boards_before_submit(generation, request):
            if "forbidden" in str(request.json):
                raise ValueError("this house draws no such thing")

    Args:
        generation: As the store has it.
        request: The request, without credentials.

    .. versionadded:: 0.1
    """
