"""Who asks."""

from boards.auth.protocol import Auth, Identity

__all__ = ["Auth", "Identity"]
