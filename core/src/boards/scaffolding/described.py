"""Specifications of a new plugin that a document describes, instead of the template's example."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import evolve, field, frozen

from boards.errors import SpecError
from boards.models import heading
from boards.spec import yaml
from boards.spec.check import check_documents
from boards.spec.importers import Imported, import_model
from boards.spec.importers.generators import generator_name
from boards.spec.model import SPEC_VERSION, ProviderSpec
from boards.spec.places import Problems, plain
from boards.spec.writing import to_yaml

__all__ = ["Described", "describe_kept", "describe_model", "describe_openapi", "fill"]

_SPECS: Final = "/specs/"


@frozen
class Described:
    """What a document tells of a plugin.

    Attributes:
        provider: Whose generators these are.
        specification: The text of the file, with the document's gaps as comments on top.
        generators: Their names.
        answers: Answers of the template that the document gives.
        notes: What the document does not tell.
        open: What ``boards check`` warns of.
    """

    provider: str
    specification: str
    generators: tuple[str, ...]
    answers: Mapping[str, Any] = field(factory=dict)
    notes: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


def describe_openapi(
    document: Any,
    *,
    provider: str,
    operations: Sequence[str],
    base_url: str | None = None,
    adapter: str | None = None,
) -> Described:
    """A provider and its generators from an OpenAPI document.

    Args:
        document: OpenAPI 3, as JSON gives it.
        provider: What the provider is to be called.
        operations: By their ``operationId``, or as ``POST /path``; none for the only one.
        base_url: Where the API is, if not where the document says.
        adapter: The provider's adapter, as ``package.module:Class``.

    Raises:
        SpecError: The document cannot be read so, or several operations may be meant.
    """
    imported = [
        import_model("openapi", document, provider=provider, name=name)
        for name in operations or ("",)
    ]
    told = imported[0].providers[provider]
    url = base_url or told["config"]["base_url"]
    title = told.get("display_name") or provider.replace("-", " ").title()
    definition = {
        "display_name": title,
        "description": told.get("description") or f"What {title} makes.",
        "docs": told.get("docs") or url,
        "setup": told.get("setup") or "Nothing is needed, as the API takes no key.",
        **({"adapter": adapter} if adapter else {}),
        "config": {**told["config"], "base_url": url},
        "auth": told["auth"],
    }
    written = [
        evolve(one, document=_with_addresses(one.document, url), providers={provider: definition})
        for one in imported
    ]
    answers = {"base_url": url, "auth": told["auth"]["kind"]}
    return _described(written, provider, {provider: definition}, answers, {}, told="OpenAPI")


def describe_model(
    importer: str, document: Any, *, provider: str, model: str, definition: ProviderSpec
) -> Described:
    """A generator of a provider that is installed, from the provider's document of a model.

    Args:
        importer: What reads the document: ``catalog.importer`` of the provider.
        document: The document, as JSON gives it.
        provider: The provider.
        model: The model, as the provider names it.
        definition: Of the provider.

    Raises:
        SpecError: The document cannot be read, or what comes of it has mistakes.
    """
    imported = import_model(importer, document, provider=provider, name=model)
    return _described([imported], provider, {}, {}, {provider: definition}, told=model)


def describe_kept(text: str, *, provider: str, model: str, definition: ProviderSpec) -> Described:
    """A generator of a provider that is installed, as it was imported when it was first used.

    Args:
        text: The file that :class:`boards.models.ModelFiles` keeps.
        provider: The provider.
        model: The model, as the provider names it.
        definition: Of the provider.

    Raises:
        SpecError: The file was edited, and has mistakes.
    """
    problems = Problems()
    parsed = yaml.parse(text, model, problems)
    generators = plain(parsed.root).get("generators") if parsed is not None else None
    if not isinstance(generators, list) or len(generators) != 1:
        raise SpecError(
            f"What is kept of {model} is no specification.",
            problems.errors,
            remedy="Delete its file: it is imported anew when the model is used.",
        )
    generator = {**generators[0], "name": generator_name(model)}
    notes = tuple(line[4:] for line in text.splitlines() if line.startswith("# - "))
    imported = Imported(generator, notes)
    return _described([imported], provider, {}, {}, {provider: definition}, told=model)


def fill(files: Mapping[str, str], described: Described) -> dict[str, str]:
    """The files of a plugin, with a document's specifications instead of the template's."""
    (place,) = [path for path in files if _SPECS in path]
    path = f"{place.partition(_SPECS)[0]}{_SPECS}{described.provider}.yaml"
    kept = {name: text for name, text in files.items() if name != place}
    return dict(sorted({**kept, path: described.specification}.items()))


def _with_addresses(generator: dict[str, Any], base_url: str) -> dict[str, Any]:
    """A generator whose tests say the whole address: so they notice another base URL too.

    Their refusals get a reason, as those of every API have one: the document tells none.
    """
    tests = []
    for test in generator.get("tests", ()):
        exchanges = []
        for exchange in test["exchanges"]:
            expect, reply = dict(exchange["expect"]), dict(exchange["reply"])
            if "path" in expect:
                expect["url"] = f"{base_url}{expect.pop('path')}"
            if "raises" in test and reply.get("json") == {}:
                reply["json"] = {"error": {"message": test["name"]}}
            exchanges.append({"expect": expect, "reply": reply})
        tests.append({**test, "exchanges": exchanges})
    return {**generator, "tests": tests} if tests else generator


def _described(
    imported: Sequence[Imported],
    provider: str,
    providers: Mapping[str, Any],
    answers: Mapping[str, Any],
    known: Mapping[str, ProviderSpec],
    told: str,
) -> Described:
    generators = [one.document for one in imported]
    names = tuple(str(one["name"]) for one in generators)
    if twice := {name for name in names if names.count(name) > 1}:
        raise SpecError(f"Two operations would make a generator {', '.join(sorted(twice))}.")
    notes = tuple(dict.fromkeys(note for one in imported for note in one.notes))
    if bare := [one["name"] for one in generators if not _has_success(one)]:
        notes += (f"write a test of a success of {', '.join(bare)}: boards test fails without one",)
    whole = {"spec": SPEC_VERSION, "providers": dict(providers), "generators": generators}
    if not providers:
        del whole["providers"]
    top = heading(evolve(imported[0], notes=notes), provider, told)
    text = "\n".join([*top, to_yaml(whole)])
    return Described(
        provider=provider,
        specification=text,
        generators=names,
        answers={**answers, "provider": provider},
        notes=notes,
        open=_warnings(text, f"{provider}.yaml", known),
    )


def _has_success(generator: Mapping[str, Any]) -> bool:
    return any("raises" not in test for test in generator.get("tests", ()))


def _warnings(text: str, name: str, known: Mapping[str, ProviderSpec]) -> tuple[str, ...]:
    """What the checker warns of.

    Raises:
        SpecError: There are mistakes.
    """
    problems = Problems()
    parsed = yaml.parse(text, name, problems)
    check_documents([] if parsed is None else [parsed], problems, known.get)
    if problems.errors:
        raise SpecError(
            "What the document describes is no right specification.",
            problems.errors,
            remedy="Write it with boards import, mend it, and put it into a plugin that "
            "boards new-plugin makes without a document.",
        )
    return tuple(dict.fromkeys(one.message.partition(": ")[2] for one in problems.warnings))
