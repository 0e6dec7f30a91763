"""A job's life where no fixture shows it: made from what the spec reads of each reply."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import evolve

from boards.spec.compile import CompiledGenerator
from boards.spec.model import ErrorRule, OutputSpec, ProviderSpec, RequestSpec, StatusSpec
from boards.spec.paths import Path, parse_path
from boards.spec.requests import tokens_of
from boards.testing.emulators.declared.answers import Answer, satisfying
from boards.testing.emulators.declared.stories import Story

JOB_ID: Final = "5f0c2f4e-8a6b-4c53-9d9e-2f1f6c7f3a10"
"""Stands for the id of a job, until it has one."""

STATUSES: Final = {
    "auth": 401,
    "quota": 402,
    "not_found": 404,
    "timeout": 408,
    "expired": 410,
    "rate_limited": 429,
    "provider": 500,
    "transient": 503,
}
"""The HTTP status of an error that no fixture shows; 400 for the other kinds."""

_EXTENSIONS: Final = {"image": "png", "audio": "wav", "video": "mp4", "text": "txt", "model": "glb"}


def success(compiled: CompiledGenerator, provider: ProviderSpec) -> Story:
    """A job that succeeds, as the spec would understand it."""
    accepted = _accepted(compiled, provider)
    if compiled.run.synchronous:
        return Story(accepted=_with_outputs(compiled, provider, accepted))
    waiting = tuple(
        (status, told)
        for status in ("queued", "running")
        if (told := with_status(compiled, accepted, status)) is not None
    )
    first = waiting[0][1] if waiting else accepted
    ended = with_status(compiled, accepted, "succeeded") or accepted
    if compiled.result is not None:
        result = _with_outputs(compiled, provider, Answer(body={}))
        return Story(accepted=first, waiting=waiting, ended=ended, result=result)
    full = _with_outputs(compiled, provider, ended)
    # The outputs may be what tells that it succeeded, and the status may be among the outputs.
    return Story(accepted=first, waiting=waiting, ended=with_status(compiled, full, "succeeded"))


def failure(compiled: CompiledGenerator, story: Story, kind: str) -> Story | None:
    """The same job, failed after it was accepted; None where the spec knows no such end.

    Args:
        compiled: The generator.
        story: Of a success.
        kind: Of the error: ``provider``, ``moderated`` and so on.
    """
    if story.accepted is None or compiled.run.status is None:
        return None
    base = story.waiting[-1][1] if story.waiting else story.accepted
    failed = with_status(compiled, base, "failed")
    if failed is None:
        return None
    rules = compiled.run.failure
    if rules is not None and rules.message is not None:
        failed = failed.put(rules.message, f"The emulator made this job fail: {kind}.")
    tried = [
        changed
        for rule in (rules.kinds if rules is not None else ())
        if rule.kind == kind and (changed := satisfying(rule.when, failed, {})) is not None
    ]
    for one in (*tried, failed):
        told = one.value({})
        ends = compiled.status is not None and compiled.status(told, False)[0] == "failed"
        if ends and compiled.refusal(told) is None and compiled.failure(told)[0] == kind:
            return evolve(story, kind=kind, ended=one, result=None)
    return None


def refusal(rules: tuple[ErrorRule, ...], kind: str, message: str) -> Answer:
    """An error reply of a kind, in a shape that the rules of a spec read."""
    plain = Answer(STATUSES.get(kind, 400), {}, {})
    for rule in rules:
        if rule.kind != kind:
            continue
        said = plain if rule.message is None else plain.put(rule.message, message)
        answer = satisfying(rule.when, said, {})
        if answer is not None:
            return answer
    return Answer(plain.status, {}, {"error": message})


def with_status(compiled: CompiledGenerator, answer: Answer, wanted: str) -> Answer | None:
    """A reply that the spec takes for this status; None where it has no word for it."""
    spec = compiled.run.status
    if spec is None or compiled.status is None:
        return answer if wanted == "succeeded" else None
    for changed in worded(spec, answer, wanted):
        if compiled.status(changed.value({}), False)[0] == wanted:
            return changed
    return None


def worded(spec: StatusSpec, answer: Answer, wanted: str) -> list[Answer]:
    """A reply changed to say a status, in each way that a spec has for it; some may not hold."""
    if spec.at is not None:
        words = [word for word, status in spec.map.items() if status == wanted]
        values = [{"true": True, "false": False}.get(word, word) for word in words]
        return [answer.put(spec.at, value) for value in values]
    made = [satisfying(rule.when, answer, {}) for rule in spec.rules if rule.status == wanted]
    return [one for one in (*made, answer) if one is not None]


def follow_ups(compiled: CompiledGenerator) -> dict[str, RequestSpec]:
    """The requests about a job, by their role."""
    run = compiled.run
    named = {"poll": run.poll, "stream": run.stream, "result": run.result, "cancel": run.cancel}
    return {role: request for role, request in named.items() if request is not None}


def _accepted(compiled: CompiledGenerator, provider: ProviderSpec) -> Answer:
    answer = Answer(body={})
    run = compiled.run
    captures = dict(run.submit[0].capture) if run.submit else {}
    if not captures:
        for request in follow_ups(compiled).values():
            for token in tokens_of(request):
                if token.root == "job" and token.steps:
                    captures[token.name] = parse_path(f"body.{'.'.join(token.steps)}")
    host = urlsplit(str(provider.config.get("base_url", ""))).netloc or "provider.example"
    for name, path in captures.items():
        address = "url" in name.lower() or "url" in path.text.lower()
        value = f"https://{host}/jobs/{JOB_ID}/{name}" if address else JOB_ID
        answer = answer.put(path, value)
    return answer


def _with_outputs(compiled: CompiledGenerator, provider: ProviderSpec, answer: Answer) -> Answer:
    extract, kind = compiled.run.extract, compiled.spec.artifact_type
    for path in extract.output_paths:
        answer = answer.put(parse_path(f"body.{path.text}"), _sample("url", kind))
    for output in extract.outputs:
        answer = _with_output(output, kind, answer)
    return answer


def _with_output(output: OutputSpec, kind: str, answer: Answer) -> Answer:
    path = output_path(output)
    if output.form == "bytes" and path.steps == ("body",):
        return evolve(answer, raw=b"")
    value = _sample(output.form, kind)
    if output.request is not None:
        names = {token.name for token in tokens_of(output.request) if token.root == "item"}
        value = {name: f"output.{_EXTENSIONS.get(kind, 'bin')}" for name in names - {""}} or JOB_ID
    return answer.put(path, value)


def output_path(output: OutputSpec) -> Path:
    """The whole path of an output, its ``each`` included."""
    if output.each is None:
        return output.source
    return Path(output.source.text, (*output.each.steps, *output.source.steps))


def _sample(form: str, kind: str) -> Any:
    """What stands for an output, until it is replaced by a real one."""
    samples: Mapping[str, Any] = {
        "base64": "Ym9hcmRz",
        "data_uri": "data:application/octet-stream;base64,Ym9hcmRz",
        "text": "text",
        "json": {},
    }
    if kind == "text" and form == "url":
        return "text"
    return samples.get(form, f"https://outputs.example/{JOB_ID}.{_EXTENSIONS.get(kind, 'bin')}")
