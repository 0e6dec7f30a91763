"""The checker: every mistake before any request, all at once, each at its place."""

import textwrap

import pytest

from boards.spec.check import check_generator, check_provider
from boards.spec.places import Problems
from boards.spec.reader import read_text

PROVIDER = """\
providers:
  p:
    config: {base_url: "https://p.test", queue_url: "https://q.test"}
    auth: {kind: bearer}
    status: {at: body.s, map: {done: succeeded}, unknown: running}
"""
INPUTS = """\
generators:
  - name: g
    provider: p
    artifact_type: image
    io:
      input_schema:
        type: object
        required: [prompt]
        properties:
          prompt: {type: string}
          size: {type: string, enum: [small, large], default: small}
          seed: {type: integer}
          image: {type: string, format: image}
          images: {type: array, maxItems: 4, items: {type: string, format: image}}
          tags: {type: array, items: {type: string}}
          style: {type: [string, "null"], enum: [bold, null], default: null}
    execution:
"""
FIRST = (PROVIDER + INPUTS).count("\n") + 1
"""The line on which an execution begins."""
SUBMIT = "submit: {path: /run, capture: {id: body.id}}"
EXTRACT = "extract: {output_paths: [images]}"


def check(text: str) -> list[tuple[str, str]]:
    """All mistakes of a text, in reading and in checking."""
    problems = Problems()
    file = read_text(text, "f.yaml", problems)
    for name, provider in file.providers.items():
        check_provider(name, provider, problems)
    for generator in file.generators:
        check_generator(generator, file.providers.get(generator.provider), problems)
    return [
        (one.where.removeprefix("f.yaml:"), one.message.removeprefix("error: "))
        for one in problems.errors
    ]


def execution(*lines: str) -> list[tuple[int, str]]:
    """Mistakes of an execution, by its line, counting from 1."""
    body = textwrap.indent("\n".join(lines), "      ")
    return [
        (int(where.partition(":")[0]) - FIRST + 1, message)
        for where, message in check(f"{PROVIDER}{INPUTS}{body}\n")
    ]


def json(body: str) -> str:
    """A submit with a body."""
    return f"submit: {{path: /run, capture: {{id: body.id}}, json: {body}}}"


def test_a_spec_without_mistakes() -> None:
    """All that the language offers, used rightly."""
    lines = """\
let: {label: "${input.size}!", twice: "${let.label}${let.label}"}
submit:
  base: queue_url
  path: /run/${input.size}
  headers: {X-Run: "${run.id}", X-Hook: "${run.webhook_url?}"}
  query: {v: "${config.queue_url}"}
  capture: {id: body.id, url: body.url}
  idempotency: {header: Idempotency-Key, conflict: {status: 409}}
  variants:
    - when: {exists: input.seed}
      json:
        seed: ${input.seed}
        image: "${input.image?|file}"
        all: {$each: "${input.images?}", do: {url: "${item|url}"}}
        same: {$each: "${input.images?|url}", do: {url: "${item}"}}
        size: {$map: "${input.size}", to: {small: 1, large: 2}}
        style: {$map: "${input.style?}", to: {bold: 1}}
        tag: {$when: {contains: [input.tags, "${let.label}"]}, then: "${input.tags.0?}"}
    - json: {seed: "${input.seed?}", both: {$concat: [["${input.prompt}"]]}}
poll: {path: "/jobs/${job.id}", query: {last: "${prev.cursor?}"}, after: body.eta}
result: {url: "${job.url}"}
cancel: {method: POST, path: "/jobs/${job.id}/cancel"}
reconcile: {path: /jobs, each: "body[*]", next: header.next, where: {eq: [id, "${run.id}"]}}
extract: {outputs: [{each: "body.images[*]", from: url, mime: type, meta: {w: width}}]}
"""
    assert execution(*lines.splitlines()) == []


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        # references
        ([json('{a: "${input.promt}"}'), EXTRACT], 1, "no 'promt'; did you mean 'prompt'?"),
        ([json('{a: "${let.x}"}'), EXTRACT], 1, "there is no 'x'"),
        ([json('{a: "${run.uid}"}'), EXTRACT], 1, "there is no 'uid'; did you mean 'uuid'?"),
        ([json('{a: "${config.bas_url}"}'), EXTRACT], 1, "did you mean 'base_url'?"),
        ([SUBMIT, 'poll: {path: "/${job.ident}"}', EXTRACT], 2, "there is no 'ident'"),
        (['let: {a: "${let.b}", b: x}', SUBMIT, EXTRACT], 1, "there is no 'b'"),
        (["submit: {base: qeue_url, path: /x}", EXTRACT], 1, "did you mean 'queue_url'?"),
        ([SUBMIT, "poll: {path: /x, after: eta}", EXTRACT], 2, "none of body"),
        # optional inputs
        ([json('{a: "${input.seed}"}'), EXTRACT], 1, "${input.seed} may be absent"),
        ([json('{a: "x ${input.seed}"}'), EXTRACT], 1, "may be absent"),
        ([json('{a: "${run.webhook_url}"}'), EXTRACT], 1, "absent where no webhook"),
        (
            [json('{$when: {exists: input.seed}, then: 1, else: "${input.seed}"}'), EXTRACT],
            1,
            "may be absent",
        ),
        (
            [json('{$when: {not: {exists: input.seed}}, then: "${input.seed}"}'), EXTRACT],
            1,
            "may be absent",
        ),
        # conditions
        (
            [json("{a: {$when: {eq: [input.size, smal]}, then: 1}}"), EXTRACT],
            1,
            "input.size is never 'smal'; did you mean 'small'?",
        ),
        (
            [json("{a: {$when: {in: [input.style, [1]]}, then: 1}}"), EXTRACT],
            1,
            "input.style is never 1; known: 'bold', null",
        ),
        # null
        ([json('{a: "x ${input.style}"}'), EXTRACT], 1, "${input.style} is null by default"),
        (
            [SUBMIT.replace("run,", 'run, query: {a: "${input.style}"},'), EXTRACT],
            1,
            "null by default",
        ),
        # derived values
        (
            ['let: {a: "${input.seed?}"}', json('{a: "${let.a}"}'), EXTRACT],
            2,
            "${let.a} may be absent",
        ),
        (
            ["let: {a: {$when: {exists: input.seed}, then: 1}}", json('{a: "${let.a}"}'), EXTRACT],
            2,
            "${let.a} may be absent",
        ),
        (
            [
                'let: {a: {$map: "${input.style?}", to: {bold: x}}, b: "${let.a?}!"}',
                json('{a: "${let.b}"}'),
                EXTRACT,
            ],
            2,
            "${let.b} may be absent",
        ),
        # an element and a frame have no HTTP status
        (
            [
                SUBMIT,
                'reconcile: {path: /x, each: "body[*]", where: {eq: [id, x], not: {status: 200}}}',
                EXTRACT,
            ],
            2,
            "status is that of a reply",
        ),
        (
            [
                SUBMIT,
                'reconcile: {path: /x, each: "body[*]", where: [{exists: i}, {eq: [i, "${a.b}"]}]}',
                EXTRACT,
            ],
            2,
            "unknown root 'a'",
        ),
        (
            [SUBMIT, 'reconcile: {path: /x, each: "body[*]", where: []}', EXTRACT],
            2,
            "expected one at least",
        ),
        # files, which are prepared for the submit alone
        (['let: {a: "${input.image?|url}"}', SUBMIT, EXTRACT], 1, "a file goes with the submit"),
        (['let: {a: "${input.image?}"}', SUBMIT, EXTRACT], 1, "goes with the submit, and with"),
        (
            ['let: {a: {$each: "${input.images?}", do: "${item|url}"}}', SUBMIT, EXTRACT],
            1,
            "a file goes with the submit",
        ),
        (
            [SUBMIT, 'poll: {path: /x, query: {a: "${input.image?|url}"}}', EXTRACT],
            2,
            "a file goes with the submit",
        ),
        # roots
        ([json('{a: "${job.id}"}'), EXTRACT], 1, "'job' is not known here"),
        ([json('{a: "${prev.id}"}'), EXTRACT], 1, "'prev' is not known here"),
        ([json('{a: "${item}"}'), EXTRACT], 1, "'item' is not known here"),
        ([json('{a: "${file.bytes}"}'), EXTRACT], 1, "'file' is not known here"),
        ([json('{a: "${model}"}'), EXTRACT], 1, "'model' is not known here"),
        (['let: {a: "${job.id}"}', SUBMIT, EXTRACT], 1, "'job' is not known here"),
        (
            [SUBMIT, 'reconcile: {path: "/${job.id}", each: body, where: {exists: id}}', EXTRACT],
            2,
            "'job' is not known here",
        ),
        # operators
        ([json('{$map: "${input.size}", to: {small: 1}}'), EXTRACT], 1, "$map lacks 'large'"),
        ([json('{$map: "${input.style}", to: {bold: 1}}'), EXTRACT], 1, "$map lacks null"),
        ([json('{$map: "${input.prompt}", to: {a: 1}}'), EXTRACT], 1, "$map needs an else"),
        ([json('{$each: "${input.tags?}", do: 1}'), EXTRACT], 1, "has no maxItems"),
        ([json('{$each: "${run.id}", do: 1}'), EXTRACT], 1, "$each goes over an input"),
        (
            [
                json('{$each: "${input.images?|url}", do: {$each: "${input.images?|url}", do: 1}}'),
                EXTRACT,
            ],
            1,
            "$each does not nest",
        ),
        # files
        ([json('{a: "${input.image?}"}'), EXTRACT], 1, "${input.image?} is a file"),
        ([json('{a: "${input.images?}"}'), EXTRACT], 1, "${input.images?} is a file"),
        ([json('{a: "${input.prompt|file}"}'), EXTRACT], 1, "'prompt' is not a file"),
        # predicates
        (
            [json("{$when: {exists: input.sed}, then: 1}"), EXTRACT],
            1,
            "there is no 'sed'; did you mean 'seed'?",
        ),
        ([json("{$when: {exists: body.x}, then: 1}"), EXTRACT], 1, "begins with none of"),
        ([json("{$when: {not: {exists: inptu.x}}, then: 1}"), EXTRACT], 1, "begins with none of"),
        ([json("{$when: {status: 429}, then: 1}"), EXTRACT], 1, "no reply before the request"),
        (
            [json('{$when: {eq: [input.seed, "${input.sed}"]}, then: 1}'), EXTRACT],
            1,
            "there is no 'sed'",
        ),
        # requests
        (["submit: {path: /x, url: https://h.test}", EXTRACT], 1, "either path or url"),
        (["submit: {json: {}}", EXTRACT], 1, "either path or url"),
        (["submit: {path: /x, json: {}, form: {}}", EXTRACT], 1, "has one body"),
        (["submit: {path: run}", EXTRACT], 1, "a path begins with '/'"),
        (["submit: {url: /run}", EXTRACT], 1, "a url is absolute"),
        (["submit: {url: ''}", EXTRACT], 1, "a url is absolute"),
        (["submit: {path: /x, capture: {id: id}}", EXTRACT], 1, "begins with none of body"),
        (
            ["submit: {path: /x, idempotency: {header: K, conflict: {exists: code}}}", EXTRACT],
            1,
            "begins with none of body",
        ),
        # variants
        (
            [
                "submit:",
                "  path: /x",
                "  variants:",
                "    - {json: {}}",
                "    - {json: {}}",
                EXTRACT,
            ],
            4,
            "only the last variant may lack 'when'",
        ),
        (
            ["submit:", "  path: /x", "  variants:", "    - {when: {exists: input.seed}}", EXTRACT],
            4,
            "the last variant has no 'when'",
        ),
        (
            [
                "submit:",
                "  path: /x",
                "  variants:",
                "    - {when: {exists: input.sed}}",
                "    - {}",
                EXTRACT,
            ],
            4,
            "there is no 'sed'",
        ),
        # status
        (
            [SUBMIT, "poll: {path: /x}", "status: {at: body.s, map: {a: failed}}", EXTRACT],
            3,
            "map needs unknown",
        ),
        ([SUBMIT, "status: {}", EXTRACT], 2, "a status needs at and map, or rules"),
        (
            [SUBMIT, "status: {rules: [{when: {status: 200}, is: failed}]}", EXTRACT],
            2,
            "rules need an else",
        ),
        (
            [
                SUBMIT,
                "status: {at: body.s, rules: [{when: {status: 200}, is: failed}], else: queued}",
                EXTRACT,
            ],
            2,
            "either at and map, or rules",
        ),
        (
            [SUBMIT, "status: {at: s, map: {a: failed}, unknown: fail}", EXTRACT],
            2,
            "begins with none of body",
        ),
        (
            [SUBMIT, "status: {at: 'body[*].s', map: {a: failed}, unknown: fail}", EXTRACT],
            2,
            "say combine: all",
        ),
        (
            [
                SUBMIT,
                "status: {at: body.s, map: {a: failed}, unknown: fail, fail_if: {exists: e}}",
                EXTRACT,
            ],
            2,
            "begins with none of body",
        ),
        # replies
        ([SUBMIT, "errors: [{when: {eq: [code, 1]}, raise: quota}]", EXTRACT], 2, "none of body"),
        (
            [SUBMIT, "errors: [{when: {status: 400}, raise: quota, message: detail}]", EXTRACT],
            2,
            "none of body",
        ),
        (
            [SUBMIT, "errors: [{when: {eq: [body.a, '${prev.a}']}, raise: quota}]", EXTRACT],
            2,
            "'prev' is not known here",
        ),
        ([SUBMIT, "failure: {message: error}", EXTRACT], 2, "none of body"),
        ([SUBMIT, "progress: {percent: progress}", EXTRACT], 2, "none of body"),
        ([SUBMIT, "progress: {log_percent: tqdm}", EXTRACT], 2, "log_percent needs logs"),
        (
            [SUBMIT, "reconcile: {path: /x, each: results, where: {exists: id}}", EXTRACT],
            2,
            "none of body",
        ),
        # webhooks
        ([SUBMIT, "webhook: {verify: {kind: none}}", EXTRACT], 2, "never stands without poll"),
        (
            [
                SUBMIT,
                "poll: {path: /x}",
                "webhook: {verify: {kind: none}, then: accept}",
                EXTRACT,
            ],
            3,
            "what nobody verified is not accepted",
        ),
        (
            [
                SUBMIT,
                "poll: {path: /x}",
                "webhook: {verify: {kind: fal_ed25519, secret_env: K}, body_at: payload}",
                EXTRACT,
            ],
            3,
            "none of body",
        ),
        # outputs
        ([SUBMIT, "extract: {}"], 2, "extract names no output"),
        ([SUBMIT, "extract: {outputs: [{from: images}]}"], 2, "'images' begins with none of body"),
        ([SUBMIT, "extract: {outputs: [{from: body, meta: {s: seed}}]}"], 2, "'seed' begins with"),
        ([SUBMIT, "extract: {outputs: [{from: body, mime: kind}]}"], 2, "'kind' begins with none"),
        ([SUBMIT, "extract: {outputs: [{from: body, mime: a b}]}"], 2, "mime is a media type"),
        ([SUBMIT, "extract: {outputs: [{each: parts, from: a}]}"], 2, "'parts' begins with none"),
    ],
)
def test_mistakes_of_an_execution(lines: list[str], line: int, message: str) -> None:
    """Each mistake is told once, on its line, with what may be meant."""
    ((found, told),) = execution(*lines)
    assert found == line
    assert message in told


@pytest.mark.parametrize(
    ("let", "value"),
    [
        ('{a: "${input.seed?}"}', '"${let.a?}"'),
        ('{a: "${input.seed?}"}', '{$when: {exists: let.a}, then: "${let.a}"}'),
        ('{a: "${input.size?}"}', '"${let.a}"'),
        ("{a: {$when: {exists: input.seed}, then: 1, else: 2}}", '"${let.a}"'),
        ('{a: {seed: "${input.seed?}"}}', '"${let.a}"'),
        (
            '{a: {$when: {exists: input.width}, then: "${input.width}x${input.height?}", else: 1}}',
            '"${let.a}"',
        ),
    ],
)
def test_derived_values_that_are_there(let: str, value: str) -> None:
    """Where the checker is sure, or the token says that it may be absent."""
    body = f"      let: {let}\n      {json(f'{{a: {value}}}')}\n      {EXTRACT}\n"
    sides = "dependentRequired: {width: [height]}\n        properties:\n"
    sides += "          width: {type: integer}\n          height: {type: integer}\n"
    inputs = INPUTS.replace("properties:\n", sides)
    assert check(f"{PROVIDER}{inputs}{body}") == []


def test_all_mistakes_are_told_at_once() -> None:
    """One run of the checker is enough; the mistakes come in the order of the file."""
    found = execution(
        'let: {a: "${input.nope}"}',
        'submit: {path: "/${input.seed}", json: {x: "${input.image?}"}}',
        'poll: {url: /x, path: "/${prev.id}"}',
        "status: {at: body.s, map: {a: failed}}",
        "errors: [{when: {exists: x}, raise: quota}]",
        "extract: {}",
    )
    assert [line for line, _ in found] == [1, 2, 2, 3, 4, 5, 6]


def test_columns_are_exact() -> None:
    """A mistake in a token stands where the token begins."""
    body = f"      submit: {{path: /run, json: {{a: '${{input.nope}}'}}}}\n      {EXTRACT}\n"
    ((where, _),) = check(f"{PROVIDER}{INPUTS}{body}")
    assert where == f"{FIRST}:39"


@pytest.mark.parametrize(
    ("lines", "line", "column"),
    [
        (["a: '${input.prompt} ${input.nope}'"], 1, 31),
        (["a: |", "  First ${input.prompt},", "  then ${input.nope}."], 3, 18),
        (["a: >-  # folded", "  ${input.prompt}", "", "  ${input.nope}"], 4, 13),
        (["a: 'in two", "  lines ${input.nope}'"], 1, 14),
        (['a: "\\x24{input.nope}"'], 1, 14),
    ],
)
def test_a_token_in_a_long_text(lines: list[str], line: int, column: int) -> None:
    """It is found within blocks; where it is not written as it is read, the text's begin counts."""
    text = textwrap.indent("\n".join(lines), "          ")
    body = f"      {EXTRACT}\n      submit:\n        path: /run\n        json:\n{text}\n"
    ((where, _),) = check(f"{PROVIDER}{INPUTS}{body}")
    assert where == f"{FIRST + 3 + line}:{column}"


@pytest.mark.parametrize(
    ("schema", "column", "message"),
    [
        ("{type: strnig}", 28, "input_schema is no JSON Schema: type:"),
        ("{properties: {a: 5}}", 38, "input_schema is no JSON Schema: properties.a:"),
        ("{properties: [a]}", 34, "input_schema is no JSON Schema: properties:"),
        ("{required: prompt}", 32, "input_schema is no JSON Schema: required:"),
        ("{$ref: 'https://h.test/schema'}", 21, "input_schema is no JSON Schema"),
    ],
)
def test_the_input_schema_is_a_json_schema(schema: str, column: int, message: str) -> None:
    """An invalid schema is told at the value that is wrong."""
    text = f"""\
generators:
  - name: g
    provider: p
    artifact_type: image
    io:
      input_schema: {schema}
    execution: {{submit: {{path: /run}}, {EXTRACT}}}
"""
    ((where, told),) = check(PROVIDER + text)
    assert where == f"{PROVIDER.count(chr(10)) + 6}:{column}"
    assert message in told


def test_an_unknown_provider_is_not_guessed() -> None:
    """Without its provider, a generator is checked for what it says itself."""
    body = f'      {SUBMIT}\n      poll: {{path: "/${{config.x}}"}}\n      {EXTRACT}\n'
    assert check(INPUTS + body) == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("config: {}\n    auth: {kind: bearer}", "config lacks base_url"),
        ('config: {base_url: "https://p.test"}', "auth is missing"),
        ('config: {base_url: "https://p.test"}\n    auth: {kind: header}', "needs a name"),
        ('config: {base_url: "https://p.test"}\n    auth: {kind: query}', "needs a name"),
    ],
)
def test_mistakes_of_a_provider(lines: str, message: str) -> None:
    """A definition has an address and says how credentials go."""
    ((_, told),) = check(f"providers:\n  p:\n    {lines}\n")
    assert message in told


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cancel: {}", "either path or url"),
        ("check: {path: account}", "a path begins with '/'"),
        ('check: {path: "/${input.x}"}', "'input' is not known here"),
        ('catalog: {importer: cog, model: {path: "/${modle}"}}', "unknown root 'modle'"),
        ('catalog: {importer: cog, model: {path: "/${job.id}"}}', "'job' is not known here"),
        (
            'files: {upload: {init: {path: "/${upload.x}"}, capture: {x: body.x}, result: x}}',
            "'upload' is not known here",
        ),
        (
            'files: {upload: {init: {path: /x}, capture: {x: body.x}, result: "${upload.y}"}}',
            "there is no 'y'",
        ),
        (
            'files: {upload: {init: {path: /x, body: "${file.content}"}, result: x}}',
            "there is no 'content'; known: bytes, mime, name, size",
        ),
        ("files: {upload: {init: {path: /x}, capture: {x: url}, result: x}}", "none of body"),
    ],
)
def test_requests_of_a_provider(line: str, message: str) -> None:
    """Requests that belong to no generation know only what is there."""
    ((where, told),) = check(f"{PROVIDER}    {line}\n")
    assert where.startswith("6:")
    assert message in told


def test_an_instance_needs_neither_address_nor_credentials() -> None:
    """They are its definition's."""
    assert check("providers:\n  mine: {type: p, config: {api_key_env: MINE}}\n") == []


def test_a_polling_generator_needs_a_status() -> None:
    """Its own or its provider's."""
    silent = PROVIDER.replace("    status:", "    # status:")
    body = f'      {SUBMIT}\n      poll: {{path: "/${{job.id}}"}}\n      {EXTRACT}\n'
    assert check(PROVIDER + INPUTS + body) == []
    ((_, told),) = check(silent + INPUTS + body)
    assert "needs a status" in told


def test_what_is_inherited_is_checked_too() -> None:
    """A token in the provider's cancel refers to what this generator captures."""
    provider = PROVIDER + '    cancel: {method: POST, url: "${job.cancel_url}"}\n'
    ((where, told),) = check(f"{provider}{INPUTS}      {SUBMIT}\n      {EXTRACT}\n")
    assert where.startswith("6:")
    assert "there is no 'cancel_url'" in told
    headers = PROVIDER + '    headers: {X: "${input.nope}"}\n'
    ((where, told),) = check(f"{headers}{INPUTS}      {SUBMIT}\n      {EXTRACT}\n")
    assert where.startswith("6:")
    assert "there is no 'nope'" in told


def test_without_captures_a_job_is_the_whole_reply() -> None:
    """Any key of it may be there."""
    assert execution("submit: {path: /x}", 'poll: {path: "/${job.any.thing}"}', EXTRACT) == []


def test_a_job_has_what_every_variant_captures() -> None:
    """A capture of only one variant is not there for sure."""
    found = execution(
        "submit:",
        "  path: /x",
        "  variants:",
        "    - {when: {exists: input.seed}, capture: {id: body.id, url: body.url}}",
        "    - {capture: {id: body.id}}",
        'poll: {url: "${job.url}", query: {id: "${job.id}"}}',
        EXTRACT,
    )
    assert [(line, "there is no 'url'" in told) for line, told in found] == [(6, True)]
