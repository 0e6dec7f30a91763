"""The specs that ship: read and checked without a mistake, complete, and alike across providers."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from boards.artifacts import ARTIFACT_TYPES
from boards.spec.check import check_generator, check_provider
from boards.spec.compile import CompiledGenerator
from boards.spec.inputs import InputSchema
from boards.spec.model import Fixture, GeneratorSpec, ProviderSpec
from boards.spec.places import Problems
from boards.spec.reader import read_text

PACKAGES = {"replicate": "boards_replicate", "fal": "boards_fal", "openai": "boards_openai"}
BOTH = ("replicate", "fal")
"""Hosts of the models of many makers, and so of the same ones."""
SHARED = (
    "flux-1.1-pro",
    "flux-1.1-pro-ultra",
    "flux-dev",
    "flux-kontext-pro",
    "flux-schnell",
    "imagen-4",
    "kling-v2.1-master",
    "minimax-video-01",
    "nano-banana",
    "seedance-1-pro",
    "seedream-4",
    "trellis",
    "veo-3",
    "whisper",
)
"""Models that both providers offer: a caller may change the provider and nothing else."""


def texts(package: str) -> Iterator[tuple[str, str]]:
    """The documents of an installed package."""
    for file in sorted(files(package).joinpath("specs").iterdir(), key=lambda one: one.name):
        if file.name.endswith(".yaml"):
            yield f"{package}/specs/{file.name}", file.read_text("utf-8")


def read_all() -> tuple[dict[str, ProviderSpec], dict[str, GeneratorSpec], Problems]:
    problems = Problems()
    providers: dict[str, ProviderSpec] = {}
    generators: dict[str, GeneratorSpec] = {}
    for package in PACKAGES.values():
        for name, text in texts(package):
            file = read_text(text, name, problems)
            providers |= file.providers
            generators |= {spec.id: spec for spec in file.generators}
    return providers, generators, problems


PROVIDERS, GENERATORS, READING = read_all()
each_generator = pytest.mark.parametrize("spec", GENERATORS.values(), ids=GENERATORS.keys())
each_provider = pytest.mark.parametrize("name", PACKAGES)


def of(provider: str) -> dict[str, GeneratorSpec]:
    return {spec.name: spec for spec in GENERATORS.values() if spec.provider == provider}


def test_every_document_reads_without_a_mistake() -> None:
    """No error and no warning in any file of any plugin."""
    assert [str(problem) for problem in READING.errors + READING.warnings] == []
    assert set(PROVIDERS) == set(PACKAGES)


@each_provider
def test_every_provider_checks_and_says_how_to_begin(name: str) -> None:
    """A provider is described, documented, and tells how to get a key."""
    problems = Problems()
    provider = PROVIDERS[name]
    check_provider(name, provider, problems)
    assert [str(problem) for problem in problems.errors + problems.warnings] == []
    assert provider.display_name
    assert provider.description.endswith(".")
    assert provider.docs.startswith("https://")
    assert str(provider.config["api_key_env"]) in provider.setup
    assert provider.default_generator in of(name)
    assert provider.check is not None
    assert provider.check.method == "GET"


@each_provider
def test_a_package_is_data_and_typed(name: str) -> None:
    """Specs and ``py.typed`` are in the package; nothing of it needs to be imported."""
    package = files(PACKAGES[name])
    assert package.joinpath("py.typed").is_file()
    assert len(list(texts(PACKAGES[name]))) >= 5
    assert {one.name for one in package.iterdir() if one.name.endswith(".py")} == {"__init__.py"}


@each_generator
def test_every_generator_checks_and_compiles(spec: GeneratorSpec) -> None:
    """Together with its provider, without an error or a warning."""
    problems = Problems()
    provider = PROVIDERS[spec.provider]
    check_generator(spec, provider, problems)
    assert [str(problem) for problem in problems.errors + problems.warnings] == []
    assert CompiledGenerator(spec, spec.provider, provider).id == spec.id


@each_generator
def test_every_generator_is_described(spec: GeneratorSpec) -> None:
    """Names, documentation, and a description and a type of every input."""
    assert spec.display_name
    assert spec.description.endswith(".")
    assert spec.docs.startswith("https://")
    assert spec.tags
    properties = InputSchema(spec.io.input_schema).properties
    assert properties
    for name, schema in properties.items():
        assert str(schema.get("description", "")).endswith("."), name
        assert {"type", "enum", "anyOf"} & set(schema), name


@each_generator
def test_every_default_fits_its_schema(spec: GeneratorSpec) -> None:
    """A default that its own schema refuses would refuse every call."""
    schema = InputSchema(spec.io.input_schema)
    wrong = [one for one in schema.problems(schema.complete({})) if one.where in schema.defaults]
    assert wrong == []


@each_generator
def test_every_generator_has_a_success_and_a_failure(spec: GeneratorSpec) -> None:
    """The fixtures show what comes of it, and how it fails; their inputs fit the schema."""
    assert any(test.outputs for test in spec.tests)
    assert any(test.raises for test in spec.tests)
    names = [test.name for test in spec.tests]
    assert all(names)
    assert len(names) == len(set(names))
    schema = InputSchema(spec.io.input_schema)
    for test in spec.tests:
        assert schema.problems(schema.complete(test.input)) == [], test.name
        assert test.exchanges, test.name


@each_generator
def test_every_price_has_a_source(spec: GeneratorSpec) -> None:
    """A price says where it was read, and when."""
    if spec.cost is not None and spec.cost.usd is not None:
        assert spec.cost.usd > 0
        assert spec.cost.source.startswith("https://")


@pytest.mark.parametrize("runs", [1, 2, 6])
@pytest.mark.parametrize("series", range(1, 7))
def test_a_series_is_estimated_whole(runs: int, series: int) -> None:
    """Seedream may make all images of its series in each run: a budget counts with them."""
    spec = GENERATORS["fal/seedream-4"]
    compiled = CompiledGenerator(spec, "fal", PROVIDERS["fal"])
    given = {"prompt": "a fox", "num_images": runs, "max_images": series}
    found = compiled.estimate({"input": compiled.inputs.complete(given), "config": {}, "run": {}})
    assert found is not None
    assert found == (pytest.approx(0.03 * runs * series), "image", runs * series)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateways_word_about_a_submit_to_fal_is_none(status: int) -> None:
    """Whether it was accepted nobody knows; of a job that was, the same words are the last."""
    refusal = CompiledGenerator(of("fal")["flux-dev"], "fal", PROVIDERS["fal"]).refusal
    body = {"detail": "Runner disconnected", "error_type": "runner_disconnected"}
    reply = {"status": status, "header": {}, "body": body}
    submitted = refusal({**reply, "scope": {"run": {}}})
    ended = refusal({**reply, "scope": {"run": {}, "job": {"id": "764cabcf"}}})
    assert submitted is not None
    assert ended is not None
    assert (submitted.declared, ended.declared, ended.kind) == (False, True, "provider")


def found(
    provider: str,
    name: str,
    job: dict[str, Any],
    /,
    *,
    webhook_url: str | None = None,
    **given: Any,
) -> bool:
    """Whether a listed job is taken for the one whose submit was lost."""
    compiled = CompiledGenerator(of(provider)[name], provider, PROVIDERS[provider])
    assert compiled.reconcile is not None
    complete = compiled.inputs.complete(given)
    run = {"id": "gen-1"} if webhook_url is None else {"id": "gen-1", "webhook_url": webhook_url}
    scope = compiled.with_lets({"input": complete, "config": {}, "run": run})
    listed = "results" if provider == "replicate" else "data"
    page = {"status": 200, "header": {}, "body": {listed: [{"id": "j1", **job}]}}
    return bool(compiled.reconcile.matches(page, scope))


KLING = {"prompt": "it moves", "duration": 5, "aspect_ratio": "16:9"}
PLAYED = {"model": "kwaivgi/kling-v2.1-master", "input": KLING}
OURS = "https://host.example/hook/gen-1/t"
OTHERS = "https://host.example/hook/gen-2/t"
IMAGE = "https://example.com/a.png"


@pytest.mark.parametrize(
    ("job", "given", "is_it"),
    [
        (PLAYED, {}, True),
        ({**PLAYED, "webhook": None}, {}, True),
        (PLAYED, {"webhook_url": OURS}, False),
        ({**PLAYED, "webhook": OURS}, {"webhook_url": OURS}, True),
        ({**PLAYED, "webhook": OURS}, {}, True),
        ({**PLAYED, "webhook": OTHERS}, {}, False),
        ({**PLAYED, "webhook": OTHERS}, {"webhook_url": OURS}, False),
        (
            {
                **PLAYED,
                "input": {**KLING, "start_image": "https://files.example/b"},
                "webhook": OURS,
            },
            {"webhook_url": OURS, "image": IMAGE},
            True,
        ),
        ({**PLAYED, "model": "kwaivgi/kling-v2.1"}, {}, False),
        (PLAYED, {"duration": 10}, False),
        (PLAYED, {"negative_prompt": "blur"}, False),
        (PLAYED, {"image": IMAGE}, False),
        ({**PLAYED, "input": {**KLING, "start_image": IMAGE}}, {"image": IMAGE}, False),
        ({**PLAYED, "input": {**KLING, "start_image": IMAGE}}, {}, False),
    ],
)
def test_a_lost_video_is_found_by_its_whole_input(
    job: dict[str, Any], given: dict[str, Any], is_it: bool
) -> None:
    """One prompt is asked for with many images, lengths and by many hosts of one account.

    Where our host has a public address, our job carries it, and none without it is ours.
    """
    assert found("replicate", "kling-v2.1-master", job, prompt="it moves", **given) is is_it


ASKED = [
    pytest.param(spec, test, id=f"{spec.name}: {test.name}")
    for spec in of("replicate").values()
    for test in spec.tests
    if spec.name != "sdxl-training" and test.exchanges[0].expect.get("json")
]
"""Fixtures that say what is sent."""


@pytest.mark.parametrize(("spec", "test"), ASKED)
def test_what_is_sent_to_replicate_is_what_a_lost_prediction_is_known_by(
    spec: GeneratorSpec, test: Fixture
) -> None:
    """Of each generator, unless a file goes with it: then it is known by its webhook alone."""
    model = spec.docs.removeprefix("https://replicate.com/").removesuffix("/api")
    listed = {"model": model, "version": "hidden", **test.exchanges[0].expect["json"]}
    files = InputSchema(spec.io.input_schema).files
    with_file = any(one.name in test.input for one in files)
    assert found("replicate", spec.name, listed, **test.input) is not with_file
    assert found("replicate", spec.name, {**listed, "webhook": OURS}, **test.input)
    assert not found("replicate", spec.name, {**listed, "webhook": OTHERS}, **test.input)
    other = {**listed, "input": {**listed["input"], "seed": 123456789}}
    assert not found("replicate", spec.name, other, **test.input)
    elsewhere = {**listed, "model": "acme/other", "version": "0" * 64}
    assert not found("replicate", spec.name, elsewhere, **test.input)


SORA = {
    "prompt": "it moves",
    "status": "queued",
    "model": "sora-2",
    "seconds": "4",
    "size": "720x1280",
}
REMIX = {**SORA, "remixed_from_video_id": "video_1"}


@pytest.mark.parametrize(
    ("name", "job", "given", "is_it"),
    [
        ("sora-2", SORA, {}, True),
        ("sora-2", {**SORA, "status": "completed"}, {}, False),
        ("sora-2", SORA, {"duration": 8}, False),
        ("sora-2", SORA, {"aspect_ratio": "16:9"}, False),
        ("sora-2", SORA, {"image": "https://example.com/a.png"}, False),
        ("sora-2-pro", SORA, {}, False),
        ("sora-2-pro", {**SORA, "model": "sora-2-pro"}, {}, True),
        ("sora-2-pro", {**SORA, "model": "sora-2-pro"}, {"resolution": "1024p"}, False),
        ("sora-2-remix", REMIX, {"video_id": "video_1"}, True),
        ("sora-2-remix", REMIX, {"video_id": "video_2"}, False),
        ("sora-2-remix", SORA, {"video_id": "video_2"}, False),
    ],
)
def test_a_lost_video_of_openai_is_found_by_all_that_its_list_tells(
    name: str, job: dict[str, Any], given: dict[str, Any], is_it: bool
) -> None:
    """Of what it does not tell, an image, nothing is guessed."""
    assert found("openai", name, job, prompt="it moves", **given) is is_it


@each_provider
def test_every_kind_of_artifact_is_offered(name: str) -> None:
    """Models too where they have them; ``intermediate`` is for pipelines."""
    made = {spec.artifact_type for spec in of(name).values()}
    assert made == set(ARTIFACT_TYPES) - {"intermediate", *(() if name in BOTH else ("model",))}


def test_a_name_of_openai_is_nobody_elses() -> None:
    """Its models are its own: a short name leads nowhere else, whatever is installed."""
    others = {spec.name for spec in GENERATORS.values() if spec.provider != "openai"}
    assert others.isdisjoint(of("openai"))


def test_what_openai_generates_has_a_price() -> None:
    """Before, or told by the reply; of a transcript in plain text nobody knows the length."""
    unpriced = {name for name, spec in of("openai").items() if spec.cost is None}
    assert unpriced == {"whisper-1"}


def test_the_shared_names_are_those_of_both() -> None:
    """What one provider names as the other does is the same model."""
    assert set(of("replicate")) & set(of("fal")) == set(SHARED)


def bare(schema: Any) -> Any:
    """A schema without its words."""
    if isinstance(schema, dict):
        return {key: bare(one) for key, one in schema.items() if key != "description"}
    return schema


@pytest.mark.parametrize("name", SHARED)
def test_shared_inputs_have_equal_schemas(name: str) -> None:
    """An input that both providers take under one name takes the same values at both."""
    one, other = (InputSchema(of(provider)[name].io.input_schema) for provider in BOTH)
    shared = set(one.properties) & set(other.properties)
    assert shared
    assert one.required == other.required
    assert one.required <= shared
    for field in shared:
        assert bare(one.properties[field]) == bare(other.properties[field]), field


@pytest.mark.parametrize("name", SHARED)
def test_shared_generators_make_the_same(name: str) -> None:
    """The kind of artifact does not depend on the provider."""
    one, other = (of(provider)[name] for provider in BOTH)
    assert one.artifact_type == other.artifact_type
