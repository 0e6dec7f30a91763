"""The documentation is true: its Python runs, its YAML checks, and it leaves nothing out."""

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click
import pytest
import sybil
from sybil.example import Example
from sybil.parsers.markdown import CodeBlockParser

import boards
from boards import hookspecs
from boards.cli.app import COMMANDS
from boards.cli.app import boards as boards_group
from boards.documents import read_specs
from boards.generations import PHASES
from boards.pipelines import PipelineSpec, Step
from boards.registry import Registry
from boards.settings import load
from boards.spec import model, yaml
from boards.spec.grammar import keys_of
from boards.spec.model import Execution, GeneratorSpec, ProviderSpec
from boards.spec.places import Problems, plain
from boards.testing.emulators.fal import FalEmulator
from boards.testing.emulators.replicate import ReplicateEmulator
from boards.testing.emulators.server import Knobs, running
from boards.testing.fixtures import run_fixtures
from tests.consoles import RUN, Console

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FIRST = ("quickstart.md", "tutorial.md")
"""Pages of ``docs`` that always run, as those beside it do: what a newcomer does first."""
ALL = "BOARDS_DOCS"
"""The variable that has every page run; set by ``nox -s docs``."""

PAGES = [
    ROOT / "README.md",
    *ROOT.glob("ADDING_*.md"),
    ROOT / "core" / "README.md",
    *ROOT.glob("plugins/*/README.md"),
    *DOCS.rglob("*.md"),
]
MODELS = [
    one for one in vars(model).values() if isinstance(one, type) and attrs.has(one) and keys_of(one)
]
HOOKS = [name for name in hookspecs.__all__ if name.startswith("boards_")]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def provider_files(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Path, dict[str, str]]]:
    """A providers.yaml that leads to emulators, and their keys."""
    knobs = Knobs(queue_seconds=0.02, run_seconds=0.05)
    with running(ReplicateEmulator(knobs)) as replicate, running(FalEmulator(knobs)) as fal:
        providers: dict[str, dict[str, Any]] = {
            "replicate": {"config": {"base_url": f"{replicate.base_url}/v1"}},
            "fal": {
                "config": {
                    "base_url": fal.run_url,
                    "queue_url": fal.queue_url,
                    "rest_url": fal.rest_url,
                    "site_url": fal.base_url,
                }
            },
        }
        for name, provider in providers.items():
            provider["type"] = name
        path = tmp_path_factory.mktemp("emulators") / "providers.yaml"
        path.write_text(json.dumps({"providers": providers}))
        yield path, {**replicate.env, **fal.env}


@pytest.fixture
def home(
    provider_files: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A home directory and a working directory of the page's own; providers are emulated."""
    path, keys = provider_files
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BOARDS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BOARDS_PROVIDERS_CONFIG_PATH", str(path))
    monkeypatch.setenv("BOARDS_ALLOW_PRIVATE_HOSTS", "1")
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.syspath_prepend(str(tmp_path / "work"))
    return tmp_path / "home"


class Reader:
    """Goes through a page's code blocks in order; they share one namespace and one event loop."""

    def __init__(self, home: Path, runner: asyncio.Runner, console: Console) -> None:
        self.home = home
        self.runner = runner
        self.files = console
        self.printed: str | None = None
        self.base: dict[str, Any] | None = None

    def python(self, example: Example) -> None:
        """Run a block; ``await`` may stand at its top level, as in ``python -m asyncio``."""
        if self.files.write(example):
            return
        source = "\n" * (example.line + example.parsed.line_offset) + example.parsed
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(source, example.path, "exec", flags=flags, dont_inherit=True)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            result = eval(code, example.namespace)
            if inspect.iscoroutine(result):
                self.runner.run(result)
        self.printed = printed.getvalue()

    def text(self, example: Example) -> None:
        """A text after a block of Python is what that prints."""
        assert self.printed is not None, "no Python before it"
        assert self.printed == str(example.parsed), example.path

    def toml(self, example: Example) -> None:
        """TOML is TOML; it may be a file's, as YAML may."""
        if not self.files.write(example):
            tomllib.loads(str(example.parsed))

    def json(self, example: Example) -> None:
        """JSON is JSON."""
        for document in re.split(r"\n(?=[{\[])", str(example.parsed).strip()):
            json.loads(document)

    def yaml(self, example: Example) -> None:
        """A whole document checks; keys of a generator check within the page's first generator."""
        text = str(example.parsed)
        if self.files.write(example):  # its console checks it
            if re.search("^generators:$", text, re.MULTILINE):
                whole = yaml.parse(text, example.path, Problems())
                assert whole is not None
                self.base = self.base or plain(whole.root)
            return
        problems = Problems()
        document = yaml.parse(text, f"{example.path}:{example.line}", problems)
        assert document is not None, problems.errors
        found = plain(document.root)
        if found.keys() & {"providers", "generators", "spec"}:
            self.base = self.base or found
        else:
            assert self.base is not None, "the page has no whole generator before it"
            text = json.dumps(_within(self.base, found))
        path = self.home / "checked.yaml"
        path.write_text(text)
        generators = _check(path, self.home)
        fixtures = run_fixtures(generators, providers_config_path=path)
        assert not [one for one in self.runner.run(fixtures) if one.problems]
        if text.startswith("# generators.yaml\n"):  # the page goes on as if it were in the home
            (self.home / "generators.yaml").write_text(text)


def _within(base: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    """A document in which some keys of its generator, or of its provider, are others."""
    whole = json.loads(json.dumps(base))
    generator = whole["generators"][0]
    provider: dict[str, Any] = next(iter(whole.get("providers", {}).values()), {})
    for name, value in keys.items():
        if name in keys_of(Execution):
            generator["execution"][name] = value
        elif name in keys_of(GeneratorSpec):
            generator[name] = value
        elif name in keys_of(ProviderSpec):
            provider[name] = value
        else:
            raise AssertionError(f"{name} is a key of nothing")
    return dict(whole)


def _check(path: Path, home: Path) -> list[str]:
    """No mistake in a file of the host, nor in what it makes of what is installed.

    Returns:
        The ids of its generators.
    """
    registry = Registry(load(home=home, providers_config_path=path, environment={}))
    assert not registry.problems(), "\n".join(map(str, registry.problems()))
    problems = Problems()
    document = yaml.parse(path.read_text(), path.name, problems)
    assert document is not None
    read = read_specs(document, problems, host=True)
    for provider in registry.providers():
        assert provider.fault is None, provider.fault
        assert provider.spec
    ids = [generator.id for generator in read.file.generators]
    for generator_id in ids:
        registry.compiled(generator_id)
    return ids


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_examples_of_a_page_are_true(
    page: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python runs in order and prints what the page says; YAML and JSON have no mistake."""
    if page.is_relative_to(DOCS) and page.name not in FIRST and ALL not in os.environ:
        pytest.skip("all pages take a minute: nox -s docs runs it")
    console = Console(monkeypatch)
    with asyncio.Runner() as runner, contextlib.closing(console):
        reader = Reader(home, runner, console)
        parsers = [
            CodeBlockParser(language=language, evaluator=getattr(reader, language))
            for language in ("python", "text", "json", "toml", "yaml")
        ]
        if RUN in page.read_text():
            for name in ("REPLICATE_API_TOKEN", "FAL_KEY", "BOARDS_PROVIDERS_CONFIG_PATH"):
                monkeypatch.delenv(name)
            monkeypatch.delenv("BOARDS_ALLOW_PRIVATE_HOSTS")
            parsers.append(CodeBlockParser(language="console", evaluator=console.evaluate))
        book = sybil.Sybil(parsers=parsers, path=str(page.parent), patterns=[page.name])
        document = book.parse(page)
        document.namespace["__name__"] = "page"
        for example in document.examples():
            example.evaluate()


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_in_the_reference(hook: str) -> None:
    """The page is made of the docstrings; ``test_hook_examples`` runs the examples in them."""
    page = (DOCS / "authors" / "hooks.md").read_text()
    assert re.search(r"^\.\. automodule:: boards\.hookspecs\n   :members:$", page, re.MULTILINE)
    assert f"`{hook}`" in page
    assert inspect.getdoc(getattr(hookspecs, hook))


@pytest.mark.parametrize("name", boards.__all__)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    """What `import boards` offers has a docstring, and its place in the reference."""
    assert inspect.getdoc(getattr(boards, name))
    reference = (DOCS / "python-api.md").read_text()
    assert re.search(rf"^\.\. auto\w+:: boards\.{name}$", reference, re.MULTILINE)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_of_the_language_is_told(model: type) -> None:
    """The pages on the language name every key that a specification may have."""
    pages = [DOCS / "language.md", *DOCS.glob("language/*.md")]
    text = "\n".join(page.read_text() for page in pages)
    assert [name for name in keys_of(model) if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("model", [PipelineSpec, Step], ids=lambda model: model.__name__)
def test_every_key_of_a_pipeline_is_in_a_table(model: type) -> None:
    """The page on pipelines has a row for each key, and for no others."""
    text = (DOCS / "pipelines.md").read_text()
    what = "a step" if model is Step else "`pipeline`"
    table = text.partition(f"| key of {what} |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(keys_of(model))


def test_every_setting_is_in_the_table() -> None:
    """The table of settings has the variables that are read, and no others."""
    source = inspect.getsource(sys.modules["boards.settings"])
    read = set(re.findall(r'"(BOARDS_\w+)"', source))
    table = (DOCS / "settings.md").read_text()
    told = set(re.findall(r"^\| `(BOARDS_\w+)` \|", table, re.MULTILINE))
    assert told == read


def test_every_command_has_a_section() -> None:
    """The page on the command line has a section for each command, and for no others."""
    text = (DOCS / "command-line.md").read_text()
    assert set(re.findall(r"^### `boards ([\w-]+)`$", text, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_shown_commands_exist(page: Path) -> None:
    """Every command line that a page shows has a command, and options, that there are."""
    for line in re.findall(r"^\$ boards (.+)$", page.read_text(), re.MULTILINE):
        name, *arguments = shlex.split(line, comments=True)
        context = click.Context(boards_group)
        command = boards_group.get_command(context, name)
        assert command is not None, line
        if isinstance(command, click.Group) and arguments and arguments[0][0] != "-":
            command = command.get_command(context, arguments[0])
            assert command is not None, line
        known = {one for param in command.params for one in param.opts}
        options = {one.partition("=")[0] for one in arguments if one.startswith("--")}
        assert options <= known, line


def test_every_command_of_a_group_has_a_section() -> None:
    """So have the commands below ``boards plugins``, each with all of its options."""
    text = (DOCS / "command-line.md").read_text()
    everywhere = {"--home", "--json", "--strict"}
    for name in COMMANDS:
        group = boards_group.get_command(click.Context(boards_group), name)
        for command in group.commands.values() if isinstance(group, click.Group) else ():
            section = re.search(
                rf"^#### `boards {name} {command.name}`$(.*?)(?=^##|\Z)",
                text,
                re.MULTILINE | re.DOTALL,
            )
            assert section, command.name
            options = {one for param in command.params for one in param.opts if one[:2] == "--"}
            assert [one for one in options - everywhere if one not in section[1]] == []


def test_every_phase_is_explained() -> None:
    """The page on the engine has a row for each state."""
    told = re.findall(r"^\| `(\w+)` \|", (DOCS / "engine.md").read_text(), re.MULTILINE)
    assert set(PHASES) <= set(told)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link is to a file that exists."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target
