"""What the generator language costs, beside other ways to do the same, in one run.

Compare the ratios; times depend on the machine. What is not installed is left out: the group
``bench`` has it all. Usage: ``python tests/bench/bench_language.py [GENERATORS]``.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import yaml as pyyaml

from boards.spec import yaml
from boards.spec.check import check_documents
from boards.spec.inputs import InputSchema
from boards.spec.operators import compile_body, read_body
from boards.spec.paths import parse_path, values
from boards.spec.places import Document, Problems
from boards.spec.reader import read_document

ROUNDS = 15
PER_FILE = 50

BODY = """\
input:
  prompt: ${input.prompt}
  negative_prompt: ${input.negative_prompt?}
  width: ${input.width}
  height: ${input.height}
  steps: ${input.steps}
  guidance: ${input.guidance}
  seed: ${input.seed?}
  size: "${input.width}x${input.height}"
  go_fast: ${input.go_fast}
webhook: ${run.webhook_url?}
"""
TEMPLATE = """\
{"input": {"prompt": {{ input.prompt | tojson }},
{%- if input.negative_prompt is defined %}
  "negative_prompt": {{ input.negative_prompt | tojson }},{% endif %}
  "width": {{ input.width | tojson }}, "height": {{ input.height | tojson }},
  "steps": {{ input.steps | tojson }}, "guidance": {{ input.guidance | tojson }},
{%- if input.seed is defined %} "seed": {{ input.seed | tojson }},{% endif %}
  "size": {{ (input.width ~ "x" ~ input.height) | tojson }},
  "go_fast": {{ input.go_fast | tojson }}}
{%- if run.webhook_url is defined %}, "webhook": {{ run.webhook_url | tojson }}{% endif %}}
"""
INPUT: dict[str, Any] = {
    "prompt": "a red fox in the snow, at dawn",
    "negative_prompt": "blurry",
    "width": 1024,
    "height": 768,
    "steps": 28,
    "guidance": 3.5,
    "seed": 42,
    "go_fast": True,
    "output_format": "png",
    "num_outputs": 4,
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["prompt"],
    "additionalProperties": False,
    "properties": {
        "prompt": {"type": "string", "minLength": 1},
        "negative_prompt": {"type": "string"},
        "width": {"type": "integer", "minimum": 256, "maximum": 1440, "multipleOf": 32},
        "height": {"type": "integer", "minimum": 256, "maximum": 1440, "multipleOf": 32},
        "steps": {"type": "integer", "minimum": 1, "maximum": 50},
        "guidance": {"type": "number", "minimum": 0, "maximum": 10},
        "seed": {"type": "integer"},
        "go_fast": {"type": "boolean"},
        "output_format": {"enum": ["jpeg", "png", "webp"]},
        "num_outputs": {"type": "integer", "minimum": 1, "maximum": 4},
    },
}
SCOPE: dict[str, Any] = {
    "input": INPUT,
    "run": {"webhook_url": "https://example.com/hook"},
}
REPLY: dict[str, Any] = {
    "body": {
        "id": "ufawqhfynnddngldkgtslldrkq",
        "status": "succeeded",
        "output": [{"url": f"https://example.com/{one}.png", "seed": one} for one in range(4)],
        "logs": "done",
    },
    "status": 200,
}
PATH = "output[*].url"
PROVIDER = """\
providers:
  bench:
    config: {base_url: "https://bench.example", api_key_env: BENCH_KEY}
    auth: {kind: bearer}
"""
GENERATOR = """\
  - name: model-{number}
    display_name: Model {number}
    description: Text to image.
    artifact_type: image
    provider: bench
    tags: [text-to-image]
    cost: {{unit: image, usd: 0.04, source: "https://bench.example", as_of: 2026-01-15}}
    io:
      input_schema:
        type: object
        required: [prompt]
        properties:
          prompt: {{type: string, minLength: 1, description: What to draw.}}
          negative_prompt: {{type: string}}
          width: {{type: integer, minimum: 256, maximum: 1440, default: 1024}}
          height: {{type: integer, minimum: 256, maximum: 1440, default: 1024}}
          steps: {{type: integer, minimum: 1, maximum: 50, default: 28}}
          guidance: {{type: number, minimum: 0, maximum: 10, default: 3.5}}
          seed: {{type: integer}}
          go_fast: {{type: boolean, default: true}}
          output_format: {{type: string, enum: [jpeg, png, webp], default: png}}
          num_outputs: {{type: integer, minimum: 1, maximum: 4, default: 1}}
    execution:
      type: rest
      submit:
        path: /models/model-{number}/predictions
        json:
          input:
            prompt: ${{input.prompt}}
            negative_prompt: ${{input.negative_prompt?}}
            size: "${{input.width}}x${{input.height}}"
            steps: ${{input.steps}}
            guidance: ${{input.guidance}}
            seed: ${{input.seed?}}
            go_fast: ${{input.go_fast}}
            format: {{$map: "${{input.output_format}}", to: {{jpeg: jpg, png: png, webp: webp}}}}
            n: ${{input.num_outputs}}
        capture: {{id: body.id}}
      poll: {{path: "/predictions/${{job.id}}", every: 2s}}
      status:
        at: body.status
        map: {{starting: queued, processing: running, succeeded: succeeded, failed: failed}}
        unknown: fail
      failure: {{message: body.error}}
      extract: {{outputs: [{{from: "body.output[*].url", expires: 1h}}]}}
"""


def optional(name: str) -> Any:
    """A module of an alternative, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def microseconds(call: Callable[[], object]) -> float:
    """What one call takes: the best of some rounds, each of about 10 ms."""
    call()
    start = time.perf_counter()
    call()
    count = max(1, int(0.01 / max(time.perf_counter() - start, 1e-7)))
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(count):
            call()
        taken.append((time.perf_counter() - start) / count)
    return min(taken) * 1e6


def compare(
    case: str, ours: Callable[[], object], others: dict[str, Callable[[], object]], *, limit: float
) -> None:
    """Print a case: microseconds of ours, the limit, and how many times as long others take."""
    expected = ours()
    mine = microseconds(ours)
    report: dict[str, Any] = {"case": case, "us": round(mine, 2), "limit us": limit}
    for name, other in others.items():
        assert other() == expected, name
        theirs = microseconds(other)
        report[name] = f"{theirs:.2f} us, {theirs / mine:.1f} times"
    print(json.dumps(report), flush=True)


def parsed(text: str, name: str = "bench.yaml") -> Document:
    """A document without mistakes."""
    problems = Problems()
    document = yaml.parse(text, name, problems)
    assert document is not None, problems.errors
    return document


def rendering() -> None:
    """A body with ten leaves."""
    document = parsed(BODY)
    body = read_body(document.root, document.root.place, Problems())
    assert body is not None
    render = compile_body(body)
    others: dict[str, Callable[[], object]] = {}
    if jinja := optional("jinja2"):
        template = jinja.Environment(autoescape=False).from_string(TEMPLATE)
        others["jinja2 compiled, then json.loads"] = lambda: json.loads(template.render(SCOPE))
    compare("render 10 leaves", lambda: render(SCOPE), others, limit=10)


def extracting() -> None:
    """The addresses of four outputs."""
    find = values(parse_path(f"body.{PATH}"))
    others: dict[str, Callable[[], object]] = {}
    if jmespath := optional("jmespath"):
        compiled = jmespath.compile(f"body.{PATH}")
        others["jmespath compiled"] = lambda: compiled.search(REPLY)
    if jsonpath := optional("jsonpath_ng"):
        path = jsonpath.parse(f"$.body.{PATH}")
        others["jsonpath-ng compiled"] = lambda: [one.value for one in path.find(REPLY)]
    compare(f"extract {PATH}, 4 outputs", lambda: find(REPLY), others, limit=2)


def validating() -> None:
    """Ten properties, all right."""
    schema = InputSchema(SCHEMA)
    others: dict[str, Callable[[], object]] = {}
    if rust := optional("jsonschema_rs"):
        compiled = rust.Draft202012Validator(SCHEMA)
        others["jsonschema-rs alone"] = lambda: [] if compiled.is_valid(INPUT) else None
    if fast := optional("fastjsonschema"):
        check = fast.compile(SCHEMA)
        others["fastjsonschema compiled"] = lambda: [] if check(INPUT) else None
    if python := optional("jsonschema"):
        validator = python.Draft202012Validator(SCHEMA)
        others["jsonschema"] = lambda: list(validator.iter_errors(INPUT))
    compare("validate 10 properties", lambda: schema.problems(INPUT), others, limit=5)


def reading(generators: int) -> None:
    """Read and check files of synthetic generators; PyYAML's C loader reads the same text."""
    texts = [
        PROVIDER * (first == 0)
        + "generators:\n"
        + "".join(
            GENERATOR.format(number=number)
            for number in range(first, min(first + PER_FILE, generators))
        )
        for first in range(0, generators, PER_FILE)
    ]
    start = time.process_time()
    for text in texts:
        pyyaml.load(text, pyyaml.CSafeLoader)
    floor = time.process_time() - start
    start = time.process_time()
    documents = [parsed(text, f"{number}.yaml") for number, text in enumerate(texts)]
    parsing = time.process_time() - start
    start = time.process_time()
    for document in documents:
        read_document(document, Problems())
    modelling = time.process_time() - start
    problems = Problems()
    start = time.process_time()
    check_documents(documents, problems)
    checking = time.process_time() - start  # reads the documents, too
    assert not problems.errors, problems.errors[0]
    report = {
        "case": f"check {generators} generators",
        "CPU s": round(parsing + checking, 2),
        "limit s": 5 * generators / 1000,
        "YAML with places s": round(parsing, 2),
        "PyYAML's C loader s": round(floor, 2),
        "ratio": round(parsing / floor, 1),
        "reading the model s": round(modelling, 2),
        "checking s": round(checking - modelling, 2),
        "kB": sum(map(len, texts)) // 1000,
    }
    print(json.dumps(report))


def main() -> None:
    """Print each case beside its alternatives."""
    rendering()
    extracting()
    validating()
    reading(int(sys.argv[1]) if sys.argv[1:] else 1000)


if __name__ == "__main__":
    main()
