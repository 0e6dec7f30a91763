"""Fixtures tell what differs, and where."""

from pathlib import Path
from typing import Any

import pytest

from boards.testing.fixtures import FixtureResult, run_fixtures

HEAD = """\
providers:
  acme:
    config:
      base_url: https://acme.test/v1
      queue_url: https://queue.acme.test
      frames_url: wss://acme.test/frames
      api_key_env: ACME_KEY
    auth: {kind: bearer}
    files: {accept: [data_uri]}
generators:
  - name: draw
    provider: acme
    artifact_type: image
    io:
      input_schema:
        type: object
        required: [prompt]
        properties:
          prompt: {type: string, minLength: 1}
          steps: {type: integer, default: 4}
          image: {type: string, format: image}
    execution:
"""
POLLED = """\
      submit:
        path: /jobs
        query: {mode: fast}
        headers: {X-Run: "${run.uuid}"}
        json: {prompt: "${input.prompt}", steps: "${input.steps}", image: "${input.image?|file}"}
        capture: {id: body.id}
      poll: {path: "/jobs/${job.id}"}
      status: {at: body.status, map: {on: running, done: succeeded, bad: failed}, unknown: fail}
      extract: {outputs: [{from: "body.urls[*]", expires: 1h, meta: {seed: body.seed}}]}
"""
SENT = "- expect: {method: POST, path: /jobs, json: {prompt: fox, steps: 4}}"
DONE = """\
          - expect: {method: GET, path: /jobs/j1}
            reply: {json: {status: done, urls: ["https://files.acme.test/1.png"], seed: 3}}
        outputs: [{url: "https://files.acme.test/1.png", meta: {seed: 3}}]
"""
PASSES = f"""\
          {SENT}
            reply: {{status: 201, json: {{id: j1, status: on}}}}
{DONE}"""


async def run(path: Path, **more: Any) -> list[FixtureResult]:
    """The fixtures of a file; installed plugins are left out, which is quicker."""
    ours = ("boards-fal", "boards-replicate")
    return await run_fixtures(["acme/draw"], generators=[path], plugins_disabled=ours, **more)


async def problems(tmp_path: Path, test: str, execution: str = POLLED) -> list[str]:
    """What is wrong with one fixture; each problem's place is left out."""
    path = tmp_path / "acme.yaml"
    text = f"{HEAD}{execution}    tests:\n      - name: one\n        input: {{prompt: fox}}\n{test}"
    path.write_text(text)
    (result,) = await run(path)
    assert (result.generator, result.name) == ("acme/draw", "one")
    return [problem.message for problem in result.problems]


async def test_what_goes_as_expected_passes(tmp_path: Path) -> None:
    """No key, no network, no time."""
    assert await problems(tmp_path, f"        exchanges:\n{PASSES}") == []


async def test_a_difference_of_json_is_a_diff_by_lines(tmp_path: Path) -> None:
    """At the place of the exchange."""
    test = f"        exchanges:\n{PASSES}".replace("steps: 4", "steps: 9")
    (message,) = await problems(tmp_path, test)
    assert message == (
        "request 1, POST https://acme.test/v1/jobs?mode=fast: "
        "the json differs (- expected, + found)\n"
        "     {\n"
        '       "prompt": "fox",\n'
        '    -  "steps": 9\n'
        '    +  "steps": 4\n'
        "     }"
    )


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ("method: PUT", "the method is POST, not PUT"),
        ("path: /job", "the path differs (- expected, + found)\n    -/job\n    +/jobs"),
        ("url: https://acme.test/v1/other", "the url differs"),
        ("query: {mode: slow}", "the query mode is 'fast', not 'slow'"),
        ("query: {mode: null}", "the query mode is 'fast', not absent"),
        ("query: {seed: 1}", "the query seed is absent, not 1"),
        ("headers: {x-run: other}", "the header x-run is '"),
        ("json: {prompt: fox, steps: true}", "the json differs"),
        ("json: {prompt: fox, steps: 4.0}", "the json differs"),
        ("form: {prompt: fox}", "the form differs"),
        ("multipart: {prompt: fox}", "the multipart differs"),
        ("body: fox", "the body differs"),
    ],
)
async def test_each_key_that_is_given_is_compared(tmp_path: Path, expect: str, told: str) -> None:
    """And told by its name."""
    test = f"        exchanges:\n{PASSES}".replace(SENT, f"- expect: {{{expect}}}")
    (message,) = await problems(tmp_path, test)
    assert message.partition(": ")[2].startswith(told)


@pytest.mark.parametrize(
    "expect",
    [
        "path: /jobs",
        "url: https://acme.test/v1/jobs",
        'url: "https://acme.test/v1/jobs?mode=fast"',
        "query: {mode: fast}",
        'headers: {authorization: Bearer placeholder-secret, X-RUN: "${run.uuid}"}',
        "json: {steps: 4, prompt: fox}",
        "",
    ],
)
async def test_what_is_not_given_is_not_compared(tmp_path: Path, expect: str) -> None:
    """The query is no part of path and url; headers do not mind case."""
    test = f"        exchanges:\n{PASSES}".replace(SENT, f"- expect: {{{expect}}}")
    assert await problems(tmp_path, test) == []


async def test_an_exchange_that_is_left_over_fails(tmp_path: Path) -> None:
    """And says how it ended before."""
    test = f"        exchanges:\n{PASSES}".replace("status: on", "status: bad")
    (message,) = await problems(tmp_path, test)
    assert message.startswith("1 exchange was left over: it failed before with provider")


async def test_a_request_without_an_exchange_fails(tmp_path: Path) -> None:
    """By its number, method and address."""
    test = f"        exchanges:\n{PASSES}".replace("status: done", "status: on")
    (message,) = await problems(tmp_path, test)
    told = "request 3, GET https://acme.test/v1/jobs/j1: the fixture has no exchange for it"
    assert message == told


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        ("[]", "there are 1 outputs, not 0"),
        ('[{url: "https://files.acme.test/2.png"}]', "the url of output 0 differs"),
        ("[{meta: {seed: 4}}]", "the meta of output 0 differs"),
        ("[{mime: image/png}]", "the mime of output 0 differs"),
        ("[{mime: null, meta: {}}]", "the meta of output 0 differs"),
    ],
)
async def test_outputs_are_compared(tmp_path: Path, outputs: str, told: str) -> None:
    """Their number, and the keys that are given."""
    given = '[{url: "https://files.acme.test/1.png", meta: {seed: 3}}]'
    (message,) = await problems(
        tmp_path,
        f"        exchanges:\n{PASSES}".replace(f"outputs: {given}", f"outputs: {outputs}"),
    )
    assert message.startswith(told)


async def test_an_error_is_compared_by_its_kind(tmp_path: Path) -> None:
    """Another one, or none, is a problem."""
    reply = "            reply: {status: 402, json: {}}\n        raises: "
    exchanges = f"        exchanges:\n          - expect: {{}}\n{reply}"
    assert await problems(tmp_path, f"{exchanges}quota\n") == []
    (other,) = await problems(tmp_path, f"{exchanges}auth\n")
    assert other.startswith("it raised quota, and was to raise auth")
    raises = f"        exchanges:\n{PASSES}".partition("        outputs")[0]
    (none,) = await problems(tmp_path, f"{raises}        raises: auth\n")
    assert none == "it is fetching, and was to raise auth"


async def test_an_input_that_does_not_fit_raises_before_any_request(tmp_path: Path) -> None:
    """With no exchange at all."""
    head = '        input: {prompt: ""}\n        raises: '
    path = tmp_path / "acme.yaml"
    path.write_text(f"{HEAD}{POLLED}    tests:\n      - name: one\n{head}invalid_input\n")
    (result,) = await run(path)
    assert result.problems == ()


async def test_bytes_and_texts_are_outputs(tmp_path: Path) -> None:
    """As the fixture's own text."""
    execution = """\
      submit: {path: /draw, accept: binary, json: {prompt: "${input.prompt}"}}
      extract: {outputs: [{from: body, as: bytes, mime: image/png}]}
"""
    test = """\
        exchanges: [{expect: {path: /draw}, reply: {headers: {content-type: image/png}, bytes: hi}}]
        outputs: [{bytes: hi, mime: image/png}]
"""
    assert await problems(tmp_path, test, execution) == []
    assert await problems(tmp_path, test, execution.replace(", mime: image/png", "")) == []


async def test_a_files_bytes_stand_in_a_multipart_body(tmp_path: Path) -> None:
    """As text, beside the other fields."""
    execution = """\
      submit: {path: /draw, multipart: {prompt: "${input.prompt}", image: "${input.image?|bytes}"}}
      extract: {output_paths: [url]}
"""
    test = """\
        input: {prompt: fox, image: "data:image/png;base64,ZmlsZQ=="}
        exchanges:
          - expect: {multipart: {prompt: fox, image: file}}
            reply: {json: {url: "https://files.acme.test/1.png"}}
"""
    path = tmp_path / "acme.yaml"
    path.write_text(f"{HEAD}{execution}    tests:\n      - name: one\n{test}")
    (result,) = await run(path)
    assert result.problems == ()


async def test_forms_are_compared_as_texts(tmp_path: Path) -> None:
    """Numbers too."""
    execution = """\
      submit: {path: /draw, form: {prompt: "${input.prompt}", steps: "${input.steps}"}}
      extract: {output_paths: [url]}
"""
    test = """\
        exchanges:
          - expect: {form: {prompt: fox, steps: 4}}
            reply: {json: {url: "https://files.acme.test/1.png"}}
"""
    assert await problems(tmp_path, test, execution) == []


STREAMED = POLLED.replace(
    'poll: {path: "/jobs/${job.id}"}', 'stream: {path: "/jobs/${job.id}/events"}'
)


async def test_a_stream_is_scripted_as_answers_to_its_request(tmp_path: Path) -> None:
    """Where nothing else tells of the job: each JSON counts as one poll's reply."""
    told = f"        exchanges:\n{PASSES}".replace("/jobs/j1}", "/jobs/j1/events}")
    assert await problems(tmp_path, told, STREAMED) == []
    events = (
        "reply:\n"
        "              headers: {content-type: text/event-stream}\n"
        "              text: |\n"
        '                data: {"status": "on"}\n\n'
        '                data: {"status": "done", "urls": ["https://files.acme.test/1.png"],'
        ' "seed": 3}\n\n\n'
    )
    before, _, rest = told.rpartition("reply:")
    streamed = f"{before}{events}{rest.partition(chr(10))[2]}"
    assert await problems(tmp_path, streamed, STREAMED) == []


async def test_a_stream_beside_a_poll_does_not_run(tmp_path: Path) -> None:
    """The job is asked for instead."""
    both = POLLED + '      stream: {path: "/jobs/${job.id}/events"}\n'
    assert await problems(tmp_path, f"        exchanges:\n{PASSES}", both) == []


async def test_a_websockets_frames_are_exchanges(tmp_path: Path) -> None:
    """What is sent, with its reply; then what comes. The frames that open it are left out."""
    execution = """\
      submit:
        path: /unused
        json: [{task: "${run.uuid}", prompt: "${input.prompt}"}]
        capture: {id: "body.data[0].task"}
      websocket:
        url: wss://acme.test/frames
        open: [[{apiKey: {$secret: api_key}}]]
        send: submit.json
        match: {eq: ["data[*].task", "${run.uuid}"]}
      status: {at: "body.data[0].status", map: {on: running, done: succeeded}, unknown: fail}
      extract: {outputs: [{from: "body.data[*].url", expires: 1h}]}
"""
    test = """\
        exchanges:
          - expect:
              method: SEND
              url: wss://acme.test/frames
              json: [{task: "${run.uuid}", prompt: fox}]
            reply: {json: {data: [{task: "${run.uuid}", status: on}]}}
          - reply: {json: {data: [{task: somebody else's, status: on}]}}
          - reply:
              json: {data: [{task: "${run.uuid}", status: done, url: "https://files.acme.test/1.png"}]}
        outputs: [{url: "https://files.acme.test/1.png"}]
"""
    assert await problems(tmp_path, test, execution) == []


async def test_a_fixture_without_a_name_has_a_number(tmp_path: Path) -> None:
    """Counted from one among all of its generator."""
    path = tmp_path / "acme.yaml"
    fails = "input: {prompt: fox}\n        raises: auth\n"
    path.write_text(f"{HEAD}{POLLED}    tests:\n      - name: one\n        {fails}      - {fails}")
    assert [one.name for one in await run(path)] == ["one", "test 2"]
    assert [one.name for one in await run(path, matching="test 2")] == ["test 2"]


async def test_fixtures_are_chosen_by_a_part_of_their_name(tmp_path: Path) -> None:
    """Or of their generator's."""
    path = tmp_path / "acme.yaml"
    test = f"        input: {{prompt: fox}}\n        exchanges:\n{PASSES}"
    path.write_text(f"{HEAD}{POLLED}    tests:\n      - name: one\n{test}      - name: Two\n{test}")
    assert len(await run(path)) == 2
    (result,) = await run(path, matching="two")
    assert result.name == "Two"
    assert len(await run(path, matching="acme/dr")) == 2
    assert await run(path, matching="three") == []
