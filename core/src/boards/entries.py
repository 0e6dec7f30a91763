"""What a registry lists: providers and generators, by name."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from boards.availability import Availability
from boards.errors import PluginError

if TYPE_CHECKING:
    from boards.settings import Settings
    from boards.spec.model import ProviderSpec

__all__ = ["Availability", "GeneratorEntry", "ProviderEntry"]


@frozen(kw_only=True, eq=False)
class ProviderEntry:
    """A provider: one instance of a definition.

    Attributes:
        name: What stands before the ``/`` of a generator's id.
        definition: The definition that it is an instance of; often its own name.
        display_name: For people.
        description: One or two sentences.
        docs: Where the provider documents itself.
        setup: How to make it available.
        priority: Lower comes first.
        default_generator: What ``@name`` stands for.
        enabled: False where something says ``enabled: false``.
        source: Distribution and version, or the host's file.
        overrides: The source of what this stands in for.
        needs: Environment variables that it cannot do without.
        adapter: The class that overrides stages of it, if any; it is asked too.
        fault: Why it cannot be used whatever the environment, and what mends that.
    """

    name: str
    definition: str
    display_name: str
    description: str
    docs: str
    setup: str
    priority: int
    default_generator: str | None
    enabled: bool
    source: str
    overrides: str | None
    needs: tuple[str, ...]
    adapter: str | None
    fault: tuple[str, str] | None
    settings: "Settings" = field(repr=False)
    load: "Callable[[], ProviderSpec]" = field(repr=False)

    @cached_property
    def spec(self) -> "ProviderSpec":
        """The definition with all that this instance changes.

        Raises:
            SpecError: There is no such definition, or two plugins say what it is.
        """
        return self.load()

    def availability(self) -> Availability:
        """Whether it can be used now."""
        if self.fault is not None:
            return Availability(False, *self.fault)
        if not self.enabled:
            return Availability(
                False, f"{self.name} is disabled in {self.source}", "Take out `enabled: false`."
            )
        missing = [name for name in self.needs if self.settings.secret(name) is None]
        if missing:
            reason = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set"
            return Availability(False, reason, self.setup or f"Set {' and '.join(missing)}.")
        return Availability(True) if self.adapter is None else self._asked(self.adapter)

    def _asked(self, adapter: str) -> Availability:
        """What the adapter says: only now is its code imported."""
        from boards.adapters import availability_of  # noqa: PLC0415  # it knows Availability

        try:
            return availability_of(adapter, self.spec, self.settings)
        except PluginError as error:
            return Availability(False, error.message.rstrip("."), error.remedy)

    def as_dict(self) -> dict[str, Any]:
        """The provider as JSON."""
        availability = self.availability()
        return {
            "name": self.name,
            "definition": self.definition,
            "display_name": self.display_name,
            "description": self.description,
            "docs": self.docs,
            "priority": self.priority,
            "default_generator": self.default_generator,
            "source": self.source,
            "overrides": self.overrides,
            "available": availability.ok,
            "reason": availability.reason,
            "setup": availability.setup,
        }


@frozen(kw_only=True)
class GeneratorEntry:
    """A generator of one provider.

    Attributes:
        id: ``provider/name``, with the version suffix if it has one.
        provider: The provider's instance.
        name: The id without the provider.
        artifact_type: What it makes.
        display_name: For people.
        description: One or two sentences.
        docs: Where the model is documented.
        tags: Words to find it by.
        source: Distribution and version, or the host's file.
        overrides: The source of the generator that this one stands in for.
    """

    id: str
    provider: str
    name: str
    artifact_type: str
    display_name: str
    description: str
    docs: str
    tags: tuple[str, ...]
    source: str
    overrides: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The generator as JSON."""
        return {
            "id": self.id,
            "provider": self.provider,
            "name": self.name,
            "artifact_type": self.artifact_type,
            "display_name": self.display_name,
            "description": self.description,
            "docs": self.docs,
            "tags": list(self.tags),
            "source": self.source,
            "overrides": self.overrides,
        }
