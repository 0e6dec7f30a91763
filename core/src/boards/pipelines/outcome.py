"""What a run that ended, or stands, means for one who waited for its result."""

from boards.errors import PipelineError
from boards.runs import PipelineRun, StepRun

__all__ = ["completed"]


def completed(run: PipelineRun) -> PipelineRun:
    """The run, if it succeeded.

    Raises:
        PipelineError: It failed, was canceled, or waits for a decision.
    """
    if run.status == "succeeded":
        return run
    if run.status == "canceled":
        raise PipelineError(run, "canceled", f"The run {run.id} was canceled.")
    if run.status != "failed":
        held = next(step for step in run.steps if step.status == "running")
        raise PipelineError(
            run,
            "unknown",
            f"The provider's answer to the submit of step {held.name} was lost: the job may be"
            " running and charged.",
            remedy=(
                f"Decide with: boards resolve {held.generation_id}"
                " --job JOB_ID | --resubmit | --abandon"
            ),
        )
    step = _culprit(run)
    failure = step.failure
    if failure is None and step.status == "canceled":
        raise PipelineError(run, "canceled", f"Step {step.name} was canceled.")
    if failure is None:
        raise PipelineError(
            run,
            "provider",
            f"Step {step.name} failed; why was pruned with its generation {step.generation_id}.",
        )
    raise PipelineError(
        run, failure.kind, f"Step {step.name} failed: {failure.message}", remedy=failure.remedy
    )


def _culprit(run: PipelineRun) -> StepRun:
    """The step that the run failed with: the first to end among those that may not fail."""
    policies = {name: one.get("on_failure", "fail") for name, one in run.document["steps"].items()}
    lost = [
        step
        for step in run.steps
        if step.status in ("failed", "canceled") and policies[step.name] == "fail"
    ]
    return min(lost, key=_ended)


def _ended(step: StepRun) -> float:
    generation = step.generation
    return (generation.finished_at if generation is not None else None) or 0.0
