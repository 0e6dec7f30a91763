"""The library's loggers: structlog, imported when something is first logged."""

from typing import Any

__all__ = ["Logger"]


class Logger:
    """A structlog logger that costs nothing until it is used: structlog is slow to import.

    Args:
        name: For example ``boards.engine``.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        import structlog  # noqa: PLC0415  # see the class

        return getattr(structlog.get_logger(self._name), method)
