"""The keys of an issuer: found, kept, rotated; an issuer that is slow, wrong or down."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from tests.unit.plugins.jwt.issuing import AUDIENCE, EC, ED, RSA, Issuer, public

from boards.auth import Identity
from boards.errors import AuthError, BoardsError
from boards_jwt import IssuerKeys, JwtAuth, Rules

NEW = RSAKey.generate_key(2048, {"kid": "rsa-2"}, private=True)


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


Make = Callable[..., JwtAuth]


@pytest.fixture
def make(issuer: Issuer, clock: Clock) -> Make:
    """An auth that trusts the issuer."""

    def make(**given: Any) -> JwtAuth:
        keys = IssuerKeys(issuer.url, **{"clock": clock, "timeout": 0.5, **given})
        return JwtAuth(keys, Rules(audience=(AUDIENCE,), issuer=issuer.url))

    return make


async def ask(auth: JwtAuth, token: str) -> Identity:
    return await auth.identify({"authorization": f"Bearer {token}"})


async def test_keys_are_found_and_kept(issuer: Issuer, make: Make) -> None:
    """Once, however many ask at once or later, and whatever kind of key it is."""
    auth = make()
    tokens = [issuer.token(), issuer.token(EC, "ES256"), issuer.token(ED, "Ed25519")]
    assert await asyncio.gather(*(ask(auth, one) for one in tokens * 5)) == [Identity("alice")] * 15
    assert await ask(auth, tokens[0])
    assert issuer.asked == {"/.well-known/openid-configuration": 1, "/keys": 1}


async def test_nothing_is_asked_before_a_token_comes(issuer: Issuer, make: Make) -> None:
    """And nothing for what is no token, or is not allowed."""
    auth = make()
    for given in (
        "",
        "Bearer a.b.c",
        "Bearer e30.e30.e30",
        f"Bearer {issuer.token(EC, 'ES256')}x.",
    ):
        with pytest.raises(AuthError):
            await auth.identify({"authorization": given})
    assert not issuer.asked


async def test_a_rotation_is_noticed_at_once(issuer: Issuer, make: Make, clock: Clock) -> None:
    """By the first token of the new key; the old one counts no more then."""
    auth = make()
    old = issuer.token()
    assert await ask(auth, old)
    issuer.keys = [public(NEW)]
    clock.now += 11
    assert await ask(auth, old)
    assert await ask(auth, issuer.token(NEW)) == Identity("alice")
    assert issuer.fetched == 2
    with pytest.raises(AuthError):
        await ask(auth, old)


async def test_made_up_keys_trouble_the_issuer_seldom(
    issuer: Issuer, make: Make, clock: Clock
) -> None:
    """Once in ten seconds at the most; known keys are not held up."""
    auth = make()
    assert await ask(auth, issuer.token())
    for second in range(30):
        clock.now = 1000.0 + second
        made_up = RSAKey.import_key(RSA.as_dict(private=True) | {"kid": f"none-{second}"})
        with pytest.raises(AuthError):
            await ask(auth, issuer.token(made_up))
        assert await ask(auth, issuer.token())
    assert issuer.fetched == 3


async def test_many_with_a_new_key_ask_once(issuer: Issuer, make: Make, clock: Clock) -> None:
    """They wait for the same answer."""
    auth = make()
    await ask(auth, issuer.token())
    issuer.keys.append(public(NEW))
    issuer.delay = 0.05
    clock.now += 60
    await asyncio.gather(*(ask(auth, issuer.token(NEW)) for _ in range(20)))
    assert issuer.fetched == 2


async def test_one_who_goes_away_ends_it_for_nobody(issuer: Issuer, make: Make) -> None:
    """A request that is canceled leaves the question under way."""
    issuer.delay = 0.1
    auth = make()
    first = asyncio.create_task(ask(auth, issuer.token()))
    second = asyncio.create_task(ask(auth, issuer.token()))
    await asyncio.sleep(0.02)
    first.cancel()
    assert await second == Identity("alice")
    assert issuer.fetched == 1


async def test_a_known_key_never_waits_for_a_slow_issuer(
    issuer: Issuer, make: Make, clock: Clock
) -> None:
    """Keys that are an hour old are fetched beside."""
    auth = make(timeout=5.0)
    await ask(auth, issuer.token())
    issuer.keys, issuer.delay = [public(NEW)], 0.3
    clock.now += 3601
    assert await ask(auth, issuer.token())  # of a key that is not among the new ones
    for _ in range(100):
        await asyncio.sleep(0.02)
        if issuer.fetched == 2 and auth._keys._keys[0].kid == "rsa-2":  # type: ignore[attr-defined]
            break
    with pytest.raises(AuthError):
        await ask(auth, issuer.token())


async def test_keys_count_a_day_while_the_issuer_is_down(
    issuer: Issuer, make: Make, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that are known; who has another one is told to come again."""
    auth = make()
    token, other = issuer.token(), issuer.token(NEW)
    await ask(auth, token)
    issuer.status = 503
    with caplog.at_level(logging.WARNING):
        for hour in (2, 12, 23):
            clock.now = 1000.0 + hour * 3600
            assert await ask(auth, token)
            with pytest.raises(BoardsError, match="cannot be fetched now") as caught:
                await ask(auth, other)
            assert caught.value.retryable
            assert not isinstance(caught.value, AuthError)
    assert "answers 503" in caplog.text
    clock.now = 1000.0 + 25 * 3600
    with pytest.raises(BoardsError, match="cannot be fetched now"):
        await ask(auth, token)
    issuer.status = 200
    clock.now += 11
    assert await ask(auth, token)


async def test_an_issuer_that_is_too_slow_is_down(issuer: Issuer, make: Make, clock: Clock) -> None:
    """It is asked again when the pause is over."""
    auth = make(timeout=0.05)
    issuer.delay = 0.5
    with pytest.raises(BoardsError, match="cannot be fetched now"):
        await ask(auth, issuer.token())
    issuer.delay = 0.0
    with pytest.raises(BoardsError, match="cannot be fetched now"):
        await ask(auth, issuer.token())
    clock.now += 11
    assert await ask(auth, issuer.token())


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ({"issuer": "https://evil.example"}, "is of the issuer 'https://evil.example'"),
        ({"issuer": None}, "is of the issuer None"),
        ({"jwks_uri": None}, "does not tell where"),
        ({"jwks_uri": "http://keys.example/"}, "is no https address"),
        ({"jwks_uri": "file:///etc/passwd"}, "is no https address"),
    ],
)
async def test_a_configuration_that_is_wrong_leads_to_no_keys(
    issuer: Issuer, make: Make, configuration: Any, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is another issuer's, or what somebody on the way could have changed."""
    issuer.configuration = configuration
    with pytest.raises(BoardsError, match="cannot be fetched now"):
        await ask(make(), issuer.token())
    assert told in caplog.text
    assert issuer.fetched == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"keys": {}}', b"[" * 100_000, b'{"keys": ["' + b"a" * 1_100_000],
)
async def test_what_is_no_set_of_keys_is_none(issuer: Issuer, make: Make, body: bytes) -> None:
    """Whatever it is, and however long."""
    issuer.body = body
    with pytest.raises(BoardsError, match="cannot be fetched now"):
        await ask(make(), issuer.token())


async def test_redirects_are_not_followed(issuer: Issuer, make: Make) -> None:
    """Keys come from where the issuer says, or not at all."""
    issuer.configuration = {"jwks_uri": f"{issuer.url}/moved"}
    with pytest.raises(BoardsError, match="cannot be fetched now"):
        await ask(make(), issuer.token())
    assert issuer.fetched == 0


async def test_an_issuer_without_discovery(issuer: Issuer, make: Make) -> None:
    """Where its keys are can be told."""
    assert await ask(make(jwks_url=f"{issuer.url}/keys"), issuer.token())
    assert issuer.asked == {"/keys": 1}


async def test_a_key_the_issuer_took_back_counts_no_more(
    issuer: Issuer, make: Make, clock: Clock
) -> None:
    """Once the keys were fetched again; even if none is left."""
    auth = make()
    await ask(auth, issuer.token())
    issuer.keys = []
    clock.now += 11
    with pytest.raises(AuthError):
        await ask(auth, issuer.token(NEW))
    with pytest.raises(AuthError):
        await ask(auth, issuer.token())


async def test_closing_stops_asking(issuer: Issuer, make: Make) -> None:
    """And it may be used again, on another loop too."""
    auth = make(pause=0.0)
    issuer.delay = 0.3
    waiting = asyncio.create_task(ask(auth, issuer.token()))
    await asyncio.sleep(0.05)
    await auth.close()
    with pytest.raises(BoardsError):
        await waiting
    issuer.delay = 0.0
    assert await asyncio.to_thread(lambda: asyncio.run(ask(auth, issuer.token())))
    await auth.close()


@pytest.mark.parametrize(
    "address", ["http://login.example.com", "login.example.com", "https://", "ftp://127.0.0.1", ""]
)
def test_an_address_that_proves_nothing_is_refused(address: str) -> None:
    """Only the loopback may do without HTTPS."""
    with pytest.raises(ValueError, match=r"no https address"):
        IssuerKeys(address)
    with pytest.raises(ValueError, match="an issuer"):
        IssuerKeys()
    for fine in ("http://localhost:80", "http://[::1]/", "http://127.0.0.1", "https://a.example"):
        IssuerKeys(fine)
