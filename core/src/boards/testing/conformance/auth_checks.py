"""Checks of an auth: who is let in, and as whom; who is not, and what is told of it."""

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from boards.auth.protocol import Identity
from boards.errors import BoardsError
from boards.testing.conformance.auth_trial import (
    AuthSubject,
    Credentials,
    accepted,
    logged,
    made,
    named,
    refused,
    secrets_of,
)
from boards.testing.conformance.checks import CheckTable, NotApplicable, require
from boards.testing.conformance.tokens import Token, token_of, unpadded

__all__ = ["AUTH_CHECKS"]

DAY: Final = 86_400.0
MARGIN: Final = 5.0
"""Seconds beyond the leeway that no rounding explains."""
SOON: Final = 2.0
"""Seconds until a credential expires while the check waits: tokens count whole seconds."""

GARBAGE: Final = (
    "",
    " ",
    "Bearer",
    "Bearer ",
    "Bearer Bearer",
    "Bearer null",
    "Bearer undefined",
    "Bearer garbage",
    "Basic YWxpY2U6c2VjcmV0",
    "Bearer ..",
    "Bearer a.b.c",
    "Bearer e30.e30.e30",
    f"Bearer {unpadded(b'[]')}.{unpadded(b'[]')}.",
    f"Bearer {unpadded(b'{}')}.{unpadded(b'not json')}.AAAA",
    "Bearer \0",
    "Bearer \u00e9\u4e2d\U0001f600",
    "Bearer \udc80",  # as servers decode bytes that are no UTF-8
    "Bearer " + "." * 1000,
    "Bearer " + "a" * 1_000_000,
    "'; DROP TABLE users; --",
)
"""Values that are no credential."""


AUTH_CHECKS: Final = CheckTable[AuthSubject]()
"""What Boards relies on in an auth, as :mod:`boards.auth.protocol` promises it."""


@AUTH_CHECKS.add("valid")
async def valid(subject: AuthSubject) -> None:
    """Right credentials tell the right owner and tenant, each time."""
    require(len(set(subject.identities)) == len(subject.identities), "Two identities are equal.")
    async with made(subject) as auth:
        for identity in subject.identities:
            credentials = subject.credentials(identity)
            await accepted(auth, credentials, identity, "A right credential")
            await accepted(auth, credentials, identity, "A right credential, for the second time,")


@AUTH_CHECKS.add("missing")
async def missing(subject: AuthSubject) -> None:
    """Without credentials nobody is let in."""
    async with made(subject) as auth:
        await refused(auth, {}, "Nothing at all")
        await refused(auth, {"accept": "*/*", "host": "boards.example"}, "Other headers only")


@AUTH_CHECKS.add("garbage")
async def garbage(subject: AuthSubject) -> None:
    """What is no credential is refused, and never crashes the auth."""
    async with made(subject) as auth:
        for name in named(subject):
            for value in GARBAGE:
                await refused(auth, {name: value}, f"{name}: {value!r:.60}")


@AUTH_CHECKS.add("tampered")
async def tampered(subject: AuthSubject) -> None:
    """A credential in which anything was changed is refused."""
    identity = subject.identities[0]
    async with made(subject) as auth:
        for name, value in named(subject).items():
            words = value.rpartition(" ")
            for what, word in _tampered(words[2]):
                changed = {**subject.credentials(identity), name: "".join((*words[:2], word))}
                await refused(auth, changed, f"A credential with another {what}")


def _tampered(word: str) -> Iterator[tuple[str, str]]:
    for position in (0, len(word) // 2, len(word) - 2):
        if 0 <= position < len(word):
            other = "B" if word[position] == "A" else "A"
            yield f"character {position}", word[:position] + other + word[position + 1 :]
    token = token_of(word)
    if token is not None:
        for name, forged in token.tampered():
            yield f"claim {name}", str(forged)
        yield "signature: none", f"{token.signed}."


@AUTH_CHECKS.add("whole")
async def whole(subject: AuthSubject) -> None:
    """A part of a credential is refused, and so is one with more at its end."""
    async with made(subject) as auth:
        for name, value in named(subject).items():
            start = value.rpartition(" ")[2]
            for length in {0, 1, len(start) // 2, len(start) - 2} - {len(start)}:
                cut = value[: len(value) - len(start) + max(length, 0)]
                await refused(auth, {name: cut}, f"{length} characters of a credential")
            for more in ("AAAA", f",{value}", f".{start}"):
                await refused(auth, {name: value + more}, "A credential with more at its end")


@AUTH_CHECKS.add("names-in-any-case")
async def names_in_any_case(subject: AuthSubject) -> None:
    """Headers count whatever the case of their names, as HTTP has it."""
    identity = subject.identities[0]
    async with made(subject) as auth:
        for spelled in (str.lower, str.title, str.upper):
            credentials = {spelled(name): value for name, value in named(subject).items()}
            await accepted(auth, credentials, identity, f"{', '.join(credentials)}")


@AUTH_CHECKS.add("expired")
async def expired(subject: AuthSubject) -> None:
    """Expired credentials are refused once the leeway is over."""
    async with made(subject) as auth:
        for seconds in (subject.leeway + MARGIN, DAY, 4000 * DAY):
            credentials = subject.expired(subject.identities[0], seconds)
            await refused(auth, credentials, f"What expired {seconds:g} seconds ago")


@AUTH_CHECKS.add("premature")
async def premature(subject: AuthSubject) -> None:
    """Credentials that do not count yet are refused until the leeway begins."""
    async with made(subject) as auth:
        for seconds in (subject.leeway + MARGIN, DAY):
            credentials = subject.premature(subject.identities[0], seconds)
            await refused(auth, credentials, f"What counts in {seconds:g} seconds")


@AUTH_CHECKS.add("clock-skew")
async def clock_skew(subject: AuthSubject) -> None:
    """Within the leeway, clocks may differ."""
    identity = subject.identities[0]
    seconds = subject.leeway * 0.8
    async with made(subject) as auth:
        credentials = subject.expired(identity, seconds)
        if subject.leeway < SOON:
            raise NotApplicable("it allows for no difference of clocks: leeway is 0")
        await accepted(auth, credentials, identity, f"What expired {seconds:g} seconds ago")
        with contextlib.suppress(NotApplicable):
            credentials = subject.premature(identity, seconds)
            await accepted(auth, credentials, identity, f"What counts in {seconds:g} seconds")


@AUTH_CHECKS.add("expires-in-use")
async def expires_in_use(subject: AuthSubject) -> None:
    """Credentials that were right a moment ago are refused once they expired: none is kept."""
    identity = subject.identities[0]
    async with made(subject) as auth:
        credentials = subject.expired(identity, subject.leeway - SOON)
        await accepted(auth, credentials, identity, f"What expires in {SOON:g} seconds")
        await asyncio.sleep(SOON + 1.2)
        await refused(auth, credentials, "What was accepted before it expired")


@AUTH_CHECKS.add("audience")
async def audience(subject: AuthSubject) -> None:
    """Credentials for another service are refused."""
    await _all_refused(subject, subject.for_another_audience, "A credential for another service")


@AUTH_CHECKS.add("issuer")
async def issuer(subject: AuthSubject) -> None:
    """Credentials of an issuer that is not trusted are refused."""
    await _all_refused(subject, subject.by_another_issuer, "A credential of another issuer")


@AUTH_CHECKS.add("key")
async def key(subject: AuthSubject) -> None:
    """Credentials signed with a key that is not trusted are refused."""
    await _all_refused(subject, subject.with_another_key, "A credential signed with another key")


@AUTH_CHECKS.add("unsigned")
async def unsigned(subject: AuthSubject) -> None:
    """A token that says it has no signature is refused, however it says so."""
    await _forged(subject, Token.unsigned)


@AUTH_CHECKS.add("algorithm")
async def algorithm(subject: AuthSubject) -> None:
    """A token signed with the public key as if it were a secret is refused."""
    public = subject.public_key()
    await _forged(subject, lambda token: token.signed_with(public))


async def _forged(subject: AuthSubject, forge: Callable[[Token], Iterable[Token]]) -> None:
    async with made(subject) as auth:
        found = False
        for name, value in named(subject).items():
            before, space, word = value.rpartition(" ")
            token = token_of(word)
            for forged in forge(token) if token is not None else ():
                found = True
                credentials = {name: f"{before}{space}{forged}"}
                what = f"A token whose alg is {forged.header['alg']!r} and whose signature is"
                await refused(auth, credentials, f"{what} {forged.signature[:12]!r}")
        if not found:
            raise NotApplicable("its credentials are no JSON web tokens")


@AUTH_CHECKS.add("concurrency")
async def concurrency(subject: AuthSubject) -> None:
    """Many who ask at the same time are told apart, right ones and wrong ones."""
    asked = {identity: subject.credentials(identity) for identity in subject.identities}
    cut = {
        name: value[: len(value) - len(value.rpartition(" ")[2]) // 2 - 1]
        for name, value in asked[subject.identities[0]].items()
    }
    async with made(subject) as auth:
        right = [
            accepted(auth, credentials, identity, "One of many at once")
            for identity, credentials in asked.items()
            for _ in range(20)
        ]
        wrong = [refused(auth, cut, "A wrong one of many at once") for _ in range(20) if cut]
        answers = await asyncio.gather(*right, *wrong, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


@AUTH_CHECKS.add("secrets")
async def secrets(subject: AuthSubject) -> None:
    """No credential is repeated in an error, in what caused it, or in the log."""
    async with made(subject) as auth:
        for what, credentials in _all_kinds(subject):
            with logged() as lines:
                try:
                    told = repr(await auth.identify(credentials))
                except BoardsError as error:
                    told = "".join(traceback.format_exception(error))
                    told += f"{error!r}{error.as_dict()}"
            for secret in secrets_of(credentials):
                require(secret not in told, f"The answer to {what} repeats a part of it.")
                require(
                    not any(secret in line for line in lines),
                    f"The log of {what} repeats a part of it.",
                )


def _all_kinds(subject: AuthSubject) -> Iterator[tuple[str, Credentials]]:
    """Credentials of every kind that the subject makes, right and wrong."""
    identity = subject.identities[0]
    yield "a right credential", named(subject)
    for name, value in named(subject).items():
        before, space, word = value.rpartition(" ")
        yield "a cut one", {name: value[:-2]}
        yield "no token", {name: f"{before}{space}kk-4f9d20b7c1e85a36"}
        for what, wrong in _tampered(word):
            yield f"one with another {what}", {name: f"{before}{space}{wrong}"}
    later = subject.leeway + MARGIN
    makes: tuple[tuple[str, Callable[[], Credentials]], ...] = (
        ("an expired one", lambda: subject.expired(identity, later)),
        ("a premature one", lambda: subject.premature(identity, later)),
        ("one for another service", lambda: subject.for_another_audience(identity)),
        ("one of another issuer", lambda: subject.by_another_issuer(identity)),
        ("one with another key", lambda: subject.with_another_key(identity)),
    )
    for what, make in makes:
        with contextlib.suppress(NotApplicable):
            yield what, make()


async def _all_refused(
    subject: AuthSubject, make: Callable[[Identity], Credentials], what: str
) -> None:
    async with made(subject) as auth:
        for identity in subject.identities:
            await refused(auth, make(identity), what)
