"""An auth that is being tried: what it is asked, and what it must answer."""

import contextlib
import inspect
import logging
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from boards.auth.protocol import Auth, Identity
from boards.errors import AuthError, BoardsError
from boards.testing.conformance.checks import NonconformanceError, NotApplicable, require

__all__ = [
    "AuthSubject",
    "Credentials",
    "accepted",
    "logged",
    "made",
    "named",
    "refused",
    "secrets_of",
]

Credentials = Mapping[str, str]


class AuthSubject(Protocol):
    """What the kit asks of an author: see :class:`boards.testing.AuthConformance`."""

    @property
    def identities(self) -> Sequence[Identity]: ...
    @property
    def leeway(self) -> float: ...
    def make_auth(self, folder: Path) -> Auth: ...
    def credentials(self, identity: Identity) -> Credentials: ...
    def expired(self, identity: Identity, seconds: float) -> Credentials: ...
    def premature(self, identity: Identity, seconds: float) -> Credentials: ...
    def for_another_audience(self, identity: Identity) -> Credentials: ...
    def by_another_issuer(self, identity: Identity) -> Credentials: ...
    def with_another_key(self, identity: Identity) -> Credentials: ...
    def public_key(self) -> bytes: ...


def named(subject: AuthSubject) -> Credentials:
    """Right credentials of the first identity.

    Raises:
        NotApplicable: There are none to change.
    """
    credentials = subject.credentials(subject.identities[0])
    if not credentials:
        raise NotApplicable("it asks for no credentials")
    return credentials


@contextlib.asynccontextmanager
async def made(subject: AuthSubject) -> AsyncIterator[Auth]:
    """An auth in a home of its own; at the end it is closed, if it can be."""
    with tempfile.TemporaryDirectory(prefix="boards-auth-") as name:
        auth = subject.make_auth(Path(name))
        try:
            yield auth
        finally:
            closing = getattr(auth, "close", lambda: None)()
            if inspect.isawaitable(closing):
                await closing


async def accepted(auth: Auth, credentials: Credentials, identity: Identity, what: str) -> None:
    """Require that credentials are of somebody."""
    try:
        found = await auth.identify(credentials)
    except BoardsError as error:
        raise NonconformanceError(f"{what} is refused: {error.message}") from error
    require(found == identity, f"{what} is taken for {found}, and is {identity}.")


async def refused(auth: Auth, credentials: Credentials, what: str) -> None:
    """Require that credentials are refused by an :class:`boards.errors.AuthError`."""
    try:
        found = await auth.identify(credentials)
    except AuthError:
        return
    except Exception as error:
        # Not "from error": it may repeat the credentials, and pytest would print it.
        raise NonconformanceError(
            f"{what} is answered by {type(error).__name__}, which is no AuthError.",
            "Raise boards.errors.AuthError for whatever is wrong with credentials.",
        ) from None
    raise NonconformanceError(f"{what} is accepted, as {found}.")


def secrets_of(credentials: Credentials) -> Iterator[str]:
    """What of credentials must be repeated nowhere: the whole, and what proves anything."""
    for value in credentials.values():
        word = value.rpartition(" ")[2]
        if len(word) >= 8:
            yield word
        yield from (part for part in word.split(".")[1:] if len(part) >= 16)


@contextlib.contextmanager
def logged() -> Iterator[list[str]]:
    """Every line that is logged, at any level."""
    lines: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    root, handler = logging.getLogger(), Listening()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
