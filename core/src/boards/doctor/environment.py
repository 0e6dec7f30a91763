"""What is wrong with the environment itself, rather than with one plugin."""

import shlex
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from boards.discovery import canonical
from boards.doctor.distributions import Distribution, modules_of
from boards.doctor.findings import Finding

if TYPE_CHECKING:
    from boards.settings import Settings

__all__ = ["check_cache", "check_entry_points", "check_modules", "check_twice"]

_CORE: Final = "boards-core"
_MODULE: Final = "boards"
_GROUPS: Final = ("boards.commands", "boards.plugins", "boards.specs")


def check_cache(settings: "Settings") -> Iterator[Finding]:
    """Whether the index can be written: without it, every listing reads every file."""
    try:
        settings.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.cache):
            return
    except OSError as error:
        path = shlex.quote(str(settings.cache))
        yield Finding(
            check="cache",
            severity="warning",
            what=f"The index cannot be written: {error.strerror or error}. Listings are slow.",
            where=str(settings.cache),
            remedy=f"mkdir -p {path} && chmod u+rwx {path}, or BOARDS_CACHE=DIR",
        )


def check_modules(distributions: Sequence[Distribution]) -> Iterator[Finding]:
    """Other distributions that install a module ``boards`` too: which one is imported is luck."""
    core: frozenset[str] = frozenset()
    for one in distributions:
        if canonical(one.name) == _CORE:
            core |= modules_of(one, _MODULE)
    for one in distributions:
        if canonical(one.name) == _CORE or not (files := modules_of(one, _MODULE)):
            continue
        both = sorted(files & core)
        # An editable installation lists no files; every package has its __init__.
        both = both or sorted(files & {f"{_MODULE}/__init__.py", f"{_MODULE}.py"})
        first = (both or sorted(files))[0]
        yield Finding(
            check="module",
            severity="error",
            what=f"It installs the module {_MODULE} too ({first}), which is that of {_CORE}.",
            where=f"{one.source} in {one.location}",
            remedy=f"boards plugins uninstall --exact {one.name}, then install {_CORE} anew: "
            f"pip install --force-reinstall --no-deps {_CORE}",
            distributions=(one.name,),
        )


def check_twice(distributions: Sequence[Distribution]) -> Iterator[Finding]:
    """Plugins that are installed twice: the one that Python finds first counts."""
    first: dict[str, Distribution] = {}
    for one in distributions:
        if not one.entry_points and canonical(one.name) != _CORE:
            continue
        other = first.setdefault(canonical(one.name), one)
        if _left_behind(one, other) or _left_behind(other, one):
            continue
        if other is not one and Path(other.location) != Path(one.location):
            yield Finding(
                check="twice",
                severity="warning",
                what=f"It is installed twice; {other.source} in {other.location} counts.",
                where=f"{one.source} in {one.location}",
                remedy=f"boards plugins uninstall {one.name}, then install it again",
                distributions=(one.name,),
            )


def _left_behind(one: Distribution, editable: Distribution) -> bool:
    """Whether it is no installation, but the trace of an editable one beside its sources."""
    sources = editable.sources
    return (
        one.beside_sources
        and sources is not None
        and Path(one.location).resolve().is_relative_to(sources)
    )


def check_entry_points(distributions: Sequence[Distribution]) -> Iterator[Finding]:
    """Plugins that offer nothing, or in a group that nobody reads."""
    from boards.spec.places import did_you_mean  # noqa: PLC0415 - rarely needed

    for one in distributions:
        name = canonical(one.name)
        if name.startswith("boards-") and name != _CORE and not one.entry_points:
            yield Finding(
                check="no-entry-points",
                severity="warning",
                what="It has no entry point for Boards: nothing of it is used.",
                where=one.source,
                remedy=f"boards plugins install --upgrade {one.name}, "
                f"or boards plugins uninstall {one.name}",
                distributions=(one.name,),
            )
        for group in sorted({point.group for point in one.entry_points} - {*_GROUPS, ""}):
            yield Finding(
                check="unknown-group",
                severity="warning",
                what=f"It has entry points of {group}, which nothing reads"
                f"{did_you_mean(group, _GROUPS)}",
                where=one.source,
                remedy=f"boards plugins install --upgrade {one.name}, "
                "or pip install --upgrade boards-core",
                distributions=(one.name,),
            )
