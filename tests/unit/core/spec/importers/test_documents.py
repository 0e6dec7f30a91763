"""Every published document becomes a specification without mistakes, whose own tests pass."""

import json
from collections.abc import Iterable
from functools import cache

import pytest
from tests.documents import ELSEWHERE, Published, elsewhere, published

from boards.registry import Registry
from boards.settings import load
from boards.spec import yaml
from boards.spec.check import check_documents
from boards.spec.model import ProviderSpec
from boards.spec.places import Problems, plain
from boards.spec.writing import to_yaml
from boards.testing.fixtures import run_fixtures

DOCUMENTS = published()
OFTEN = 40


@cache
def _installed(name: str) -> ProviderSpec:
    return Registry(load(environment={})).provider(name).spec


def _mistakes(one: Published) -> list[str]:
    """The errors of what comes of a document, once written to YAML and read again."""
    document = one.imported().file()
    problems = Problems()
    parsed = yaml.parse(to_yaml(document), one.name, problems)
    assert parsed is not None
    assert plain(parsed.root) == document
    check_documents([parsed], problems, _installed)
    return [str(problem) for problem in problems.errors]


async def _failures(documents: Iterable[Published]) -> dict[str, tuple[str, ...]]:
    """What is wrong with the fixtures, by generator."""
    made = {}
    for one in documents:
        document = one.imported().document
        made[f"{one.provider}/{document['name']}"] = document
    results = await run_fixtures(list(made), generators=list(made.values()))
    assert len(results) == sum(len(one.get("tests", ())) for one in made.values())
    return {one.generator: one.problems for one in results if one.problems}


def test_there_are_documents_of_every_age() -> None:
    """From Cog 0.3 of 2022 on, and of both providers."""
    versions = {
        one.document.get("latest_version", one.document).get("cog_version", "")[:3]
        for one in DOCUMENTS
        if one.importer == "cog"
    }
    assert {"0.3", "0.4", "0.6", "0.8", "0.9"} <= versions
    assert {one.importer for one in DOCUMENTS} == {"cog", "fal"}
    assert len(DOCUMENTS) > 60


@pytest.mark.parametrize("one", DOCUMENTS, ids=lambda one: one.name)
def test_a_published_document_becomes_a_spec_without_mistakes(one: Published) -> None:
    """No error, and the YAML says the same as the document that was written."""
    assert _mistakes(one) == []


async def test_the_fixtures_of_imports_pass() -> None:
    """The samples of the documents give the outputs that they say; failures are failures."""
    assert await _failures(DOCUMENTS) == {}


def test_nearly_all_documents_give_both_fixtures() -> None:
    """A success from the document's sample, and a failure; whatever lacks one says so."""
    for one in DOCUMENTS:
        imported = one.imported()
        tests = imported.document.get("tests", [])
        if len(tests) < 2:
            assert any(note.startswith("no sample") for note in imported.notes), one.name
        assert all("outputs" in test or "raises" in test for test in tests)


def test_imports_tell_version_and_date() -> None:
    """Of Replicate's: the version that is pinned, and when it was made."""
    one = next(one for one in DOCUMENTS if one.name == "openai/whisper")
    imported = one.imported()
    latest = one.document["latest_version"]
    assert (imported.version, imported.date) == (latest["id"], latest["created_at"])
    assert imported.document["execution"]["submit"]["json"]["version"] == latest["id"]


def test_a_document_is_not_changed() -> None:
    """Importing reads only."""
    for one in DOCUMENTS[:OFTEN]:
        before = json.dumps(one.document)
        one.imported()
        assert json.dumps(one.document) == before


@pytest.mark.skipif(not ELSEWHERE, reason="BOARDS_OPENAPI_DOCUMENTS names no directory")
async def test_all_documents_of_a_directory_import() -> None:
    """Each of them, without an error, and with fixtures that pass."""
    documents = list(elsewhere())
    assert documents
    found = {one.name: mistakes for one in documents if (mistakes := _mistakes(one))}
    assert found == {}
    assert await _failures(documents) == {}
