"""Lineage: which artifacts an artifact was made from, and what was made from it.

A generation's links are written down when it is created, each to a generation that had ended by
then. So they lead back in time alone, and there is no way round in a circle.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from boards.artifacts import KEY, REFERENCE_PREFIX, Artifact
from boards.events import iso_time
from boards.generations import Generation, Status

if TYPE_CHECKING:
    from boards.spec.inputs import InputSchema

__all__ = ["Lineage", "Link", "Relative", "Source", "named", "nearest_first", "sources"]

_DIGITS: Final = 9
"""Of an artifact's number, at most: ids come from anywhere, and not every number can be read."""


@frozen
class Source:
    """An input that may be an artifact of an earlier generation.

    Attributes:
        input: The input's name; ``images[1]`` in a list.
        sha256: Of its bytes, hex.
        artifact_id: What the caller gave, if that was an artifact. Otherwise the newest artifact
            of the same owner that has these bytes counts.
    """

    input: str
    sha256: str
    artifact_id: str | None = None


@frozen
class Link:
    """An artifact that was taken as an input.

    Attributes:
        generation_id: What took it.
        input: As which input; ``images[1]`` in a list.
        artifact_id: The artifact, as :attr:`boards.Artifact.id`.
    """

    generation_id: str
    input: str
    artifact_id: str

    @property
    def source_id(self) -> str:
        """The generation that made the artifact."""
        return self.artifact_id.rpartition(".")[0]


@frozen
class Relative:
    """A generation of a lineage, in short.

    Attributes:
        generation_id: See :meth:`boards.Boards.get` for the whole of it.
        generator: Full id.
        artifact_type: What the generator makes.
        status: Where it is.
        created_at: Unix seconds.
    """

    generation_id: str
    generator: str
    artifact_type: str
    status: Status
    created_at: float


@frozen
class Lineage:
    """What an artifact or a generation was made from, and what was made from it.

    Attributes:
        id: Of the artifact, or of the generation, that was asked for.
        ancestors: What it was made from, and that from, the nearest first.
        descendants: What was made from it, and from that, the nearest first.
        relatives: The generations of these links by id, its own included; without those that were
            pruned, of which a link is all that is left.
        complete: Whether this is all. There are more where the limit was met.
    """

    id: str
    ancestors: tuple[Link, ...]
    descendants: tuple[Link, ...]
    relatives: Mapping[str, Relative]
    complete: bool = True

    @property
    def generation_id(self) -> str:
        """Its own generation."""
        return named(self.id)[0]

    def sources_of(self, generation_id: str) -> tuple[Link, ...]:
        """The artifacts that a generation of this lineage took, in the order of its inputs."""
        return tuple(one for one in self.ancestors if one.generation_id == generation_id)

    def uses_of(self, generation_id: str) -> tuple[Link, ...]:
        """Where the artifacts of a generation of this lineage were taken, oldest first."""
        return tuple(one for one in self.descendants if one.source_id == generation_id)

    def as_dict(self) -> dict[str, Any]:
        """The lineage as JSON: the shape that ``--json`` prints, documented in the docs."""
        return {
            "id": self.id,
            "ancestors": [_link(one) for one in self.ancestors],
            "descendants": [_link(one) for one in self.descendants],
            "generations": {
                id_: {
                    "generator": one.generator,
                    "artifact_type": one.artifact_type,
                    "status": one.status,
                    "created_at": iso_time(one.created_at),
                }
                for id_, one in self.relatives.items()
            },
            "complete": self.complete,
        }


def _link(link: Link) -> dict[str, str]:
    return {
        "generation_id": link.generation_id,
        "input": link.input,
        "artifact_id": link.artifact_id,
    }


def named(given: str | Artifact | Generation) -> tuple[str, int | None]:
    """The generation that an id, an artifact or a generation names; and which artifact of it."""
    id_ = given if isinstance(given, str) else given.id
    generation_id, dot, number = id_.rpartition(".")
    if dot and number.isascii() and number.isdecimal() and len(number) <= _DIGITS:
        return generation_id, int(number)
    return id_, None


def nearest_first(links: Sequence[Link], start: str, *, up: bool) -> tuple[Link, ...]:
    """Links that lead away from a generation, by the number of steps; each once.

    Args:
        links: In the order in which those of one generation are to come.
        start: The generation.
        up: Whether they lead to what it was made from.
    """
    by_near: dict[str, list[Link]] = {}
    for one in links:
        by_near.setdefault(one.generation_id if up else one.source_id, []).append(one)
    found: list[Link] = []
    queue = deque([start])
    while queue:
        for one in by_near.pop(queue.popleft(), ()):
            found.append(one)
            queue.append(one.source_id if up else one.generation_id)
    return tuple(found)


def sources(
    schema: "InputSchema", given: Mapping[str, Any], kept: Mapping[str, Any]
) -> tuple[Source, ...]:
    """The inputs of a request that may be artifacts of earlier generations.

    Args:
        schema: What the generator takes.
        given: The input as the caller gave it.
        kept: The same, its files in the storage.
    """
    return tuple(
        found
        for one in schema.files
        for found in _sources(one.name, given.get(one.name), kept.get(one.name))
    )


def _sources(name: str, given: Any, kept: Any) -> Iterator[Source]:
    if isinstance(kept, list):
        items = given if isinstance(given, list | tuple) else [None] * len(kept)
        for number, (item, reference) in enumerate(zip(items, kept, strict=True)):
            yield from _sources(f"{name}[{number}]", item, reference)
    elif isinstance(kept, str) and kept.startswith(REFERENCE_PREFIX):
        if (key := KEY.fullmatch(kept, len(REFERENCE_PREFIX))) is not None:
            yield Source(name, key[1], given.id if isinstance(given, Artifact) else None)
    elif isinstance(kept, str) and kept.startswith("data:"):
        import hashlib  # noqa: PLC0415  # `import boards` stays light

        from boards.engine.files import parse_data_uri  # noqa: PLC0415  # loaded with the engine

        yield Source(name, hashlib.sha256(parse_data_uri(kept)[0]).hexdigest())
