"""Providers in Python."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from boards.dsl.document import Writer
from boards.dsl.origin import caller
from boards.dsl.parts import (
    Auth,
    Catalog,
    Deadline,
    Error,
    Failure,
    Files,
    Limits,
    Part,
    Progress,
    Request,
    Retry,
    Status,
    Text,
    Webhook,
)
from boards.dsl.references import Names
from boards.errors import SpecError
from boards.spec.grammar import Shape
from boards.spec.model import ProviderSpec
from boards.spec.places import Document, Problems
from boards.spec.places import Mapping as Node

if TYPE_CHECKING:
    from boards.records import ProviderRecord

__all__ = ["Provider"]


class ProviderKeys(TypedDict, total=False):
    """What a provider says."""

    type: str
    adapter: str
    enabled: bool
    display_name: str
    description: str
    docs: str
    setup: str
    priority: int
    default_generator: str
    config: Mapping[str, Any]
    secrets: Mapping[str, str]
    auth: Auth
    headers: Mapping[str, Text]
    hosts: Sequence[str]
    retry: Retry
    limits: Limits
    files: Files
    catalog: Catalog
    check: Request
    status: Status
    errors: Sequence[Error]
    failure: Failure
    cancel: Request
    reconcile: Request
    progress: Progress
    webhook: Webhook
    deadline: Deadline


class Provider(Part):
    """A provider, for the classes that name it; what they do not say themselves, it says.

    Args:
        name: What it is called in ``provider/generator``.
        base_url: Where paths begin: ``config["base_url"]``.
        api_key_env: The variable of its key: ``config["api_key_env"]``.
        keys: What else it says.

    Example:
        >>> acme = Provider(
        ...     "acme",
        ...     base_url="https://api.acme.example/v1",
        ...     api_key_env="ACME_KEY",
        ...     auth=Auth("bearer"),
        ... )
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key_env: str | None = None,
        **keys: Unpack[ProviderKeys],
    ) -> None:
        self.name = name
        self.site = caller()
        given = {"base_url": base_url, "api_key_env": api_key_env}
        config = {key: value for key, value in given.items() if value is not None}
        self._keys: dict[str, Any] = dict(keys)
        if config:
            self._keys["config"] = {**config, **keys.get("config", {})}

    def __repr__(self) -> str:
        return f"Provider({self.name!r})"

    @property
    def positional(self) -> tuple[str, ...]:
        return ("name",)

    def keys(self) -> dict[str, Any]:
        return self._keys

    @cached_property
    def spec(self) -> ProviderSpec:
        """What it says, read and checked once.

        Raises:
            SpecError: It has mistakes; each is told at its line.
        """
        from boards.spec.check import check_documents  # noqa: PLC0415  # slow to import
        from boards.spec.reader import read_document  # noqa: PLC0415

        problems = Problems()
        root = self.document(problems)
        document = Document(root.place.source, root, root.place)
        check_documents([document], problems)
        if problems.errors:
            raise SpecError(f"The provider {self.name} has mistakes.", problems.errors)
        return read_document(document, problems).providers[self.name]

    def document(self, problems: Problems) -> Node:
        """The document ``providers: {NAME: ...}``."""
        spot = self.site.spot(self.positional)
        root, named = Node(spot.place), Node(spot.place)
        written = Writer(Names(), problems).write(Shape(ProviderSpec), self, spot)
        named.put(self.name, written, spot.key("name")[1].place, spot.place)
        root.put("providers", named, spot.place, spot.place)
        return root

    def __boards_record__(self) -> "ProviderRecord":
        """What a registry, and a plugin's hook, takes."""
        from boards.records import ProviderRecord  # noqa: PLC0415  # when it is first needed

        return ProviderRecord(self.name, self.spec)
