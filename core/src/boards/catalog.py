"""The layers as one: which providers there are, and which generators each of them offers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field, frozen

from boards.entries import GeneratorEntry, ProviderEntry
from boards.errors import Problem, SpecError
from boards.layers import Layer, Offer
from boards.names import suffix_order, unsuffixed
from boards.rows import GeneratorRow, ProviderRow, merged

if TYPE_CHECKING:
    from boards.settings import Settings
    from boards.spec.model import GeneratorSpec, ProviderSpec

    ProviderOffer = Offer[ProviderRow, ProviderSpec]
    GeneratorOffer = Offer[GeneratorRow, GeneratorSpec]

__all__ = ["Catalog", "build"]

_DEFAULT_PRIORITY: Final = 100


@frozen(eq=False)
class _Provider:
    """A provider as its layers make it.

    Attributes:
        parts: Its definition, then what is laid over it, weakest first.
        definition: The definition's name.
        fault: What is wrong with it, and what mends that.
        overrides: The source of what it stands in for.
    """

    parts: "tuple[ProviderOffer, ...]"
    definition: str
    fault: tuple[str, str] | None = None
    overrides: str | None = None


@frozen(eq=False)
class _Generator:
    """A generator of one provider.

    Attributes:
        offer: Where it comes from.
        level: The number of its layer.
        direct: Whether it names this provider, rather than a definition of it.
        overrides: The source of what it stands in for.
    """

    offer: "GeneratorOffer"
    level: int
    direct: bool
    overrides: str | None = None


@frozen(eq=False)
class Catalog:
    """What there is.

    Attributes:
        providers: By name, in order of preference; those that cannot be used are here too.
        generators: By id, sorted; without those that are disabled.
        specs: For each id, what reads its spec.
        disabled: For each id that something disables: what.
        unreadable: For each id with mistakes that hide it: the mistakes.
        problems: All that is wrong.
        rivals: For each name that two sources of one layer offer: both sources.
    """

    providers: dict[str, ProviderEntry]
    generators: dict[str, GeneratorEntry]
    specs: "dict[str, Callable[[], GeneratorSpec]]"
    disabled: dict[str, str]
    unreadable: dict[str, tuple[Problem, ...]]
    problems: tuple[Problem, ...]
    rivals: dict[str, tuple[str, str]]

    @cached_property
    def _picks(self) -> dict[str, dict[str, str]]:
        """For each provider and name without ``@``: the id that it stands for."""
        picks: dict[str, dict[str, str]] = {}
        for entry in sorted(self.generators.values(), key=lambda one: suffix_order(one.name)):
            picks.setdefault(entry.provider, {})[unsuffixed(entry.name)] = entry.id
        return picks

    def pick(self, provider: str, name: str) -> GeneratorEntry | None:
        """The generator that a provider offers under a name.

        Without ``@``: the one without a suffix, else the one with the greatest.
        """
        chosen = f"{provider}/{name}" if "@" in name else self._picks.get(provider, {}).get(name)
        return None if chosen is None else self.generators.get(chosen)


def build(
    layers: Sequence[Layer], settings: "Settings", disabled: Callable[[str], bool]
) -> Catalog:
    """One catalog of all layers.

    Args:
        layers: Weakest first.
        settings: Order of providers, and where their secrets are.
        disabled: Whether a distribution is installed, and the settings leave it out.
    """
    building = _Building(layers, disabled)
    building.read_providers()
    building.read_generators()
    providers = sorted(
        (_provider_entry(name, one, settings) for name, one in building.providers.items()),
        key=lambda entry: (_preference(entry.name, settings), entry.priority, entry.name),
    )
    enabled = {entry.name for entry in providers if entry.enabled}
    generators = {
        f"{provider}/{name}": one
        for (provider, name), one in sorted(building.generators.items())
        if provider in enabled
    }
    for provider, name in building.generators:
        if provider not in enabled:
            source = building.providers[provider].parts[-1].source
            building.disabled[f"{provider}/{name}"] = f"the provider {provider} in {source}"
    return Catalog(
        {entry.name: entry for entry in providers},
        {id_: _generator_entry(id_, one) for id_, one in generators.items()},
        {id_: _generator_loader(id_, one) for id_, one in generators.items()},
        building.disabled,
        {id_: one for layer in layers for id_, one in layer.unreadable.items()},
        tuple(_problems(layers, building)),
        dict(_rivals(building, generators)),
    )


@define(eq=False)
class _Building:
    """A catalog in the making."""

    layers: Sequence[Layer]
    is_disabled: Callable[[str], bool]
    providers: dict[str, _Provider] = field(factory=dict)
    generators: dict[tuple[str, str], _Generator] = field(factory=dict)
    disabled: dict[str, str] = field(factory=dict)
    problems: list[Problem] = field(factory=list)
    definitions: "dict[str, tuple[str, ProviderOffer]]" = field(factory=dict)
    """By name: the scope that it comes from, and the definition."""
    instances: dict[str, list[str]] = field(factory=dict)
    """By definition: the providers that are made of it."""

    def read_providers(self) -> None:
        for layer in self.layers:
            for name, offer in layer.providers.items():
                if offer.row.type == "rest":
                    self.definitions[name] = (layer.scope, offer)
        for layer in self.layers:
            # What merely adjusts a provider may turn out to define it, and be named by another;
            # what is no definition may turn out to be an instance.
            known = {"", "rest", *self.definitions}
            for name, offer in sorted(
                layer.providers.items(),
                key=lambda item: (item[1].row.type not in known, item[1].row.type),
            ):
                before = self.providers.get(name)
                made = self._provider(layer, name, offer)
                overrides = before.parts[-1].source if before is not None else None
                self.providers[name] = evolve(made, overrides=overrides)
            self._hide_unreadable(layer)
        for name, one in self.providers.items():
            self.instances.setdefault(one.definition, []).append(name)

    def _hide_unreadable(self, layer: Layer) -> None:
        """No provider is asked at another address, or with another key, than its host wrote."""
        unread = dict(layer.unreadable_providers)
        for source in layer.obscure:
            unread = dict.fromkeys(self.providers, source) | unread
        for name, source in unread.items():
            if name in self.providers:
                fault = (
                    f"{source}, which tells of it or may do so, has mistakes",
                    f"Mend the file: boards check {source}",
                )
                self.providers[name] = evolve(self.providers[name], fault=fault)

    def _provider(self, layer: Layer, name: str, offer: "ProviderOffer") -> _Provider:
        definition = offer.row.type
        if definition == "rest":
            return _Provider((offer,), name)
        if not definition:
            before = self.providers.get(name)
            if before is not None:
                return evolve(before, parts=(*before.parts, offer))
            known = self.definitions.setdefault(name, (layer.scope, offer))[1]
            return _Provider((offer,) if known is offer else (known, offer), name)
        if definition in self.definitions:
            return _Provider((self.definitions[definition][1], offer), definition)
        fault = self._no_definition(definition)
        self.problems.append(Problem(f"providers.{name}", f"error: {fault[0]} ({offer.source})"))
        return _Provider((offer,), definition, fault)

    def _no_definition(self, name: str) -> tuple[str, str]:
        """Why nothing defines a provider, and what does."""
        named = self.providers.get(name)
        if named is not None and named.fault is None:
            own = named.definition
            return f"{name!r} is itself an instance of {own!r}", f"Write type: {own}."
        distribution = f"boards-{name}"
        if self.is_disabled(distribution):
            settings = "BOARDS_PLUGINS or BOARDS_PLUGINS_DISABLED"
            return (
                f"the plugin {distribution}, which defines the provider {name!r}, is left out",
                f"boards plugins enable {distribution}, or change {settings}.",
            )
        return (
            f"nothing that is installed defines the provider {name!r}",
            f"Install its plugin: pip install {distribution}",
        )

    def read_generators(self) -> None:
        for level, layer in enumerate(self.layers):
            # What was meant to stand in for another, and has mistakes, still hides it.
            for id_ in layer.unreadable:
                self.generators.pop(_split(id_), None)
            for offer in layer.generators.values():
                for provider in self._instances(layer, offer):
                    self._offer(level, provider, offer)
            for id_, source in layer.switched_off.items():
                self._switch_off(id_, source)
        for (provider, name), one in list(self.generators.items()):
            if not one.offer.row.enabled:
                self.disabled[f"{provider}/{name}"] = one.offer.source
                del self.generators[provider, name]

    def _instances(self, layer: Layer, offer: "GeneratorOffer") -> Iterator[str]:
        """The providers that offer a generator: the one that it names, or each of a definition.

        A host's generator for a definition that is not the host's own belongs to the instance
        of that name alone.
        """
        named = offer.row.provider
        scope, _ = self.definitions.get(named, ("", None))
        if scope and layer.scope in ("installed", scope):
            yield from self.instances.get(named, ())
            return
        if named not in self.providers:
            self._miss_provider(named, offer.source)
        yield named

    def _miss_provider(self, name: str, source: str) -> None:
        fault = self._no_definition(name)
        self.problems.append(Problem(f"providers.{name}", f"error: {fault[0]} ({source})"))
        row = ProviderRow(name=name, type=name)
        missing: ProviderOffer = Offer(row, source, _nothing)
        self.providers[name] = _Provider((missing,), name, fault)

    def _offer(self, level: int, provider: str, offer: "GeneratorOffer") -> None:
        key = (provider, offer.row.name)
        before = self.generators.get(key)
        direct = provider == offer.row.provider
        overrides = None
        if before is not None:
            if before.level == level and before.direct and not direct:
                return
            overrides = before.overrides if before.level == level else before.offer.source
        self.generators[key] = _Generator(offer, level, direct, overrides)

    def _switch_off(self, id_: str, source: str) -> None:
        if self.generators.pop(_split(id_), None) is not None:
            self.disabled[id_] = source
        elif id_ not in self.disabled:
            self.problems.append(
                Problem(id_, f"error: {source} disables it, and there is no such generator")
            )


def _split(id_: str) -> tuple[str, str]:
    provider, _, name = id_.partition("/")
    return provider, name


def _nothing() -> "ProviderSpec":
    raise LookupError("a provider that nothing defines")  # its fault is told first


def _preference(name: str, settings: "Settings") -> int:
    order = settings.provider_priority
    return order.index(name) if name in order else len(order)


def _provider_entry(name: str, made: _Provider, settings: "Settings") -> ProviderEntry:
    row = made.parts[0].row
    for part in made.parts[1:]:
        row = merged(row, part.row)
    return ProviderEntry(
        name=name,
        definition=made.definition,
        display_name=row.display_name,
        description=row.description,
        docs=row.docs,
        setup=row.setup,
        priority=_DEFAULT_PRIORITY if row.priority is None else row.priority,
        default_generator=row.default_generator,
        enabled=row.enabled,
        source=made.parts[-1].source,
        overrides=made.overrides,
        needs=row.needs,
        adapter=row.adapter,
        fault=made.fault or _rivalry(name, made.parts),
        settings=settings,
        load=_provider_loader(name, made),
    )


def _rivals(
    building: _Building, generators: "dict[str, _Generator]"
) -> "Iterator[tuple[str, tuple[str, str]]]":
    """Names that are offered twice, and that nothing stronger settles."""
    for name, made in building.providers.items():
        for part in made.parts:
            if part.rival is not None:
                yield name, (part.source, part.rival)
    for id_, one in generators.items():
        if one.offer.rival is not None:
            yield id_, (one.offer.source, one.offer.rival)


def _rivalry(name: str, parts: "Iterable[ProviderOffer]") -> tuple[str, str] | None:
    for part in parts:
        if part.rival is not None:
            return (
                f"{name} is offered by both {part.source} and {part.rival}",
                _choose(part.source, part.rival),
            )
    return None


def _choose(*sources: str) -> str:
    either = " or ".join(dict.fromkeys(source.partition(" ")[0] for source in sources))
    return f"Leave one of them out: {either} (plugins: BOARDS_PLUGINS_DISABLED)."


def _provider_loader(name: str, made: _Provider) -> "Callable[[], ProviderSpec]":
    fault = made.fault or _rivalry(name, made.parts)

    def load() -> "ProviderSpec":
        if fault is not None:
            raise SpecError(
                f"The provider {name} cannot be used: {fault[0]}.", remedy=fault[1], provider=name
            )
        from boards.spec.merge import instance_of  # noqa: PLC0415 - not needed for listings

        spec = made.parts[0].load()
        for part in made.parts[1:]:
            spec = instance_of(spec, part.load())
        return spec

    return load


def _generator_entry(id_: str, made: _Generator) -> GeneratorEntry:
    row = made.offer.row
    return GeneratorEntry(
        id=id_,
        provider=id_.partition("/")[0],
        name=row.name,
        artifact_type=row.artifact_type,
        display_name=row.display_name,
        description=row.description,
        docs=row.docs,
        tags=row.tags,
        source=made.offer.source,
        overrides=made.overrides,
    )


def _generator_loader(id_: str, made: _Generator) -> "Callable[[], GeneratorSpec]":
    offer = made.offer

    def load() -> "GeneratorSpec":
        if offer.rival is not None:
            raise SpecError(
                f"{id_} is offered by both {offer.source} and {offer.rival}.",
                remedy=_choose(offer.source, offer.rival),
                generator=id_,
            )
        return evolve(offer.load(), provider=id_.partition("/")[0])

    return load


def _problems(layers: Sequence[Layer], building: _Building) -> Iterator[Problem]:
    for layer in layers:
        yield from layer.problems
    yield from building.problems
