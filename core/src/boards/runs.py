"""A run of a pipeline: its steps, each an ordinary generation, and what became of them."""

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from attrs import frozen

from boards.artifacts import Artifact
from boards.errors import Failure
from boards.events import iso_time
from boards.generations import Generation, Status

__all__ = ["STEP_STATUSES", "PipelineRun", "StepRun", "StepStatus"]

StepStatus = Literal["waiting", "running", "succeeded", "failed", "skipped", "canceled"]
"""Where a step is; ``waiting`` is for the steps that it needs."""

STEP_STATUSES: tuple[StepStatus, ...] = get_args(StepStatus)
_OVER: Final = frozenset({"succeeded", "failed", "skipped", "canceled"})
_FINAL: Final = frozenset({"succeeded", "failed", "canceled"})


@frozen(kw_only=True)
class StepRun:
    """One step of a run.

    Attributes:
        name: Of the step.
        generator: As the pipeline names it.
        needs: The steps that it waits for.
        status: ``waiting``, ``running``, ``succeeded``, ``failed``, ``skipped`` or ``canceled``.
        generation_id: Its generation, from when it begins.
        generation: That, as the store has it.
        error: Why it failed, where it has no generation that tells.
        reason: Why it was skipped.
    """

    name: str
    generator: str
    needs: tuple[str, ...] = ()
    status: StepStatus = "waiting"
    generation_id: str | None = None
    generation: Generation | None = None
    error: Failure | None = None
    reason: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in _OVER

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """What it made, if it succeeded."""
        if self.generation is None or self.status != "succeeded":
            return ()
        return self.generation.artifacts

    @property
    def failure(self) -> Failure | None:
        """Why it failed, by its own error or its generation's."""
        return self.error or (None if self.generation is None else self.generation.error)

    def as_dict(self) -> dict[str, Any]:
        """The step as JSON."""
        error = self.error
        return {
            "name": self.name,
            "generator": self.generator,
            "needs": list(self.needs),
            "status": self.status,
            "generation_id": self.generation_id,
            "generation": None if self.generation is None else self.generation.as_dict(),
            "error": None if error is None else {"kind": error.kind, "message": error.message},
            "reason": self.reason or None,
        }


@frozen(kw_only=True)
class PipelineRun:
    """One run of a pipeline, as the store has it.

    Attributes:
        id: Sorts by creation time, as ids of generations do.
        pipeline: The pipeline's name.
        document: The pipeline as it was when the run began; what is edited later changes no run.
        input: After defaults; files are ``artifact:KEY`` references, URLs or data URIs.
        steps: In the pipeline's order.
        outputs: The steps whose artifacts are the run's.
        status: ``queued`` until a process drives it, then ``running``, ``succeeded``, ``failed``
            or ``canceled``.
        canceling: Someone wished to cancel it.
        owner: Who asked.
        priority: Of its generations; lower first.
        dedupe_key: Unique per owner, if given.
        created_at: Unix seconds, as all times here.
        finished_at: When the last step was over.
    """

    id: str
    pipeline: str
    document: Mapping[str, Any]
    input: Mapping[str, Any]
    steps: tuple[StepRun, ...]
    outputs: tuple[str, ...] = ()
    status: Status = "queued"
    canceling: bool = False
    owner: str = ""
    priority: int = 0
    dedupe_key: str | None = None
    created_at: float = 0.0
    finished_at: float | None = None

    def __getitem__(self, name: str) -> StepRun:
        """The step of that name.

        Raises:
            KeyError: There is none.
        """
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in _FINAL

    @property
    def unresolved(self) -> bool:
        """Whether all that it waits for is a decision, by ``boards resolve``."""
        running = [step for step in self.steps if step.status == "running"]
        over = {step.name for step in self.steps if step.over}
        ready = any(step.status == "waiting" and over.issuperset(step.needs) for step in self.steps)
        return (
            bool(running)
            and not ready
            and all(step.generation and step.generation.phase == "unknown" for step in running)
        )

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """What the run made, of the steps in ``outputs``."""
        return tuple(artifact for name in self.outputs for artifact in self[name].artifacts)

    @property
    def usd(self) -> float:
        """What its generations cost in US dollars, as far as it is known; estimates count.

        What was surely not charged counts only if the provider told a cost, as in the ledger.
        """
        return sum(step.generation.usd or 0.0 for step in self.steps if step.generation is not None)

    def as_dict(self) -> dict[str, Any]:
        """The run as JSON: the shape that ``--json`` prints, documented in the docs."""
        return {
            "id": self.id,
            "pipeline": self.pipeline,
            "status": self.status,
            "canceling": self.canceling and not self.final,
            "unresolved": self.unresolved,
            "input": dict(self.input),
            "steps": [step.as_dict() for step in self.steps],
            "artifacts": [artifact.as_dict() for artifact in self.artifacts],
            "usd": round(self.usd, 6),
            "created_at": iso_time(self.created_at),
            "finished_at": iso_time(self.finished_at),
        }
