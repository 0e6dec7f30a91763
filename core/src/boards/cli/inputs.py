"""The inputs of a command that sends nothing, or not from the host's own database."""

from typing import TYPE_CHECKING, Any

from boards.artifacts import Artifact
from boards.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from boards.cli.session import Session
    from boards.cli.values import Pair
    from boards.generations import Generation
    from boards.spec.inputs import InputSchema

__all__ = ["read_given"]


async def read_given(
    session: "Session",
    generator_id: str,
    schema: "InputSchema",
    pairs: "list[Pair]",
    mapping: dict[str, Any],
) -> dict[str, Any]:
    """Inputs for :meth:`boards.Boards.explain`; an artifact of this host is a path.

    Raises:
        InvalidInputError: What is wrong with how they are written, and with their values.
    """
    from boards.cli.values import read_inputs, refused  # noqa: PLC0415  # not for --help
    from boards.engine.inputs import checked  # noqa: PLC0415  # loaded with the engine

    async def get(generation_id: str) -> "Generation":
        if not session.has_database():  # and a look is no reason to make one
            raise NotFoundError(f"There is no generation {generation_id!r}.")
        async with session.opened(drive=False) as boards:
            return await boards.get(generation_id)

    values, problems = await read_inputs(pairs, mapping, schema, get)
    values = {name: _as_path(value) for name, value in values.items()}
    if problems:
        error = None
        try:
            checked(schema, values, generator_id)
        except InvalidInputError as found:
            error = found
        raise refused(problems, error, generator_id)
    return values


def _as_path(value: Any) -> Any:
    if isinstance(value, Artifact) and value.path is not None:
        return value.path
    return [_as_path(one) for one in value] if isinstance(value, list) else value
