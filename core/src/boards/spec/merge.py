"""A generator together with its provider's defaults: what really runs."""

from typing import Any

from attrs import evolve

from boards.spec.model import Execution, GeneratorSpec, ProviderSpec

__all__ = ["effective", "instance_of"]

_REPLACED = ("status", "failure", "cancel", "reconcile", "progress", "webhook", "deadline")


def effective(generator: GeneratorSpec, provider: ProviderSpec) -> Execution:
    """The generator's execution with the provider's defaults.

    ``errors`` add up, the generator's first; every other default is replaced whole. A synchronous
    generator inherits no status and no webhook.
    """
    own = generator.execution
    inherited: dict[str, Any] = {
        name: getattr(provider, name)
        for name in _REPLACED
        if getattr(own, name) is None
        and not (own.synchronous and name in ("status", "webhook", "progress"))
    }
    return evolve(own, errors=own.errors + provider.errors, **inherited)


def instance_of(definition: ProviderSpec, instance: ProviderSpec) -> ProviderSpec:
    """An instance of a definition: its own config, limits and so on over the definition's."""
    changed: dict[str, Any] = {
        "enabled": instance.enabled,
        "config": {**definition.config, **instance.config},
        "secrets": {**definition.secrets, **instance.secrets},
        "hosts": definition.hosts + instance.hosts,
        "headers": {**definition.headers, **instance.headers},
        "type": "rest",
    }
    for name in ("display_name", "description", "docs", "setup"):
        changed[name] = getattr(instance, name) or getattr(definition, name)
    for name in (
        "adapter", "priority", "default_generator", "auth", "retry", "limits", "files", "catalog",
        "check", *_REPLACED,
    ):  # fmt: skip
        own = getattr(instance, name)
        changed[name] = own if own is not None else getattr(definition, name)
    changed["errors"] = instance.errors + definition.errors
    return evolve(definition, **changed)
