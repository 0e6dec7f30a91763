"""The library's loggers: structlog, imported when something is first logged.

A host that configured structlog gets our events its way. Where nobody did, they go to the standard
library's ``logging``, never to standard output.
"""

import logging
from typing import Any

__all__ = ["Logger", "retries_to_logging"]


class Logger:
    """A structlog logger that costs nothing until it is used: structlog is slow to import.

    Args:
        name: For example ``boards.engine``.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        import structlog  # noqa: PLC0415  # see the class

        if structlog.is_configured():
            return getattr(structlog.get_logger(self._name), method)
        logger = structlog.wrap_logger(
            logging.getLogger(self._name),
            processors=[structlog.processors.KeyValueRenderer(key_order=["event"])],
            wrapper_class=structlog.stdlib.BoundLogger,
        )
        return getattr(logger, method)


def retries_to_logging() -> None:
    """Have stamina tell of retries through ``logging``, unless the host configured structlog.

    By default it would print them to standard output, because structlog is installed.
    """
    import structlog  # noqa: PLC0415  # see above
    from stamina import instrumentation  # noqa: PLC0415

    if not structlog.is_configured():
        instrumentation.set_on_retry_hooks([instrumentation.LoggingOnRetryHook])
