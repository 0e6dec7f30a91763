"""Jobs that are held where they are, for as long as a check needs."""

import asyncio
from typing import TYPE_CHECKING

from boards.testing.conformance.checks import NotApplicable
from boards.testing.conformance.proxy import Answer, Call
from boards.testing.conformance.rewriting import ALIVE, saying_status, status_in
from boards.testing.conformance.rig import Rig

if TYPE_CHECKING:
    from boards.spec.compile import CompiledGenerator

__all__ = ["Hold", "asked_for"]


def asked_for(generator: "CompiledGenerator") -> None:
    """Go on only with jobs that are begun first and asked for later.

    Raises:
        NotApplicable: The reply to the submit is the result, or a websocket tells it.
    """
    if generator.websocket is not None:
        raise NotApplicable("its jobs are heard of by a websocket")
    if generator.run.synchronous and generator.run.type != "adapter":
        raise NotApplicable("its jobs end with the reply to the submit")


class Hold:
    """Has a provider say that its jobs still run, whatever becomes of them, until released.

    Args:
        made: Whose proxy it is.
        generator: Whose jobs they are.
    """

    def __init__(self, made: Rig, generator: "CompiledGenerator") -> None:
        asked_for(generator)
        self._generator = generator
        self._alive: Answer | None = None
        self._released = asyncio.Event()
        self.fault: NotApplicable | None = None
        """Why it cannot be said; then nothing is held."""
        made.proxy.handlers |= {
            "submit": self._submit,
            "poll": self._poll,
            "stream": self._stream,
        }

    def release(self) -> None:
        """Let the server's word count again."""
        self._released.set()

    async def _submit(self, call: Call) -> Answer:
        reply = await call.forward()
        final = status_in(self._generator, reply, submitted=True) not in (*ALIVE, None)
        return self._said(reply, submitted=True) if final else reply

    async def _poll(self, call: Call) -> Answer:
        reply = await call.forward()
        if self._released.is_set() or reply.status >= 300:
            return reply
        if status_in(self._generator, reply) in ALIVE:
            self._alive = reply
            return reply
        return self._alive or self._said(reply)

    def _said(self, reply: Answer, *, submitted: bool = False) -> Answer:
        try:
            return saying_status(self._generator, reply, ALIVE, submitted=submitted)
        except NotApplicable as told:
            self.fault = told
            return reply

    async def _stream(self, call: Call) -> Answer:
        await self._released.wait()
        return await call.forward()

    def expect(self) -> None:
        """Go on only if the jobs were held.

        Raises:
            NotApplicable: Nobody knows how the provider says that a job runs.
        """
        if self.fault is not None:
            raise self.fault
