"""What a host can generate with: providers and generators by name, from plugins and its own files.

Names come from the index; a spec is read when it is first needed, and compiled once.
"""

import contextlib
import gc
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from boards import layers
from boards.catalog import Catalog, build
from boards.entries import Availability, GeneratorEntry, ProviderEntry
from boards.errors import NotFoundError, Problem, SpecError
from boards.index import Index
from boards.models import ModelFiles
from boards.names import near, unsuffixed
from boards.plugins import PluginInfo, Plugins

if TYPE_CHECKING:
    from boards.layers import GivenGenerators, GivenProviders
    from boards.records import GeneratorRecord
    from boards.settings import Settings
    from boards.spec.compile import CompiledGenerator
    from boards.spec.importers import Imported
    from boards.spec.model import GeneratorSpec, ProviderSpec

__all__ = ["Availability", "GeneratorEntry", "ProviderEntry", "Registry"]

_LIST_GENERATORS = "List what there is with: boards generators"
_LIST_PROVIDERS = "List what there is with: boards providers"


class Registry:
    """Providers and generators by name.

    What overrides what, weakest first: models imported on demand, plugins' files, plugins' hooks,
    the host's files, and the arguments given here.

    Args:
        settings: Which plugins and files; in which order providers are asked.
        providers: Records, or by name: specs, or mappings in the shape of YAML.
        generators: Records, specs, mappings in the shape of YAML, or YAML files.

    Raises:
        SpecError: An argument has mistakes. With ``settings.strict``, from any method: a file has.
        PluginError: With ``settings.strict``, from any method: a plugin is broken.
    """

    def __init__(
        self,
        settings: "Settings",
        *,
        providers: "GivenProviders | None" = None,
        generators: "GivenGenerators | None" = None,
    ) -> None:
        self._settings = settings
        self._index = Index(settings.cache)
        self._hooks = Plugins(settings, self._index)
        self._compiled: dict[str, CompiledGenerator] = {}
        self.models = ModelFiles(settings.home / "models")
        given = bool(providers) or generators is not None
        self._arguments = layers.arguments(providers or {}, generators or ()) if given else None

    @property
    def hooks(self) -> Plugins:
        """The plugins, for what else they offer."""
        return self._hooks

    @cached_property
    def _catalog(self) -> Catalog:
        with _no_collecting():
            return self._build()

    def _build(self) -> Catalog:
        stack = [
            layers.models(self.models, self._index),
            layers.plugins(self._hooks, self._index),
            layers.hook_records(self._hooks),
            layers.host_files(self._settings, self._index),
        ]
        if self._arguments is not None:
            stack.append(self._arguments)
        catalog = build(stack, self._settings, self._hooks.disabled)
        self._index.save()
        return catalog

    @cached_property
    def _checked(self) -> Catalog:
        """The catalog; with ``strict``, only if nothing is wrong."""
        problems = self.problems() if self._settings.strict else []
        if problems:
            raise SpecError(
                "There are mistakes in what is installed, or in the host's files.",
                problems,
                remedy="Mend them, or take out --strict (BOARDS_STRICT).",
            )
        return self._catalog

    def problems(self) -> list[Problem]:
        """What is wrong with what is listed: mistakes in files, and names offered twice."""
        unknown = [
            Problem("BOARDS_PROVIDER_PRIORITY", f"error: there is no provider {name!r}")
            for name in self._settings.provider_priority
            if name not in self._catalog.providers
        ]
        return [*self._hooks.problems(), *unknown, *self._catalog.problems]

    def rivals(self) -> dict[str, tuple[str, str]]:
        """Names that two plugins offer, and that nothing stronger settles: both sources of each."""
        return dict(self._catalog.rivals)

    def plugins(self) -> list[PluginInfo]:
        """Every plugin and every file of the host, used or not. This imports plugins with hooks."""
        infos = [self._with_rivals(info) for info in self._hooks.infos()]
        for source in layers.host_sources(self._settings):
            rows = self._index.rows(source)
            error = rows.problems[0] if rows.problems else None
            infos.append(
                PluginInfo(
                    name=Path(source.path).name,
                    kind="config",
                    source=source.path,
                    offers={
                        "providers": tuple(row.name for row in rows.providers),
                        "generators": tuple(
                            f"{row.provider}/{row.name}" for row in rows.generators
                        ),
                    },
                    error=None if error is None else f"{error.where}: {error.message}",
                    remedy=None
                    if error is None
                    else f"See all mistakes: boards check {source.path}",
                )
            )
        self._index.save()
        return infos

    def _with_rivals(self, info: PluginInfo) -> PluginInfo:
        """A plugin, with its fault if another one offers the same name."""
        source = f"{info.distribution} {info.version}".rstrip()
        offered = {*info.offers.get("providers", ()), *info.offers.get("generators", ())}
        for name, sources in self._catalog.rivals.items():
            if name in offered and source in sources and info.error is None:
                others = " and ".join(one for one in sources if one != source) or source
                return evolve(
                    info,
                    error=f"{name} is offered by {others} too: it can be used from neither",
                    remedy=f"Leave one out: BOARDS_PLUGINS_DISABLED={info.distribution}",
                )
        return info

    def providers(self) -> list[ProviderEntry]:
        """All providers, usable or not, in the order in which they are asked."""
        return list(self._checked.providers.values())

    def provider(self, name: str) -> ProviderEntry:
        """One provider.

        Raises:
            NotFoundError: There is none of that name.
        """
        entry = self._checked.providers.get(name)
        if entry is not None:
            return entry
        suggestions = near(name, self._checked.providers)
        raise NotFoundError(
            f"There is no provider {name!r}.{_meant(suggestions)}",
            suggestions=suggestions,
            remedy=_LIST_PROVIDERS,
        )

    def generators(
        self, *, provider: str | None = None, artifact_type: str | None = None
    ) -> list[GeneratorEntry]:
        """The generators of all enabled providers, by id.

        Args:
            provider: Only of this provider.
            artifact_type: Only those that make this.

        Raises:
            NotFoundError: There is no such provider.
        """
        if provider is not None:
            self.provider(provider)
        return [
            entry
            for entry in self._checked.generators.values()
            if provider in (None, entry.provider) and artifact_type in (None, entry.artifact_type)
        ]

    def resolve(self, name: str) -> list[GeneratorEntry]:
        """The generators that a name stands for, the one to prefer first.

        Args:
            name: ``provider/name``; a short name, which several providers may offer; or
                ``@provider``, for its default. Without a version suffix, the generator without
                one is meant, else the one with the greatest.

        Raises:
            NotFoundError: There is none, or it is disabled.
            SpecError: There is one, and it has mistakes.
        """
        return [one for one in self.candidates(name) if not isinstance(one, SpecError)]

    def candidates(self, name: str) -> "list[GeneratorEntry | SpecError]":
        """As :meth:`resolve`; what mistakes hide of a short name is in its place, as an error."""
        if name.startswith("@"):
            return [*self._default_of(name[1:])]
        catalog = self._checked
        provider, slash, short = name.partition("/")
        found: list[GeneratorEntry | SpecError | None]
        if slash:
            found = [catalog.pick(provider, short)]
        else:
            found = [
                catalog.pick(one.name, name) or next(self._hidden(name, one.name), None)
                for one in catalog.providers.values()
                if one.enabled
            ]
        candidates = [one for one in found if one is not None]
        if all(isinstance(one, SpecError) for one in candidates):
            raise self._missing(name)
        return candidates

    def _hidden(self, name: str, provider: str | None = None) -> Iterator[SpecError]:
        """The generators of a name, maybe of one provider alone, that mistakes hide."""
        for id_, problems in self._checked.unreadable.items():
            named = _names(name, id_) and provider in (None, id_.partition("/")[0])
            if named and id_ not in self._checked.disabled:
                yield SpecError(f"The generator {id_} has mistakes.", problems, generator=id_)

    def _default_of(self, provider: str) -> list[GeneratorEntry]:
        default = self.provider(provider).default_generator
        if default is None:
            raise NotFoundError(
                f"The provider {provider} has no default generator.",
                remedy=f"Name one of: boards generators --provider {provider}",
                provider=provider,
            )
        return self.resolve(f"{provider}/{default}")

    def _missing(self, name: str) -> NotFoundError | SpecError:
        """Why nothing has that name: mistakes, a switch, or a slip of the keyboard."""
        catalog = self._checked
        for hidden in self._hidden(name):
            return hidden
        for id_, where in catalog.disabled.items():
            if _names(name, id_):
                return NotFoundError(
                    f"The generator {id_} is disabled: {where}.",
                    remedy="Take out `enabled: false`.",
                    generator=id_,
                )
        suggestions = near(name, catalog.generators)
        provider, slash, _ = name.partition("/")
        entry = catalog.providers.get(provider) if slash else None
        why, remedy = (entry.fault if entry is not None else None) or ("", _LIST_GENERATORS)
        if slash and entry is None:
            why = f"no provider is called {provider!r}"
        if name.endswith((".yaml", ".yml")):
            why = "a file is no name"
            remedy = f"For the generators in it, set BOARDS_GENERATORS_CONFIG_PATH={name}"
        elif name in catalog.providers:
            why = "that is a provider"
            remedy = f"List what it has with: boards generators --provider {name}"
            suggestions = [f"@{name}"]
        return NotFoundError(
            f"There is no generator {name!r}{': ' if why else ''}{why}.{_meant(suggestions)}",
            suggestions=suggestions,
            remedy=remedy,
        )

    def add(self, record: "GeneratorRecord") -> str:
        """Offer a generator from now on, as an argument would; one that is known stays as it is.

        Returns:
            Its id.

        Raises:
            SpecError: Two plugins offer it.
        """
        id_ = record.spec.id
        if id_ in self._checked.generators and self.spec(id_) == record.spec:
            return id_
        if self._arguments is None:
            self._arguments = layers.Layer("arguments")
        self._arguments.generators.pop(id_, None)  # its class was written anew
        self._arguments.offer_record(record, "an argument")
        self._outdated(id_)
        return id_

    def _outdated(self, id_: str) -> None:
        """A generator is new, or was changed."""
        self._compiled.pop(id_, None)
        for name in ("_catalog", "_checked"):
            vars(self).pop(name, None)

    def keep(self, imported: "Imported", provider: str, model: str) -> "GeneratorEntry":
        """Offer a model that was imported, now and in other processes: see :class:`ModelFiles`.

        Raises:
            SpecError: It has mistakes.
            StorageError: It cannot be written.
        """
        self.models.keep(imported, provider, model, self._spec_of)
        id_ = f"{provider}/{imported.document['name']}"
        self._outdated(id_)
        return self.resolve(id_)[0]

    def _spec_of(self, provider: str) -> "ProviderSpec | None":
        entry = self._checked.providers.get(provider)
        return None if entry is None else entry.spec

    def _kept_elsewhere(self, generator_id: str) -> bool:
        """Whether another process imported a generator since the catalog was built."""
        provider, _, model = generator_id.partition("/")
        if not self.models.path(provider, model).exists():
            return False
        self._outdated(generator_id)
        return generator_id in self._checked.specs

    def spec(self, generator_id: str) -> "GeneratorSpec":
        """The spec of a generator; its ``provider`` is the instance.

        Args:
            generator_id: ``provider/name``, with its suffix if it has one.

        Raises:
            NotFoundError: There is no such generator.
            SpecError: It has mistakes, or two plugins offer it.
        """
        load = self._checked.specs.get(generator_id)
        if load is None:
            if not self._kept_elsewhere(generator_id):
                raise self._missing(generator_id)
            load = self._checked.specs[generator_id]
        return load()

    def compiled(self, generator_id: str) -> "CompiledGenerator":
        """A generator, checked and compiled together with its provider; once.

        Raises:
            NotFoundError: There is no such generator.
            SpecError: It or its provider has mistakes; all of them are told.
        """
        if generator_id not in self._compiled:
            self._compiled[generator_id] = self._compile(generator_id)
        return self._compiled[generator_id]

    def _compile(self, generator_id: str) -> "CompiledGenerator":
        # What runs a generator is slow to import, and listings do without.
        from boards.spec.check import check_generator, check_provider  # noqa: PLC0415
        from boards.spec.compile import CompiledGenerator  # noqa: PLC0415
        from boards.spec.places import Problems  # noqa: PLC0415

        spec = self.spec(generator_id)
        provider = self.provider(spec.provider)
        problems = Problems()
        check_provider(provider.name, provider.spec, problems)
        check_generator(spec, provider.spec, problems)
        if problems.errors:
            raise SpecError(
                f"The generator {generator_id} has mistakes.",
                problems.errors,
                provider=provider.name,
                generator=generator_id,
            )
        return CompiledGenerator(spec, provider.name, provider.spec)


@contextlib.contextmanager
def _no_collecting() -> Iterator[None]:
    """Put off the search for garbage while thousands of objects are made that are all kept.

    Of thousands of generators it takes longer than the rest of the work, and finds nothing.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _names(name: str, id_: str) -> bool:
    return name in (id_, unsuffixed(id_), id_.partition("/")[2], unsuffixed(id_.partition("/")[2]))


def _meant(suggestions: list[str]) -> str:
    return f" Did you mean {' or '.join(suggestions)}?" if suggestions else ""
