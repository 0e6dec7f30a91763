"""The auth lets in whom it should, and nobody else."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from boards.auth import Identity
from boards.testing import AuthConformance

from {{ cookiecutter.module }}.tokens import TokenAuth, hash_of


class TestTokenAuth(AuthConformance):
    auth = "{{ cookiecutter.provider }}"

    @pytest.fixture(autouse=True)
    def file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file of tokens, which are made as they are asked for."""
        self.path = tmp_path / "tokens.json"
        self.path.write_text("{}")
        monkeypatch.setenv("{{ cookiecutter.__variable }}_TOKENS", str(self.path))

    def credentials(self, identity: Identity) -> Mapping[str, str]:
        return self.expired(identity, -3600)

    def expired(self, identity: Identity, seconds: float) -> Mapping[str, str]:
        token = f"{identity.tenant}-{identity.owner}-{seconds:g}"
        moment = datetime.fromtimestamp(time.time() - seconds, UTC).isoformat()
        entry = {"owner": identity.owner, "tenant": identity.tenant, "expires": moment}
        known = json.loads(self.path.read_text())
        self.path.write_text(json.dumps({**known, hash_of(token): entry}))
        return {"authorization": f"Bearer {token}"}


def test_no_token_is_in_the_file() -> None:
    """Whoever reads the file has no token by that."""
    assert hash_of("secret") == "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    assert "secret" not in repr(TokenAuth(Path("tokens.json")))
