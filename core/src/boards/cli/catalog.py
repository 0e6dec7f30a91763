"""What there is: ``boards generators``, ``boards show`` and ``boards providers``."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from boards.artifacts import ARTIFACT_TYPES
from boards.cli.complete import complete_generator, complete_provider
from boards.cli.exits import Exit
from boards.cli.output import Output
from boards.cli.session import Session, command
from boards.names import near

if TYPE_CHECKING:
    from boards.boards import Boards
    from boards.entries import Availability, GeneratorEntry, ProviderEntry
    from boards.spec.model import CostSpec

__all__ = ["generators", "providers", "search", "show"]


@command()
@click.argument("query", nargs=-1)
@click.option("--provider", metavar="NAME", help="Only of this.", shell_complete=complete_provider)
@click.option("--type", "artifact_type", type=click.Choice(ARTIFACT_TYPES), help="What it makes.")
def generators(
    session: Session, query: tuple[str, ...], provider: str | None, artifact_type: str | None
) -> None:
    """List what there is to generate with.

    With QUERY, those that have each of its words in their name, description or tags.
    """
    boards = session.boards(drive=False)
    found = boards.generators(provider=provider, artifact_type=artifact_type)
    words = " ".join(query)
    if words:
        ids = {one.id for one in boards.search(words)}
        found = [one for one in found if one.id in ids]
    _list(session, boards, found, words or None)


@command()
@click.argument("query", nargs=-1, required=True)
def search(session: Session, query: tuple[str, ...]) -> None:
    """Search generators by words, the best first.

    What is installed is searched, and what was imported on demand. A model of a provider that has
    a catalog needs not be listed: name it as provider/MODEL.
    """
    boards = session.boards(drive=False)
    words = " ".join(query)
    _list(session, boards, boards.search(words), words)


def _list(
    session: Session, boards: "Boards", found: "list[GeneratorEntry]", query: str | None
) -> None:
    available = {one.name: one.availability().ok for one in boards.providers()}
    out = session.out
    if out.json:
        out.value([{**one.as_dict(), "available": available[one.provider]} for one in found])
    elif not found:
        _none(session, boards, query)
    else:
        rows = [
            [
                one.id,
                one.artifact_type,
                "yes" if available[one.provider] else "no",
                one.description or one.display_name,
            ]
            for one in found
        ]
        out.table(("generator", "makes", "ready", "description"), rows)
        if not all(available[one.provider] for one in found):
            out.note("Not ready: boards providers says why, and how to set it up.")


def _none(session: Session, boards: "Boards", query: str | None) -> None:
    """That there is nothing, and what to do about it."""
    out, providers = session.out, boards.providers()
    out.note(f"No generator matches {query!r}." if query else "There are no such generators.")
    if not providers:
        out.note("Install a plugin, for example: pip install boards-replicate")
        return
    if query and (meant := near(query, [one.id for one in boards.generators()])):
        out.note(f"Did you mean {' or '.join(meant)}?")
    asked = [one.name for one in providers if one.spec.catalog is not None]
    if asked:
        out.note(
            f"Any model of {' and '.join(asked)} can be named, listed or not: "
            f"boards generate {asked[0]}/MODEL"
        )


@command()
@click.argument("name", shell_complete=complete_generator)
def show(session: Session, name: str) -> None:
    """Show a generator and its inputs."""
    boards = session.boards(drive=False)
    entry, *others = boards.registry.resolve(name)
    spec = boards.registry.spec(entry.id)
    availability = boards.registry.provider(entry.provider).availability()
    schema = spec.io.input_schema
    inputs = [_input(key, one, schema) for key, one in (schema.get("properties") or {}).items()]
    out = session.out
    if out.json:
        from boards.spec.places import plain  # noqa: PLC0415  # slow to import

        out.value(
            {
                **entry.as_dict(),
                "available": availability.ok,
                "reason": availability.reason,
                "setup": availability.setup,
                "price": _price_json(spec.cost),
                "also": [one.id for one in others],
                "inputs": inputs,
                "input_schema": plain(schema),
            }
        )
        return
    _show(out, entry, availability, spec.cost, [one.id for one in others])
    out.line()
    rows = [
        [
            f"{one['name']} *" if one["required"] else one["name"],
            one["type"],
            "" if one["default"] is None else _shown(one["default"]),
            one["range"],
            one["description"],
        ]
        for one in inputs
    ]
    out.table(("input", "type", "default", "range", "description"), rows)
    out.note(
        "* required. A file is given as key=@path, as a URL, or as an earlier generation's id."
    )


def _show(
    out: Output,
    entry: "GeneratorEntry",
    availability: "Availability",
    price: "CostSpec | None",
    others: list[str],
) -> None:
    ready = "yes" if availability.ok else f"no: {availability.reason}. {availability.setup}"
    told = ""
    if price is not None and price.usd is None:
        told = "what the provider tells afterwards"
    elif price is not None:
        told = f"${price.usd:g} for each {price.unit} (list price of {price.as_of})"
    out.pairs(
        [
            ("generator", entry.id),
            ("name", entry.display_name),
            ("description", entry.description),
            ("makes", entry.artifact_type),
            ("ready", ready),
            ("price", told),
            ("tags", ", ".join(entry.tags)),
            ("documentation", entry.docs),
            ("from", entry.source),
            ("instead of", entry.overrides or ""),
            ("also", ", ".join(others)),
        ]
    )


def _price_json(price: "CostSpec | None") -> dict[str, Any] | None:
    if price is None:
        return None
    return {"usd": price.usd, "unit": price.unit, "source": price.source, "as_of": price.as_of}


def _input(name: str, schema: Any, whole: Any) -> dict[str, Any]:
    declared = schema if isinstance(schema, dict) else {}
    items = declared.get("items")
    return {
        "name": name,
        "type": _type(declared),
        "required": name in (whole.get("required") or ()),
        "default": declared.get("default"),
        "range": _range(declared) or (_range(items) if isinstance(items, dict) else ""),
        "description": declared.get("description") or "",
    }


def _type(declared: dict[str, Any]) -> str:
    if declared.get("format") in ("image", "audio", "video", "model", "file"):
        return f"{declared['format']} file" if declared["format"] != "file" else "file"
    kinds = declared.get("type")
    if isinstance(kinds, list):
        return " or ".join(str(kind) for kind in kinds)
    if kinds == "array":
        items = declared.get("items")
        return f"list of {_type(items)}" if isinstance(items, dict) else "list"
    if kinds is None:
        choices = [*(declared.get("anyOf") or ()), *(declared.get("oneOf") or ())]
        return " or ".join(_type(one) for one in choices if isinstance(one, dict)) or "any"
    return str(kinds)


def _range(declared: dict[str, Any]) -> str:
    if declared.get("enum"):
        return ", ".join(_shown(one) for one in declared["enum"])
    parts = [
        _between(declared.get("minimum"), declared.get("maximum"), ""),
        f"more than {declared['exclusiveMinimum']}" if "exclusiveMinimum" in declared else "",
        f"less than {declared['exclusiveMaximum']}" if "exclusiveMaximum" in declared else "",
        f"multiple of {declared['multipleOf']}" if "multipleOf" in declared else "",
        _between(declared.get("minItems"), declared.get("maxItems"), " items"),
        _between(None, declared.get("maxLength"), " characters"),
        "or null" if "null" in str(declared.get("type", "")) else "",
    ]
    return ", ".join(part for part in parts if part)


def _between(least: Any, most: Any, unit: str) -> str:
    if least is not None and most is not None:
        return f"{least} to {most}{unit}"
    if least is not None:
        return f"at least {least}{unit}"
    return "" if most is None else f"at most {most}{unit}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@command()
@click.argument("name", required=False, shell_complete=complete_provider)
@click.option("--check", is_flag=True, help="Ask them whether they accept the credentials.")
def providers(session: Session, name: str | None, check: bool) -> int:
    """List providers, in the order in which they are asked, and how to set them up."""
    boards = session.boards(drive=False)
    found = [boards.registry.provider(name)] if name else boards.providers()
    answers: dict[str, Availability] = session.run(_ask(session, found)) if check else {}
    out = session.out
    if out.json:
        out.value([_provider_json(one, answers.get(one.name)) for one in found])
    elif name:
        _show_provider(out, found[0], answers.get(name))
    elif not found:
        out.note("There are no providers. Install a plugin: pip install boards-replicate")
    else:
        rows = [_provider_row(one, answers.get(one.name)) for one in found]
        out.table(("provider", "ready", "priority", "what to do"), rows)
    # One that nobody has set up is no failure, unless it was asked for by name.
    refused = any(
        not answers[one.name].ok and (name or one.availability().ok)
        for one in found
        if one.name in answers
    )
    return Exit.SETUP if refused else Exit.OK


async def _ask(session: Session, found: "list[ProviderEntry]") -> "dict[str, Availability]":
    async with session.asking() as boards:
        answers = await asyncio.gather(*(boards.check_provider(one.name) for one in found))
    return {one.name: answer for one, answer in zip(found, answers, strict=True)}


def _provider_json(one: "ProviderEntry", answer: "Availability | None") -> dict[str, Any]:
    shown = one.as_dict()
    if answer is not None:
        shown["check"] = {"ok": answer.ok, "reason": answer.reason, "setup": answer.setup}
    return shown


def _provider_row(one: "ProviderEntry", answer: "Availability | None") -> list[str]:
    availability = answer or one.availability()
    todo = "" if availability.ok else f"{availability.reason}. {availability.setup}"
    return [one.name, "yes" if availability.ok else "no", str(one.priority), todo]


def _show_provider(out: Output, one: "ProviderEntry", answer: "Availability | None") -> None:
    availability = answer or one.availability()
    ready = "yes" if availability.ok else f"no: {availability.reason}"
    if answer is not None and answer.ok:
        ready = "yes, it accepts the credentials" if one.spec.check else "yes; it cannot be asked"
    out.pairs(
        [
            ("provider", one.name),
            ("name", one.display_name),
            ("description", one.description),
            ("ready", ready),
            ("what to do", "" if availability.ok else availability.setup),
            ("needs", ", ".join(one.needs)),
            ("definition", one.definition),
            ("default", one.default_generator or ""),
            ("priority", str(one.priority)),
            ("documentation", one.docs),
            ("from", one.source),
            ("instead of", one.overrides or ""),
        ]
    )
