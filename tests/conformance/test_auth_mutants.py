"""Every check of the kit for auths lets right auths pass, and catches a broken one."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from boards.auth import Identity
from boards.testing.conformance import auth_checks
from boards.testing.conformance.auth import AUTH_CHECKS, AuthConformance
from boards.testing.conformance.checks import run_check, run_checks
from tests.conformance.auths import KEYS, MUTANTS, PEM, Badges, Keys, issue


class TestNoAuth(AuthConformance):
    """Whoever asks is the one owner: of the promises, those about identities are left."""

    auth = "none"
    identities = (Identity(""),)
    exempt = {"missing": "It lets everybody in: it is for hosts of one owner."}

    def credentials(self, identity: Identity) -> dict[str, str]:
        return {}


class TestKeys(AuthConformance):
    """Secret keys: nothing expires, nothing is signed."""

    identities = tuple(KEYS.values())

    def make_auth(self, folder: Path) -> Any:
        return Keys()

    def credentials(self, identity: Identity) -> dict[str, str]:
        return {"x-api-key": next(key for key, one in KEYS.items() if one == identity)}


class TestBadges(AuthConformance):
    """Signed tokens: every check applies."""

    leeway = 30.0

    def make_auth(self, folder: Path) -> Any:
        return Badges()

    def credentials(self, identity: Identity) -> Mapping[str, str]:
        return issue(identity)

    def expired(self, identity: Identity, seconds: float) -> Mapping[str, str]:
        return issue(identity, exp=time.time() - seconds)

    def premature(self, identity: Identity, seconds: float) -> Mapping[str, str]:
        return issue(identity, nbf=time.time() + seconds)

    def for_another_audience(self, identity: Identity) -> Mapping[str, str]:
        return issue(identity, aud="another")

    def by_another_issuer(self, identity: Identity) -> Mapping[str, str]:
        return issue(identity, iss="https://another.example")

    def with_another_key(self, identity: Identity) -> Mapping[str, str]:
        return issue(identity, key=Ed25519PrivateKey.generate())

    def public_key(self) -> bytes:
        return PEM


async def test_nothing_is_left_out_for_signed_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """An auth that has everything passes every check; none is skipped."""
    monkeypatch.setattr(auth_checks, "SOON", 0.5)
    verdicts = await run_checks(AUTH_CHECKS, TestBadges())
    assert [(one.check.name, one.message) for one in verdicts if one.outcome != "passed"] == []


@pytest.mark.parametrize("name", MUTANTS)
async def test_a_defect_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the check that is there for it, with the promise that is broken."""
    monkeypatch.setattr(auth_checks, "SOON", 0.1)
    check, make = MUTANTS[name]
    subject = (TestKeys if isinstance(make(), Keys) else TestBadges)()
    monkeypatch.setattr(subject, "make_auth", lambda folder: make())
    verdict = await run_check(AUTH_CHECKS.named(check), subject)
    assert verdict.outcome == "failed", verdict
    assert verdict.message


def test_every_check_catches_a_defect() -> None:
    """None is there that nothing has ever failed."""
    assert {check for check, _ in MUTANTS.values()} == {check.name for check in AUTH_CHECKS}


async def test_an_author_who_makes_no_credentials_is_told() -> None:
    """A kit that skips all its checks would be green, and worth nothing."""

    class Bare(AuthConformance):
        __test__ = False
        auth = "none"

    verdicts = await run_checks(AUTH_CHECKS, Bare())
    failed = {one.check.name for one in verdicts if one.outcome == "failed"}
    assert failed >= {"valid", "garbage", "tampered", "whole", "unsigned", "secrets"}
