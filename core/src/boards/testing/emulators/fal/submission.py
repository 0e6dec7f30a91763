"""One accepted request: where it stands at a moment, and what its status says.

Nothing here ticks. The state follows from the job's times and the clock, so polls, streams and
webhooks agree however often they ask.
"""

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from attrs import define, field

from boards.testing.emulators.fal.catalogue import Endpoint
from boards.testing.emulators.fal.errors import Failure
from boards.testing.emulators.server import Job

State = Literal["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]

AHEAD = 3
"""Requests that a new one finds before it in the queue, itself counted."""


@define(eq=False)
class Submission:
    """A request that was accepted.

    Attributes:
        id: Its id.
        endpoint: What runs it.
        given: Its input, as it was sent.
        seed: The seed for an input that names none.
        job: Its times and its fate, as the server decided them.
        planned: Seconds that it would run if nothing stopped it.
        failure: How it ends badly; None if it ends well.
        quirks: The words in brackets in its prompt that call for odd behaviour.
        lifetime: Seconds that its files live, counted from completion.
        gateway_id: The id of the last attempt: another one if fal queued it anew.
        submitted: When it came, by the calendar.
        output: Its output once that was composed, with the units charged for it.
        stopped: Set when it ends ahead of its time.
    """

    id: str
    endpoint: Endpoint
    given: Mapping[str, Any]
    seed: int
    job: Job
    planned: float
    failure: Failure | None
    quirks: set[str]
    lifetime: float
    gateway_id: str
    submitted: datetime = field(factory=lambda: datetime.now(UTC))
    output: tuple[dict[str, Any], float] | None = None
    stopped: asyncio.Event = field(factory=asyncio.Event)

    def state(self, now: float) -> State:
        """Where it stands at `now`, on the monotonic clock."""
        if now >= self.job.ends:
            return "COMPLETED"
        # "fast" is over between two polls; "requeue" loses its runner a third of the way.
        if now < self.job.starts or "fast" in self.quirks:
            return "IN_QUEUE"
        if "requeue" in self.quirks and 1 / 3 <= self.job.progress(now) < 2 / 3:
            return "IN_QUEUE"
        return "IN_PROGRESS"

    def position(self, now: float) -> int:
        """How many are before it in the queue: 0 is next."""
        waiting = self.job.starts - self.job.created
        if now >= self.job.starts or waiting <= 0:
            return 0
        return max(0, math.ceil((self.job.starts - now) / waiting * AHEAD) - 1)

    def ran(self, now: float) -> float:
        """Seconds that it has run; none if it was stopped in the queue."""
        return max(0.0, min(now, self.job.ends) - self.job.starts)

    def logs(self, now: float) -> list[dict[str, str]]:
        """All that the model has printed so far: its progress bar, a line for each step."""
        if self.job.ends < self.job.starts:
            return []  # stopped in the queue
        steps = self.given.get("num_inference_steps")
        total = steps if isinstance(steps, int) and 0 < steps <= 100 else 10
        step_seconds = self.planned / total
        done = total if not step_seconds else min(total, int(self.ran(now) / step_seconds + 1e-9))
        return [
            {
                "message": f"{step * 100 // total:3}%|{'█' * (step * 10 // total):10}| "
                f"{step}/{total}",
                "level": "STDERR",
                "source": "USER",
                "timestamp": self._calendar(self.job.starts + step * step_seconds),
            }
            for step in range(1, done + 1)
        ]

    def ticket(self, url: str) -> dict[str, Any]:
        """What a submit is answered; `url` is the URL of this request."""
        position = self.position(self.job.created)
        return {
            "status": "IN_QUEUE",
            **self._addresses(url),
            "gateway_request_id": self.id,
            "queue_position": position,
        }

    def status(self, now: float, *, url: str, logs: bool) -> dict[str, Any]:
        """The status document.

        Args:
            now: The moment, on the monotonic clock.
            url: The URL of this request.
            logs: Whether the client asks for logs; they are null if not.
        """
        state = self.state(now)
        document: dict[str, Any] = {"status": state, **self._addresses(url)}
        if state == "IN_QUEUE":
            return {**document, "queue_position": self.position(now)}
        document["logs"] = self.logs(now) if logs else None
        if state == "COMPLETED":
            document["metrics"] = {"inference_time": round(self.ran(now), 3)}
            if self.failure is not None and self.failure.error_type is not None:
                document["error"] = self.failure.body["detail"]
                document["error_type"] = self.failure.error_type
        return document

    def webhook(self, output: Mapping[str, Any] | None) -> dict[str, Any]:
        """What a webhook is told: the output (None where there is none to serialise)."""
        body: dict[str, Any] = {"request_id": self.id, "gateway_request_id": self.gateway_id}
        if self.failure is not None:
            error = f"Invalid status code: {self.failure.status}"
            return {**body, "status": "ERROR", "error": error, "payload": self.failure.body}
        if output is None:
            reason = (
                "Response payload is not JSON serializable. Either return a JSON serializable "
                "object or use the queue endpoint to retrieve the response."
            )
            return {**body, "status": "OK", "payload": None, "payload_error": reason}
        return {**body, "status": "OK", "payload": output}

    def _addresses(self, url: str) -> dict[str, str]:
        return {
            "request_id": self.id,
            "response_url": url,
            "status_url": f"{url}/status",
            "cancel_url": f"{url}/cancel",
        }

    def _calendar(self, moment: float) -> str:
        when = self.submitted + timedelta(seconds=moment - self.job.created)
        return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
