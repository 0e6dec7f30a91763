"""The library's loggers: structlog, imported when something is first logged.

A host that configured structlog gets our events its way. Where nobody did, they go to the standard
library's ``logging``, never to standard output.

While a generation is driven, :func:`facts` tells which: each line of ours carries it, and a host
has every other line carry it too, with :func:`add_generation` among its processors.
"""

import logging
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, Final

__all__ = ["Logger", "about", "add_generation", "facts", "retries_to_logging", "traceback_of"]

Facts = Callable[[], Mapping[str, Any]]

about: ContextVar[Facts | None] = ContextVar("about", default=None)
"""Tells of the generation that is driven here. A function, called only when something is logged:
what is known of a generation grows while it is driven."""

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class Logger:
    """A structlog logger that costs nothing until it is used: structlog is slow to import.

    Args:
        name: For example ``boards.engine``.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        # Who configured structlog has imported it.
        loaded: Any = sys.modules.get("structlog")
        if loaded is not None and loaded.is_configured():
            return getattr(loaded.get_logger(self._name).bind(**facts()), method)
        standard = logging.getLogger(self._name)
        if method not in _LEVELS:
            raise AttributeError(method)
        if not standard.isEnabledFor(_LEVELS[method]):
            return _nothing
        import structlog  # noqa: PLC0415  # see the class

        logger = structlog.wrap_logger(
            standard,
            processors=[_rendered],
            wrapper_class=structlog.stdlib.BoundLogger,
        )
        return getattr(logger.bind(**facts()), method)


def _rendered(_logger: object, method: str, event: MutableMapping[str, Any]) -> str:
    """A line of ``key=value``; a traceback below it."""
    from structlog.processors import KeyValueRenderer  # noqa: PLC0415  # see Logger

    exception = event.pop("exception", None)
    line = KeyValueRenderer(key_order=["event"])(None, method, event)
    return line if exception is None else f"{line}\n{exception}"


def traceback_of(error: BaseException) -> str:
    """A traceback as text, for ``exception=`` of a line.

    With ``exc_info`` a host's log may show the variables of each frame, and secrets among them.
    """
    return "".join(traceback.format_exception(error)).rstrip()


def _nothing(*_: object, **__: object) -> None:
    """A line of a level that is off."""


def facts() -> Mapping[str, Any]:
    """The generation that is driven here: empty outside.

    Returns:
        ``generation``, ``generator`` and ``provider``; ``provider_job_id`` and ``attempt`` as soon
        as there are such.
    """
    known = about.get()
    return {} if known is None else known()


def add_generation(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A processor for structlog: has each line carry the :func:`facts`, an adapter's too."""
    for name, value in facts().items():
        event.setdefault(name, value)
    return event


def retries_to_logging() -> None:
    """Have stamina tell of retries through ``logging``, unless the host configured structlog.

    By default it would print them to standard output, because structlog is installed. Where nobody
    listens, ``logging`` would print the bare name of the event: that tells nobody anything.
    """
    import structlog  # noqa: PLC0415  # see above
    from stamina import instrumentation  # noqa: PLC0415

    if not structlog.is_configured():
        instrumentation.set_on_retry_hooks([instrumentation.LoggingOnRetryHook])
        stamina = logging.getLogger("stamina")
        if not stamina.handlers:
            stamina.addHandler(logging.NullHandler())
