"""Generators as classes: fields are inputs, attributes say how it runs, an instance is an input."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, dataclass_transform

import attrs

from boards.artifacts import ArtifactType
from boards.dsl.inputs import field, own_default
from boards.dsl.origin import CallSite, class_statement, site_of
from boards.dsl.parts import (
    Cost,
    Deadline,
    Error,
    Failure,
    Fixture,
    Output,
    Progress,
    Request,
    Status,
    Variants,
    Webhook,
    WebSocket,
)
from boards.dsl.provider import Provider
from boards.dsl.references import Path

if TYPE_CHECKING:
    from boards.records import GeneratorRecord
    from boards.spec.model import GeneratorSpec

__all__ = ["PARTS", "Generator"]

PARTS = (
    "submit", "reconcile", "status", "poll", "stream", "websocket", "webhook", "progress",
    "result", "cancel", "outputs", "failure", "errors", "deadline", "cost", "input_schema",
    "output_schema", "tests",
)  # fmt: skip
"""The attributes of a class that are no inputs."""


@dataclass_transform(
    kw_only_default=True, frozen_default=True, eq_default=True, field_specifiers=(field,)
)
class Generator:
    """A generator, and an input of it.

    Annotated attributes are inputs: the class is a frozen attrs class of them, and
    ``boards.generate(FluxPro(prompt="a cat"))`` runs it. The other attributes say what happens.
    The docstring is the description. A class without ``name`` is no generator, but what others
    may inherit from.

    Args:
        name: What it is called in ``provider/name``.
        provider: The provider's name, or a :class:`Provider` that comes along.
        artifact: What it makes.
        display_name: For people.
        description: Instead of the docstring.
        docs: Where the model is described.
        tags: To search for.
        enabled: Whether it can be used.
        type: ``adapter`` where the provider's Python adapter submits.

    Example:
        >>> class FluxPro(Generator, name="flux-1.1-pro", provider="acme", artifact="image"):
        ...     prompt: str
        ...     seed: int | None = None
        ...
        ...     submit = post("/flux", json={"prompt": input.prompt, "seed": input.seed})
        ...     outputs = body.images.every.url
    """

    submit: ClassVar[Request | Variants | None] = None
    """The request that starts a job."""
    reconcile: ClassVar[Request | None] = None
    """Finds a job whose submit reply was lost."""
    status: ClassVar[Status | None] = None
    poll: ClassVar[Request | None] = None
    """Asks how a job is doing."""
    stream: ClassVar[Request | None] = None
    """Server-sent events about a job."""
    websocket: ClassVar[WebSocket | None] = None
    webhook: ClassVar[Webhook | None] = None
    progress: ClassVar[Progress | None] = None
    result: ClassVar[Request | None] = None
    """Fetches what a job made."""
    cancel: ClassVar[Request | None] = None
    outputs: ClassVar[Output | Path | Sequence[Output | Path] | None] = None
    """What of the final reply is the result; of a bare path, the files and texts found there."""
    failure: ClassVar[Failure | None] = None
    errors: ClassVar[Sequence[Error]] = ()
    deadline: ClassVar[Deadline | None] = None
    cost: ClassVar[Cost | None] = None
    input_schema: ClassVar[Mapping[str, Any] | None] = None
    """What the fields do not say of the input; the whole schema, if it has ``properties``."""
    output_schema: ClassVar[Mapping[str, Any] | None] = None
    tests: ClassVar[Sequence[Fixture]] = ()

    __boards_header__: ClassVar[Mapping[str, Any]] = {}
    __boards_site__: ClassVar[CallSite | None] = None
    __boards_names__: ClassVar[tuple[dict[str, Any], dict[str, Any]]] = ({}, {})
    """What annotations that are texts refer to: globals and locals of the class statement."""

    def __init_subclass__(
        cls,
        *,
        name: str | None = None,
        provider: str | Provider | None = None,
        artifact: ArtifactType | None = None,
        display_name: str | None = None,
        description: str | None = None,
        docs: str | None = None,
        tags: Sequence[str] | None = None,
        enabled: bool | None = None,
        type: Literal["rest", "adapter"] | None = None,  # noqa: A002  # the language's word
    ) -> None:
        super().__init_subclass__()
        inherited = {
            key: value
            for key, value in cls.__boards_header__.items()
            if key in ("provider", "artifact", "docs", "tags", "type")
        }
        given = {
            "name": name,
            "provider": provider,
            "artifact": artifact,
            "display_name": display_name,
            "description": description,
            "docs": docs,
            "tags": tags,
            "enabled": enabled,
            "type": type,
        }
        cls.__boards_header__ = {
            **inherited,
            **{key: value for key, value in given.items() if value is not None},
        }
        frame = class_statement()
        cls.__boards_site__ = site_of(frame)
        if any(isinstance(one, str) for one in vars(cls).get("__annotations__", {}).values()):
            local = {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)
            cls.__boards_names__ = (frame.f_globals, local)
        attrs.frozen(cls, slots=False, kw_only=True, field_transformer=_as_inputs)

    @classmethod
    def from_input(cls, given: Mapping[str, Any]) -> Self:
        """An instance of an input, such as JSON from a request.

        Raises:
            InvalidInputError: It does not fit the fields' types; all problems are told.
        """
        from boards.dsl.structure import structured  # noqa: PLC0415  # cattrs is slow to import

        return structured(cls, given)

    def __boards_input__(self) -> dict[str, Any]:
        """The input, by the generator's names, without what is absent."""
        from boards.dsl.structure import unstructured  # noqa: PLC0415  # cattrs is slow to import

        return unstructured(self)

    @classmethod
    def __boards_spec__(cls) -> "GeneratorSpec":
        """The spec; read once. :func:`boards.dsl.spec_of` is its public name."""
        from boards.dsl.compiling import compiled  # noqa: PLC0415  # when it is first needed

        return compiled(cls)

    @classmethod
    def __boards_record__(cls) -> "GeneratorRecord":
        """What a registry, and a plugin's hook, takes."""
        from boards.records import GeneratorRecord  # noqa: PLC0415  # when it is first needed

        provider = cls.__boards_header__.get("provider")
        along = provider.__boards_record__() if isinstance(provider, Provider) else None
        return GeneratorRecord(cls.__boards_spec__(), along)


def _as_inputs(_: type, attributes: "list[attrs.Attribute[Any]]") -> "list[attrs.Attribute[Any]]":
    """Arguments have the names of their fields: attrs would take leading underscores away.

    And no two instances share a default that can be changed.
    """
    return [one.evolve(alias=one.name, default=own_default(one.default)) for one in attributes]
