"""The check that credentials are seen by nobody."""

import contextlib
import io
import json
import logging
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from boards.boards import succeeded
from boards.engine.scrubbing import forms
from boards.errors import BoardsError
from boards.testing.conformance.checks import CheckTable, NotApplicable, require
from boards.testing.conformance.proxy import Answer, Call, answer
from boards.testing.conformance.rewriting import ALIVE, status_in
from boards.testing.conformance.rig import Rig, rig
from boards.testing.conformance.subject import ProviderSubject

if TYPE_CHECKING:
    from boards.spec.compile import CompiledGenerator

__all__ = ["CHECKS"]

CHECKS: CheckTable[ProviderSubject] = CheckTable()

_ECHOES: Final = {
    "": 200,
    "a submit that is refused": 400,
    "a submit whose credentials are refused": 401,
    "a submit that breaks the provider": 500,
    "a poll or a result that is refused": 422,
}
"""What a careless provider repeats its credentials in, and its HTTP status."""


@CHECKS.add("secrets")
async def secrets(subject: ProviderSubject) -> None:
    """Credentials are in no log line, error, event, repr, or file, even if the provider tells."""
    for generator in subject.tried:
        for where, status in _ECHOES.items():
            async with rig(subject) as made:
                planted = sorted({form for one in made.secrets for form in forms(one)}, key=len)
                if not planted:
                    raise NotApplicable("the server asks for no credentials")
                with _logged() as log:
                    _echo(made, generator, where, status)
                    seen = await _seen(made, generator)
                seen["the log"] = log.getvalue()
                for path in made.home.rglob("*"):
                    if path.is_file():
                        seen[f"the file {path.name}"] = path.read_bytes().decode("latin-1")
            for place, text in seen.items():
                found = [secret for secret in planted if secret in text]
                require(
                    not found,
                    f"a credential is in {place}{f', after {where}' if where else ''}",
                    "An adapter logs and raises nothing that it did not pass through client.scrub;"
                    " a spec captures nothing that holds a key.",
                )


@contextlib.contextmanager
def _logged() -> Iterator[io.StringIO]:
    """All that is logged meanwhile, at every level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _echo(made: Rig, generator: "CompiledGenerator", where: str, status: int) -> None:
    """Have the provider repeat what it was sent."""

    def told(call: Call) -> dict[str, Any]:
        words = f"refused: {call.text}"
        return {"detail": words, "message": words, "error": {"message": words}, "title": words}

    async def refuse(call: Call) -> Answer:
        return answer(status, told(call), X_Reason=" ".join(call.headers.values()))

    async def chatty(call: Call) -> Answer:
        reply = await call.forward()
        if status_in(generator, reply) in ALIVE and isinstance(reply.json, dict):
            return reply.saying({**reply.json, "logs": call.text, "boards_echo": told(call)})
        return reply

    if not where:
        made.proxy.handlers |= {"poll": chatty, "result": chatty}
    elif where.startswith("a submit"):
        made.proxy.handlers["submit"] = refuse
    else:
        made.proxy.handlers |= {"poll": refuse, "result": refuse}


async def _seen(made: Rig, generator: "CompiledGenerator") -> dict[str, str]:
    """What a host can see of a generation, by where it is."""
    generation = await made.run(generator)
    engine = made.boards._running  # the same package's test kit
    seen = {
        "the generation": json.dumps(generation.as_dict()),
        "repr(generation)": repr(generation),
        "repr of the host": repr([made.boards, made.boards.settings, engine]),
        "repr of the adapter": repr(vars(engine.stages(made.subject.provider)).keys()),
    }
    for event in await made.events(generation):
        seen[f"the event {event.type}"] = json.dumps(event.as_dict())
    for attempt in await engine.store.attempts(generation.id):
        seen["the attempt"] = repr(attempt)
    try:
        succeeded(generation)
    except BoardsError as error:
        lines = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
        seen["the error"] = "\n".join(lines)
    return seen
