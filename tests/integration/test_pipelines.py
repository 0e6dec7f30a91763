"""Pipelines over real sockets: steps in sequence, in parallel and as a DAG."""

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
import structlog
from aiohttp import web
from attrs import evolve

import boards.sync
from boards import (
    Boards,
    BoardsError,
    GenerationUnresolvedError,
    InvalidInputError,
    NotFoundError,
    PipelineError,
    SpecError,
    UnavailableError,
)
from boards.dsl import Generator, Image, Output, body, get, job, post
from boards.dsl import input as given
from boards.pipelines import Pipeline
from boards.pipelines.outcome import completed
from boards.pipelines.rendering import MAX_TEXT
from boards.pipelines.running import dedupe_key
from tests.integration.acme import PNG, Acme, drop, generator

Open = Callable[..., Boards]


@pytest.fixture
def studio(acme: Acme, tmp_path: Path) -> Open:
    """A host whose provider draws and writes, and another that takes files only by upload."""

    async def result(request: web.Request) -> web.StreamResponse:
        asked = acme.jobs[request.match_info["id"]]["input"]["prompt"]
        files = [
            {"url": f"{acme.url}/files/{number}.png"} for number in range(asked.count("two") + 1)
        ]
        return web.json_response({"images": files, "seed": 7, "text": f"<{asked}>"})

    acme.answers["result"] = result

    def open_(**settings: Any) -> Boards:
        draw, write = generator(), generator()
        write.update(name="write", artifact_type="text")
        write["execution"]["extract"] = {"outputs": [{"from": "body.text", "as": "text"}]}
        press = {**draw, "name": "print", "provider": "press"}
        upload = {
            "init": {"method": "POST", "path": "/uploads", "json": {"type": "${file.mime}"}},
            "capture": {"url": "body.url", "put": "body.put"},
            "put": {"method": "PUT", "url": "${upload.put}", "body": "${file.bytes}"},
            "result": "${upload.url}",
        }
        return Boards(
            **{
                "home": tmp_path / "home",
                "environment": {"ACME_KEY": "acme-secret-key"},
                "providers": {
                    "acme": acme.provider(),
                    "press": acme.provider(files={"accept": ["upload"], "upload": upload}),
                },
                "generators": [draw, write, press],
                "allow_private_hosts": True,
                **settings,
            }
        )

    return open_


def prompts(acme: Acme) -> list[str]:
    """What was submitted, in order."""
    return [one["input"]["prompt"] for one in acme.jobs.values()]


def diamond() -> Pipeline:
    """A text, two pictures of it, and one of both."""
    pipeline = Pipeline("diamond", inputs={"idea": str})
    words = pipeline.step("words", "acme/write", prompt=f"an idea: {pipeline.input.idea}")
    left = pipeline.step("left", "acme/draw", prompt=f"left of {words.text}")
    right = pipeline.step("right", "acme/draw", prompt=f"right of {words.text}")
    pipeline.step(
        "end",
        "acme/draw",
        prompt="end",
        image=left.artifacts[0],
        seed=right.meta.seed,
        needs=[right],
    )
    return pipeline


async def test_outputs_of_one_step_are_inputs_of_the_next(acme: Acme, studio: Open) -> None:
    """A text goes into a prompt, a picture into a file input, a fact of it into a number."""
    async with studio() as boards:
        run = await boards.run(diamond(), idea="a fox")
        again = await boards.get_run(run.id[:20])
        (listed,) = await boards.runs()
    assert again == run
    assert (listed.id, listed.status) == (run.id, "succeeded")
    first, *middle, last = prompts(acme)
    assert first == "an idea: a fox"
    assert sorted(middle) == ["left of <an idea: a fox>", "right of <an idea: a fox>"]
    assert last == "end"
    end = next(one["input"] for one in acme.jobs.values() if one["input"]["prompt"] == "end")
    assert end["seed"] == 7
    assert base64.b64decode(end["image"].partition(",")[2]) == PNG
    assert [step.status for step in run.steps] == ["succeeded"] * 4
    assert run.outputs == ("end",)
    assert run.artifacts == run["end"].artifacts
    assert run["left"].generation is not None
    assert run["left"].generation.dedupe_key == dedupe_key(run.id, "left")


async def test_steps_that_do_not_need_each_other_run_at_once(acme: Acme, studio: Open) -> None:
    """The provider has both before either is done."""
    acme.polls_needed = 10**9

    async def poll(request: web.Request) -> web.StreamResponse:
        if sum(one["input"]["prompt"].startswith("side") for one in acme.jobs.values()) == 2:
            acme.polls_needed = 0
        return await acme.poll(request)

    acme.answers["poll"] = poll
    pipeline = Pipeline("both")
    for side in ("one", "two"):
        pipeline.step(side, "acme/draw", prompt=f"side {side}")
    async with studio() as boards:
        run = await asyncio.wait_for(boards.run(pipeline), 10)
    assert run.outputs == ("one", "two")
    assert len(run.artifacts) == 3  # "side two" makes two


async def test_a_file_is_uploaded_to_the_next_provider(acme: Acme, studio: Open) -> None:
    """In the form that it takes."""
    pipeline = Pipeline("print")
    base = pipeline.step("base", "acme/draw", prompt="a")
    pipeline.step("print", "press/print", prompt="b", image=base.artifacts[0])
    async with studio() as boards:
        run = await boards.run(pipeline)
    assert run.status == "succeeded"
    assert [body for name, (_, body) in acme.requests if name == "put"] == [PNG]
    assert acme.jobs["job-2"]["input"]["image"] == f"{acme.url}/files/uploaded.png"


async def test_a_pipeline_of_a_file_runs_with_files_of_the_caller(
    acme: Acme, studio: Open, tmp_path: Path
) -> None:
    """YAML, with an optional input that is given and one that is not."""
    (tmp_path / "p.yaml").write_text("""\
spec: 1
pipeline:
  name: file
  inputs:
    photo: {type: string, format: image}
    seed: {type: integer, default: null}
    size: {type: integer, default: 64}
  steps:
    draw:
      generator: draw
      input: {prompt: x, image: "${input.photo}", seed: "${input.seed?}", size: "${input.size}"}
""")
    (tmp_path / "a.png").write_bytes(PNG)
    async with studio() as boards:
        run = await boards.run(tmp_path / "p.yaml", photo=tmp_path / "a.png")
        with pytest.raises(
            InvalidInputError, match=r"pipeline file; nothing was begun(.|\n)*photo: is required"
        ):
            await boards.run(tmp_path / "p.yaml", sizes=3)
    sent = acme.jobs["job-1"]["input"]
    assert (sent["size"], "seed" in sent) == (64, False)
    assert str(run.input["photo"]).startswith("artifact:")


async def test_a_condition_decides_whether_a_step_runs(acme: Acme, studio: Open) -> None:
    """Those that can do without it, run; those that cannot, are skipped."""
    pipeline = Pipeline("maybe", inputs={"large": {"type": "boolean", "default": False}})
    check = pipeline.step("check", "acme/write", prompt="is it good: yes")
    base = pipeline.step("base", "acme/draw", prompt="base", when=check.text.contains("yes"))
    never = pipeline.step("never", "acme/draw", prompt="never", when=check.text.contains("no,"))
    large = pipeline.step(
        "large",
        "acme/draw",
        prompt="l",
        image=base.artifacts[0],
        when=pipeline.input.large.is_(True),
    )
    pipeline.step("needs", "acme/draw", prompt="n", image=large.artifacts[0])
    pipeline.step(
        "end",
        "acme/draw",
        prompt=f"{base.status} {never.status}",
        image=large.artifacts[0].optional,
    )
    async with studio() as boards:
        run = await boards.run(pipeline)
    ended = {step.name: (step.status, step.reason) for step in run.steps}
    assert ended["base"] == ended["check"] == ended["end"] == ("succeeded", "")
    assert ended["never"] == ended["large"] == ("skipped", "its condition does not hold")
    assert ended["needs"] == ("skipped", "large was skipped")
    assert prompts(acme)[-1] == "succeeded skipped"
    assert "image" not in acme.jobs["job-3"]["input"]


def fails(acme: Acme, prompt: str) -> None:
    """Have the jobs of a prompt fail."""

    async def poll(request: web.Request) -> web.StreamResponse:
        job = acme.jobs[request.match_info["id"]]
        if job["input"]["prompt"] == prompt:
            return web.json_response({"status": "failed", "reason": "against the policy"})
        return await acme.poll(request)

    acme.answers["poll"] = poll


@pytest.mark.parametrize(
    ("policy", "status", "ends"),
    [
        ("fail", "failed", "skipped skipped"),
        ("skip", "succeeded", "skipped succeeded"),
        ("continue", "succeeded", "succeeded succeeded"),
    ],
)
async def test_a_failure_is_treated_as_the_step_says(
    acme: Acme, studio: Open, policy: str, status: str, ends: str
) -> None:
    """``far`` needs only what succeeds, ``next`` needs both."""
    fails(acme, "bad")
    pipeline = Pipeline("policy")
    bad = pipeline.step("bad", "acme/draw", prompt="bad", on_failure=policy)
    good = pipeline.step("good", "acme/draw", prompt="good")
    pipeline.step("next", "acme/draw", prompt="next", image=bad.artifacts[0].optional, needs=[bad])
    pipeline.step("far", "acme/draw", prompt="far", image=good.artifacts[0])
    async with studio() as boards:
        started = await boards.start_run(pipeline)
        run = await boards.wait_run(started.id)
        if status == "failed":
            with pytest.raises(PipelineError) as caught:
                await boards.run(pipeline)
            assert caught.value.kind == "moderated"
            assert caught.value.message == "Step bad failed: against the policy"
            assert caught.value.run["good"].artifacts
    assert run.status == status
    assert [step.status for step in run.steps] == ["failed", "succeeded", *ends.split()]
    assert run["bad"].failure is not None


async def test_a_run_whose_failed_step_was_pruned_was_not_canceled(
    acme: Acme, studio: Open
) -> None:
    """The dedupe key finds it as long as it has another generation."""
    fails(acme, "bad")
    pipeline = Pipeline("policy")
    pipeline.step("bad", "acme/draw", prompt="bad")
    pipeline.step("good", "acme/draw", prompt="good")
    async with studio() as boards:
        run = await boards.wait_run((await boards.start_run(pipeline)).id)
    pruned = tuple(
        evolve(step, generation=None) if step.name == "bad" else step for step in run.steps
    )
    with pytest.raises(PipelineError, match="Step bad failed; why was pruned") as caught:
        completed(evolve(run, steps=pruned))
    assert caught.value.kind == "provider"


async def test_canceling_a_run_cancels_what_is_under_way(acme: Acme, studio: Open) -> None:
    """At the provider, too; nothing more begins."""
    acme.polls_needed = 10**9
    async with studio() as boards:
        run = await boards.start_run(diamond(), idea="a fox")
        async for one in boards.watch_run(run.id):
            if one["words"].generation is not None:
                break
        while not acme.jobs:
            await asyncio.sleep(0.01)
        await boards.cancel_run(run.id)
        ended = await asyncio.wait_for(boards.wait_run(run.id), 10)
    with pytest.raises(PipelineError, match="was canceled"):
        completed(ended)
    assert ended.status == "canceled"
    assert [step.status for step in ended.steps] == ["canceled"] * 4
    assert acme.counts["cancel"] == 1
    assert acme.counts["submit"] == 1


async def test_watching_tells_each_move(studio: Open) -> None:
    """From the begin to the end, each time as the store has it."""
    async with studio() as boards:
        run = await boards.start_run(diamond(), idea="a fox")
        seen = [one async for one in boards.watch_run(run.id)]
    assert seen[-1].status == "succeeded"
    counts = [sum(step.over for step in one.steps) for one in seen]
    assert counts == sorted(counts)
    assert counts[-1] == 4


async def test_a_dedupe_key_starts_one_run(acme: Acme, studio: Open) -> None:
    """Any other call gets the first one's, also with an input that would begin nothing."""
    pipeline = Pipeline("one")
    pipeline.step("a", "acme/draw", prompt="a")
    async with studio() as boards:
        runs = await asyncio.gather(*(boards.run(pipeline, dedupe_key="k") for _ in range(3)))
        runs.append(await boards.run(pipeline, dedupe_key="k", nobody="asked"))
        with pytest.raises(InvalidInputError):
            await boards.run(pipeline, dedupe_key="other", nobody="asked")
    assert len({run.id for run in runs}) == 1
    assert acme.counts["submit"] == 1


async def test_a_run_goes_on_after_a_restart(acme: Acme, studio: Open) -> None:
    """Where it was, with the pipeline as it was."""
    acme.polls_needed = 10**9
    async with studio() as boards:
        run = await boards.start_run(diamond(), idea="a fox")
        while acme.counts["poll"] < 2:
            await asyncio.sleep(0.01)
    acme.polls_needed = 0
    async with studio() as boards:
        ended = await asyncio.wait_for(boards.wait_run(run.id), 10)
    assert ended.status == "succeeded"
    assert len(prompts(acme)) == len(set(prompts(acme))) == 4


async def test_another_process_may_start_watch_and_cancel(acme: Acme, studio: Open) -> None:
    """One that does not drive leaves the work to the one that does."""
    async with studio() as owner, studio(drive=False) as other:
        started = await other.start_run(diamond(), idea="a fox")
        assert (await asyncio.wait_for(other.wait_run(started.id), 10)).status == "succeeded"
        acme.polls_needed = 10**9
        second = await other.start_run(diamond(), idea="a hen")
        while acme.counts["submit"] < 5:
            await asyncio.sleep(0.01)
        await other.cancel_run(second.id)
        ended = await asyncio.wait_for(other.wait_run(second.id), 10)
        assert await owner.get_run(second.id) == ended
    assert ended.status == "canceled"


async def test_a_lost_submit_holds_its_step_until_it_is_decided(acme: Acme, studio: Open) -> None:
    """The run stands meanwhile; other steps go on."""
    lost = 0

    async def submit(request: web.Request) -> web.StreamResponse:
        nonlocal lost
        if (await request.json())["prompt"] == "lost" and not lost:
            lost += 1
            return await drop(request)
        return await acme.submit(request)

    acme.answers["submit"] = submit
    pipeline = Pipeline("lost")
    step = pipeline.step("lost", "acme/draw", prompt="lost")
    pipeline.step("other", "acme/draw", prompt="other")
    pipeline.step("end", "acme/draw", prompt="end", image=step.artifacts[0])
    async with studio() as boards:
        with pytest.raises(PipelineError) as caught:
            await asyncio.wait_for(boards.run(pipeline), 10)
        run = caught.value.run
        assert (caught.value.kind, run.status, run.unresolved) == ("unknown", "running", True)
        assert run["other"].status == "succeeded"
        assert run["lost"].generation_id is not None
        await boards.resolve(run["lost"].generation_id, resubmit=True)
        while (ended := await asyncio.wait_for(boards.wait_run(run.id), 10)).unresolved:
            await asyncio.sleep(0.01)
    assert ended.status == "succeeded"


async def test_who_drives_again_takes_up_its_runs_again(
    acme: Acme, studio: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process drove meanwhile, and died between a step's end and the next step."""
    monkeypatch.setattr("boards.engine.following._CONTEND", 0.05)
    acme.polls_needed = 1_000_000
    async with studio() as boards:
        run = await boards.start_run(diamond(), idea="a fox")
        while not acme.jobs:
            await asyncio.sleep(0.01)
        store: Any = boards._running.store
        store._epoch, store._fenced_off = 0, True  # as after a write that the fence refused
        store._owner.release()
        monkeypatch.setattr(store, "own", own := AsyncMock(return_value=False))
        async with studio() as heir:
            await heir._pipelines.close()
            while not heir._running.driving:
                await asyncio.sleep(0.01)
            acme.polls_needed = 0
            first = (await heir.get_run(run.id)).steps[0].generation_id
            assert first is not None
            await asyncio.wait_for(heir.wait(first), 5)
            while boards._running.driving:
                await asyncio.sleep(0.01)
        monkeypatch.setattr(store, "own", type(store).own.__get__(store))
        assert own.called
        ended = await asyncio.wait_for(boards.wait_run(run.id), 5)
    assert ended.status == "succeeded"


async def test_a_run_that_ended_leaves_nothing_in_memory(studio: Open) -> None:
    """A process may start runs for months, and be alone with its database."""
    async with studio() as boards:
        await asyncio.wait_for(boards.run(diamond(), idea="a fox"), 10)
        conductor = boards._pipelines
        async with asyncio.timeout(10):  # its last look may come after the answer
            while conductor._seen or conductor._specs:
                await asyncio.sleep(0.01)
        assert not conductor._troubles
        assert not conductor._askers
        assert not conductor._observers.asking(())


async def test_a_step_that_another_process_gives_up_ends_its_run(acme: Acme, studio: Open) -> None:
    """Who decides is seldom who drives; the run does not stand for ever."""
    acme.answers["submit"] = drop
    pipeline = Pipeline("lost")
    pipeline.step("lost", "acme/draw", prompt="lost")
    async with studio() as boards, studio(drive=False) as other:
        run = await boards.start_run(pipeline)
        run = await asyncio.wait_for(boards.wait_run(run.id), 10)
        assert run.unresolved
        assert run["lost"].generation_id is not None
        await other.resolve(run["lost"].generation_id)
        ended = await asyncio.wait_for(boards.wait_run(run.id), 5)
    assert ended.status == "failed"


async def test_no_more_generations_are_under_way_than_are_allowed(acme: Acme, studio: Open) -> None:
    """A step whose owner has no room waits for some."""
    pipeline = Pipeline("many")
    for number in range(4):
        pipeline.step(f"s{number}", "acme/draw", prompt=f"{number}")
    async with studio(max_in_flight=2) as boards:
        run = await asyncio.wait_for(boards.run(pipeline), 20)
    assert run.status == "succeeded"
    assert sorted(prompts(acme)) == ["0", "1", "2", "3"]


async def test_a_step_that_has_no_room_until_another_is_decided_is_told(
    acme: Acme, studio: Open
) -> None:
    """What was lost takes the only place: nothing would move, and nobody would know why."""
    acme.answers["submit"] = drop
    pipeline = Pipeline("two")
    for number in range(2):
        pipeline.step(f"s{number}", "acme/draw", prompt=f"{number}")
    async with studio(max_in_flight=1) as boards:
        run = await boards.start_run(pipeline)
        with pytest.raises(GenerationUnresolvedError) as caught:
            await asyncio.wait_for(boards.wait_run(run.id), 10)
        del acme.answers["submit"]
        assert caught.value.generation_id is not None
        await boards.resolve(caught.value.generation_id, resubmit=True)
        while boards._pipelines._troubles:
            await asyncio.sleep(0.01)
        ended = await asyncio.wait_for(boards.wait_run(run.id), 10)
    assert ended.status == "succeeded"


async def test_what_cannot_run_is_refused_before_anything_begins(acme: Acme, studio: Open) -> None:
    """A generator that is not there, a provider without its key, an input that cannot be."""
    pipeline = Pipeline("wrong")
    base = pipeline.step("base", "acme/draw", prompt="a")
    pipeline.step("next", "acme/drw", image=base.artifacts[0])
    pipeline.step("last", "acme/write", prompt=base.artifacts[0])
    async with studio() as boards:
        with pytest.raises(SpecError) as caught:
            await boards.run(pipeline)
        with pytest.raises(NotFoundError, match="no run of a pipeline that begins"):
            await boards.get_run("nothing")
    assert len(caught.value.problems) == 2
    async with studio(environment={}) as boards:
        with pytest.raises(UnavailableError, match="ACME_KEY"):
            await boards.run(diamond(), idea="x")
    assert acme.counts["submit"] == 0


async def test_what_is_missing_on_this_machine_holds_a_run_up(acme: Acme, studio: Open) -> None:
    """Whoever waits is told; nothing is lost, and it goes on where it is there."""
    async with studio(drive=False) as boards:
        run = await boards.start_run(diamond(), idea="a fox")
    async with studio(environment={}) as boards:
        with pytest.raises(UnavailableError, match="ACME_KEY"):
            await asyncio.wait_for(boards.wait_run(run.id), 10)
        assert (await boards.get_run(run.id))["words"].status == "waiting"
    async with studio() as boards:
        assert (await asyncio.wait_for(boards.wait_run(run.id), 10)).status == "succeeded"
    assert acme.counts["submit"] == 4


async def test_the_files_of_a_run_are_no_garbage(acme: Acme, studio: Open, tmp_path: Path) -> None:
    """Although no generation has them yet."""
    (tmp_path / "a.png").write_bytes(PNG)
    pipeline = Pipeline("later", inputs={"photo": Image})
    words = pipeline.step("words", "acme/write", prompt="x")
    pipeline.step("draw", "acme/draw", prompt=words.text, image=pipeline.input.photo)
    async with studio(drive=False) as boards:
        run = await boards.start_run(pipeline, photo=tmp_path / "a.png")
        await boards.collect_garbage(grace=timedelta(0))
    async with studio() as boards:
        assert (await asyncio.wait_for(boards.wait_run(run.id), 10)).status == "succeeded"


async def test_a_step_takes_the_generation_that_has_its_key(acme: Acme, studio: Open) -> None:
    """Whoever made it: nothing is made twice under one key."""
    pipeline = Pipeline("taken")
    pipeline.step("a", "acme/draw", prompt="a")
    async with studio(drive=False) as boards:
        run = await boards.start_run(pipeline)
        made = await boards.submit("acme/draw", prompt="a", dedupe_key=dedupe_key(run.id, "a"))
    async with studio() as boards:
        ended = await asyncio.wait_for(boards.wait_run(run.id), 10)
    assert ended["a"].generation_id == made.id
    assert ended.status == "succeeded"
    assert acme.counts["submit"] == 1


async def test_an_input_that_turns_out_wrong_fails_its_step(acme: Acme, studio: Open) -> None:
    """Only a run can tell how many artifacts there are, and how long a text is."""
    pipeline = Pipeline("late", inputs={"long": {"type": "boolean", "default": False}})
    base = pipeline.step("base", "acme/draw", prompt="one")
    words = pipeline.step("words", "acme/write", prompt="x")
    pipeline.step("second", "acme/draw", prompt="2", image=base.artifacts[1], on_failure="skip")
    pipeline.step("text", "acme/draw", prompt=words.text, on_failure="skip")

    async def result(request: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"images": [{"url": f"{acme.url}/files/a.png"}], "text": "x" * (MAX_TEXT + 1)}
        )

    acme.answers["result"] = result
    async with studio() as boards:
        run = await boards.run(pipeline)
    second, text = run["second"].failure, run["text"].failure
    assert second is not None
    assert (second.kind, second.message) == (
        "invalid_input",
        "A step cannot take what others made. ${steps.base.artifacts.1}: there is no such value",
    )
    assert text is not None
    assert "at most 1,000,000 may be passed on" in text.message
    assert run["text"].generation is None


async def test_a_condition_that_cannot_be_told_fails_its_step(
    acme: Acme, studio: Open, tmp_path: Path
) -> None:
    """It compares with what another step did not make."""
    file = tmp_path / "label.yaml"
    file.write_text("""
pipeline:
  name: label
  steps:
    base:
      generator: acme/draw
      input: {prompt: base}
    next:
      generator: acme/draw
      input: {prompt: next}
      when: {eq: [steps.base.status, "${steps.base.artifacts.1.mime}"]}
""")
    async with studio() as boards:
        run = await asyncio.wait_for(boards.wait_run((await boards.start_run(file)).id), 5)
    failure = run["next"].failure
    assert failure is not None
    assert failure.kind == "invalid_input"
    assert "${steps.base.artifacts.1.mime}: there is no such value" in failure.message


async def test_a_class_of_the_dsl_is_a_step(acme: Acme, studio: Open) -> None:
    """The pipeline brings it along."""

    class Sketch(Generator, name="sketch", provider="acme", artifact="image"):
        prompt: str
        image: Image | None = None
        submit = post(
            "/jobs",
            json={"prompt": given.prompt, "image": given.image.file},
            capture={"id": body.id},
        )
        poll = get(f"/jobs/{job.id}", every="20ms")
        result = get(f"/jobs/{job.id}/result")
        outputs = Output(body.images[:].url, expires="1h")

    pipeline = Pipeline("sketch")
    base = pipeline.step("base", "acme/draw", prompt="a")
    pipeline.step("sketch", Sketch, prompt="b", image=base.artifacts[0])
    async with studio() as boards:
        run = await boards.run(pipeline)
    assert run["sketch"].generator == "acme/sketch"
    assert run.status == "succeeded"


def test_the_facade_without_await_runs_pipelines(tmp_path: Path) -> None:
    """With the same methods."""
    with boards.sync.Boards(home=tmp_path, environment={}) as host:
        assert host.runs() == []
        with pytest.raises(NotFoundError):
            host.get_run("x")
        with pytest.raises(NotFoundError):
            next(host.watch_run("x"))


async def test_the_json_of_a_run_is_json(studio: Open) -> None:
    """With all its steps."""
    async with studio() as host:
        run = await host.run(diamond(), idea="a fox")
    told = json.loads(json.dumps(run.as_dict()))
    assert [step["name"] for step in told["steps"]] == ["words", "left", "right", "end"]
    assert told["steps"][3]["needs"] == ["left", "right"]
    assert told["artifacts"][0]["mime"] == "image/png"


async def test_who_waits_for_a_run_is_told_that_boards_closes(acme: Acme, studio: Open) -> None:
    """Also where no step of it is under way: here nobody drives."""
    async with studio(drive=False) as boards:
        run = await boards.start_run(diamond(), idea="a fox")
        waiter = asyncio.create_task(boards.wait_run(run.id))
        await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        with pytest.raises(BoardsError, match="closed"):
            await waiter


async def test_a_bug_in_a_run_is_logged_with_the_run(
    studio: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No generation has its id."""

    def bug(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("boards.pipelines.running.next_moves", bug)
    with structlog.testing.capture_logs() as lines:
        async with studio() as boards:
            run = await boards.start_run(diamond(), idea="a fox")
            while not lines:
                await asyncio.sleep(0.01)
    (line,) = lines
    assert (line["event"], line["run"]) == ("drive failed", run.id)
    assert "generation" not in line
    assert line["exception"].endswith("ZeroDivisionError")
