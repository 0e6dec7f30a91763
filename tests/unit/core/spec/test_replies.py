"""Replies: refused, how far, failed how, which outputs."""

import textwrap
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.spec import yaml
from boards.spec.grammar import BAD, Listed, Shape
from boards.spec.model import (
    ErrorRule,
    Extract,
    FailureSpec,
    OutputSpec,
    ProgressSpec,
    StatusSpec,
)
from boards.spec.places import Problems
from boards.spec.replies import (
    Found,
    Refusal,
    compile_extract,
    compile_failure,
    compile_progress,
    compile_refusal,
    compile_status,
    message_in,
)


def read(kind: Any, text: str) -> Any:
    """A part of a spec, from YAML."""
    problems = Problems()
    document = yaml.parse(textwrap.dedent(text), "f.yaml", problems)
    assert document is not None, problems.errors
    value = kind.read(document.root, document.place, problems)
    assert value is not BAD, problems.errors
    return value


def reply(body: Any = None, status: int = 200, **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"body": body, "status": status, "header": named}


# Refusals


def refusal(rules: str, answer: dict[str, Any]) -> Refusal | None:
    compiled = compile_refusal(read(Listed(Shape(ErrorRule)), rules))
    return compiled(answer)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_input"),
        (422, "invalid_input"),
        (401, "auth"),
        (403, "auth"),
        (402, "quota"),
        (404, "not_found"),
        (410, "not_found"),
        (408, "timeout"),
        (429, "rate_limited"),
        (500, "transient"),
        (502, "transient"),
        (599, "transient"),
        (409, "provider"),
        (418, "provider"),
        (451, "provider"),
    ],
)
def test_a_status_of_400_or_more_is_an_error(status: int, kind: str) -> None:
    """Without a rule the HTTP status tells the kind; only a 429 accepted nothing for sure."""
    assert refusal("[]", reply({"message": "no"}, status)) == Refusal(
        kind,  # type: ignore[arg-type]
        f"HTTP {status}: no",
        refused=status == 429,
    )


@pytest.mark.parametrize("status", [200, 201, 202, 204, 302])
def test_below_400_nothing_is_refused(status: int) -> None:
    """A reply that looks like an error but says 2xx needs a rule."""
    assert refusal("[]", reply({"error": "x"}, status)) is None


def test_rules_come_first_and_in_order() -> None:
    """The first rule that holds wins over the HTTP status, also for a 2xx."""
    rules = """
        - {when: {eq: [body.code, nsfw]}, raise: moderated, message: body.text}
        - {when: {status: 400}, raise: quota}
        - {when: {status: [200, 400], exists: body.code}, raise: provider}
    """
    both = reply({"code": "nsfw", "text": "flagged"}, 400)
    assert refusal(rules, both) == Refusal("moderated", "flagged", declared=True)
    assert refusal(rules, reply({"code": "x"}, 400)) == Refusal("quota", "HTTP 400", declared=True)
    assert refusal(rules, reply({"code": "x"})) == Refusal("provider", "HTTP 200", declared=True)
    assert refusal(rules, reply({})) is None


def test_a_rules_message_may_be_a_structure() -> None:
    """Its text is searched for, as that of a failure is."""
    found = refusal(
        "[{when: {status: 400}, raise: provider, message: body.told}]",
        reply({"told": [{"loc": ["n"], "msg": "odd"}], "detail": "why"}, 400),
    )
    assert found is not None
    assert found.message == "n: odd"


@pytest.mark.parametrize("told", ["", None, 5, [], {"a": 1}])
def test_a_rules_message_falls_back(told: Any) -> None:
    """Where the path has no text, the reply is searched for one."""
    found = refusal(
        "[{when: {status: 400}, raise: provider, message: body.told}]",
        reply({"told": told, "detail": "why"}, 400),
    )
    assert found is not None
    assert found.message == "HTTP 400: why"


@pytest.mark.parametrize(
    ("after", "header", "seconds"),
    [
        (5, "9", 5.0),
        (2.5, None, 2.5),
        ("7", None, 7.0),
        (" 7s ", None, 7.0),
        (0, "9", 0.0),
        (None, "9", 9.0),
        ("soon", "9", 9.0),
        (True, "9", 9.0),
        (-1, "9", 9.0),
        (float("inf"), "9", 9.0),
        (float("nan"), "9", 9.0),
        (10**400, "9", 9.0),
        ("9" * 400, "9", 9.0),
        (None, "Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        (None, "in a while", None),
        (None, "Wed, 21 Oct 20150000000 07:28:00 GMT", None),
        (None, "Wed, 21 Oct 2015 07:28:00 +99999999999999", None),
        (None, "", None),
        (None, None, None),
    ],
)
def test_how_long_to_wait(after: Any, header: str | None, seconds: float | None) -> None:
    """``after`` counts before ``Retry-After``; what is no time is none."""
    rules = "[{when: {status: 429}, raise: rate_limited, after: body.after}]"
    headers = {} if header is None else {"retry_after": header}
    found = refusal(rules, reply({"after": after}, 429, **headers))
    assert found is not None
    assert found.after == seconds


def test_retry_after_counts_without_a_rule() -> None:
    """The header alone is enough."""
    found = refusal("[]", reply(None, 503, retry_after="3"))
    assert found == Refusal("transient", "HTTP 503", after=3.0)


def test_retry_after_may_be_a_date() -> None:
    """RFC 9110 allows the time to come back at."""
    header = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    found = refusal("[]", reply(None, 503, retry_after=header))
    assert found is not None
    assert found.after == pytest.approx(60, abs=5)


@pytest.mark.parametrize(
    ("rule", "status", "refused"),
    [
        ("{when: {status: 429}, raise: rate_limited}", 429, True),
        ("{when: {status: 503}, raise: rate_limited}", 503, False),
        ("{when: {status: 503}, raise: rate_limited, refused: true}", 503, True),
        ("{when: {status: 409}, raise: transient, refused: true}", 409, True),
        ("{when: {status: 429}, raise: quota}", 429, False),
        ("{when: {status: 500}, raise: transient}", 500, False),
    ],
)
def test_when_a_submit_may_be_sent_again(rule: str, status: int, refused: bool) -> None:
    """Only a throttled 429, or a rule that says so, proves that nothing was accepted."""
    found = refusal(f"[{rule}]", reply(None, status))
    assert found is not None
    assert found.refused is refused


# Messages


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message": "a", "detail": "b"}, "a"),
        ({"error": {"message": "bad size", "code": 7}}, "bad size"),
        ({"error": {"error": {"msg": "deep"}}}, "deep"),
        ({"error": "plain"}, "plain"),
        (
            {"type": "about:blank", "title": "Invalid", "detail": "seed is odd", "status": 422},
            "seed is odd",
        ),
        ({"type": "about:blank", "title": "Invalid", "status": 422}, "Invalid"),
        (
            {
                "detail": [
                    {"loc": ["body", "size"], "msg": "too small", "type": "value_error"},
                    {"loc": ["body", "n", 0], "msg": "missing", "type": "missing"},
                ]
            },
            "body.size: too small; body.n.0: missing",
        ),
        ({"detail": "Not authenticated"}, "Not authenticated"),
        ([{"message": "one"}, "two", 3], "one; two"),
        ("  plain text \n", "plain text"),
        ("<!doctype html><title>502</title>", None),
        ("\n <html>\n", None),
        ({"code": 5}, None),
        ({"message": "", "detail": " "}, None),
        ({}, None),
        ([], None),
        (None, None),
        (b"\x00bytes", None),
        (7, None),
    ],
)
def test_the_message_in_a_reply(body: Any, message: str | None) -> None:
    """Known shapes of errors give their message; a page or rubbish only its status."""
    wanted = "HTTP 422" if message is None else f"HTTP 422: {message}"
    assert message_in(reply(body, 422)) == wanted


def test_a_message_is_short() -> None:
    """At most 500 characters, and at most five of a list."""
    assert len(message_in(reply("x" * 9000, 500))) == len("HTTP 500: ") + 500
    assert message_in(reply([str(n) for n in range(9)], 500)) == "HTTP 500: 0; 1; 2; 3; 4"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["message", "detail", "error", "loc", "status", "logs", "n"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(_json, st.sampled_from([200, 400, 429, 503]))
def test_no_reply_is_too_strange(body: Any, status: int) -> None:
    """Whatever JSON a provider sends, its meaning is told without an exception."""
    answer = reply(body, status)
    refusal(
        "[{when: {eq: [body.n, 1]}, raise: quota, message: body.detail, after: body.n}]", answer
    )
    advance(
        "{percent: body.n, fraction: body.status, queue_position: body.n, logs: body.logs}", answer
    )
    verdict("{at: body.status, map: {a: failed}, unknown: running}", answer)
    failure("{message: body.error}", answer)
    outputs("{output_paths: [detail, n]}", answer)
    outputs("{output_paths: [detail]}", answer, "text")
    for form in ("url", "base64", "text", "json"):
        outputs(
            f"{{outputs: [{{from: 'body.error[*].n', as: {form}, meta: {{s: body.n}}}}]}}", answer
        )


# Statuses


def verdict(spec: str, answer: dict[str, Any], *, submitted: bool = False) -> str | None:
    return compile_status(read(Shape(StatusSpec), spec))(answer, submitted)[0]


MAP = "{at: body.s, map: {starting: queued, done: succeeded, true: failed, 3: canceled}"


@pytest.mark.parametrize(
    ("value", "status"),
    [("starting", "queued"), ("done", "succeeded"), (True, "failed"), (3, "canceled")],
)
def test_a_status_is_mapped(value: Any, status: str) -> None:
    """Texts, numbers and booleans are found by how JSON spells them."""
    assert verdict(MAP + ", unknown: fail}", reply({"s": value})) == status


def test_an_unknown_status_follows_the_policy() -> None:
    """``fail`` tells the caller that the spec does not know it; a status stands for it."""
    assert verdict(MAP + ", unknown: fail}", reply({"s": "new"})) is None
    assert verdict(MAP + ", unknown: running}", reply({"s": "new"})) == "running"
    judged = compile_status(read(Shape(StatusSpec), MAP + ", unknown: fail}"))
    assert judged(reply({"s": "new"}), False) == (None, "new")


@pytest.mark.parametrize("body", [{}, {"s": None}, "text", None])
def test_an_absent_status(body: Any) -> None:
    """In a submit reply it is queued, later as ``unknown`` says; ``absent`` says otherwise."""
    assert verdict(MAP + ", unknown: running}", reply(body), submitted=True) == "queued"
    assert verdict(MAP + ", unknown: running}", reply(body)) == "running"
    assert verdict(MAP + ", unknown: fail}", reply(body)) is None
    with_absent = MAP + ", unknown: fail, absent: running}"
    assert verdict(with_absent, reply(body), submitted=True) == "running"
    assert verdict(with_absent, reply(body)) == "running"
    assert verdict(MAP + ", unknown: running, absent: fail}", reply(body)) is None


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        (["done", "done"], "succeeded"),
        (["done", "bad"], "failed"),
        (["run", "bad"], "failed"),
        (["done", "run"], "running"),
        (["done", "wait"], "queued"),
        (["wait", "run"], "running"),
        (["done", "stop"], "canceled"),
        (["done", None], "running"),
        (["done", "strange"], None),
        (["bad", "strange"], None),
        ([], "running"),
    ],
)
def test_combined_statuses(statuses: list[Any], status: str | None) -> None:
    """Any failed is failed, all succeeded is succeeded; one without a status counts as absent."""
    spec = """
        at: body.items[*].s
        map: {wait: queued, run: running, done: succeeded, bad: failed, stop: canceled}
        unknown: fail
        absent: running
        combine: all
    """
    assert verdict(spec, reply({"items": [{"s": one} for one in statuses]})) == status


def test_an_element_without_a_status_is_not_done() -> None:
    """A missing key counts as absent too: the job is not done while one has not begun."""
    spec = "{at: 'body[*].s', map: {done: succeeded}, unknown: running, combine: all}"
    assert verdict(spec, reply([{"s": "done"}, {"s": "done"}])) == "succeeded"
    assert verdict(spec, reply([{"s": "done"}, {}])) == "running"


def test_rules_tell_a_status() -> None:
    """The first rule that holds; ``else`` for the rest."""
    spec = """
        rules:
          - {when: {exists: body.error}, is: failed}
          - {when: {exists: body.images}, is: succeeded}
        else: running
    """
    assert verdict(spec, reply({"images": [], "error": "x"})) == "failed"
    assert verdict(spec, reply({"images": []})) == "succeeded"
    assert verdict(spec, reply({"error": None})) == "running"


def test_fail_if_comes_first() -> None:
    """It wins over a map that says succeeded, and over rules."""
    spec = MAP + ", unknown: fail, fail_if: {exists: body.error}}"
    assert verdict(spec, reply({"s": "done", "error": "x"})) == "failed"
    assert verdict(spec, reply({"s": "done", "error": None})) == "succeeded"
    rules = (
        "{rules: [{when: {status: 200}, is: succeeded}], else: queued, fail_if: {exists: body.e}}"
    )
    assert verdict(rules, reply({"e": 1})) == "failed"


# Progress


def advance(spec: str | None, answer: dict[str, Any]) -> Any:
    return compile_progress(None if spec is None else read(Shape(ProgressSpec), spec))(answer)


@pytest.mark.parametrize(
    ("spec", "body", "percent"),
    [
        ("{percent: body.p}", {"p": 42}, 42.0),
        ("{percent: body.p}", {"p": 140}, 100.0),
        ("{percent: body.p}", {"p": -1}, 0.0),
        ("{percent: body.p}", {"p": "42"}, None),
        ("{percent: body.p}", {"p": True}, None),
        ("{percent: body.p}", {"p": float("nan")}, None),
        ("{percent: body.p}", {"p": 10**400}, None),
        ("{percent: body.p}", {}, None),
        ("{fraction: body.p}", {"p": 0.25}, 25.0),
        ("{fraction: body.p}", {"p": 0}, 0.0),
        ("{percent: body.a, fraction: body.p}", {"a": 10, "p": 0.25}, 10.0),
        ("{percent: body.a, fraction: body.p}", {"p": 0.25}, 25.0),
    ],
)
def test_percent(spec: str, body: Any, percent: float | None) -> None:
    """A percent counts before a fraction; both within 0 and 100; what is no number is none."""
    assert advance(spec, reply(body)).percent == percent


@pytest.mark.parametrize(
    ("value", "position"),
    [(0, 0), (3, 3), (3.0, 3), ("3", None), (None, None), (float("inf"), None), (False, None)],
)
def test_queue_position(value: Any, position: int | None) -> None:
    """An integer, 0 being next."""
    assert advance("{queue_position: body.q}", reply({"q": value})).queue_position == position


@pytest.mark.parametrize(
    ("logs", "lines"),
    [
        ("one\ntwo\n", ("one", "two")),
        ("one\r\ntwo\r\n", ("one", "two")),
        ("one\n\n  \ntwo", ("one", "two")),
        (" 10%|#   |\r 50%|##  |\r 90%|### |", (" 90%|### |",)),
        (" 10%|#   |\r 50%|##  |\r\ndone", (" 50%|##  |", "done")),
        ("", ()),
        (None, ()),
        (["a"], ()),
    ],
)
def test_logs_are_lines(logs: Any, lines: tuple[str, ...]) -> None:
    """Empty lines drop out; of a line that was overwritten only the last state counts."""
    assert advance("{logs: body.logs}", reply({"logs": logs})).logs == lines


def test_logs_of_several_messages() -> None:
    """A wildcard joins messages in order."""
    body = {"logs": [{"message": "a\nb"}, {"message": None}, {}, {"message": "c"}]}
    assert advance("{logs: 'body.logs[*].message'}", reply(body)).logs == ("a", "b", "c")


@pytest.mark.parametrize(
    ("logs", "percent"),
    [
        ("  5%|5         | 1/20 [00:01<00:19]", 5.0),
        ("loading\n 10%|# | 2/20\r 55%|## | 11/20", 55.0),
        ("100%|##########| 20/20 [00:02]\nsaving", 100.0),
        (" 50%|# |\n 10%|# |", 10.0),
        ("90% sure", None),
        ("", None),
    ],
)
def test_percent_of_a_progress_bar(logs: str, percent: float | None) -> None:
    """The last bar in the logs tells, where the reply has no number of its own."""
    spec = "{percent: body.p, logs: body.logs, log_percent: tqdm}"
    assert advance(spec, reply({"logs": logs})).percent == percent
    assert advance(spec, reply({"logs": logs, "p": 3})).percent == 3.0


def test_without_progress_nothing_is_told() -> None:
    """A spec without ``progress`` has none."""
    assert advance(None, reply({"percent": 5})) == advance("{}", reply({}))


# Failures


def failure(spec: str | None, answer: dict[str, Any]) -> tuple[str, str]:
    return compile_failure(None if spec is None else read(Shape(FailureSpec), spec))(answer)


def test_failures_have_a_kind() -> None:
    """The first rule that holds; ``provider`` by default."""
    spec = """
        message: body.error
        raise:
          - {when: {contains: [body.error, NSFW]}, raise: moderated}
          - {when: {prefix: [body.error, Timed]}, raise: timeout}
    """
    assert failure(spec, reply({"error": "NSFW content"})) == ("moderated", "NSFW content")
    assert failure(spec, reply({"error": "Timed out"})) == ("timeout", "Timed out")
    assert failure(spec, reply({"error": "Boom"})) == ("provider", "Boom")
    assert failure(spec, reply({})) == ("provider", "")
    assert failure(None, reply({"error": "x"})) == ("provider", "")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ({"message": "out of memory", "code": 1}, "out of memory"),
        ([{"loc": ["n"], "msg": "odd"}], "n: odd"),
        ({}, ""),
        (5, ""),
        (None, ""),
        ("", ""),
    ],
)
def test_a_failures_message(error: Any, message: str) -> None:
    """An object or a list is searched for its text."""
    assert failure("{message: body.error}", reply({"error": error}))[1] == message


# Outputs


def outputs(spec: str, answer: Any, artifact_type: str = "image") -> list[Found]:
    return compile_extract(read(Shape(Extract), spec), artifact_type)(answer)


def urls(spec: str, body: Any) -> list[Any]:
    return [one.value for one in outputs(spec, reply(body))]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"output": "https://h/a"}, ["https://h/a"]),
        ({"output": ["https://h/a", "http://h/b"]}, ["https://h/a", "http://h/b"]),
        (
            {"output": {"x": "https://h/a", "y": ["https://h/b", 5, None]}},
            ["https://h/a", "https://h/b"],
        ),
        (
            {"output": [["https://h/a"], {"z": [{"w": "https://h/b"}]}]},
            ["https://h/a", "https://h/b"],
        ),
        ({"output": "no url"}, []),
        ({"output": "ftp://h/a"}, []),
        ({"output": None}, []),
        ({}, []),
        ("https://h/a", []),
    ],
)
def test_output_paths_find_files(body: Any, found: list[str]) -> None:
    """http(s) and data URIs are found through lists and mappings, in order."""
    assert urls("{output_paths: [output]}", body) == found


def test_output_paths_find_data_uris() -> None:
    """A data URI is one by itself, not something to fetch."""
    body = {"output": ["data:image/png;base64,aGk=", "https://h/a"]}
    found = outputs("{output_paths: [output]}", reply(body))
    assert [one.form for one in found] == ["data_uri", "url"]


@pytest.mark.parametrize(
    ("output", "texts"),
    [
        ("hello", ["hello"]),
        (["hel", "lo", " ", 5, "you"], ["hello you"]),
        (None, []),
        (7, []),
        ("https://h/a", ["https://h/a"]),
    ],
)
def test_output_paths_of_a_text_generator(output: Any, texts: list[str]) -> None:
    """For text, text is the output; chunks of a list are joined."""
    found = outputs("{output_paths: [output]}", reply({"output": output}), "text")
    assert [(one.form, one.value) for one in found] == [("text", text) for text in texts]


def test_several_parts_add_up() -> None:
    """Outputs come in the order of the spec, ``outputs`` before ``output_paths``."""
    spec = "{output_paths: [a, b], outputs: [{from: body.c}]}"
    body = {"a": "https://h/a", "b": "https://h/b", "c": "https://h/c"}
    assert urls(spec, body) == ["https://h/c", "https://h/a", "https://h/b"]


def test_the_full_form() -> None:
    """Media type, expiry, credentials and facts come with the output."""
    spec = """
        outputs:
          - from: body.images[*].url
            mime: body.images[*].type
            expires: 1h
            fetch_auth: same_origin
            meta: {width: "body.images[*].width", seed: body.seed, gone: body.gone, id: header.x-id}
    """
    body = {
        "images": [
            {"url": "https://h/a", "type": "image/png", "width": 1},
            {"url": "https://h/b", "type": "strange", "width": 2},
        ],
        "seed": 7,
    }
    common: dict[str, Any] = {"expires": 3600.0, "fetch_auth": "same_origin"}
    assert outputs(spec, reply(body, x_id="h")) == [
        Found("url", "https://h/a", "image/png", meta={"width": 1, "seed": 7, "id": "h"}, **common),
        Found("url", "https://h/b", None, meta={"width": 2, "seed": 7, "id": "h"}, **common),
    ]


def test_facts_stay_with_their_output() -> None:
    """Null and missing outputs drop out, and the others keep what is theirs."""
    spec = """
        outputs:
          - from: body.images[*].url
            meta: {n: "body.images[*].n", m: "body.m[*]"}
    """
    body = {
        "images": [
            {"url": None, "n": 0},
            {"n": 1},
            {"url": "https://h/c"},
            {"url": "https://h/d", "n": 3},
        ],
        "m": ["a", "b", "c"],
    }
    found = outputs(spec, reply(body))
    assert [(one.value, one.meta) for one in found] == [
        ("https://h/c", {"m": "c"}),
        ("https://h/d", {"n": 3}),
    ]


def test_a_list_of_urls_counts_one_by_one() -> None:
    """Without a wildcard a list is as many outputs; a fact of its own belongs to each."""
    spec = (
        "{outputs: [{from: body.urls, mime: image/webp, meta: {seed: 'body.seeds[*]', n: body.n}}]}"
    )
    body = {"urls": ["https://h/a", None, "https://h/c"], "seeds": [1, 2, 3], "n": 0}
    found = outputs(spec, reply(body))
    assert [(one.value, one.mime, one.meta) for one in found] == [
        ("https://h/a", "image/webp", {"seed": 1, "n": 0}),
        ("https://h/c", "image/webp", {"seed": 3, "n": 0}),
    ]


def test_each_makes_paths_relative() -> None:
    """Under ``each``, ``from``, ``mime`` and ``meta`` start at the element."""
    spec = """
        outputs:
          - each: body.parts[*].inline
            from: data
            as: base64
            mime: mimeType
            meta: {role: role}
    """
    body = {
        "parts": [
            {"text": "hi"},
            {"inline": {"data": "aGk=", "mimeType": "image/png", "role": "a"}},
            {"inline": {"data": None}},
            {"inline": {"data": "eW8="}},
        ]
    }
    assert outputs(spec, reply(body)) == [
        Found("base64", "aGk=", "image/png", meta={"role": "a"}),
        Found("base64", "eW8="),
    ]


@pytest.mark.parametrize(
    ("form", "value", "found"),
    [
        ("url", "https://h/a", [("url", "https://h/a")]),
        ("url", "data:image/png;base64,aGk=", [("data_uri", "data:image/png;base64,aGk=")]),
        ("base64", "aGk=", [("base64", "aGk=")]),
        ("base64", ["aGk=", "eW8="], [("base64", "aGk="), ("base64", "eW8=")]),
        ("data_uri", "data:,x", [("data_uri", "data:,x")]),
        ("bytes", b"raw", [("bytes", b"raw")]),
        ("text", ["a", "b"], [("text", "ab")]),
        ("text", 5, []),
        ("json", {"a": [1, "é"]}, [("json", '{"a": [1, "é"]}')]),
        ("json", [1, 2], [("json", "[1, 2]")]),
        ("json", False, [("json", "false")]),
    ],
)
def test_forms(form: str, value: Any, found: list[tuple[str, Any]]) -> None:
    """Each form, and lists: of files one by one, of text joined, of JSON as a whole."""
    spec = f"{{outputs: [{{from: body, as: {form}}}]}}"
    assert [(one.form, one.value) for one in outputs(spec, reply(value))] == found


@pytest.mark.parametrize(
    ("content_type", "artifact_type", "mime"),
    [
        ("audio/L16; rate=24000", "audio", "audio/l16"),
        ("application/json", "audio", None),
        ("binary/octet-stream", "image", None),
        ("application/x-obj", "model", "application/x-obj"),
        ("", "audio", None),
        ("audio", "audio", None),
    ],
)
def test_bytes_are_what_their_reply_says(
    content_type: str, artifact_type: str, mime: str | None
) -> None:
    """Where the spec names no type, and if the generator could have made that."""
    answer = reply(b"raw", content_type=content_type)
    for spec, told in (
        ("{outputs: [{from: body, as: bytes}]}", mime),
        ("{outputs: [{from: body, as: bytes, mime: audio/wav}]}", "audio/wav"),
        ("{outputs: [{each: 'body', from: x, as: bytes}]}", None),
    ):
        found = compile_extract(read(Shape(Extract), spec), artifact_type)(answer)
        assert [one.mime for one in found] == [told] * len(found)


@pytest.mark.parametrize("form", ["url", "base64", "data_uri", "bytes", "text", "json"])
def test_null_is_no_output(form: str) -> None:
    """Null and what is absent give no output in any form."""
    spec = f"{{outputs: [{{from: body.x, as: {form}}}]}}"
    for body in ({"x": None}, {}, None, "text"):
        assert outputs(spec, reply(body)) == []


def test_the_model_reads_one_output() -> None:
    """Defaults of an output: a URL that any public host may serve."""
    one = read(Shape(OutputSpec), "{from: body.url}")
    assert (one.form, one.fetch_auth, one.expires, one.mime) == ("url", "none", None, None)
