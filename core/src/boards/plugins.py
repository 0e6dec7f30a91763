"""The plugins of a host: found, selected, and each kept from breaking the others.

Plugins that are data are read; nothing of them is imported. Plugins that are code are imported
when something first needs a hook, one at a time. What is wrong with one is noted with the command
that mends it, and the rest works; only with ``strict`` is it an error.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Protocol, TypeVar

from attrs import evolve, field, frozen

from boards.discovery import EntryPoint, FolderError, SpecSource, canonical
from boards.errors import PluginError, Problem
from boards.index import Index

if TYPE_CHECKING:
    from boards.events import Event
    from boards.generations import Generation
    from boards.hook_arguments import DeprecatedArgument
    from boards.hooks import HookModule
    from boards.records import (
        AuthRecord,
        GeneratorRecord,
        ProviderRecord,
        RunnerRecord,
        StorageRecord,
        StoreRecord,
    )
    from boards.settings import Settings
    from boards.spec.requests import Rendered

__all__ = ["Offered", "PluginInfo", "Plugins"]

PluginKind = Literal["specs", "python", "config", "builtin"]

_SPECS: Final = "boards.specs"
_PYTHON: Final = "boards.plugins"
_BUILTIN: Final = EntryPoint("", "builtin", "boards.builtin", "boards-core", "")


@frozen(kw_only=True, eq=False)
class PluginInfo:
    """What is known of a plugin: one entry point of one distribution, or one file of the host.

    Attributes:
        name: The entry point's name.
        distribution: What to ``pip install``; empty for a host's file.
        version: The distribution's version.
        kind: ``specs`` (data), ``python`` (hooks), ``config`` (a host's file) or ``builtin``.
        source: What the entry point names, or the path of the host's file.
        offers: Names by kind: ``providers``, ``generators``, ``storages``...
        error: Why it cannot be used, or not all of it.
        remedy: What mends that.
        disabled: Whether the settings leave it out.
    """

    name: str
    kind: PluginKind
    source: str
    distribution: str = ""
    version: str = ""
    offers: Mapping[str, tuple[str, ...]] = field(factory=dict)
    error: str | None = None
    remedy: str | None = None
    disabled: bool = False

    @property
    def status(self) -> Literal["ok", "broken", "disabled"]:
        """Whether it is used."""
        if self.disabled:
            return "disabled"
        return "broken" if self.error else "ok"

    def as_dict(self) -> dict[str, Any]:
        """The plugin as JSON."""
        return {
            "name": self.name,
            "distribution": self.distribution,
            "version": self.version,
            "kind": self.kind,
            "source": self.source,
            "status": self.status,
            "offers": {kind: list(names) for kind, names in self.offers.items()},
            "error": self.error,
            "remedy": self.remedy,
        }


class _Named(Protocol):
    @property
    def name(self) -> str: ...


R = TypeVar("R")
N = TypeVar("N", bound=_Named)


@frozen(eq=False)
class Offered(Generic[R]):
    """A record, and the entry point of the plugin that returned it."""

    record: R
    entry_point: EntryPoint


class Plugins:
    """The plugins that the settings select.

    Args:
        settings: Which distributions, and whether one that is broken is an error.
        index: What is installed; a new one by default.

    Raises:
        PluginError: With ``strict``, by any method: a plugin is broken.
    """

    def __init__(self, settings: "Settings", index: Index | None = None) -> None:
        self._settings = settings
        self._index = index or Index(settings.cache)
        self._allowed = _canonicals(settings.plugins)
        self._denied = _canonicals(settings.plugins_disabled) or frozenset()
        self._faults: dict[EntryPoint, tuple[str, str]] = {}
        self._loaded: dict[EntryPoint, HookModule] | None = None
        self._records: dict[str, tuple[Offered[Any], ...]] = {}

    # What is installed

    def entry_points(self, group: str) -> tuple[EntryPoint, ...]:
        """The selected entry points of a group, such as ``boards.commands``."""
        return tuple(
            one
            for one in self._index.entry_points()
            if one.group == group and self._selected(one.distribution)
        )

    def _selected(self, distribution: str) -> bool:
        name = canonical(distribution)
        return name not in self._denied and (self._allowed is None or name in self._allowed)

    def disabled(self, distribution: str) -> bool:
        """Whether a distribution is installed, and the settings leave it out."""
        return not self._selected(distribution) and any(
            canonical(one.distribution) == canonical(distribution)
            for one in self._index.entry_points()
        )

    def spec_files(self) -> list[SpecSource]:
        """The specification files of all plugins, by distribution. Nothing is imported."""
        return [source for one in self.entry_points(_SPECS) for source in self._spec_files_of(one)]

    def _spec_files_of(self, entry_point: EntryPoint) -> tuple[SpecSource, ...]:
        try:
            return self._index.spec_files(entry_point)
        except FolderError as error:
            self._fault(entry_point, str(error), error)
            return ()

    def infos(self) -> list[PluginInfo]:
        """Every plugin, with what it offers or why it cannot: this imports those that are code."""
        infos = [self._info(_BUILTIN, "builtin", self._offers(_BUILTIN))]
        for one in self._index.entry_points():
            if not self._selected(one.distribution):
                info = self._info(one, "specs" if one.group == _SPECS else "python", {})
                infos.append(evolve(info, disabled=True))
            elif one.group == _SPECS:
                infos.append(self._info(one, "specs", self._spec_offers(one)))
            elif one.group == _PYTHON:
                infos.append(self._info(one, "python", self._offers(one)))
            elif one.error:
                self._fault(one, one.error)
                infos.append(self._info(one, "python", {}))
        return infos

    def _info(
        self, entry_point: EntryPoint, kind: PluginKind, offers: Mapping[str, tuple[str, ...]]
    ) -> PluginInfo:
        error, remedy = self._faults.get(entry_point, (None, None))
        return PluginInfo(
            name=entry_point.name,
            kind=kind,
            source=entry_point.value,
            distribution=entry_point.distribution,
            version=entry_point.version or _version_of(entry_point.distribution),
            offers={name: offered for name, offered in offers.items() if offered},
            error=error,
            remedy=remedy,
        )

    def _spec_offers(self, entry_point: EntryPoint) -> dict[str, tuple[str, ...]]:
        providers: list[str] = []
        generators: list[str] = []
        mistakes: list[Problem] = []
        for source in self._spec_files_of(entry_point):
            rows = self._index.rows(source)
            providers += (row.name for row in rows.providers)
            generators += (f"{row.provider}/{row.name}" for row in rows.generators)
            mistakes += rows.problems
        if mistakes:
            more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
            self._fault(entry_point, f"{mistakes[0].where}: {mistakes[0].message}{more}")
        return {"providers": tuple(providers), "generators": tuple(generators)}

    def _offers(self, entry_point: EntryPoint) -> dict[str, tuple[str, ...]]:
        def names(offered: tuple[Offered[Any], ...], of: Callable[[Any], str]) -> tuple[str, ...]:
            return tuple(of(one.record) for one in offered if one.entry_point == entry_point)

        self.auths(), self.storages(), self.stores(), self.runners()  # notes what is offered twice
        return {
            "providers": names(self.providers(), lambda record: record.name),
            "generators": names(self.generators(), lambda record: record.spec.id),
            **{
                kind: names(self._records[f"boards_{kind}"], lambda record: record.name)
                for kind in ("storages", "auths", "stores", "runners")
            },
        }

    def problems(self) -> list[Problem]:
        """What is wrong with the selection itself."""
        installed = {canonical(one.distribution) for one in self._index.entry_points()}
        missing = sorted((self._allowed or frozenset()) - installed)
        if not missing:
            return []
        from boards.spec.places import did_you_mean  # noqa: PLC0415 - rarely needed

        return [
            Problem(
                "BOARDS_PLUGINS",
                f"error: no plugin {name!r} is installed{did_you_mean(name, sorted(installed))}",
            )
            for name in missing
        ]

    def _fault(
        self,
        entry_point: EntryPoint,
        error: str,
        cause: BaseException | None = None,
        advice: str = "",
    ) -> None:
        name = entry_point.distribution
        remedy = (
            f"Upgrade it with: pip install --upgrade {name}; "
            f"or leave it out with BOARDS_PLUGINS_DISABLED={name}"
        )
        if advice:
            remedy = f"{advice}. {remedy}"
        if self._settings.strict:
            raise PluginError(
                f"The plugin {entry_point.name} of {entry_point.source} is broken: {error}",
                remedy=remedy,
            ) from cause
        self._faults.setdefault(entry_point, (error, remedy))

    # What hooks return

    def providers(self) -> "tuple[Offered[ProviderRecord], ...]":
        """Providers that are made in Python, by distribution."""
        if not self.entry_points(_PYTHON):
            return ()
        from boards.records import ProviderRecord  # noqa: PLC0415 - rarely needed

        return self._returned("boards_providers", ProviderRecord)

    def generators(self) -> "tuple[Offered[GeneratorRecord], ...]":
        """Generators that are made in Python, by distribution."""
        if not self.entry_points(_PYTHON):
            return ()
        from boards.records import GeneratorRecord  # noqa: PLC0415 - rarely needed

        return self._returned("boards_generators", GeneratorRecord)

    def storages(self) -> "dict[str, StorageRecord]":
        """Storages by name, ``local`` among them."""
        from boards.records import StorageRecord  # noqa: PLC0415

        return self._named("boards_storages", StorageRecord)

    def auths(self) -> "dict[str, AuthRecord]":
        """Auths by name, ``none`` among them."""
        from boards.records import AuthRecord  # noqa: PLC0415

        return self._named("boards_auths", AuthRecord)

    def stores(self) -> "dict[str, StoreRecord]":
        """Stores by name, ``sqlite`` among them."""
        from boards.records import StoreRecord  # noqa: PLC0415

        return self._named("boards_stores", StoreRecord)

    def runners(self) -> "dict[str, RunnerRecord]":
        """Runners by name, ``embedded`` among them."""
        from boards.records import RunnerRecord  # noqa: PLC0415

        return self._named("boards_runners", RunnerRecord)

    def _named(self, hook: str, kind: type[N]) -> dict[str, N]:
        """Records by name; of two with one name, the first is kept and the other's plugin told."""
        first: dict[str, Offered[N]] = {}
        for offered in self._returned(hook, kind):
            name = offered.record.name
            other = first.setdefault(name, offered)
            if other is not offered:
                source = other.entry_point.source
                self._fault(offered.entry_point, f"{hook}: {name!r} is already offered by {source}")
        return {name: offered.record for name, offered in first.items()}

    def _returned(self, hook: str, kind: type[R]) -> tuple[Offered[R], ...]:
        if hook not in self._records:
            from boards.hooks import HookError  # noqa: PLC0415 - imports pluggy

            found = []
            for entry_point, module in self._modules().items():
                try:
                    records = module.records(hook, kind)
                except HookError as error:
                    self._fault(entry_point, str(error), error.__cause__)
                    continue
                found += [Offered(record, entry_point) for record in records]
            self._records[hook] = tuple(found)
        return self._records[hook]

    # What hooks are told

    def implements(self, hook: str) -> bool:
        """Whether any plugin has a hook: ``boards_generation_event``, say."""
        return any(True for _ in self._implementing(hook))

    def generation_event(self, event: "Event") -> None:
        """Tell the observers. What one raises is logged, and the others are told all the same."""
        for entry_point, module in self._implementing("boards_generation_event"):
            try:
                module.call("boards_generation_event", event=event)
            except (Exception, SystemExit) as error:
                # A listing does without.
                from boards.logs import Logger, traceback_of  # noqa: PLC0415

                Logger("boards.plugins").error(
                    "a plugin failed to observe",
                    plugin=entry_point.name,
                    source=entry_point.source,
                    type=event.type,
                    generation=event.generation_id,
                    exception=traceback_of(error),
                )

    def before_submit(self, generation: "Generation", request: "Rendered") -> None:
        """Ask for vetoes: what a plugin raises comes through, with a note on who raised it.

        Each sees copies: what one writes into them is neither sent nor seen by the next.
        """
        for entry_point, module in self._implementing("boards_before_submit"):
            from copy import deepcopy  # noqa: PLC0415 - a listing does without

            from boards.spec.paths import ABSENT  # noqa: PLC0415

            seen = {"generation": generation, "request": request}
            copies = deepcopy(seen, {id(ABSENT): ABSENT})
            try:
                module.call("boards_before_submit", **copies)
            except (Exception, SystemExit) as veto:
                veto.add_note(f"raised by the plugin {entry_point.name} of {entry_point.source}")
                raise

    def deprecated(self) -> "list[tuple[EntryPoint, str, DeprecatedArgument]]":
        """Arguments that plugins take and that will go: the plugin, the hook and the argument."""
        if not self.entry_points(_PYTHON):
            return []
        return [
            (entry_point, hook, warning)
            for entry_point, module in self._modules().items()
            for hook, warning in module.deprecated
        ]

    def _implementing(self, hook: str) -> "Iterator[tuple[EntryPoint, HookModule]]":
        if not self.entry_points(_PYTHON):
            return
        for entry_point, module in self._modules().items():
            if module.implements(hook):
                yield entry_point, module

    def _modules(self) -> "dict[EntryPoint, HookModule]":
        """The modules with hooks, our own first; imported now, if they were not yet."""
        if self._loaded is None:
            from boards.hooks import HookError, load_hooks  # noqa: PLC0415 - imports pluggy

            loaded = {}
            for entry_point in (_BUILTIN, *self.entry_points(_PYTHON)):
                try:
                    loaded[entry_point] = load_hooks(entry_point)
                except HookError as error:
                    self._fault(entry_point, str(error), error.__cause__, error.advice)
            self._loaded = loaded
        return self._loaded


def _canonicals(names: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(map(canonical, names))


def _version_of(distribution: str) -> str:
    from importlib_metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow to import

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
