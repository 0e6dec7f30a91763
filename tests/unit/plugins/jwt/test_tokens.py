"""One token: what is signed by whom, and what counts here and now."""

import time
from typing import Any

import pytest
from attrs import evolve
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from tests.unit.plugins.jwt.issuing import AUDIENCE, EC, ED, RSA, public, token

from boards.auth import Identity
from boards.errors import AuthError
from boards.testing.conformance.tokens import token_of
from boards_jwt import ASYMMETRIC, SYMMETRIC, JwtAuth, Rules, StaticKeys
from boards_jwt.keys import key_set, pem_key, secret_key

SECRET = "a secret of sixty-four bytes, so that it will do for every hash. "
KEYS: dict[str, Key] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSA),
    "ES256": EC,
    "ES384": ECKey.generate_key("P-384", {"kid": "ec-2"}, private=True),
    "ES512": ECKey.generate_key("P-521", {"kid": "ec-3"}, private=True),
    "Ed25519": ED,
    "EdDSA": ED,
    "Ed448": OKPKey.generate_key("Ed448", {"kid": "ed-2"}, private=True),
    **dict.fromkeys(SYMMETRIC, OctKey.import_key(SECRET)),
}
PUBLISHED = [public(one) for one in KEYS.values() if not isinstance(one, OctKey)]


def auth(*published: dict[str, Any], claims: dict[str, str] | None = None, **rules: Any) -> JwtAuth:
    """An auth that trusts some keys; all by default."""
    keys = key_set({"keys": list(published) or PUBLISHED})
    return JwtAuth(StaticKeys(keys), Rules(**{"audience": (AUDIENCE,), **rules}), **(claims or {}))


async def ask(who: JwtAuth, given: str) -> Identity:
    return await who.identify({"authorization": f"Bearer {given}"})


async def refused(who: JwtAuth, given: str, match: str | None = None) -> None:
    with pytest.raises(AuthError, match=match) as caught:
        await ask(who, given)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("algorithm", [*ASYMMETRIC, *SYMMETRIC])
async def test_every_algorithm_that_is_named_verifies(algorithm: str) -> None:
    """With its key; and with no other algorithm allowed."""
    key = KEYS[algorithm]
    who = auth(algorithms=(algorithm,))
    if algorithm in SYMMETRIC:
        keys = StaticKeys([secret_key(SECRET)])
        who = JwtAuth(keys, Rules(audience=(AUDIENCE,), algorithms=(algorithm,)))
    assert await ask(who, token(key, algorithm, {})) == Identity("alice")
    for other, other_key in KEYS.items():
        if other != algorithm:
            await refused(who, token(other_key, other, {}), "not allowed")


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "ES256K", "dir", "RSA-OAEP", ""])
def test_what_is_not_on_the_list_cannot_be_allowed(algorithm: str) -> None:
    """Nor a list that allows nothing; HMAC only where it is named."""
    if algorithm == "HS256":
        assert algorithm not in Rules(audience=("a",)).algorithms
        return
    with pytest.raises(ValueError, match="algorithms"):
        Rules(audience=("a",), algorithms=("RS256", algorithm))
    with pytest.raises(ValueError, match="algorithms"):
        Rules(audience=("a",), algorithms=())
    for audience in ((), ("",), "boards"):
        with pytest.raises(ValueError, match="audience"):
            Rules(audience=audience)  # type: ignore[arg-type]


async def test_a_public_key_is_no_secret() -> None:
    """Even where both kinds of algorithms are allowed."""
    who = auth(public(RSA), algorithms=(*ASYMMETRIC, *SYMMETRIC))
    right = token_of(token(RSA, "RS256", {}))
    assert right is not None
    for forged in right.signed_with(RSA.as_pem(private=False)):
        assert forged.header["alg"] == "HS256"
        await refused(who, str(forged), "no key")


async def test_a_key_the_token_brings_along_proves_nothing() -> None:
    """Whatever header it stands in."""
    evil = RSAKey.generate_key(2048, private=True)
    for header in (
        {"jwk": evil.as_dict(private=False)},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
    ):
        await refused(auth(), token(evil, "RS256", {}, header), "no key")


@pytest.mark.parametrize(
    ("changes", "algorithm"),
    [
        ({"use": "enc"}, "RS256"),
        ({"key_ops": ["encrypt"]}, "RS256"),
        ({"key_ops": "verify"}, "RS256"),
        ({"alg": "PS256"}, "RS256"),
        ({"alg": "RSA-OAEP"}, "RS256"),
        ({"kty": "rsa"}, "RS256"),
        ({"n": "AQAB"}, "RS256"),
        ({"n": 7}, "RS256"),
        ({"e": None}, "RS256"),
    ],
)
async def test_a_key_of_no_use_is_left_out(changes: dict[str, Any], algorithm: str) -> None:
    """It is for something else, of another kind, too short, or broken; the others count."""
    who = auth(public(RSA, **changes), public(EC))
    await refused(who, token(RSA, algorithm, {}))
    assert await ask(who, token(EC, "ES256", {}))


def test_published_secrets_and_strange_entries_are_left_out() -> None:
    """What everybody can read is no secret; and only so many keys are looked at."""
    oct_key = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "kid": "x"}
    assert key_set({"keys": [oct_key, 7, None, {}, {"kty": []}, {"kty": "EC", "crv": 1}]}) == ()
    assert key_set({"keys": [public(RSA, n=public(RSA)["n"][:171])]}) == ()
    (private,) = key_set({"keys": [RSA.as_dict(private=True)]})
    assert not private.key.is_private
    assert len(key_set({"keys": [public(EC)] * 1000})) == 100


async def test_tokens_without_the_name_of_a_key_are_tried_with_all() -> None:
    """Those that fit; a name that is not there fits none."""
    other = RSAKey.generate_key(2048, {"kid": "rsa-9"}, private=True)
    who = auth(public(other), public(RSA), public(EC))
    assert await ask(who, token(RSA, "RS256", {}, {"kid": None}))
    await refused(who, token(RSA, "RS256", {}, {"kid": "rsa-9"}), "no key")
    await refused(who, token(RSA, "RS256", {}, {"kid": "rsa-7"}), "no key")


@pytest.mark.parametrize(
    "header",
    [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"kid": 7}],
)
async def test_what_must_be_understood_and_is_not_is_refused(header: dict[str, Any]) -> None:
    """RFC 7515, section 4.1.11."""
    right = token_of(token(RSA, "RS256", {}))
    assert right is not None
    changed = evolve(right, header={**right.header, **header})
    await refused(auth(), str(changed), "asks for what is not known")


async def test_headers_of_other_issuers_are_no_hindrance() -> None:
    """Long ones, and ones with members that are not known."""
    header = {"nonce": "x" * 600, "x5t": "abc", "x5c": ["MIIC" * 300], "acme": {"a": 1}}
    assert await ask(auth(), token(RSA, "RS256", {}, header))


@pytest.mark.parametrize("claims", [{"exp": None}, {"exp": "tomorrow"}, {"exp": True}, {"exp": []}])
async def test_a_token_says_when_it_ends(claims: dict[str, Any]) -> None:
    """One that does not would count for ever."""
    await refused(auth(), token(RSA, "RS256", claims), "no time in exp")


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**400, "1", None])
async def test_a_time_is_a_number(name: str, value: Any) -> None:
    """What JSON does not have, or no clock shows, is none."""
    made = token(RSA, "RS256", {name: value})
    if value is None and name != "exp":
        assert await ask(auth(), made)
    else:
        await refused(auth(), made, "no time")


@pytest.mark.parametrize(("name", "sign"), [("exp", 1), ("nbf", -1), ("iat", -1)])
async def test_clocks_may_differ_by_the_leeway(name: str, sign: int) -> None:
    """And by no more; times may have fractions."""
    who = auth(leeway=30.0)
    assert await ask(who, token(RSA, "RS256", {name: time.time() - sign * 28.5}))
    await refused(who, token(RSA, "RS256", {name: time.time() - sign * 31.5}), "expired|not count")


@pytest.mark.parametrize(
    ("audience", "right"),
    [
        (AUDIENCE, True),
        (["x", AUDIENCE], True),
        ("other", True),
        (None, False),
        ([], False),
        ("", False),
        (f"{AUDIENCE}.", False),
        ({AUDIENCE: 1}, False),
        ([[AUDIENCE]], False),
        (["x"], False),
    ],
)
async def test_a_token_is_for_this_service(audience: Any, right: bool) -> None:
    """By one of its names, alone or among others."""
    who = auth(audience=(AUDIENCE, "other"))
    made = token(RSA, "RS256", {"aud": audience})
    if right:
        assert await ask(who, made)
    else:
        await refused(who, made, "another audience")


@pytest.mark.parametrize("issuer", [None, "https://a.example", "https://A.example/", ["x"], {}])
async def test_an_issuer_is_compared_letter_by_letter(issuer: Any) -> None:
    """A slash more is another one; without a rule any will do."""
    made = token(RSA, "RS256", {"iss": issuer})
    await refused(auth(issuer="https://a.example/"), made, "another issuer")
    assert await ask(auth(), made)


@pytest.mark.parametrize(
    ("typ", "right"),
    [
        ("at+jwt", True),
        ("AT+JWT", True),
        ("application/at+jwt", True),
        ("JWT", False),
        (None, False),
    ],
)
async def test_types_keep_other_tokens_of_the_issuer_out(typ: Any, right: bool) -> None:
    """An ID token is no access token."""
    made = token(RSA, "RS256", {}, {"typ": typ})
    who = auth(types=("at+jwt",))
    if right:
        assert await ask(who, made)
    else:
        await refused(who, made, "another type")


async def test_owner_and_tenant_are_claims_of_the_hosts_choice() -> None:
    """By their names, dots and all; or by a JSON Pointer."""
    claims = {
        "https://a.example/org": "acme",
        "user": {"id/x": "bob", "~": {"n": "eve"}},
    }
    made = token(RSA, "RS256", claims)
    for owner, tenant, expected in (
        ("sub", "https://a.example/org", Identity("alice", "acme")),
        ("/user/id~1x", "/user/~0/n", Identity("bob", "eve")),
    ):
        assert (
            await ask(auth(claims={"owner_claim": owner, "tenant_claim": tenant}), made) == expected
        )
    for missing in ("org", "/user/none", "/user/id~1x/deeper", "/", "user", "/user"):
        await refused(auth(claims={"tenant_claim": missing}), made, "no claim")


@pytest.mark.parametrize("value", ["", None, 7, ["alice"], {"id": "alice"}, True])
async def test_a_name_is_a_text(value: Any) -> None:
    """Whatever is no text names nobody: least of all the host itself."""
    made = token(RSA, "RS256", {"sub": value})
    await refused(auth(), made, "no claim sub")


async def test_a_name_has_an_end() -> None:
    """It stands in every row of its owner."""
    assert await ask(auth(), token(RSA, "RS256", {"sub": "x" * 255}))
    await refused(auth(), token(RSA, "RS256", {"sub": "x" * 256}), "255 characters")


async def test_where_a_token_may_stand() -> None:
    """In the header of HTTP, its name in any case, or alone."""
    made = token(RSA, "RS256", {})
    who = auth()
    for given in (
        {"authorization": f"Bearer {made}"},
        {"Authorization": f"bearer {made}"},
        {"AUTHORIZATION": f"BEARER  {made} "},
        {"token": made},
    ):
        assert await who.identify(given) == Identity("alice")
    for given in (
        {},
        {"authorization": made},
        {"authorization": f"Basic {made}"},
        {"authorization": f"Bearer {made}, Bearer {made}"},
        {"authorization": "Bearer wrong", "token": made},
        {"cookie": made},
    ):
        with pytest.raises(AuthError):
            await who.identify(given)


async def test_a_token_of_five_parts_or_of_many_letters_is_refused() -> None:
    """Encrypted ones are not read, and long ones are not looked at."""
    made = token(RSA, "RS256", {})
    await refused(auth(), f"{made}.a.b", "no signed")
    await refused(auth(), token(RSA, "RS256", {"more": "x" * 17_000}), "no signed")
    deep = "W10" * 5
    await refused(auth(), f"{deep}.{deep}.{deep}", "no signed")


@pytest.mark.parametrize("key", [RSA, EC, ED], ids=["rsa", "ec", "ed"])
async def test_public_keys_in_files(key: Key) -> None:
    """PEM, a JWK, or a set of one."""
    import json

    algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519"}[key.key_type]
    whole = public(key)
    for text in (
        key.as_pem(private=False).decode(),
        json.dumps(whole),
        json.dumps({"keys": [whole]}),
    ):
        who = JwtAuth(StaticKeys([pem_key(text)]), Rules(audience=(AUDIENCE,)))
        assert await ask(who, token(key, algorithm, {}))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (RSA.as_pem(private=True).decode(), "private"),
        ("", "no public key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no public key"),
        ("{}", "exactly one"),
        ('{"keys": []}', "exactly one"),
        ("{", "Expecting"),
    ],
)
def test_what_is_no_public_key_is_told(text: str, told: str) -> None:
    """A private key above all."""
    with pytest.raises(ValueError, match=told):
        pem_key(text)


@pytest.mark.parametrize(
    "secret", ["short", "x" * 31, RSA.as_pem(private=False).decode(), "ssh-rsa " + "A" * 40]
)
def test_what_is_no_secret_is_told(secret: str) -> None:
    """Too short, or known to everybody."""
    with pytest.raises(ValueError, match=r"bytes long|no secret"):
        secret_key(secret)


def test_a_short_secret_is_for_a_short_hash() -> None:
    """RFC 7518, section 3.2."""
    assert secret_key("x" * 32).algorithms == ("HS256",)
    assert secret_key("x" * 64).algorithms == SYMMETRIC
