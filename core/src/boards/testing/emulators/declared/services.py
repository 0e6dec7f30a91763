"""What a provider serves beside jobs: uploads, and the list in which a lost job is looked for."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from attrs import evolve, frozen

from boards.spec.model import Reconcile, RequestSpec, Upload
from boards.spec.paths import ABSENT, first
from boards.spec.predicates import Condition, Predicate
from boards.spec.requests import CompiledRequest, Rendered
from boards.spec.tokens import RenderError, Template, compile_template
from boards.testing.emulators.declared.addresses import is_url, local_path
from boards.testing.emulators.declared.answers import Answer, put
from boards.testing.emulators.declared.reading import Bound, Part
from boards.testing.emulators.declared.tasks import Task

_BARE: dict[str, Any] = {
    "query": {}, "headers": {}, "json": None, "form": None, "multipart": None, "body": None,
}  # fmt: skip


@frozen
class Uploaded:
    """A file that a client began to upload.

    Attributes:
        answer: To the first request.
        put: The request that brings the bytes; None where the first one did.
        url: Where the file will be; None where it is known by another name.
        part: The file, as far as it has come.
    """

    answer: Answer
    put: Rendered | None
    url: str | None
    part: Part


def begin_upload(
    upload: Upload, shown: Answer | None, bound: Bound, here: str, config: Mapping[str, Any]
) -> Uploaded:
    """Answer the first request of an upload.

    Args:
        upload: What the spec says.
        shown: How a fixture answers it.
        bound: What the request told.
        here: The base address of what is named.
        config: The provider's, as clients have it.
    """
    token = secrets.token_hex(8)
    answer = shown or Answer(body={})
    captured: dict[str, Any] = {}
    for name, path in upload.capture.items():
        told = first(path)(answer.value())
        if told is ABSENT or not isinstance(told, str):
            address = "url" in name.lower()
            told = f"https://files.example/{name}" if address else name
        captured[name] = _own(told, token, here)
        answer = answer.put(path, captured[name])
    sent = None
    if upload.put is not None:
        request: RequestSpec = evolve(upload.put, **_BARE)
        sent = CompiledRequest(request).render({"upload": captured, "config": config})
    url = compile_template(upload.result)({"upload": captured, "config": config})
    found = next((one for one in bound.values() if isinstance(one, Part)), Part(b""))
    mime = bound.get("file.mime", found.mime)
    part = evolve(found, mime=str(mime))
    return Uploaded(answer, sent, url if is_url(url) else None, part)


def _own(value: str, token: str, here: str) -> str:
    """A name or an address that no other upload has."""
    if is_url(value):
        host, _, rest = local_path(value).removeprefix("/").partition("/")
        return f"{here}/{host}/{token}/{rest}"
    name = PurePosixPath(value)
    return f"{name.stem}-{token}{name.suffix}"


def listed(how: Reconcile, tasks: Sequence[Task]) -> Answer:
    """The reply to ``reconcile``: the jobs, the newest first, each with what the spec looks at.

    Args:
        how: What the spec says of the list.
        tasks: The jobs in it: each has what its own generator looks at.
    """
    elements = [
        _element(task.served.compiled.run.reconcile or how, task) for task in reversed(tasks)
    ]
    steps = how.each.steps
    if isinstance(steps[-1], tuple):
        steps = steps[:-1]
    body = put({}, steps[1:], elements)
    answer = Answer(body=body)
    return answer if how.next is None else answer.put(how.next, None)


def _element(how: Reconcile, task: Task) -> Any:
    """A job in the list: what a poll answers, what is captured, and what its request said."""
    told = task.told() if task.canceled or not task.served.at_once(task.story) else task.accepted
    element: Any = told.body if isinstance(told.body, dict) else {}
    for name, path in how.capture.items():
        value = task.captured.get(name, next(iter(task.captured.values()), task.run["uuid"]))
        element = put(element, path.steps, value)
    for condition in (each for one in how.where for each in _asserted(one)):
        element = _echoed(condition, element, task)
    return element


def _asserted(where: Predicate) -> Iterator[Condition]:
    """What holds where a predicate does, ``not: {not: ...}`` included."""
    for condition in where.conditions:
        if condition.negated is None:
            yield condition
            continue
        for inner in condition.negated.conditions:
            if inner.negated is not None and len(condition.negated.conditions) == 1:
                yield from _asserted(inner.negated)


def _echoed(condition: Condition, element: Any, task: Task) -> Any:
    """The element with what the spec compares: the request, as the provider repeats it."""
    if condition.path is None or not condition.operands:
        return element
    wanted = condition.operands[0]
    if not isinstance(wanted, Template):
        return put(element, condition.path.steps, wanted)
    if any((token.root, token.name) == ("run", "id") for token in wanted.tokens):
        # The generation's id is known here by the address of its webhook only.
        value: Any = task.webhook
    else:
        try:
            value = compile_template(wanted)(task.served.compiled.with_lets(task.scope))
        except RenderError:
            return element
    return element if value is ABSENT else put(element, condition.path.steps, value)
