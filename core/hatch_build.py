"""Puts the template of plugins, which Cookiecutter uses from the repository, into the package.

A wheel that is built from the sdist finds it there, in its place in the package, already.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["TemplateBuildHook"]

PLACE = "boards/scaffolding/cookiecutter-plugin"


class TemplateBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling has no types
    """Adds the template to wheels and sdists."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name what else is to be in the build; an editable one runs from the checkout."""
        template = Path(self.root).parent / "cookiecutter-plugin"
        if version == "editable" or not template.is_dir():
            return
        place = f"src/{PLACE}" if self.target_name == "sdist" else PLACE
        build_data["force_include"][str(template)] = place
