"""Where the processes of the crash tests come from: forked from one that has all imported."""

import multiprocessing

__all__ = ["CONTEXT"]

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "aiohttp.web",
        "boards.builtin",
        "boards.engine.engine",
        "boards.engine.inputs",
        "boards.registry",
        "boards.spec.check.documents",
        "boards.spec.reader",
        "pytest",
    ]
)
