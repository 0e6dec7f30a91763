"""What is next in a run: from its steps and their generations alone, so that nothing is forgotten.

Asked again after a crash, it gives the same answer.
"""

import time
from collections.abc import Mapping
from typing import Final

from attrs import evolve, frozen

from boards.generations import Generation, Status
from boards.pipelines.model import PipelineSpec
from boards.runs import PipelineRun, StepRun, StepStatus

__all__ = ["Moves", "changed", "next_moves"]

_ENDS: Final[Mapping[str, StepStatus]] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "expired": "failed",
    "canceled": "canceled",
}


@frozen
class Moves:
    """What is next.

    Attributes:
        run: The run as far as what is known already brings it; it differs, or there is nothing
            to commit.
        begin: Steps whose turn has come: those that have a generation were begun before, and are
            not in the store.
        cancel: Generations to be canceled.
    """

    run: PipelineRun
    begin: tuple[StepRun, ...] = ()
    cancel: tuple[Generation, ...] = ()


def next_moves(spec: PipelineSpec, run: PipelineRun) -> Moves:
    """What is next in a run.

    Args:
        spec: The pipeline that it is a run of.
        run: Live, its steps with their generations.
    """
    steps = {step.name: _settled(step) for step in run.steps}
    failed = any(
        step.status in ("failed", "canceled") and spec.steps[step.name].on_failure == "fail"
        for step in steps.values()
    )
    begin: list[StepRun] = []
    for name, step in steps.items():
        unborn = step.status == "running" and step.generation is None
        if step.status != "waiting" and not unborn:
            continue
        if run.canceling:
            steps[name] = evolve(step, status="canceled", generation_id=None)
        elif failed:
            reason = "the run failed"
            steps[name] = evolve(step, status="skipped", generation_id=None, reason=reason)
        elif unborn:  # a crash came between the intent and the generation
            begin.append(step)
    moved = True
    while moved and not (run.canceling or failed):  # a step that is skipped may skip others
        moved = False
        for name, step in steps.items():
            if step.status == "waiting" and all(steps[one].over for one in step.needs):
                reason = _lacks(spec, name, steps)
                if reason:
                    steps[name] = evolve(step, status="skipped", reason=reason)
                    moved = True
    if not (run.canceling or failed):
        begin += [
            step
            for step in steps.values()
            if step.status == "waiting" and all(steps[one].over for one in step.needs)
        ]
    after = evolve(run, steps=tuple(steps.values()))
    cancel: tuple[Generation, ...] = ()
    if run.canceling:
        generations = (step.generation for step in steps.values() if step.status == "running")
        cancel = tuple(one for one in generations if one is not None and not one.canceling)
    if all(step.over for step in after.steps):
        after = evolve(after, status=_outcome(spec, after), finished_at=time.time())
    elif begin and run.status == "queued":
        after = evolve(after, status="running")
    return Moves(after, tuple(begin), cancel)


def changed(before: PipelineRun, after: PipelineRun) -> dict[str, StepStatus]:
    """The steps that differ, and the status that each had."""
    return {
        was.name: was.status
        for was, now in zip(before.steps, after.steps, strict=True)
        if evolve(was, generation=None) != evolve(now, generation=None)
    }


def _settled(step: StepRun) -> StepRun:
    """A step that was running, with what became of its generation."""
    if step.status != "running" or step.generation is None:
        return step
    end = _ENDS.get(step.generation.phase)
    return step if end is None else evolve(step, status=end)


def _lacks(spec: PipelineSpec, name: str, steps: Mapping[str, StepRun]) -> str:
    """Why a step cannot begin although all that it needs is over; empty if it can."""
    step = spec.steps[name]
    for needed in step.awaits:
        status = steps[needed].status
        if status == "succeeded":
            continue
        goes_on = status != "skipped" and spec.steps[needed].on_failure == "continue"
        if needed in step.takes or (needed in step.needs and not goes_on):
            what = {"canceled": "was canceled", "skipped": "was skipped"}.get(status, status)
            return f"{needed} {what}"
    return ""


def _outcome(spec: PipelineSpec, run: PipelineRun) -> Status:
    """What became of a run whose steps are all over."""
    ends = {step.status for step in run.steps}
    if run.canceling and "canceled" in ends:
        return "canceled"
    lost = any(
        step.status in ("failed", "canceled") and spec.steps[step.name].on_failure == "fail"
        for step in run.steps
    )
    return "failed" if lost else "succeeded"
