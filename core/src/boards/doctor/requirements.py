"""What plugins require, against what is installed."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from boards.discovery import canonical
from boards.doctor.distributions import Distribution
from boards.doctor.findings import Finding

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["check_requirements", "core_bounds"]

_CORE = "boards-core"


def core_bounds(distribution: Distribution) -> str:
    """The versions of boards-core that a plugin says it works with; empty where it says none."""
    for one in _requirements(distribution):
        if canonical(one.name) == _CORE:
            return str(one.specifier)
    return ""


def check_requirements(
    distribution: Distribution, installed: Mapping[str, str]
) -> Iterator[Finding]:
    """Requirements of a plugin that are not met.

    Args:
        distribution: The plugin's.
        installed: Versions by canonical name.
    """
    for one in _requirements(distribution):
        version = installed.get(canonical(one.name))
        if version is not None and one.specifier.contains(version, prereleases=True):
            continue
        if canonical(one.name) == _CORE:
            yield Finding(
                check="core-version",
                severity="error",
                what=f"It works with boards-core {one.specifier}; this is {version}.",
                where=distribution.source,
                remedy=f"boards plugins install --upgrade {distribution.name}",
                distributions=(distribution.name,),
            )
            continue
        have = "is not installed" if version is None else f"is installed as {version}"
        yield Finding(
            check="requirement",
            severity="error",
            what=f"It requires {one.name}{one.specifier}, which {have}.",
            where=distribution.source,
            remedy=f"boards plugins install --upgrade {distribution.name}",
            distributions=(distribution.name,),
        )


def _requirements(distribution: Distribution) -> "Iterator[Requirement]":
    """The requirements that hold in this environment; those of extras were asked for by nobody."""
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - rarely

    for text in distribution.requires:
        try:
            one = Requirement(text)
        except InvalidRequirement:
            continue
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            yield one
