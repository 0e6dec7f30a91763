"""The host's facade without ``await``: ``from boards.sync import Boards``.

The class lives in a module of its own so that stubs may stand in for this one and build on it.
"""

from boards.blocking import Boards, ScopedBoards

__all__ = ["Boards", "ScopedBoards"]
