"""The template of a plugin, rendered without Cookiecutter and to the same files.

It is a template of Cookiecutter: ``cookiecutter.json`` has the questions with their defaults, and
the hooks say which answers are refused and which files a kind of plugin has. All of that is read
from there, so both ways in have one source.
"""

import json
import runpy
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from boards.errors import BoardsError

if TYPE_CHECKING:
    import jinja2

__all__ = ["Template", "template_directory"]

_ROOT: Final = "{{cookiecutter.distribution}}"
_QUESTIONS: Final = "cookiecutter.json"


def template_directory() -> Path:
    """Where the template is: in the package, or in the checkout that the package is run from.

    Raises:
        BoardsError: Neither has one.
    """
    installed = Path(__file__).parent / "cookiecutter-plugin"
    checkout = Path(__file__).parents[4] / "cookiecutter-plugin"
    for directory in (installed, checkout):
        if (directory / _QUESTIONS).is_file():
            return directory
    raise BoardsError(
        f"The template of plugins is missing: there is no {installed}.",
        remedy="Install boards-core anew.",
    )


class Template:
    """The template of a plugin.

    Args:
        directory: Where its ``cookiecutter.json`` is.

    Raises:
        BoardsError: Jinja, which renders it, is not installed.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or template_directory()
        self._questions: dict[str, Any] = json.loads(self._read(_QUESTIONS))
        self._environment = _jinja(self._questions.get("_jinja2_env_vars", {}))

    @property
    def prompts(self) -> Mapping[str, str]:
        """What to ask for, in this order: the text of the question by the name of the answer."""
        prompts: dict[str, str] = self._questions["__prompts__"]
        return prompts

    def choices(self, name: str) -> tuple[str, ...]:
        """What an answer may be; empty where it is free."""
        value = self._questions[name]
        return tuple(value) if isinstance(value, list) else ()

    def default(self, name: str, answers: Mapping[str, Any]) -> str:
        """An answer for who has none, made from the answers to the questions before it."""
        value = self._questions[name]
        return self._render(value[0] if isinstance(value, list) else value, answers)

    def problems(self, answers: Mapping[str, str]) -> dict[str, str]:
        """What is wrong with answers, by their names; empty if nothing is."""
        found: dict[str, str] = self._hook("pre_gen_project", "problems")(answers)
        return found

    def complete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Answers to everything: those that are given, and the defaults of the others.

        Args:
            given: By the names of ``cookiecutter.json``; also of what it keeps to itself.
        """
        answers: dict[str, Any] = {}
        for name, value in self._questions.items():
            if name in given:
                answers[name] = given[name]
            elif name in self.prompts or (name.startswith("__") and isinstance(value, str)):
                answers[name] = self.default(name, answers)
            else:
                answers[name] = value
        return answers

    def render(self, answers: Mapping[str, Any]) -> dict[str, str]:
        """The files of a plugin: texts by their paths below its directory, with ``/``.

        Args:
            answers: As :meth:`complete` makes them, without :meth:`problems`.
        """
        unwanted = self._hook("post_gen_project", "unwanted")(answers["kinds"], answers["module"])
        root = self.directory / _ROOT
        rendered = {}
        for path in sorted(root.rglob("*")):
            # pip compiles what it installs, also the modules of the template.
            if path.is_dir() or path.suffix == ".pyc":
                continue
            name = self._render(path.relative_to(root).as_posix(), answers)
            if not any(name == one or name.startswith(f"{one}/") for one in unwanted):
                rendered[name] = self._render(path.read_text(encoding="utf-8"), answers)
        return rendered

    def _render(self, text: str, answers: Mapping[str, Any]) -> str:
        return self._environment.from_string(text).render(cookiecutter=answers)

    def _read(self, name: str) -> str:
        return (self.directory / name).read_text(encoding="utf-8")

    @cached_property
    def _hooks(self) -> dict[str, dict[str, Any]]:
        paths = (self.directory / "hooks").glob("*.py")
        return {path.stem: runpy.run_path(str(path)) for path in paths}

    def _hook(self, script: str, function: str) -> Callable[..., Any]:
        """A function of a hook, of which Cookiecutter runs the whole as a script."""
        found: Callable[..., Any] = self._hooks[script][function]
        return found


def _jinja(options: Mapping[str, Any]) -> "jinja2.Environment":
    """The environment that Cookiecutter renders in."""
    try:
        import jinja2  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise BoardsError(
            "The template of plugins is rendered by Jinja, which is not installed.",
            remedy="pip install 'boards-core[new-plugin]'",
        ) from error
    # What is rendered is Python, TOML and YAML of the author's own, not HTML.
    return jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701
        **options,
    )
