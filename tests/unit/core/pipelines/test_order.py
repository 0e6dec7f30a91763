"""The order of steps, and what becomes of those that need one that failed: decided, nothing run."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from boards.errors import Failure
from boards.generations import Cost, Generation
from boards.pipelines import PipelineSpec, Step
from boards.pipelines.deciding import changed, next_moves
from boards.runs import PipelineRun, StepRun
from boards.spec.operators import Members
from boards.spec.tokens import parse_template


def pipeline(steps: dict[str, dict[str, Any]]) -> PipelineSpec:
    """Steps that take text of others (``takes``, ``may_take``), or need them."""

    def step(takes: Any = (), may_take: Any = (), **rest: Any) -> Step:
        tokens = [*((one, "") for one in takes), *((one, "?") for one in may_take)]
        members = tuple(
            (f"of_{one}", parse_template(f"${{steps.{one}.text{mark}}}")) for one, mark in tokens
        )
        return Step("acme/write", Members(members), **rest)

    return PipelineSpec(name="p", steps={name: step(**one) for name, one in steps.items()})


def begun(spec: PipelineSpec) -> PipelineRun:
    """A run of a pipeline, at its begin."""
    steps = (
        StepRun(name=name, generator=one.generator, needs=one.awaits)
        for name, one in spec.steps.items()
    )
    return PipelineRun(id="run", pipeline=spec.name, document={}, input={}, steps=tuple(steps))


def generation(step: str, phase: Any) -> Generation:
    """A generation of a step."""
    return Generation(
        id=step,
        generator="acme/write",
        provider="acme",
        artifact_type="text",
        input={},
        phase=phase,
    )


def with_step(run: PipelineRun, name: str, **changes: Any) -> PipelineRun:
    """The run, one step changed."""
    return evolve(
        run, steps=tuple(evolve(one, **changes) if one.name == name else one for one in run.steps)
    )


def played(
    spec: PipelineSpec, ends: dict[str, str], choose: Any = min
) -> tuple[PipelineRun, list[str], list[tuple[str, ...]]]:
    """A run to its end: what became of it, in which order its steps ended, what was under way."""
    run, order, together = begun(spec), [], []
    while not run.final:
        moves = next_moves(spec, run)
        run = moves.run
        if changed(run, next_moves(spec, run).run):
            continue
        for step in moves.begin:
            assert run[step.name].generation is None
            running = generation(step.name, "waiting")
            run = with_step(
                run, step.name, status="running", generation_id=step.name, generation=running
            )
        under_way = tuple(one.name for one in run.steps if one.status == "running")
        if not under_way:
            continue
        together.append(under_way)
        name = choose(under_way)
        order.append(name)
        run = with_step(run, name, generation=generation(name, ends.get(name, "succeeded")))
    return run, order, together


def statuses(run: PipelineRun) -> dict[str, str]:
    """What became of each step."""
    return {step.name: step.status for step in run.steps}


DIAMOND: dict[str, dict[str, Any]] = {
    "a": {},
    "b": {"takes": ["a"]},
    "c": {"takes": ["a"]},
    "d": {"takes": ["b"], "needs": ("c",)},
}


def test_steps_that_need_nothing_of_each_other_are_under_way_together() -> None:
    """And one that needs both begins after both."""
    run, order, together = played(pipeline(DIAMOND), {})
    assert run.status == "succeeded"
    assert order == ["a", "b", "c", "d"]
    assert ("b", "c") in together


def test_a_failure_ends_the_run_when_what_is_under_way_has_ended() -> None:
    """What is under way is paid for: it is seen to its end; nothing more begins."""
    spec = pipeline({"a": {}, "b": {}, "c": {"takes": ["b"]}, "d": {"takes": ["a"]}})
    run, order, _ = played(spec, {"a": "failed"})
    assert run.status == "failed"
    assert order == ["a", "b"]
    assert statuses(run) == {"a": "failed", "b": "succeeded", "c": "skipped", "d": "skipped"}
    assert run["c"].reason == "the run failed"


@pytest.mark.parametrize("end", ["failed", "expired", "canceled"])
def test_with_skip_those_that_need_it_are_skipped_and_the_rest_goes_on(end: str) -> None:
    """One that can do without it goes on, too."""
    spec = pipeline(
        {
            "a": {"on_failure": "skip"},
            "needs": {"needs": ("a",)},
            "takes": {"takes": ["a"]},
            "far": {"takes": ["takes"]},
            "may": {"may_take": ["a"]},
            "may_far": {"may_take": ["far"]},
            "other": {},
        }
    )
    run, _, _ = played(spec, {"a": end})
    assert run.status == "succeeded"
    ended = statuses(run)
    assert {name for name, one in ended.items() if one == "skipped"} == {"needs", "takes", "far"}
    assert {name for name, one in ended.items() if one == "succeeded"} == {
        "may",
        "may_far",
        "other",
    }
    assert run["far"].reason == "takes was skipped"


def test_with_continue_those_that_need_it_go_on() -> None:
    """They need not take anything of it."""
    spec = pipeline(
        {"a": {"on_failure": "continue"}, "b": {"needs": ("a",)}, "c": {"may_take": ["a"]}}
    )
    run, order, _ = played(spec, {"a": "failed"})
    assert run.status == "succeeded"
    assert order == ["a", "b", "c"]


def test_canceling_cancels_what_is_under_way_and_begins_nothing() -> None:
    """What finished meanwhile has succeeded."""
    spec = pipeline({"a": {}, "b": {}, "c": {"takes": ["a"]}})
    run = evolve(next_moves(spec, begun(spec)).run, canceling=True)
    run = with_step(
        run, "a", status="running", generation_id="a", generation=generation("a", "waiting")
    )
    run = with_step(
        run, "b", status="running", generation_id="b"
    )  # its generation never came to be
    moves = next_moves(spec, run)
    assert [one.id for one in moves.cancel] == ["a"]
    assert statuses(moves.run) == {"a": "running", "b": "canceled", "c": "canceled"}
    assert not moves.begin
    ended = next_moves(spec, with_step(moves.run, "a", generation=generation("a", "canceled"))).run
    assert ended.status == "canceled"
    last = with_step(begun(pipeline({"a": {}})), "a", status="running", generation_id="a")
    last = evolve(with_step(last, "a", generation=generation("a", "succeeded")), canceling=True)
    assert next_moves(pipeline({"a": {}}), last).run.status == "succeeded"


def test_an_intent_without_a_generation_begins_again_under_the_same_id() -> None:
    """After a crash between the two."""
    spec = pipeline({"a": {}})
    run = with_step(begun(spec), "a", status="running", generation_id="intended")
    (step,) = next_moves(spec, run).begin
    assert step.generation_id == "intended"


def test_a_run_stands_only_while_all_that_it_waits_for_is_unknown() -> None:
    """What can begin, begins."""
    spec = pipeline({"a": {}, "b": {}, "c": {"takes": ["b"]}})
    run = with_step(begun(spec), "a", status="running", generation=generation("a", "unknown"))
    assert not run.unresolved
    run = with_step(run, "b", status="succeeded", generation=generation("b", "succeeded"))
    assert not run.unresolved
    run = with_step(run, "c", status="succeeded", generation=generation("c", "succeeded"))
    assert run.unresolved


NAMES = "abcdefgh"


@st.composite
def pipelines(draw: st.DrawFn) -> PipelineSpec:
    """Steps that need others before them, written in any order."""
    count = draw(st.integers(1, len(NAMES)))
    steps: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(NAMES[:count]):
        before = list(NAMES[:number])
        kinds = ("takes", "may_take", "needs")
        how = {one: draw(st.sampled_from((*kinds, None))) for one in before}
        links = {kind: tuple(one for one in before if how[one] == kind) for kind in kinds}
        steps[name] = {**links, "on_failure": draw(st.sampled_from(["fail", "skip", "continue"]))}
    return pipeline({name: steps[name] for name in draw(st.permutations(list(steps)))})


@given(pipelines(), st.data())
def test_any_pipeline_ends_with_every_step_run_once_in_order(
    spec: PipelineSpec, data: st.DataObject
) -> None:
    """Whichever step ends next: each begins after all that it needs, once."""
    run, order, _ = played(spec, {}, lambda names: data.draw(st.sampled_from(names)))
    assert run.status == "succeeded"
    assert sorted(order) == sorted(spec.steps)
    for name, step in spec.steps.items():
        assert all(order.index(needed) < order.index(name) for needed in step.awaits)


@given(pipelines(), st.data())
def test_any_pipeline_ends_whatever_fails(spec: PipelineSpec, data: st.DataObject) -> None:
    """A step that ran had all that it takes; a run fails only by a step that may not."""
    ends = {
        name: data.draw(st.sampled_from(["succeeded", "failed", "expired", "canceled"]))
        for name in spec.steps
    }
    run, order, _ = played(spec, ends, lambda names: data.draw(st.sampled_from(names)))
    assert all(step.over for step in run.steps)
    assert len(order) == len(set(order))
    for name in order:
        assert all(run[one].status == "succeeded" for one in spec.steps[name].takes)
    fatal = [
        one for one in order if ends[one] != "succeeded" and spec.steps[one].on_failure == "fail"
    ]
    assert run.status == ("failed" if fatal else "succeeded")


@pytest.mark.parametrize(
    ("changes", "usd"),
    [
        ({"phase": "succeeded"}, 0.5),
        ({"phase": "failed", "error": Failure("quota", "No budget.")}, 0.0),
        ({"phase": "failed", "error": Failure("provider", "Lost.", maybe_charged=True)}, 0.5),
        ({"phase": "canceled"}, 0.0),
        ({"phase": "canceled", "submitted_at": 1.0}, 0.5),
    ],
)
def test_a_run_costs_what_its_generations_may_have_been_charged(
    changes: dict[str, Any], usd: float
) -> None:
    """As the ledger has it: what was refused, or never sent, costs nothing."""
    run = begun(pipeline({"a": {}}))
    made = evolve(generation("a", "queued"), cost=Cost(0.5, "image", 1), **changes)
    assert with_step(run, "a", generation=made).usd == usd
    told = evolve(made, cost=Cost(0.25, "image", 1, estimated=False))
    assert with_step(run, "a", generation=told).usd == 0.25
