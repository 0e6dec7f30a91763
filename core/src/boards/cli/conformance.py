"""``boards conformance``: whether a plugin keeps the promises that Boards relies on."""

import contextlib
import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from attrs import evolve, frozen

from boards.cli.exits import Exit
from boards.cli.session import Session, command
from boards.errors import NotFoundError, SettingsError

if TYPE_CHECKING:
    from boards.plugins import PluginInfo
    from boards.registry import Registry
    from boards.testing.conformance.checks import Check, Verdict

__all__ = ["conformance"]

_EPILOG: Final = (
    "PLUGIN is a provider, a distribution (boards-fal: all that it offers), or YAML files: one, or "
    "a directory. The provider's side is played by an emulator that is made from the "
    "specification's tests, or by --server."
)


_AT_ONCE: Final = 4
"""Checks of a provider that run beside each other: most of them mostly wait."""


@command(epilog=_EPILOG)
@click.argument("plugin", metavar="PLUGIN")
@click.option(
    "--check", "names", metavar="NAME", multiple=True, help="Only this check; repeatable."
)
@click.option(
    "-g", "--generator", "generators", metavar="NAME", multiple=True,
    help="Only this generator; repeatable.",
)  # fmt: skip
@click.option(
    "--exempt", metavar="NAME=REASON", multiple=True,
    help="Do not try a check, and tell why; repeatable.",
)  # fmt: skip
@click.option(
    "--server", metavar="MODULE:CLASS", help="What plays the provider's side, instead of its tests."
)
@click.option("--list", "listing", is_flag=True, help="List the checks, and try none.")
def conformance(
    session: Session,
    plugin: str,
    names: tuple[str, ...],
    generators: tuple[str, ...],
    exempt: tuple[str, ...],
    server: str | None,
    listing: bool,
) -> int:
    """Try whether a plugin keeps the promises that Boards relies on.

    The real engine runs its generators over real sockets, against its provider's side on this
    machine, with lost replies, refusals and outages between; its storages are written to. No key
    is needed, nothing costs anything, and the network is not used.
    """
    trials = _trials(session, plugin, generators, server)
    reasons = _reasons(exempt)
    chosen = [_chosen(one, names) for one in trials]
    known = {check.name for trial in trials for check in trial.checks}
    if unknown := [one for one in (*names, *reasons) if one not in known]:
        raise click.UsageError(
            f"There is no check {', '.join(unknown)}. There are: {', '.join(sorted(known))}"
        )
    if listing:
        return _listed(session, chosen)
    return session.run(_try(session, chosen, reasons))


@frozen
class _Trial:
    """A provider or a storage, and the checks of its kit."""

    what: str
    checks: "tuple[Check[Any], ...]"
    subject: Any
    at_once: int = 1


def _reasons(exempt: tuple[str, ...]) -> dict[str, str]:
    reasons = {}
    for one in exempt:
        name, _, reason = one.partition("=")
        if not reason.strip():
            raise click.UsageError(f"--exempt {one} gives no reason: --exempt NAME=REASON")
        reasons[name] = reason.strip()
    return reasons


def _chosen(trial: _Trial, names: tuple[str, ...]) -> _Trial:
    checks = tuple(one for one in trial.checks if not names or one.name in names)
    return evolve(trial, checks=checks)


def _trials(
    session: Session, plugin: str, generators: tuple[str, ...], server: str | None
) -> list[_Trial]:
    """What PLUGIN stands for.

    Raises:
        NotFoundError: Nothing is called so.
    """
    from boards.boards import Boards  # noqa: PLC0415  # not for --help
    from boards.cli.check import yaml_files  # noqa: PLC0415
    from boards.cli.targets import is_path  # noqa: PLC0415

    make = None if server is None else _server(server)
    if is_path(plugin):
        if plugin.endswith(".py"):
            raise click.UsageError(f"YAML is tried: boards export {plugin} > FILE.yaml")
        files = tuple(yaml_files((Path(plugin),)))
        return [_provider(name, files, generators, make) for name in _providers_in(files)]
    settings = session.settings()
    bare = Boards(drive=False, environment={}, home=settings.cache, cache=settings.cache).registry
    if plugin in {entry.name for entry in bare.providers()}:
        return [_provider(plugin, (), generators, make)]
    info = _distribution(bare, plugin)
    offers = info.offers
    trials = [_provider(name, (), generators, make) for name in offers.get("providers", ())]
    trials += [_storage(name) for name in offers.get("storages", ())]
    for name in offers.get("auths", ()):
        session.out.note(
            f"The auth {name} is not tried: its kit needs credentials, which only its author can"
            " make. Subclass boards.testing.AuthConformance."
        )
    if not trials and not offers.get("auths"):
        raise NotFoundError(
            f"{info.distribution} offers neither a provider nor a storage nor an auth"
            f"{f': {info.error}' if info.error else ''}.",
            remedy=info.remedy or "See: boards plugins",
        )
    return trials


def _providers_in(paths: tuple[Path, ...]) -> list[str]:
    """The providers of the generators in some files, and those that they define."""
    from boards.spec.places import Problems  # noqa: PLC0415  # not for --help
    from boards.spec.reader import read_file  # noqa: PLC0415

    files = [read_file(path, Problems()) for path in paths]
    names = [name for file in files for name in file.providers]
    names += [one.provider for file in files for one in file.generators]
    if not names:
        told = " ".join(map(str, paths))
        raise NotFoundError(
            f"There is neither a provider nor a generator in {told} that could be read.",
            remedy=f"See its mistakes: boards check {told}",
        )
    return list(dict.fromkeys(names))


def _distribution(registry: "Registry", name: str) -> "PluginInfo":
    from boards.discovery import canonical  # noqa: PLC0415  # not for --help
    from boards.names import near  # noqa: PLC0415

    infos = [(str(one.distribution), one) for one in registry.plugins() if one.distribution]
    found = [one for distribution, one in infos if canonical(distribution) == canonical(name)]
    if found:
        return _merged(found)
    suggestions = near(
        name, [*(one for one, _ in infos), *(one.name for one in registry.providers())]
    )
    meant = f" Did you mean {' or '.join(suggestions)}?" if suggestions else ""
    raise NotFoundError(
        f"There is no provider, and no plugin, {name!r}.{meant}",
        suggestions=suggestions,
        remedy="See: boards plugins, and boards providers",
    )


def _merged(infos: "list[PluginInfo]") -> "PluginInfo":
    """All entry points of one distribution as one."""
    offers: dict[str, tuple[str, ...]] = {}
    for one in infos:
        for kind, names in one.offers.items():
            offers[kind] = tuple(dict.fromkeys((*offers.get(kind, ()), *names)))
    broken = next((one for one in infos if one.error), infos[0])
    return evolve(broken, offers=offers)


def _server(name: str) -> Callable[[], Any]:
    module, _, attribute = name.partition(":")
    try:
        found: Callable[[], Any] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            f"--server {name} cannot be imported: {error}.",
            remedy="Name it as package.module:Class; PYTHONPATH=. finds modules of this directory.",
        ) from error
    return found


def _provider(name: str, specs: tuple[Path, ...], generators: tuple[str, ...], make: Any) -> _Trial:
    try:
        from boards.testing.conformance.provider import (  # noqa: PLC0415  # an extra
            CHECKS,
            ProviderSubject,
        )
    except ImportError as error:
        raise SettingsError(
            f"The kit needs more than is installed: {error}.",
            remedy='pip install "boards-core[emulators]"',
        ) from error
    subject = ProviderSubject(
        provider=name, specs=specs, server=make, generators=generators or None
    )
    if generators:
        _ = subject.names  # a slip of the keyboard is no verdict
    return _Trial(f"provider {name}", tuple(CHECKS), subject, _AT_ONCE)


def _storage(name: str) -> _Trial:
    from boards.testing.conformance.storage import (  # noqa: PLC0415  # not for --help
        STORAGE_CHECKS,
        StorageConformance,
    )

    kit = type("Storage", (StorageConformance,), {"storage": name})
    return _Trial(f"storage {name}", tuple(STORAGE_CHECKS), kit())


def _listed(session: Session, trials: list[_Trial]) -> int:
    checks = {check.name: check.title for trial in trials for check in trial.checks}
    if session.json:
        session.out.value([{"check": name, "title": title} for name, title in checks.items()])
    else:
        session.out.table(("check", "title"), list(checks.items()))
    return Exit.OK


async def _try(session: Session, trials: list[_Trial], exempt: Mapping[str, str]) -> int:
    import asyncio  # noqa: PLC0415  # slow to import, and help does without

    from boards.testing.conformance.checks import run_check  # noqa: PLC0415  # not for --help

    async def verdict_of(check: "Check[Any]", trial: _Trial, gate: asyncio.Semaphore) -> "Verdict":
        async with gate:
            return await run_check(check, trial.subject, exempt)

    rows: list[tuple[str, Verdict]] = []
    for trial in trials:
        gate = asyncio.Semaphore(trial.at_once)
        if not session.json:
            session.out.line(trial.what)
        tasks = [asyncio.create_task(verdict_of(one, trial, gate)) for one in trial.checks]
        try:
            with contextlib.redirect_stdout(sys.stderr):
                for task in tasks:
                    rows.append((trial.what, await task))
                    _tell(session, rows[-1][1])
        finally:  # who reads may have left
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return _told(session, rows)


_WORDS: Final = {
    "passed": "passed",
    "failed": "FAILED",
    "exempt": "exempt",
    "not_applicable": "-",
}


def _tell(session: Session, verdict: "Verdict") -> None:
    """A line for each check as soon as it is known: the whole takes a while."""
    out, name = session.out, verdict.check.name
    if out.json:
        return
    if verdict.outcome != "failed":
        out.line(
            f"{_WORDS[verdict.outcome]:6}  {name:23}  {verdict.message or verdict.check.title}"
        )
        return
    out.line(f"FAILED  {name:23}  {verdict.check.title}")
    for line in f"{verdict.message}\n{verdict.remedy}".strip().splitlines():
        out.line(f"    {line}")


def _told(session: Session, rows: "list[tuple[str, Verdict]]") -> int:
    failed = [verdict for _, verdict in rows if verdict.outcome == "failed"]
    tried = [verdict for _, verdict in rows if verdict.outcome in ("passed", "failed")]
    code = Exit.FAILED if failed or not tried else Exit.OK
    out = session.out
    if out.json:
        out.value([_as_json(what, verdict) for what, verdict in rows])
        return code
    counts = [
        f"{sum(one.outcome == outcome for _, one in rows)} {outcome.replace('_', ' ')}"
        for outcome in _WORDS
        if any(one.outcome == outcome for _, one in rows)
    ]
    out.note(f"{len(rows)} checks: {', '.join(counts)}")
    return code


def _as_json(what: str, verdict: "Verdict") -> dict[str, Any]:
    return {
        "subject": what,
        "check": verdict.check.name,
        "title": verdict.check.title,
        "outcome": verdict.outcome,
        "message": verdict.message,
        "remedy": verdict.remedy,
    }
