"""One look at everything: each check on its own, so that what breaks one hides nothing else."""

import platform
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from attrs import evolve

from boards.discovery import EntryPoint, canonical
from boards.doctor.distributions import Distribution, distributions_at
from boards.doctor.environment import check_cache, check_entry_points, check_modules, check_twice
from boards.doctor.findings import Finding, PluginVersion, Report
from boards.doctor.probing import probe
from boards.doctor.requirements import check_requirements, core_bounds
from boards.doctor.using import (
    adapters_of,
    check_commands,
    check_deprecations,
    check_host_files,
    check_plugins,
    check_providers,
    check_rivals,
    check_selection,
)
from boards.errors import PluginError
from boards.installing import distribution_of, find_installer
from boards.registry import Registry

if TYPE_CHECKING:
    from boards.settings import Settings

__all__ = ["examine"]

_WORST: Final = ("error", "warning", "info")
_CODE: Final = ("boards.plugins", "boards.commands")


def examine(settings: "Settings", names: Iterable[str] = ()) -> Report:
    """Look for what is wrong. Plugins that are code are imported; nothing is sent anywhere.

    Args:
        settings: Of the host; ``strict`` is not heeded.
        names: Tell of these distributions alone (``fal`` is ``boards-fal``), and whether they are
            there at all.
    """
    settings = evolve(settings, strict=False)
    distributions = list(distributions_at())
    registry = Registry(settings)
    code = [one for group in _CODE for one in registry.hooks.entry_points(group)]
    fatal = probe(code)
    registry = _without(fatal, settings, registry)
    # Adapters afterwards: only hooks that are safe to call may tell which there are.
    fatal |= probe(adapters_of(registry))
    registry = _without(fatal, settings, registry)
    installed: dict[str, str] = {}
    for one in distributions:
        installed.setdefault(canonical(one.name), one.version)
    plugins = _first(one for one in distributions if one.entry_points)
    used = [one for one in plugins if not _disabled(one, settings)]
    checks: list[Callable[[], Iterable[Finding]]] = [
        lambda: check_modules(distributions),
        lambda: _fatal(fatal),
        lambda: [two for one in used for two in check_requirements(one, installed)],
        lambda: check_plugins(registry),
        lambda: check_commands(registry),
        lambda: check_rivals(registry),
        lambda: check_host_files(registry),
        lambda: check_providers(registry),
        lambda: check_twice(distributions),
        lambda: check_entry_points(distributions),
        lambda: check_deprecations(registry),
        lambda: check_selection(settings, registry, installed),
        lambda: check_cache(settings),
    ]
    findings = [one for check in checks for one in _survived(check)]
    wanted = [distribution_of(name, (one.name for one in distributions)) for name in names]
    if wanted:
        findings = [one for one in findings if one.concerns(wanted)]
        findings += _there(wanted, plugins, installed, settings)
        plugins = [one for one in plugins if canonical(one.name) in set(map(canonical, wanted))]
    findings.sort(key=lambda one: _WORST.index(one.severity))
    return Report(
        python=platform.python_version(),
        executable=sys.executable,
        core=installed.get("boards-core", ""),
        installer=_installer(),
        plugins=tuple(
            PluginVersion(
                distribution=one.name,
                version=one.version,
                core=core_bounds(one),
                location=one.location,
                disabled=_disabled(one, settings),
            )
            for one in plugins
        ),
        findings=tuple(findings),
    )


def _without(fatal: dict[EntryPoint, str], settings: "Settings", registry: Registry) -> Registry:
    """What is left when the plugins that must not be imported here are left out."""
    if not fatal:
        return registry
    without = (*settings.plugins_disabled, *(one.distribution for one in fatal))
    return Registry(evolve(settings, plugins_disabled=without))


def _survived(check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What a check finds, or that it failed, which a plugin's code can bring about."""
    try:
        return list(check())
    except (Exception, SystemExit) as error:
        return [
            Finding(
                check="doctor",
                severity="error",
                what=f"A check failed: {type(error).__name__}: {error}",
                where="boards plugins doctor",
                remedy="Leave plugins out until it works: boards plugins disable NAME",
            )
        ]


def _first(distributions: Iterable[Distribution]) -> list[Distribution]:
    """Each plugin as Python finds it first, by name."""
    first: dict[str, Distribution] = {}
    for one in distributions:
        first.setdefault(canonical(one.name), one)
    return [first[name] for name in sorted(first)]


def _disabled(distribution: Distribution, settings: "Settings") -> bool:
    name = canonical(distribution.name)
    allowed = settings.plugins
    return name in map(canonical, settings.plugins_disabled) or (
        allowed is not None and name not in map(canonical, allowed)
    )


def _fatal(fatal: dict[EntryPoint, str]) -> Iterator[Finding]:
    for entry_point, did in fatal.items():
        yield Finding(
            check="broken",
            severity="error",
            what=f"Importing {entry_point.value} {did}.",
            where=entry_point.source,
            remedy=f"boards plugins disable {entry_point.distribution}, "
            f"or boards plugins install --upgrade {entry_point.distribution}",
            distributions=(entry_point.distribution,),
        )


def _there(
    wanted: Sequence[str],
    plugins: Sequence[Distribution],
    installed: dict[str, str],
    settings: "Settings",
) -> Iterator[Finding]:
    by_name = {canonical(one.name): one for one in plugins}
    for name in wanted:
        plugin = by_name.get(canonical(name))
        if canonical(name) not in installed:
            what, remedy = "It is not installed.", f"boards plugins install {name}"
        elif plugin is not None and _disabled(plugin, settings):
            what, remedy = "It is disabled.", f"boards plugins enable {name}"
        elif plugin is None and not canonical(name).startswith("boards-"):
            what, remedy = "It is no plugin of Boards.", f"boards plugins uninstall --exact {name}"
        else:
            continue
        yield Finding(
            check="there",
            severity="error",
            what=what,
            where=name,
            remedy=remedy,
            distributions=(name,),
        )


def _installer() -> str:
    try:
        return shlex.join(find_installer().command)
    except PluginError:
        return ""
