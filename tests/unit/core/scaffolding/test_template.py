"""The template of plugins: which answers it refuses, and what it makes of the others."""

import compileall
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from boards.scaffolding import Template, template_directory
from boards.spec.check import check_documents
from boards.spec.places import Problems
from boards.spec.yaml import load, parse
from boards.testing.fixtures import run_fixtures

ROOT = Path(__file__).parents[4]
ALL = "declarative,python,storage,auth"
KINDS = ["declarative", "python", "storage", "auth", "storage,auth", ALL]


@pytest.fixture(scope="module")
def template() -> Template:
    """The template, as the package finds it."""
    return Template()


def rendered(template: Template, **given: str) -> dict[str, str]:
    """The files of a plugin with these answers."""
    answers = template.complete(given)
    assert template.problems(answers) == {}
    return template.render(answers)


def test_the_template_is_the_one_that_cookiecutter_uses() -> None:
    """There is one: the package's is put there when its wheel is built."""
    assert template_directory() in {
        ROOT / "cookiecutter-plugin",
        Path(sys.modules["boards.scaffolding"].__path__[0]) / "cookiecutter-plugin",
    }


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("distribution", ["boards-acme", "acme", "Boards_Acme.2", "a"]),
        ("module", ["boards_acme", "acme2"]),
        ("provider", ["acme", "acme-2", "acme.eu", "a_b"]),
        ("kinds", ["declarative", "storage, auth", "python+storage"]),
        ("base_url", ["https://api.acme.example", "http://127.0.0.1:8000/v1", "https://[::1]:80"]),
        ("endpoint", ["/images", "/v1/images/flux-1.1"]),
        ("author", ["Ann", "O'Neil & Söhne, Ltd."]),
    ],
)
def test_right_answers_are_taken(template: Template, name: str, values: list[str]) -> None:
    """Whatever builds is right."""
    assert [template.problems({name: value}) for value in values] == [{}] * len(values)


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("distribution", ["", "-acme", "acme-", "ac me", "acme/x", "../x"], "no name of a distri"),
        ("distribution", ["boards", "Boards_Core"], "is taken"),
        ("module", ["", "boards-acme", "2acme", "Acme", "class", "ac me"], "no name of a Python"),
        ("module", ["boards", "json", "tests"], "would hide another package"),
        ("provider", ["", "Acme", "-a", "a--b", "2a", "a b", "a/b", "a'b"], "no name of a prov"),
        ("kinds", ["", " , "], "a plugin is of some kind"),
        ("kinds", ["declarativ", "storage,stores"], "there is no kind"),
        (
            "base_url",
            ["", "acme.example", "ftp://a.b", "https://a b", "https://u:p@a.b"],
            "no base",
        ),
        ("base_url", ["https://a.b/v1?x=1", "https://a.b/#x", 'https://a.b/"'], "no base URL"),
        ("base_url", ["https://:80", "https://a.b:99999", "https://[::1"], "no host, or a port"),
        ("base_url", ["https://a.b/v1/"], "ends with /"),
        ("auth", ["", "oauth"], "is none of bearer"),
        ("endpoint", ["", "images", "/", "/images/", "/a b", "/a//b", "/${x}"], "no path of an"),
        ("license", ["", "mit"], "is none of MIT"),
        ("author", ["", "  ", "a\nb", 'Ann "A"', "a\\b"], "no name of an author"),
    ],
)
def test_wrong_answers_are_refused(
    template: Template, name: str, values: list[str], told: str
) -> None:
    """Each with what is wrong, and what is right."""
    for value in values:
        problems = template.problems({name: value})
        assert list(problems) == [name], value
        assert told in problems[name], value


def test_the_default_answers_are_right(template: Template) -> None:
    """Whoever only says yes gets a plugin."""
    answers = template.complete({})
    assert template.problems(answers) == {}
    assert answers["distribution"] == "boards-acme"
    assert answers["provider"] == "acme"


def test_answers_follow_from_each_other(template: Template) -> None:
    """The distribution's name says what the others are."""
    answers = template.complete({"distribution": "boards-pix.el-art"})
    assert answers["module"] == "boards_pix_el_art"
    assert answers["provider"] == "pix.el-art"
    assert answers["base_url"] == "https://api.pix-el-art.example/v1"
    assert (answers["__class"], answers["__variable"]) == ("PixElArt", "PIX_EL_ART")


def test_the_bounds_are_of_this_version(template: Template) -> None:
    """A plugin that is made now works with the core that it was made with."""
    project = tomllib.loads((ROOT / "core" / "pyproject.toml").read_text())["project"]
    major, minor = project["version"].split(".")[:2]
    assert major == "0"
    files = rendered(template)
    made = tomllib.loads(files["pyproject.toml"])["project"]
    assert made["dependencies"] == [f"boards-core>=0.{minor},<0.{int(minor) + 1}"]
    assert made["requires-python"] == project["requires-python"]


@pytest.mark.parametrize("kinds", KINDS)
def test_each_kind_has_its_files(template: Template, kinds: str) -> None:
    """And no others; what is TOML, YAML and Python reads as that."""
    files = rendered(template, kinds=kinds)
    specs = "declarative" in kinds or "python" in kinds
    assert ("src/boards_acme/specs/acme.yaml" in files) is specs
    assert ("tests/test_provider.py" in files) is specs
    assert ("src/boards_acme/adapter.py" in files) is ("python" in kinds)
    for kind, module in (("storage", "storage"), ("auth", "tokens")):
        assert (f"src/boards_acme/{module}.py" in files) is (kind in kinds)
        assert (f"tests/test_{kind}.py" in files) is (kind in kinds)
    groups = tomllib.loads(files["pyproject.toml"])["project"]["entry-points"]
    assert ("boards.specs" in groups) is specs
    assert ("boards.plugins" in groups) is ("src/boards_acme/plugin.py" in files)
    for name, text in files.items():
        if name.endswith(".py"):
            compile(text, name, "exec")
        elif name.endswith((".yaml", ".yml")):
            assert yaml.safe_load(text)


def test_a_name_with_a_dot_is_one_key(template: Template) -> None:
    """TOML would take it for two."""
    files = rendered(template, provider="acme.eu", kinds="declarative,auth")
    groups = tomllib.loads(files["pyproject.toml"])["project"]["entry-points"]
    assert [list(group) for group in groups.values()] == [["acme.eu"], ["acme.eu"]]


@pytest.mark.parametrize("kinds", KINDS)
def test_nothing_of_the_template_is_left(template: Template, kinds: str) -> None:
    """What is not an expression of GitHub's is rendered, and every file ends with its line."""
    for name, text in rendered(template, kinds=kinds).items():
        assert "cookiecutter" not in text + name
        assert not re.search(r"\{%|%\}|(?<!\$)\{\{", text), name
        assert text == "" or (text.endswith("\n") and not text.endswith("\n\n")), name
        assert not text.startswith("\n"), name
        assert "\n\n\n\n" not in text, name
        assert [line for line in text.splitlines() if line != line.rstrip()] == [], name


@pytest.mark.parametrize("license_", ["MIT", "Apache-2.0", "BSD-3-Clause", "Proprietary"])
def test_the_licence_is_the_chosen_one(template: Template, license_: str) -> None:
    """In words and in the metadata, with the holder's name."""
    files = rendered(template, license=license_, author="Ann O'Neil")
    words = {
        "MIT": "MIT License",
        "Apache-2.0": "Apache License",
        "BSD-3-Clause": "Neither the name of the copyright holder",
        "Proprietary": "All rights reserved",
    }
    assert [one for one, text in words.items() if text in files["LICENSE"]] == [license_]
    assert "Ann O'Neil" in files["LICENSE"]
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["license"].removeprefix("LicenseRef-") == license_
    assert project["authors"] == [{"name": "Ann O'Neil"}]


@pytest.mark.parametrize("kinds", ["declarative", "python"])
@pytest.mark.parametrize("auth", ["bearer", "header", "query", "basic", "none"])
async def test_the_specification_is_right(
    template: Template, tmp_path: Path, kinds: str, auth: str
) -> None:
    """With each way to take a key, and with names of any form: no mistake and no warning."""
    given = {"distribution": "My.Plug_in", "provider": "p2.x-y", "module": "m", "kinds": kinds}
    path = tmp_path / "made.yaml"
    path.write_text(rendered(template, auth=auth, **given)["src/m/specs/p2.x-y.yaml"])
    problems = Problems()
    document = parse(load(path), str(path), problems)
    assert document is not None
    check_documents([document], problems, lambda _: None)
    assert [*problems.errors, *problems.warnings] == []
    if kinds == "declarative":
        results = await run_fixtures(["p2.x-y/images"], generators=[path])
        assert len(results) == 5
        assert [one.problems for one in results if one.problems] == []


@pytest.mark.parametrize("kinds", KINDS)
def test_cookiecutter_makes_the_same_files(template: Template, tmp_path: Path, kinds: str) -> None:
    """Two ways in, one template."""
    from cookiecutter.main import cookiecutter

    settings = tmp_path / "settings.yaml"
    places = {name: str(tmp_path / name) for name in ("cookiecutters_dir", "replay_dir")}
    settings.write_text(json.dumps(places))
    given = {
        "distribution": "boards-other", "kinds": kinds, "auth": "header", "license": "Apache-2.0"
    }  # fmt: skip
    made = cookiecutter(
        str(template.directory), no_input=True, extra_context=given,
        output_dir=str(tmp_path / "made"), config_file=str(settings),
    )  # fmt: skip
    found = {
        path.relative_to(made).as_posix(): path.read_bytes().decode()
        for path in Path(made).rglob("*")
        if path.is_file()
    }
    assert found == rendered(template, **given)


def test_cookiecutter_refuses_wrong_answers(template: Template, tmp_path: Path) -> None:
    """With the same words, and it leaves nothing behind."""
    hook = (template.directory / "hooks" / "pre_gen_project.py").read_text()
    answers = json.dumps({"provider": "A B", "author": 'x"""y'})
    ran = subprocess.run(
        [sys.executable, "-c", hook.replace("{{ cookiecutter | jsonify }}", answers)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 1
    assert ran.stderr.startswith("provider: 'A B' is no name of a provider")
    assert "author: " in ran.stderr


def test_the_workflow_publishes_what_is_tagged_once_it_is_tested(template: Template) -> None:
    """Only that job may ask PyPI for a token, and it publishes the files that were checked."""
    workflow = yaml.safe_load(rendered(template)[".github/workflows/ci.yml"])
    publish = workflow["jobs"].pop("publish")
    assert set(publish["needs"]) == set(workflow["jobs"])
    assert publish["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert publish["permissions"] == {"id-token": "write"}
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow["jobs"].values())


def test_what_pip_compiles_in_the_template_is_no_part_of_it(
    template: Template, tmp_path: Path
) -> None:
    """An installer leaves bytecode beside every module that it installs."""
    copy = tmp_path / "cookiecutter-plugin"
    shutil.copytree(template.directory, copy)
    assert compileall.compile_dir(copy / "hooks", quiet=2)
    assert compileall.compile_file(next(copy.glob("*/src/*/__init__.py")), quiet=2)
    assert list(copy.glob("*/src/*/__pycache__/*.pyc"))
    assert rendered(Template(copy)) == rendered(template)
