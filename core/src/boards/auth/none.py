"""No auth: everything belongs to one owner."""

from collections.abc import Mapping

from boards.auth.protocol import Identity

__all__ = ["NoAuth"]


class NoAuth:
    """Whoever asks is the one owner, whose name is empty. Implements :class:`boards.auth.Auth`."""

    async def identify(self, credentials: Mapping[str, str]) -> Identity:
        """The one owner, whatever the credentials."""
        return Identity(owner="")
