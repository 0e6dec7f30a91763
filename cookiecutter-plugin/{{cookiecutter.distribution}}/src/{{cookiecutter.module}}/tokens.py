"""API tokens in a file: an auth that works, to be replaced by yours.

The file is JSON. It has the SHA-256 of each token, never the token, and whose it is:

.. code-block:: json

    {"9f86d08188...": {"owner": "ann", "tenant": "acme", "expires": "2030-01-01T00:00:00Z"}}
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from boards.auth import Identity
from boards.errors import AuthError, BoardsError

__all__ = ["TokenAuth", "hash_of"]


def hash_of(token: str) -> str:
    """What stands in the file for a token."""
    # A header may hold what is no text: it is the token of nobody, not an error.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class TokenAuth:
    """Whoever brings a token of the file. Implements :class:`boards.auth.Auth`.

    Args:
        path: The file. It is read anew each time, so a token that is taken out is refused at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    async def identify(self, credentials: Mapping[str, str]) -> Identity:
        """Who brought these credentials: the header ``Authorization: Bearer TOKEN``.

        Raises:
            AuthError: The token is missing, unknown or expired. The message does not repeat it.
            BoardsError: The file cannot be read.
        """
        headers = {name.lower(): value for name, value in credentials.items()}
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise AuthError("A token is missing.", remedy="Send Authorization: Bearer TOKEN.")
        # What is looked up is a hash: how long that takes tells nothing about any token.
        entry = (await asyncio.to_thread(self._read)).get(hash_of(token.strip()))
        if not isinstance(entry, dict) or not entry.get("owner"):
            raise AuthError("The token is unknown.", remedy="Ask for one.")
        if self._expired(entry.get("expires")):
            raise AuthError("The token is expired.", remedy="Ask for a new one.")
        return Identity(owner=str(entry["owner"]), tenant=str(entry.get("tenant") or ""))

    def _expired(self, expires: object) -> bool:
        if expires is None:
            return False
        try:
            moment = datetime.fromisoformat(str(expires))
        except ValueError:
            return True  # what cannot be read grants nothing
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp() <= time.time()

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BoardsError(
                f"The tokens cannot be read: {type(error).__name__}.",
                remedy=f"Put a JSON object into {self.path}.",
            ) from error
        return found if isinstance(found, dict) else {}
