"""What is wrong with what plugins offer: as a host that uses them sees it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from boards.discovery import EntryPoint, canonical
from boards.doctor.findings import Finding
from boards.errors import PluginError
from boards.switches import read_switches, switches_path

if TYPE_CHECKING:
    from boards.entries import ProviderEntry
    from boards.registry import Registry
    from boards.settings import Settings

__all__ = [
    "adapters_of",
    "check_commands",
    "check_deprecations",
    "check_host_files",
    "check_plugins",
    "check_providers",
    "check_rivals",
    "check_selection",
]


def adapters_of(registry: "Registry") -> list[EntryPoint]:
    """The adapters of plugins' providers, as entry points of no group; a host's own are its."""
    try:
        providers = registry.providers()
    except Exception:  # told where they are looked at
        return []
    return [
        EntryPoint("", one.name, one.adapter, *one.source.split(" ", 1))
        for one in providers
        if one.adapter is not None and one.fault is None and _owner(one)
    ]


def check_plugins(registry: "Registry") -> Iterator[Finding]:
    """Plugins that cannot be used, or not all of them."""
    for one in registry.hooks.infos():
        if one.status == "broken":
            yield Finding(
                check="broken",
                severity="error",
                what=f"{one.name}: {one.error}",
                where=f"{one.distribution} {one.version}".rstrip(),
                remedy=one.remedy or "",
                distributions=(one.distribution,),
            )


def check_commands(registry: "Registry") -> Iterator[Finding]:
    """Commands of plugins that cannot be imported, or that another command hides."""
    from boards.cli.app import COMMANDS  # noqa: PLC0415 - a library imports no click
    from boards.cli.plugins.loading import load_command  # noqa: PLC0415
    from boards.errors import PluginError  # noqa: PLC0415

    first: dict[str, str] = dict.fromkeys(COMMANDS, "boards-core")
    for one in registry.hooks.entry_points("boards.commands"):
        hidden_by = first.setdefault(one.name, one.source)
        if hidden_by != one.source:
            yield Finding(
                check="conflict",
                severity="warning",
                what=f"Its command {one.name} cannot be called: {hidden_by} has one of that name.",
                where=one.source,
                remedy=f"boards plugins disable {one.distribution}, or the other one",
                distributions=(one.distribution,),
            )
        try:
            load_command(one)
        except PluginError as error:
            yield Finding(
                check="broken",
                severity="error",
                what=error.message,
                where=one.source,
                remedy=error.remedy,
                distributions=(one.distribution,),
            )


def check_rivals(registry: "Registry") -> Iterator[Finding]:
    """Names that two plugins offer: neither can be used by that name."""
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, sources in registry.rivals().items():
        names[sources].append(name)
    for sources, offered in names.items():
        shown = ", ".join(sorted(offered)[:3])
        more = f" and {len(offered) - 3} more" if len(offered) > 3 else ""
        owners = tuple(dict.fromkeys(one.partition(" ")[0] for one in sources))
        yield Finding(
            check="duplicate",
            severity="error",
            what=f"Offered by both, usable from neither: {shown}{more}.",
            where=" and ".join(dict.fromkeys(sources)),
            remedy=" or ".join(f"boards plugins disable {owner}" for owner in owners),
            distributions=owners,
        )


def check_host_files(registry: "Registry") -> Iterator[Finding]:
    """Mistakes in the host's own files."""
    for one in registry.plugins():
        if one.kind == "config" and one.error:
            yield Finding(
                check="host-file",
                severity="error",
                what=one.error,
                where=one.source,
                remedy=one.remedy or "",
            )


def check_providers(registry: "Registry") -> Iterator[Finding]:
    """Providers that nothing defines, and those that lack a key, or what their adapter needs."""
    rivals = registry.rivals()
    for one in registry.providers():
        if not one.enabled or one.name in rivals:
            continue
        if one.fault is not None:
            yield Finding(
                check="provider",
                severity="error",
                what=f"The provider {one.name} cannot be used: {one.fault[0]}.",
                where=one.source,
                remedy=one.fault[1],
                distributions=_owner(one),
            )
        elif not (availability := one.availability()).ok:
            missing = [name for name in one.needs if one.settings.secret(name) is None]
            exports = " ".join(f"{name}=..." for name in missing)
            setup = availability.setup
            yield Finding(
                check="key" if missing else "provider",
                severity="info" if missing or _speaks(one) else "error",
                what=f"The provider {one.name} cannot be used: {availability.reason}.",
                where=one.source,
                remedy=f"export {exports} # {setup or one.docs}" if missing else setup,
                distributions=_owner(one),
            )


def _speaks(entry: "ProviderEntry") -> bool:
    """Whether it is the adapter that says what is to be set up; else it is broken."""
    from boards.adapters import availability_of  # noqa: PLC0415  # only where there is one

    try:
        return entry.adapter is not None and bool(
            availability_of(entry.adapter, entry.spec, entry.settings)
        )
    except PluginError:
        return False


def _owner(entry: "ProviderEntry") -> tuple[str, ...]:
    """The distribution that an entry comes from; a host's file is none."""
    name, _, version = entry.source.partition(" ")
    return (name,) if version and "/" not in name else ()


def check_deprecations(registry: "Registry") -> Iterator[Finding]:
    """Arguments of hooks that plugins take, and that will go."""
    for entry_point, hook, warning in registry.hooks.deprecated():
        yield Finding(
            check="deprecated",
            severity="warning",
            what=f"{hook}: {warning}",
            where=entry_point.source,
            remedy=f"boards plugins install --upgrade {entry_point.distribution}",
            distributions=(entry_point.distribution,),
        )


def check_selection(
    settings: "Settings", registry: "Registry", installed: Mapping[str, str]
) -> Iterator[Finding]:
    """Names in the settings that nothing has."""
    for problem in registry.hooks.problems():
        yield Finding(
            check="selection",
            severity="warning",
            what=problem.message.removeprefix("error: "),
            where=problem.where,
            remedy="Install it (boards plugins install NAME), or take it out of the setting.",
        )
    for name in read_switches(settings.home):
        if canonical(name) not in installed:
            yield Finding(
                check="selection",
                severity="info",
                what=f"{name} is disabled, and is not installed.",
                where=str(switches_path(settings.home)),
                remedy=f"boards plugins enable {name}",
                distributions=(name,),
            )
