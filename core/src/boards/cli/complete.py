"""What the shell offers for an argument. Called for a press of TAB; says nothing about mistakes."""

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from boards.cli.session import Session

__all__ = [
    "complete_generation",
    "complete_generator",
    "complete_input",
    "complete_plugin",
    "complete_provider",
]

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _quiet(complete: Callable[[click.Context, str], Iterable[CompletionItem]]) -> Completer:
    """Whatever is wrong with the settings or a plugin, a press of TAB prints no error."""

    def completer(context: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
        try:
            return list(complete(context, typed))
        except Exception:
            return []

    return completer


def _session(context: click.Context) -> Session:
    return context.ensure_object(Session)


def _generators(context: click.Context, typed: str) -> Iterable[CompletionItem]:
    found = _session(context).boards(drive=False).generators()
    seen: dict[str, str] = {}
    for one in found:
        for name in (one.name, one.id):
            seen.setdefault(name, one.description)
    for name, help_ in sorted(seen.items()):
        # A full id is offered when somebody begins to write one.
        if name.startswith(typed) and (
            "/" not in name or "/" in typed or _provider_of(typed, name)
        ):
            yield CompletionItem(name, help=help_)


def _provider_of(typed: str, name: str) -> bool:
    return bool(typed) and name.startswith(typed)


def _providers(context: click.Context, typed: str) -> Iterable[CompletionItem]:
    for one in _session(context).boards(drive=False).providers():
        if one.name.startswith(typed):
            yield CompletionItem(one.name, help=one.description)


def _plugins(context: click.Context, typed: str) -> Iterable[CompletionItem]:
    from boards.index import Index  # noqa: PLC0415  # of no other completion

    names = {one.distribution for one in Index(_session(context).settings().cache).entry_points()}
    for name in sorted(names):
        if name.startswith((typed, f"boards-{typed}")):
            yield CompletionItem(name)


def _inputs(context: click.Context, typed: str) -> Iterable[CompletionItem]:
    registry = _session(context).boards(drive=False).registry
    entry = registry.resolve(context.params["name"])[0]
    properties = registry.spec(entry.id).io.input_schema.get("properties") or {}
    name, equals, value = typed.partition("=")
    if equals:
        for one in _values(properties.get(name)):
            if one.startswith(value):
                yield CompletionItem(f"{name}={one}")
        return
    given = {text.partition("=")[0].rstrip(":") for text in context.params.get("inputs") or ()}
    for key, one in properties.items():
        if key.startswith(typed) and key not in given:
            help_ = one.get("description", "") if isinstance(one, dict) else ""
            yield CompletionItem(f"{key}=", help=help_)


def _values(declared: Any) -> list[str]:
    if not isinstance(declared, dict):
        return []
    if declared.get("type") == "boolean":
        return ["true", "false"]
    return [str(one) for one in declared.get("enum") or ()]


def _generations(context: click.Context, typed: str) -> Iterable[CompletionItem]:
    session = _session(context)
    if not session.has_database():
        return

    async def look() -> list[CompletionItem]:
        async with session.opened(drive=False) as boards:
            found = await boards.list(limit=50)
        return [CompletionItem(one.id, help=f"{one.generator} {one.status}") for one in found]

    yield from (one for one in session.run(look()) if one.value.startswith(typed))


complete_generator = _quiet(_generators)
complete_provider = _quiet(_providers)
complete_plugin = _quiet(_plugins)
complete_input = _quiet(_inputs)
complete_generation = _quiet(_generations)
