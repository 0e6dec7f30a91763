"""Documents become specs: closed keys, kinds of values, and every mistake at its place."""

import textwrap
from typing import Any

import pytest

from boards.spec.merge import effective, instance_of
from boards.spec.model import GeneratorSpec, ProviderSpec
from boards.spec.places import Problems
from boards.spec.reader import SpecFile, read_text

SYNCHRONOUS = """
generators:
  - name: g
    provider: p
    artifact_type: image
    io: {input_schema: {type: object, properties: {prompt: {type: string}}}}
    execution:
      submit: {path: /run, json: {prompt: "${input.prompt?}"}}
      extract: {output_paths: [images]}
"""


def read(text: str) -> tuple[SpecFile, list[tuple[str, str]]]:
    """What a text defines, and its mistakes by place."""
    problems = Problems()
    file = read_text(textwrap.dedent(text), "f.yaml", problems)
    return file, [
        (one.where.removeprefix("f.yaml:"), one.message.removeprefix("error: "))
        for one in problems.errors
    ]


def provider(text: str) -> ProviderSpec:
    body = textwrap.indent(textwrap.dedent(text), "    ")
    file, mistakes = read(f"providers:\n  p:\n{body}")
    assert mistakes == []
    return file.providers["p"]


def generator(execution: str) -> GeneratorSpec:
    head, _, _ = SYNCHRONOUS.partition("    execution:")
    body = textwrap.indent(textwrap.dedent(execution), "      ")
    file, mistakes = read(f"{head}    execution:\n{body}")
    assert mistakes == []
    return file.generators[0]


def of_provider(line: str) -> list[tuple[str, str]]:
    """Mistakes of a provider that says one thing, on line 3."""
    return read(f"providers:\n  p:\n    {line}\n")[1]


# The document


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n", "generators:\n", "providers: {}\n"])
def test_an_empty_document_defines_nothing(text: str) -> None:
    """Nothing is not a mistake."""
    assert read(text) == (SpecFile(), [])


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("[1]", "1:1", "expected 'providers:' and 'generators:' at the top"),
        ("text", "1:1", "expected 'providers:' and 'generators:' at the top"),
        ("spec: 1\ngenerator: []\n", "2:1", "unknown key 'generator'; did you mean 'generators'?"),
        ("spec: 1\npipeline: {}\n", "2:1", "this file is a pipeline, where one of providers"),
        ("providers: []\n", "1:12", "providers is a mapping by name"),
        ("generators: {}\n", "1:13", "generators is a list"),
        ("generators:\n  - 5\n", "2:5", "expected a mapping, not 5"),
        ("providers:\n  p:\n", "2:5", "expected a mapping, not null"),
        ("providers:\n  a/b: {}\n", "2:3", "expected a name such as replicate, not 'a/b'"),
        ("spec: x\n", "1:7", "spec is the version of the language, an integer: 1"),
        ("spec: true\n", "1:7", "spec is the version"),
        ("spec: 1.0\n", "1:7", "spec is the version"),
        ("spec: 0\n", "1:7", "spec is the version"),
        ("spec:\n", "1:6", "spec is the version"),
        ("spec: 2\nnew: {}\n", "1:7", "written in version 2 of the language"),
    ],
)
def test_mistakes_of_a_document(text: str, where: str, message: str) -> None:
    """The top of a document is closed; a newer version says what to do."""
    file, found = read(text)
    assert file == SpecFile()
    assert (where, True) in [(place, message in told) for place, told in found]


def test_a_newer_version_says_what_to_do() -> None:
    """The remedy is an upgrade; nothing of the file is read."""
    file, mistakes = read("spec: 7\n" + SYNCHRONOUS)
    assert file == SpecFile()
    assert any("upgrade boards-core" in message for _, message in mistakes)


def test_the_version_is_optional() -> None:
    """With ``spec: 1`` and without, a file is the same."""
    assert read("spec: 1\n" + SYNCHRONOUS)[0] == read(SYNCHRONOUS)[0]


def test_a_generator_defined_twice_is_told() -> None:
    """The first one stands."""
    item = SYNCHRONOUS.partition("generators:\n")[2]
    file, mistakes = read(f"generators:\n{item}{item}")
    assert [one.id for one in file.generators] == ["p/g"]
    assert mistakes == [("9:11", "p/g is defined twice in this file")]


def test_what_can_be_read_is_read() -> None:
    """A mistake in one generator costs no other; all mistakes are told."""
    item = SYNCHRONOUS.partition("generators:\n")[2]
    broken = item.replace("name: g", "name: G").replace("image\n", "imgae\n") + "    oops: 1\n"
    other = item.replace("name: g", "name: h")
    file, mistakes = read(f"generators:\n{broken}{other}")
    assert [one.name for one in file.generators] == ["h"]
    assert [where for where, _ in mistakes] == ["2:11", "4:20", "9:5"]


# Kinds of values


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("hosts: x", 12, "expected a list, not 'x'"),
        ("hosts: [5]", 13, "expected a host such as api.acme.example"),
        ("headers: [1]", 14, "expected a mapping, not a list"),
        ("headers: {X: {a: 1}}", 18, "expected a text"),
        ("headers: {X: '${config.x'}", 18, "is not closed"),
        ("headers: {X: '{{x}}'}", 18, "'{{' is no token"),
        ("enabled: no", 14, "expected true or false, not 'no'"),
        ("enabled: 1", 14, "expected true or false, not 1"),
        ("priority: -1", 15, "expected an integer of at least 0, not -1"),
        ("priority: 1.0", 15, "expected an integer of at least 0, not 1.0"),
        ("priority: true", 15, "expected an integer of at least 0, not true"),
        ("auth: {kind: baerer}", 18, "'baerer' is not allowed here; did you mean 'bearer'?"),
        ("auth: {}", 11, "missing key 'kind'"),
        ("auth: {kind: bearer, token: x}", 26, "unknown key 'token'; known: kind, name, prefix"),
        ("retry: {base: 5}", 19, "expected a duration such as 500ms"),
        ("retry: {base: 5 s}", 19, "expected a duration"),
        ("retry: {base: 1d}", 19, "expected a duration"),
        ("retry: {base: -1s}", 19, "expected a duration"),
        ("limits: {rate: 600}", 20, "expected a rate such as 600/1m"),
        ("limits: {rate: 5/0.0s}", 20, "expected a rate such as 600/1m"),
        ("limits: {rate: 0/1s}", 20, "expected a rate"),
        ("limits: {concurrency: 0}", 27, "expected an integer of at least 1"),
        ("files: {data_uri_max: 1MiB}", 27, "expected a size such as 256KB"),
        ("files: {data_uri_max: 1000}", 27, "expected a size"),
        ("files: {accept: [url, uri]}", 27, "'uri' is not allowed here; did you mean 'url'?"),
        ("failure: {message: body..x}", 24, "is not a path"),
        ("failure: {message: [body]}", 24, "expected a path"),
        ("cancel: {method: get, path: /x}", 22, "'get' is not allowed here; known: GET, POST"),
        ("errors: [{when: {status: 400}, raise: nsfw}]", 43, "'nsfw' is not allowed here"),
        ("errors: [{raise: quota}]", 14, "missing key 'when'"),
        ("status: {at: body.s, map: {a: done}, unknown: fail}", 35, "'done' is not allowed here"),
        ("proirity: 1", 5, "unknown key 'proirity'; did you mean 'priority'?"),
    ],
)
def test_mistakes_of_values(line: str, column: int, message: str) -> None:
    """Each kind of value says what it expects, at the value."""
    assert [where for where, _ in of_provider(line)] == [f"3:{column}"]
    assert message in of_provider(line)[0][1]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10s", 10.0), ("1.5s", 1.5), ("5m", 300.0), ("24h", 86400.0)],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    """Milliseconds, seconds, minutes and hours."""
    retry = provider(f"retry: {{cap: {text}}}").retry
    assert retry is not None
    assert retry.cap == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("256KB", 256_000), ("1MB", 1_000_000), ("1.5GB", 1_500_000_000)]
)
def test_sizes_are_powers_of_ten(text: str, size: int) -> None:
    """A megabyte is a million bytes."""
    files = provider(f"files: {{data_uri_max: {text}}}").files
    assert files is not None
    assert files.data_uri_max == size


def test_rates_and_defaults() -> None:
    """600 a minute; what is not said has the language's defaults."""
    spec = provider("limits: {rate: 600/1m}\nretry: {}\ndeadline: {run: 2h}\n")
    assert spec.limits is not None
    assert spec.limits.rate == (600, 60.0)
    assert spec.retry is not None
    assert (spec.retry.max, spec.retry.base, spec.retry.cap) == (4, 0.5, 30.0)
    assert spec.deadline is not None
    assert (spec.deadline.queue, spec.deadline.run) == (1800.0, 7200.0)
    poll = generator(
        "submit: {path: /x}\npoll: {path: /y}\nextract: {output_paths: [a]}"
    ).execution.poll
    assert poll is not None
    assert (poll.every, poll.backoff, poll.max_every, poll.timeout) == (1.0, 1.5, 10.0, 60.0)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("flux-1.1-pro", True),
        ("flux-1.1-pro@2025-01", True),
        ("0a", True),
        ("Flux", False),
        ("a/b", True),
        ("a/", False),
        ("a/../b", False),
        ("a b", False),
        ("-a", False),
        ("a@", False),
        ("''", False),
        ("5", False),
    ],
)
def test_names(name: str, good: bool) -> None:
    """A name is what a command line and a path take without quotes."""
    _, mistakes = read(SYNCHRONOUS.replace("name: g", f"name: {name}"))
    assert (mistakes == []) == good


def test_fixtures_need_no_name() -> None:
    """``name`` of a test is optional."""
    test = "    tests: [{input: {prompt: a}, exchanges: [], raises: moderated}]\n"
    file, mistakes = read(SYNCHRONOUS + test)
    assert mistakes == []
    assert file.generators[0].tests[0].raises == "moderated"


def test_variants_share_the_keys_beside_them() -> None:
    """A variant's own keys win; each variant is a submit."""
    spec = generator(
        """
        submit:
          method: PUT
          path: /both
          capture: {id: body.id}
          variants:
            - {when: {exists: input.prompt}, path: /own}
            - {capture: {key: body.key}}
        extract: {output_paths: [a]}
        """
    )
    one, two = spec.execution.submit
    assert (one.method, one.path and one.path.text, list(one.capture)) == ("PUT", "/own", ["id"])
    assert (two.method, two.path and two.path.text, list(two.capture)) == ("PUT", "/both", ["key"])
    assert one.when is not None
    assert two.when is None


def test_a_mistake_in_a_shared_key_is_told_once() -> None:
    """However many variants share it."""
    _, mistakes = read(
        SYNCHRONOUS.replace(
            "submit: {path: /run, json:",
            "submit: {variants: [{when: {exists: input.prompt}}, {}], path: 5, timeot: 1s, json:",
        )
    )
    assert len(mistakes) == len(set(mistakes)) == 1


def test_a_document_may_be_read_twice_with_the_same_problems() -> None:
    """What was told before is a mistake still, and is told once."""
    text = SYNCHRONOUS.replace("    artifact_type: image\n", "").replace("path: /run", "timeout: 5")
    problems = Problems()
    assert [read_text(text, "f.yaml", problems).generators for _ in range(2)] == [(), ()]
    assert len(problems.errors) == 2


def test_specs_are_equal_wherever_they_stand() -> None:
    """Places are never compared."""
    assert read(SYNCHRONOUS)[0] == read("# moved\n\n" + SYNCHRONOUS)[0]


# A provider's defaults

POLLING = "submit: {path: /x}\npoll: {path: /y}\nextract: {output_paths: [a]}\n"
DIRECT = "submit: {path: /x}\nextract: {output_paths: [a]}\n"
DEFAULTS = """
status: {at: body.s, map: {done: succeeded}, unknown: running}
failure: {message: body.error}
cancel: {method: POST, path: /cancel}
progress: {percent: body.p}
deadline: {queue: 1m}
webhook: {verify: {kind: none}}
reconcile: {path: /jobs, each: "body[*]", where: {exists: id}}
errors: [{when: {status: 402}, raise: quota}]
"""


def test_a_generator_inherits_its_providers_defaults() -> None:
    """What it does not say is the provider's."""
    spec = provider(DEFAULTS)
    run = effective(generator(POLLING), spec)
    for name in ("status", "failure", "cancel", "progress", "deadline", "webhook", "reconcile"):
        assert getattr(run, name) == getattr(spec, name), name
        assert getattr(run, name) is not None


def test_defaults_are_replaced_whole() -> None:
    """A deadline of its own does not mix with the provider's."""
    run = effective(generator(POLLING + "deadline: {run: 5m}\nfailure: {}\n"), provider(DEFAULTS))
    assert run.deadline is not None
    assert (run.deadline.queue, run.deadline.run) == (1800.0, 300.0)
    assert run.failure is not None
    assert run.failure.message is None


def test_errors_add_up() -> None:
    """The generator's come first."""
    own = "errors: [{when: {status: 402}, raise: auth}, {when: {status: 409}, raise: expired}]\n"
    run = effective(generator(POLLING + own), provider(DEFAULTS))
    assert [rule.kind for rule in run.errors] == ["auth", "expired", "quota"]


def test_a_synchronous_generator_inherits_no_status_and_no_webhook() -> None:
    """Its submit reply is the result; a status of its own counts."""
    run = effective(generator(DIRECT), provider(DEFAULTS))
    assert run.synchronous
    assert (run.status, run.webhook) == (None, None)
    assert run.failure is not None
    assert [rule.kind for rule in run.errors] == ["quota"]
    own = "status: {rules: [{when: {status: 200}, is: succeeded}], else: failed}\n"
    assert effective(generator(DIRECT + own), provider(DEFAULTS)).status is not None


def test_an_instance_lays_itself_over_its_definition() -> None:
    """Config, headers and secrets merge, hosts and errors add up, the rest is replaced if said."""
    definition = provider(
        DEFAULTS
        + """
        config: {base_url: "https://a.test", api_key_env: A}
        headers: {X: a, Y: a}
        hosts: [h.test]
        auth: {kind: bearer}
        priority: 5
        """.replace("        ", "")
    )
    instance = provider(
        "type: other\nconfig: {api_key_env: B}\nheaders: {X: b}\nhosts: [i.test]\n"
        "errors: [{when: {status: 409}, raise: expired}]\ndeadline: {run: 1m}\n"
    )
    both = instance_of(definition, instance)
    assert both.config == {"base_url": "https://a.test", "api_key_env": "B"}
    assert {name: value.text for name, value in both.headers.items()} == {"X": "b", "Y": "a"}
    assert both.hosts == ("h.test", "i.test")
    assert [rule.kind for rule in both.errors] == ["expired", "quota"]
    assert (both.type, both.priority, both.auth) == ("rest", 5, definition.auth)
    assert both.deadline == instance.deadline
    assert both.status == definition.status


def test_many_mistakes_are_told_quickly() -> None:
    """A file that is wrong throughout is told in time that grows with its size."""
    file, mistakes = read("generators:\n" + "- {}\n" * 5000)
    assert file.generators == ()
    assert len(mistakes) == 25_000


def test_messages_are_bounded() -> None:
    """A long value is shown in short."""
    long: Any = "x" * 5000
    assert all(len(message) < 200 for _, message in of_provider(f"enabled: {long}"))
