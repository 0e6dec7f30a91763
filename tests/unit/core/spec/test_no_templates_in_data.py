"""What comes from outside stays data: no input, reply or log is ever read as a template."""

import ast
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import boards
from boards.spec import yaml
from boards.spec.check import check_documents
from boards.spec.compile import CompiledGenerator
from boards.spec.paths import ABSENT
from boards.spec.places import Problems
from boards.spec.tokens import RenderError, compile_template, parse_template

SPEC = """
providers:
  p:
    config: {base_url: "https://p.test", api_key_env: P_KEY}
    auth: {kind: bearer}
    headers: {X-Of-Provider: "${input.v}"}
generators:
  - name: g
    provider: p
    artifact_type: image
    io:
      input_schema:
        type: object
        required: [v, list, kind]
        properties:
          v: {type: string}
          list: {type: array, items: {type: string}, maxItems: 9}
          any: {}
          kind: {type: string, enum: [json, form, multipart, body]}
    execution:
      let: {derived: "${input.v}", twice: "<${let.derived}>"}
      submit:
        path: /run/${input.v}/x
        query: {v: "${input.v}", in: "<${let.twice}>"}
        headers: {X-V: "${input.v}"}
        capture: {id: body.id, url: body.url}
        variants:
          - {when: {eq: [input.kind, form]}, form: {v: "${input.v}", in: "<${input.v}>"}}
          - {when: {eq: [input.kind, multipart]}, multipart: {v: "${input.v}", in: "<${input.v}>"}}
          - {when: {eq: [input.kind, body]}, body: "<${input.v}>"}
          - json:
              v: "${input.v}"
              in: "<${input.v}>"
              let: "${let.derived}"
              twice: "${let.twice}"
              list: "${input.list}"
              any: "${input.any?}"
              each: {$each: "${input.list}", do: {is: "${item}", in: "<${item}>"}}
              concat: {$concat: [["${input.v}"], {$each: "${input.list}", do: "${item}"}]}
              map: {$map: "${input.v}", to: {a: b}, else: "${input.v}"}
              when: {$when: {exists: input.v}, then: "${input.v}"}
              text: "${input.v|str}"
              joined: "${input.list|json}"
      poll: {url: "${job.url}", query: {id: "${job.id}", last: "${prev.cursor}"}}
      result: {method: POST, path: "/jobs/${job.id}", json: {id: "${job.id}"}}
      status: {at: body.s, map: {done: succeeded}, unknown: running}
      progress: {logs: body.logs}
      failure: {message: body.message}
      errors: [{when: {eq: [body.code, "${input.v}"]}, raise: quota, message: body.message}]
      extract:
        outputs: [{from: "body.files[*]", as: url, meta: {note: body.note}}]
"""

PIECES = (
    "${config.api_key_env}", "${run.id}", "${input.v}", "${item}", "${let.derived?|json}", "$${",
    "${", "}", "$", "{{x}}", "{{", "{%", "%}", "{$secret: api_key}", "%24%7B", "<", "a", " b",
)  # fmt: skip
token_like = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
"""Texts that would be something, if anybody read them as a template."""


def compiled(text: str) -> CompiledGenerator:
    problems = Problems()
    document = yaml.parse(text, "spec.yaml", problems)
    assert document is not None
    (file,) = check_documents([document], problems)
    assert [str(one) for one in problems.errors] == []
    return CompiledGenerator(file.generators[0], "p", file.providers["p"])


GENERATOR = compiled(SPEC)


def scope(value: str, items: list[str], kind: str, **more: Any) -> dict[str, Any]:
    """As the engine makes it: a token that was read by mistake would find something."""
    given = {"v": value, "list": items, "any": {value: [value]}, "kind": kind}
    return GENERATOR.with_lets(
        {
            "input": given,
            "config": {"api_key_env": "P_KEY"},
            "run": {"id": "the-run"},
            "item": "an-item",
            **more,
        }
    )


@given(token_like, st.lists(token_like, max_size=3))
def test_inputs_stay_themselves_in_every_position(value: str, items: list[str]) -> None:
    """In paths, queries, headers, each kind of body, lets and operators."""
    for kind in ("json", "form", "multipart", "body"):
        values = scope(value, items, kind)
        submit = GENERATOR.choose_submit(values)
        assert submit is not None
        sent = submit.request.render(values)
        assert unquote(sent.url) == f"/run/{value}/x"
        assert "{" not in sent.url
        assert dict(sent.query) == {"v": value, "in": f"<<{value}>>"}
        assert sent.headers == {"X-V": value, "X-Of-Provider": value}
        parts = {"v": value, "in": f"<{value}>"}
        assert sent.form == (parts if kind == "form" else None)
        assert sent.multipart == (parts if kind == "multipart" else None)
        assert sent.body == (f"<{value}>" if kind == "body" else None)
        if kind == "json":
            assert sent.json == {
                "v": value,
                "in": f"<{value}>",
                "let": value,
                "twice": f"<{value}>",
                "list": items,
                "any": {value: [value]},
                "each": [{"is": one, "in": f"<{one}>"} for one in items],
                "concat": [value, *items],
                "map": "b" if value == "a" else value,
                "when": value,
                "text": value,
                "joined": sent.json["joined"],
            }
            assert json.loads(sent.json["joined"]) == items
        else:
            assert sent.json is ABSENT


@given(token_like, token_like)
def test_replies_stay_themselves(value: str, other: str) -> None:
    """What is captured, polled with, logged, told as an error, and found as an output."""
    body = {
        "id": value,
        "url": f"https://p.test/{value}",
        "cursor": other,
        "s": value,
        "logs": f"{value}\n{other}",
        "message": value,
        "code": other,
        "files": [f"https://p.test/{other}"],
        "note": value,
    }
    values = scope(other, [], "json")
    reply = {"body": body, "header": {}, "status": 200, "scope": values}
    submit = GENERATOR.choose_submit(values)
    assert submit is not None
    job = submit.capture(reply)
    assert job == {"id": value, "url": f"https://p.test/{value}"}
    after = {**values, "job": job, "prev": body}
    assert GENERATOR.poll is not None
    polled = GENERATOR.poll.render(after)
    assert (polled.url, dict(polled.query)) == (job["url"], {"id": value, "last": other})
    assert GENERATOR.result is not None
    asked = GENERATOR.result.render(after)
    assert unquote(asked.url) == f"/jobs/{value}"
    assert asked.json == {"id": value}
    assert GENERATOR.progress(reply).logs == tuple(line for line in (value, other) if line.strip())
    assert GENERATOR.failure(reply)[1].endswith(value.strip())
    refused = GENERATOR.refusal(reply)
    assert refused is not None
    assert refused.message == value
    (output,) = GENERATOR.outputs(reply)
    assert (output.value, output.meta) == (f"https://p.test/{other}", {"note": value})


@given(token_like)
def test_what_was_rendered_is_never_rendered_again(value: str) -> None:
    """A literal text with an escape renders to what would be a token, and stays that."""
    once = compile_template(parse_template("$${input.v} ${input.v}"))({"input": {"v": value}})
    assert once == f"${{input.v}} {value}"


@pytest.mark.parametrize(
    "token",
    ["${input.v.__class__}", "${input.v.upper}", "${input.list.append}", "${config.__init__}"],
)
def test_there_is_no_attribute_of_a_value(token: str) -> None:
    """Steps are keys and indices, never attributes."""
    with pytest.raises(RenderError, match="there is no such value"):
        compile_template(parse_template(token))(scope("x", [], "json"))


@pytest.mark.parametrize(
    "path",
    sorted(Path(boards.__file__).parent.glob("spec/**/*.py")),
    ids=lambda path: path.name,
)
def test_the_language_is_not_run_by_python(path: Path) -> None:
    """No module of the language evaluates, compiles or imports what it reads."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec", "compile", "__import__"}
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [one.name for one in node.names]
            assert not {"jinja2", "importlib", "string"} & {*names, getattr(node, "module", "")}
