"""The auth as the environment describes it, in a host."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.jwt.issuing import AUDIENCE, RSA, Issuer, token

from boards import AuthError, Boards, NotFoundError, SettingsError
from boards.auth import Identity
from boards.settings import load
from boards_jwt.environment import auth_of

SECRET = "a secret of thirty-two bytes, 123"
RIGHT = {"BOARDS_JWT_AUDIENCE": AUDIENCE, "BOARDS_JWT_SECRET": SECRET}


def made(home: Path, **environment: str) -> Any:
    return auth_of(load(home=home, environment=environment))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"BOARDS_JWT_AUDIENCE": " , "}, "BOARDS_JWT_AUDIENCE is not set"),
        ({"BOARDS_JWT_SECRET": ""}, "does not know whose tokens"),
        ({"BOARDS_JWT_JWKS_URL": "https://a.example/keys"}, "BOARDS_JWT_JWKS_URL and .* are set"),
        ({"BOARDS_JWT_SECRET": "hunter2"}, "BOARDS_JWT_SECRET cannot be used: 7 bytes long"),
        ({"BOARDS_JWT_ALGORITHMS": "HS256,none"}, "has none: with these keys"),
        ({"BOARDS_JWT_ALGORITHMS": "RS256"}, "has RS256: with these keys"),
        ({"BOARDS_JWT_ALGORITHMS": "HS256", "BOARDS_JWT_SECRET": "", "BOARDS_JWT_ISSUER":
          "https://a.example"}, "has HS256: with these keys"),
        ({"BOARDS_JWT_LEEWAY": "an hour"}, "BOARDS_JWT_LEEWAY is 'an hour'"),
        ({"BOARDS_JWT_LEEWAY": "301"}, "seconds from 0 to 300"),
        ({"BOARDS_JWT_LEEWAY": "nan"}, "seconds from 0 to 300"),
        ({"BOARDS_JWT_SECRET": "", "BOARDS_JWT_KEY_FILE": "none.pem"}, "cannot be read: No such"),
        ({"BOARDS_JWT_SECRET": "", "BOARDS_JWT_ISSUER": "http://a.example"}, "no https address"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(tmp_path: Path, changes: dict[str, str], told: str) -> None:
    """With the variable and a remedy, and never with the secret."""
    with pytest.raises(SettingsError, match=told) as caught:
        made(tmp_path, **{**RIGHT, **changes})
    assert caught.value.remedy
    assert SECRET not in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_a_host_asks_the_issuer(issuer: Issuer, tmp_path: Path) -> None:
    """By the setting alone: each owner sees their own."""
    environment = {
        "BOARDS_AUTH": "jwt",
        "BOARDS_JWT_ISSUER": issuer.url,
        "BOARDS_JWT_AUDIENCE": AUDIENCE,
        "BOARDS_JWT_TENANT_CLAIM": "org",
    }
    async with Boards(home=tmp_path, environment=environment) as boards:
        alice = await boards.as_owner(issuer.token(org="acme"))
        assert alice.identity == Identity("alice", "acme")
        headers = {"Authorization": f"Bearer {issuer.token(sub='bob', org='acme')}"}
        assert (await boards.as_owner(headers)).scope == "acme/bob"
        assert await alice.list() == []
        with pytest.raises(NotFoundError):
            await alice.get("0")
        for wrong in (issuer.token(), token(RSA, "RS256", {"org": "acme"}), "", {}):
            with pytest.raises(AuthError):
                await boards.as_owner(wrong)
    assert issuer.fetched == 1


async def test_a_host_that_cannot_tell_who_asks_does_not_open(tmp_path: Path) -> None:
    """Its settings are looked at when it opens, not when the first caller comes."""
    with pytest.raises(SettingsError, match="BOARDS_JWT_AUDIENCE"):
        await Boards(home=tmp_path, environment={}, auth="jwt").__aenter__()


def test_the_host_lists_the_auth(tmp_path: Path) -> None:
    """As what the plugin offers, if it is installed."""
    boards = Boards(home=tmp_path, environment={})
    offered = [
        one.offers.get("auths") for one in boards.plugins() if one.distribution == "boards-jwt"
    ]
    assert offered == [("jwt",)]
