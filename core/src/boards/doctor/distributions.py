"""The installed distributions as their metadata describes them. Nothing is imported."""

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from attrs import define, field

from boards.discovery import EntryPoint, canonical, entry_points_at, search_path

__all__ = ["Distribution", "distributions_at", "modules_of"]


@define(slots=False)
class Distribution:
    """One installed distribution.

    Attributes:
        name: As it writes it.
        version: Its version.
        location: The directory that it was found in.
        entry_points: Those for Boards.
    """

    name: str
    version: str
    location: str
    entry_points: tuple[EntryPoint, ...]
    _raw: Any = field(repr=False)

    @property
    def source(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}".rstrip()

    @cached_property
    def requires(self) -> tuple[str, ...]:
        """What it requires, as it writes it; nothing where its metadata cannot be read."""
        try:
            return tuple(self._raw.requires or ())
        except Exception:
            return ()

    @cached_property
    def files(self) -> frozenset[str]:
        """The files that it installed, below its location."""
        try:
            return frozenset(one.as_posix() for one in self._raw.files or ())
        except Exception:
            return frozenset()

    @property
    def beside_sources(self) -> bool:
        """Whether its metadata is what setuptools writes beside sources when it builds them."""
        return str(getattr(self._raw, "_path", "")).endswith(".egg-info")

    @cached_property
    def sources(self) -> Path | None:
        """The directory that it is an editable installation of (PEP 610); None where it is none."""
        try:
            told = json.loads(self._raw.read_text("direct_url.json") or "{}")
            if not told["dir_info"]["editable"]:
                return None
            return Path(url2pathname(urlsplit(told["url"]).path)).resolve()
        except Exception:
            return None


def distributions_at() -> Iterator[Distribution]:
    """All distributions, as Python finds them; one that is installed twice comes twice."""
    from importlib_metadata import distributions  # noqa: PLC0415 - slow to import

    for location in search_path():
        plugins = entry_points_at(location)
        for raw in distributions(path=[location]):
            try:
                name, version = raw.metadata["Name"], raw.metadata["Version"]
            except Exception:
                name = version = ""
            stem = [*Path(str(getattr(raw, "_path", ""))).stem.split("-"), "", ""]
            name = name or stem[0]
            own = tuple(
                one for one in plugins if canonical(one.distribution) == canonical(name) != ""
            )
            yield Distribution(name, version or stem[1], location, own, raw)


def modules_of(distribution: Distribution, module: str) -> frozenset[str]:
    """The files of a distribution that belong to a top-level module; for a package, all below."""
    return frozenset(
        one for one in distribution.files if one == f"{module}.py" or one.startswith(f"{module}/")
    )
