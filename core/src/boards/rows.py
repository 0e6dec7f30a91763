"""What a listing shows of a document: enough for names and availability, without the spec."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import asdict, evolve, field, frozen

from boards.errors import Problem

if TYPE_CHECKING:
    from boards.spec.model import GeneratorSpec, ProviderSpec

__all__ = ["FileRows", "GeneratorRow", "ProviderRow", "merged"]


@frozen
class ProviderRow:
    """A provider in a listing: the attributes of its spec that tell what it is and what it needs.

    Attributes:
        type: ``rest``, the name of a definition, or empty: an adjustment of the provider that is
            installed under this name.
        api_key_env: The variable that ``config`` names.
        auth: The kind of auth, if it says one.
        adapter: The class that overrides stages, if it names one.
    """

    name: str
    type: str
    enabled: bool = True
    display_name: str = ""
    description: str = ""
    docs: str = ""
    setup: str = ""
    priority: int | None = None
    default_generator: str | None = None
    api_key_env: str | None = None
    secrets: dict[str, str] = field(factory=dict)
    auth: str | None = None
    adapter: str | None = None

    @classmethod
    def of(cls, name: str, spec: "ProviderSpec", *, adjusts: bool = False) -> "ProviderRow":
        """The row of a spec."""
        api_key_env = spec.config.get("api_key_env")
        return cls(
            name=name,
            type="" if adjusts else spec.type,
            enabled=spec.enabled,
            display_name=spec.display_name,
            description=spec.description,
            docs=spec.docs,
            setup=spec.setup,
            priority=spec.priority,
            default_generator=spec.default_generator,
            api_key_env=api_key_env if isinstance(api_key_env, str) else None,
            secrets=dict(spec.secrets),
            auth=None if spec.auth is None else spec.auth.kind,
            adapter=spec.adapter,
        )

    @property
    def needs(self) -> tuple[str, ...]:
        """The environment variables that it cannot do without."""
        own = (self.api_key_env,) if self.api_key_env and self.auth != "none" else ()
        return tuple(dict.fromkeys((*own, *self.secrets.values())))


def merged(definition: ProviderRow, instance: ProviderRow) -> ProviderRow:
    """The row of an instance: what :func:`boards.spec.merge.instance_of` is for specs."""
    changed: dict[str, Any] = {
        name: getattr(instance, name) or getattr(definition, name)
        for name in (
            "display_name",
            "description",
            "docs",
            "setup",
            "api_key_env",
            "auth",
            "adapter",
        )
    }
    for name in ("priority", "default_generator"):
        own = getattr(instance, name)
        changed[name] = getattr(definition, name) if own is None else own
    secrets = {**definition.secrets, **instance.secrets}
    return evolve(instance, type="rest", secrets=secrets, **changed)


@frozen
class GeneratorRow:
    """A generator in a listing."""

    provider: str
    name: str
    artifact_type: str
    display_name: str = ""
    description: str = ""
    docs: str = ""
    tags: tuple[str, ...] = ()
    enabled: bool = True

    @classmethod
    def of(cls, spec: "GeneratorSpec") -> "GeneratorRow":
        """The row of a spec."""
        return cls(
            provider=spec.provider,
            name=spec.name,
            artifact_type=spec.artifact_type,
            display_name=spec.display_name,
            description=spec.description,
            docs=spec.docs,
            tags=spec.tags,
            enabled=spec.enabled,
        )


@frozen
class FileRows:
    """What a document offers.

    Attributes:
        switched_off: ``provider/name`` of generators that a host's file merely disables.
        unreadable: ``provider/name`` of generators that have mistakes.
        unreadable_providers: Names of providers that have mistakes; None where the document has
            mistakes that leave open which providers are in it.
        problems: All mistakes; what has none is offered nevertheless.
    """

    providers: tuple[ProviderRow, ...] = ()
    generators: tuple[GeneratorRow, ...] = ()
    switched_off: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    unreadable_providers: tuple[str, ...] | None = ()
    problems: tuple[Problem, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For the index."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "FileRows":
        """What :meth:`as_json` gave."""
        return cls(
            tuple(ProviderRow(**row) for row in data["providers"]),
            tuple(
                GeneratorRow(**{**row, "tags": tuple(row["tags"])}) for row in data["generators"]
            ),
            tuple(data["switched_off"]),
            tuple(data["unreadable"]),
            None if (names := data["unreadable_providers"]) is None else tuple(names),
            tuple(Problem(**problem) for problem in data["problems"]),
        )
