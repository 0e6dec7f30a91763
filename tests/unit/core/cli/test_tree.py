"""The tree of a run's steps."""

import sys

from boards.cli.pipelines import _tree
from boards.runs import PipelineRun, StepRun


def run_of(**needs: str) -> PipelineRun:
    """A run whose steps need others, named by a letter each."""
    steps = (
        StepRun(name=one, generator="x", needs=(*given.split(),)) for one, given in needs.items()
    )
    return PipelineRun(id="run", pipeline="p", document={}, input={}, steps=tuple(steps))


def test_a_step_is_drawn_below_the_last_that_it_needs() -> None:
    """In the order of the pipeline, whatever is written first."""
    drawn = [name for name, _ in _tree(run_of(a="", d="b c", b="a", c="a", e="d", f="b", g=""))]
    assert drawn == ["a", "├─ b", "│  └─ f", "└─ c", "   └─ d", "      └─ e", "g"]


def test_a_long_chain_is_drawn_however_it_is_written() -> None:
    """Longer than Python's stack is deep."""
    count = 2 * sys.getrecursionlimit()
    chain = {f"s{number}": f"s{number - 1}" for number in range(1, count)}
    run = run_of(**{**dict(reversed(chain.items())), "s0": ""})
    assert [step.name for _, step in _tree(run)] == [f"s{number}" for number in range(count)]
