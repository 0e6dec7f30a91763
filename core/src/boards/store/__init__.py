"""Where generations, attempts and events live: the truth of the engine."""

from boards.store.protocol import Change, Listing, Store

__all__ = ["Change", "Listing", "Store"]
