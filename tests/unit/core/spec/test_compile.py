"""A compiled generator: variants, derived values, captures, and what it costs."""

import textwrap
from typing import Any

import pytest

from boards.spec.compile import CompiledGenerator
from boards.spec.places import Problems
from boards.spec.reader import read_text
from boards.spec.tokens import RenderError


def compiled(execution: str, *, cost: str = "") -> CompiledGenerator:
    head = """\
providers:
  p:
    config: {base_url: "https://p.test"}
    auth: {kind: none}
    headers: {X-From: provider}
    status: {at: body.s, map: {done: succeeded}, unknown: running}
generators:
  - name: g
    provider: p
    artifact_type: image
    io: {input_schema: {properties: {n: {type: integer, default: 1}}}}
"""
    body = textwrap.indent(execution, "      ")
    problems = Problems()
    file = read_text(f"{head}{cost}    execution:\n{body}", "f.yaml", problems)
    assert problems.errors == []
    return CompiledGenerator(file.generators[0], "mine", file.providers["p"])


def reply(body: Any, **headers: str) -> dict[str, Any]:
    return {"body": body, "status": 200, "header": headers}


EXTRACT = "extract: {output_paths: [a]}\n"


def test_the_instance_names_it() -> None:
    """The id is of the instance that runs it, with its headers and the defaults of both."""
    one = compiled("submit: {path: /x}\n" + EXTRACT)
    assert one.id == "mine/g"
    assert one.submits[0].request.render({}).headers == {"X-From": "provider"}
    assert (one.poll, one.result, one.cancel, one.status) == (None, None, None, None)
    assert (one.deadline.queue, one.deadline.run) == (1800.0, 3600.0)


def test_lets_are_derived_in_order() -> None:
    """A later one may use an earlier; what is absent is left out; the scope stays as it was."""
    one = compiled(
        'let: {a: "${input.n}x", b: "${let.a}y", c: "${input.z?}", d: {k: ["${let.b}"]}}\n'
        "submit: {path: /x}\n" + EXTRACT
    )
    scope = {"input": {"n": 2}}
    assert one.with_lets(scope) == {
        "input": {"n": 2},
        "let": {"a": "2x", "b": "2xy", "d": {"k": ["2xy"]}},
    }
    assert scope == {"input": {"n": 2}}


def test_the_first_variant_that_holds_is_chosen() -> None:
    """In order; the last one takes the rest."""
    one = compiled(
        "submit:\n"
        "  path: /x\n"
        "  variants:\n"
        "    - {when: {eq: [input.n, 1]}, path: /one}\n"
        "    - {when: {exists: input.n}, path: /some}\n"
        "    - {path: /none}\n" + EXTRACT
    )
    chosen = {
        n: one.choose_submit({"input": {"n": n}}).request.render({}).url for n in (1, 2, None)
    }
    assert chosen == {1: "/one", 2: "/some", None: "/none"}


@pytest.mark.parametrize("body", [{}, {"id": None, "key": "k"}, {"id": "j"}, "text", None])
def test_a_reply_without_a_captured_value_captures_nothing(body: Any) -> None:
    """Then nobody knows whether the job was accepted."""
    one = compiled("submit: {path: /x, capture: {id: body.id, key: body.key}}\n" + EXTRACT)
    assert one.submits[0].capture(reply(body)) is None
    assert one.submits[0].capture(reply({"id": 0, "key": ""})) == {"id": 0, "key": ""}


def test_captures_come_from_anywhere_in_the_reply() -> None:
    """Body, headers, status."""
    capture = "{id: 'body.jobs[0].id', at: header.Location, s: status}"
    one = compiled(f"submit: {{path: /x, capture: {capture}}}\n{EXTRACT}")
    found = one.submits[0].capture(reply({"jobs": [{"id": "j"}]}, location="/j"))
    assert found == {"id": "j", "at": "/j", "s": 200}


def test_a_lost_job_is_known_by_any_of_several_signs() -> None:
    """Our mark, or else all that was asked for; one that cannot be told is none."""
    where = (
        '[{contains: [hook, "${run.id}"]}, {eq: [prompt, "${input.p}"], not: {exists: hook}}, '
        '{eq: [n, "${input.n|int}"]}]'
    )
    reconcile = f"{{path: /x, each: 'body[*]', where: {where}, capture: {{id: id}}}}"
    one = compiled(f"submit: {{path: /x}}\nreconcile: {reconcile}\n{EXTRACT}")
    listed = [
        {"id": 1, "hook": "https://h/me"},
        {"id": 2, "hook": "https://h/other", "prompt": "p"},
        {"id": 3, "prompt": "p"},
        {"id": 4, "n": "no number"},
    ]
    scope = {"run": {"id": "me"}, "input": {"p": "p", "n": "no number"}}
    assert one.reconcile is not None
    assert [found["id"] for found in one.reconcile.matches(reply(listed), scope)] == [1, 3]


def test_what_is_enough_to_ask_for_a_job() -> None:
    """What poll and result cannot do without; ``?`` tokens and other roots do not count."""
    one = compiled(
        'submit: {path: /x}\npoll: {path: "/j/${job.id}", query: {a: "${job.a?}"}}\n'
        'result: {url: "${job.urls.get}", headers: {X: "${input.n}"}}\n' + EXTRACT
    )
    assert one.job_lacks({"id": 1, "urls": {"get": "u"}}) == []
    for job in ({"id": 1}, {"id": 1, "urls": {}}):
        assert one.job_lacks(job) == ["urls.get"]
    assert one.job_lacks({"urls": {"get": "u"}}) == ["id"]
    for nothing in ({}, None, "text"):
        assert one.job_lacks(nothing) == ["id", "urls.get"]


def test_conflicts_are_recognised() -> None:
    """``conflict`` is a predicate on the reply to a repeated submit."""
    one = compiled(
        "submit: {path: /x, idempotency: {header: Idempotency-Key, conflict: {status: 200}}}\n"
        + EXTRACT
    )
    submit = one.submits[0]
    assert submit.idempotency is not None
    assert submit.idempotency.header == "Idempotency-Key"
    assert submit.conflict is not None
    assert submit.conflict(reply({}), {})


@pytest.mark.parametrize(
    ("times", "estimate"),
    [
        ("", (0.25, "image", 1.0)),
        (', times: "${input.n}"', (0.75, "image", 3.0)),
        (', times: "${input.text}"', (0.25, "image", 1.0)),
    ],
)
def test_what_it_costs(times: str, estimate: tuple[float, str, float]) -> None:
    """The list price, times what the input says; what is no number counts once."""
    cost = f"    cost: {{unit: image, usd: 0.25, source: s, as_of: 2025-01-15{times}}}\n"
    one = compiled("submit: {path: /x}\n" + EXTRACT, cost=cost)
    assert one.estimate({"input": {"n": 3, "text": "x"}}) == estimate
    assert compiled("submit: {path: /x}\n" + EXTRACT).estimate({}) is None


def test_a_missing_value_is_an_error_of_rendering() -> None:
    """A request that lacks a value is not sent."""
    one = compiled('submit: {path: /x, json: {z: "${input.z}"}}\n' + EXTRACT)
    with pytest.raises(RenderError, match="no such value"):
        one.submits[0].request.render({"input": {}})
