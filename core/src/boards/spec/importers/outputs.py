"""What of a reply is the result: the artifact type, and ``extract``, from schema and sample."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import evolve, frozen

from boards.artifacts import ArtifactType
from boards.spec.grammar import BAD, Shape
from boards.spec.importers.media import (
    Leaf,
    MediaKind,
    first_kind,
    is_step,
    kind_of_url,
    leaves,
    urls_in,
    words,
)
from boards.spec.importers.schemas import Notes, accepts, bare
from boards.spec.model import Extract
from boards.spec.paths import ABSENT, parse_path, values
from boards.spec.places import Place, Problems, Source, locate
from boards.spec.replies import Found, compile_extract

__all__ = ["Outputs", "find_outputs", "outputs_of"]

_MOST_FACTS: Final = 8
_CHECKED: Final = ("image", "audio", "video")
"""Types whose artifacts must be what they say: another one fails the generation."""


_DATA: Final = frozenset(
    {
        "archive", "config", "csv", "json", "log", "metadata", "npy", "npz", "pdf",
        "pickle", "prompt", "srt", "subtitle", "text", "timestamp", "transcript", "txt", "vtt",
        "yaml", "zip",
    }
)  # fmt: skip
"""Words of names of files that are no image, audio or video."""


@frozen
class Outputs:
    """What a generator makes, and where its replies have it."""

    artifact_type: ArtifactType
    extract: dict[str, Any]


def outputs_of(
    schema: Mapping[str, Any],
    notes: Notes,
    *,
    path: str = "body",
    sample: Any = None,
    told: MediaKind | None = None,
    described: Iterable[str] = (),
    expires: str | None = None,
) -> Outputs:
    """Where the outputs are.

    Args:
        schema: Of the value at ``path``, plain, with its hints; empty where there is none.
        notes: Where is kept what could not be told.
        path: Where the reply has the outputs.
        sample: A real value of them; None where there is none.
        told: What the provider says that the model makes.
        described: The model's name and description: what to go by where nothing else tells.
        expires: How long an address lives, as a duration.
    """
    found = [_sampled(leaf, sample, path) for leaf in leaves(schema, path)]
    files = [leaf for leaf in found if leaf.is_file]
    texts = [leaf for leaf in found if leaf.form == "text"]
    results = [leaf for leaf in texts if leaf.says_result or leaf.path.startswith(f"{path}[")]
    results += [leaf for leaf in texts if leaf.path == path and leaf not in results]
    nearest = min((leaf.path.count(".") for leaf in results), default=0)
    results = [leaf for leaf in results if leaf.path.count(".") == nearest]
    addresses = list(urls_in(sample))
    spoken = told or first_kind(described)
    strange = _strange(schema, sample, files, notes, path, spoken)
    if strange is not None:
        return strange
    if files and not (results and (told == "text" or (sample is not None and not addresses))):
        return _files(files, found, notes, path, told, spoken, expires)
    if addresses and not files:
        return _addresses(notes, path, _first(map(kind_of_url, addresses)) or spoken)
    if texts:
        return _texts(results or texts, files, schema, notes, path, expires)
    if sample is None and path != "body" and not any(leaf.form == "fact" for leaf in found):
        return _addresses(notes, path, spoken)
    if _is_text(sample):
        return Outputs("text", {"outputs": [{"from": path, "as": "text"}]})
    notes.add("", "no file and no text is announced in the output: it is kept as JSON")
    return Outputs("text", {"outputs": [{"from": path, "as": "json"}]})


def _strange(
    schema: Mapping[str, Any],
    sample: Any,
    files: list[Leaf],
    notes: Notes,
    path: str,
    spoken: MediaKind | None,
) -> Outputs | None:
    """A sample that is not the one address that the schema announces: old Cog wrote such.

    There, lists of mappings and mappings are announced as one file.
    """
    if sample in (None, "", []) or [leaf.path for leaf in files] not in ([path], [f"{path}[*]"]):
        return None
    addresses = list(urls_in(sample))
    if path == "body" or (addresses and accepts(bare(schema), sample)):
        return None
    told = "its sample is not what its schema announces"
    if addresses:
        if isinstance(sample, str) or all(isinstance(one, str) for one in sample):
            return None
        notes.add("", f"the output: {told}; every address in it is fetched")
        kind = _first(map(kind_of_url, addresses)) or spoken
        return Outputs(kind or "intermediate", {"output_paths": [path.removeprefix("body.")]})
    form = "text" if _is_text(sample) else "json"
    notes.add("", f"the output: {told}; it is kept as {form}")
    return Outputs("text", {"outputs": [{"from": path, "as": form}]})


def _is_text(sample: Any) -> bool:
    """A text, or pieces of one."""
    return isinstance(sample, str) or (
        isinstance(sample, list) and bool(sample) and all(isinstance(one, str) for one in sample)
    )


def find_outputs(extract: Mapping[str, Any], artifact_type: str, body: Any) -> list[dict[str, Any]]:
    """What ``extract`` finds in a reply's body, as a fixture writes outputs."""
    problems = Problems()
    place = Place(Source("import"))
    read = Shape(Extract).read(locate(dict(extract), place), place, problems)
    if read is BAD:
        return []
    found = compile_extract(read, artifact_type)({"status": 200, "header": {}, "body": body})
    if not all(isinstance(one.value, str) for one in found):
        return []  # the body is not what the schema announces
    return [_as_written(one) for one in found]


def _as_written(one: Found) -> dict[str, Any]:
    if one.form in ("url", "text", "json"):
        return {"url" if one.form == "url" else "text": one.value}
    try:
        content = base64.b64decode(one.value.rpartition(",")[2], validate=True).decode()
    except ValueError:
        return {}
    return {"bytes": content}


def _sampled(leaf: Leaf, sample: Any, path: str) -> Leaf:
    """The leaf with the kind of file that the sample has in its place."""
    if not leaf.is_file or sample is None:
        return leaf
    at = parse_path(f"sample{leaf.path.removeprefix(path)}")
    kind = _first(
        kind_of_url(url)
        for value in values(at)({"sample": sample})
        if value is not ABSENT
        for url in urls_in(value)
    )
    return leaf if kind is None else evolve(leaf, kind=kind)


def _first(kinds: Iterable[MediaKind | None]) -> MediaKind | None:
    return next((kind for kind in kinds if kind is not None), None)


def _files(
    files: list[Leaf],
    found: list[Leaf],
    notes: Notes,
    path: str,
    told: MediaKind | None,
    spoken: MediaKind | None,
    expires: str | None,
) -> Outputs:
    kinds = [leaf.kind for leaf in files if leaf.kind is not None]
    kind = told if told in kinds else next(iter(kinds), spoken)
    artifact_type: ArtifactType = kind or "intermediate"
    if kind is None:
        notes.add("", "artifact_type cannot be told from the document: intermediate is written")
    kept = files
    if kind in _CHECKED:
        kept = [one for one in files if one.kind == kind or _may_be(one, files)] or files
        if lost := [one.path.removeprefix("body.") for one in files if one not in kept]:
            notes.add("", f"{', '.join(lost)}: left out of the outputs, as they are no {kind}")
        guessed = [one.path.removeprefix("body.") for one in kept if one.kind is None]
        if guessed and len(guessed) < len(kept):
            notes.add("", f"{', '.join(guessed)}: taken for {kind}, as what stands beside them is")
    outputs = []
    for leaf in kept:
        output: dict[str, Any] = {"from": leaf.path, "as": leaf.form}
        if expires is not None and leaf.form == "url":
            output["expires"] = expires
        meta = {**dict(leaf.facts), **_facts(found, path, leaf)}
        if meta:
            output["meta"] = dict(list(meta.items())[:_MOST_FACTS])
        outputs.append(output)
    return Outputs(artifact_type, {"outputs": outputs})


def _may_be(leaf: Leaf, files: list[Leaf]) -> bool:
    """Whether a file of which nothing is told is of the kind of the others beside it."""
    if leaf.kind is not None or set(words(leaf.name)) & _DATA:
        return False
    beside = leaf.path.rpartition(".")[0]
    return all(one.kind is None or one.path.rpartition(".")[0] == beside for one in files)


def _facts(found: list[Leaf], path: str, leaf: Leaf) -> dict[str, str]:
    """Facts of the whole reply; a list of them goes with a list of files."""
    facts = {}
    for one in found:
        if one.form != "fact":
            continue
        at = f"{path}.{one.name}"
        if one.path == at or (one.path == f"{at}[*]" and "[*]" in leaf.path):
            facts[one.name] = one.path
    return facts


def _addresses(notes: Notes, path: str, kind: MediaKind | None) -> Outputs:
    """An output of which nothing is announced: each address in it is a file."""
    notes.add(
        "",
        "the document does not say what its output holds: every address in it is fetched"
        + ("" if kind else ", and artifact_type cannot be told: intermediate is written"),
    )
    return Outputs(kind or "intermediate", {"output_paths": [path.removeprefix("body.")]})


def _texts(
    results: list[Leaf],
    files: list[Leaf],
    schema: Mapping[str, Any],
    notes: Notes,
    path: str,
    expires: str | None,
) -> Outputs:
    used = [*results, *files]
    meta = {
        name: f"{path}.{name}"
        for name in list(schema.get("properties", ()))[:_MOST_FACTS]
        if is_step(name) and not any(_within(leaf.path, f"{path}.{name}") for leaf in used)
    }
    facts = {"meta": meta} if meta else {}
    outputs = [{"from": leaf.path, "as": "text", **facts} for leaf in results]
    lasting = {"expires": expires} if expires is not None else {}
    outputs += [{"from": leaf.path, "as": leaf.form, **lasting} for leaf in files]
    if len(results) > 1:
        names = ", ".join(leaf.path.removeprefix("body.") for leaf in results)
        notes.add("", f"several texts may be the result, and all are taken: {names}")
    return Outputs("text", {"outputs": outputs})


def _within(path: str, outer: str) -> bool:
    return path == outer or path.startswith((f"{outer}.", f"{outer}["))
