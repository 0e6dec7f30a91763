"""Documents of models as providers published them, and those of a directory that one names."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import field, frozen

from boards.spec.importers import Imported, import_model

DATA = Path(__file__).parent / "data" / "openapi"
ELSEWHERE = os.environ.get("BOARDS_OPENAPI_DOCUMENTS")


@frozen
class Published:
    """A document, and what to import it as."""

    importer: str
    provider: str
    name: str
    document: Any = field(repr=False)

    def imported(self) -> Imported:
        """What comes of it."""
        return import_model(self.importer, self.document, provider=self.provider, name=self.name)

    @property
    def schema(self) -> dict[str, Any]:
        """The input's schema as the document writes it, references and all."""
        if self.importer == "cog":
            openapi = self.document.get("latest_version", self.document)["openapi_schema"]
            schema = openapi["components"]["schemas"]["Input"]
        else:
            openapi = self.document
            (path,) = [one for one, item in openapi["paths"].items() if "post" in item]
            schema = openapi["paths"][path]["post"]["requestBody"]["content"]["application/json"][
                "schema"
            ]
        return {**schema, "components": openapi["components"]}


def published() -> list[Published]:
    """The documents of this repository: Replicate's since 2022, and fal's."""
    found = [
        _published(path.name, _read(path))
        for path in sorted(DATA.rglob("*.json.gz"))
        if path.parent != DATA
    ]
    odd = _read(DATA / "replicate-odd.json.gz")
    return found + [_published(f"{one['owner']}/{one['name']}", one) for one in odd]


def elsewhere() -> Iterator[Published]:
    """The documents of the directory that BOARDS_OPENAPI_DOCUMENTS names, lists of them too."""
    for path in sorted(Path(ELSEWHERE).rglob("*.json*")) if ELSEWHERE else ():
        read = _read(path)
        for one in read if isinstance(read, list) else [read]:
            if isinstance(one, dict) and one.keys() & {"latest_version", "openapi_schema", "paths"}:
                yield _published(path.name, one)


def _read(path: Path) -> Any:
    content = path.read_bytes()
    return json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)


def _published(file: str, document: dict[str, Any]) -> Published:
    if "paths" in document:
        endpoint = document["info"].get("x-fal-metadata", {}).get("endpointId")
        name = endpoint or file.partition(".json")[0].replace("__", "/")
        return Published("fal", "fal", name, document)
    owner, name = document.get("owner"), document.get("name")
    file_name = file.partition(".model")[0].partition(".json")[0].replace("__", "/")
    return Published("cog", "replicate", f"{owner}/{name}" if owner else file_name, document)
