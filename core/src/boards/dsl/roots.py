"""Where tokens and paths begin."""

from typing import Final

from boards.dsl.references import Path, Root, StatusCode, Token, Value

__all__ = [
    "body",
    "config",
    "element",
    "file",
    "frame",
    "header",
    "input",
    "item",
    "job",
    "model",
    "prev",
    "run",
    "status_code",
    "upload",
]

# Tokens: what a request is rendered with.

input: Final = Root("input")  # noqa: A001  # the language's word
"""The inputs, with their defaults."""

config: Final = Root("config")
"""The provider's settings that are no secrets."""

run: Final = Root("run")
"""``id``, ``uuid``, ``idempotency_key``, ``submitted_at`` and ``webhook_url``."""

job: Final = Root("job")
"""What the submit captured of its reply."""

prev: Final = Root("prev")
"""The JSON of the reply before."""

file: Final = Root("file")
"""A file on its way to the provider: ``bytes``, ``name``, ``mime``, ``size``."""

upload: Final = Root("upload")
"""What an upload captured of the reply to its ``init``."""

item: Final[Token] = Value("item")
"""The element, in ``each`` and in what ``reconcile`` compares with."""

model: Final = Root("model")
"""The model asked for, in a provider's catalog."""

# Paths: what a reply says.

body: Final = Path("body")
"""The reply's JSON."""

header: Final = Path("header")
"""The reply's headers, in any case: ``header["retry-after"]``."""

status_code: Final = StatusCode("status")
"""The reply's HTTP status."""

element: Final = Path("")
"""An element, under ``each``: paths beside it begin there."""

frame: Final = Path("")
"""A frame of a websocket."""
