"""Whether a provider can be used: one answer, with the reason and what to do about it."""

from attrs import frozen

__all__ = ["Availability"]


@frozen
class Availability:
    """Whether a provider can be used. Asked of the settings, never of the network.

    Attributes:
        ok: Whether it can.
        reason: Why not.
        setup: What to do about it.
    """

    ok: bool
    reason: str = ""
    setup: str = ""
