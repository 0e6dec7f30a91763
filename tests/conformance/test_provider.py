"""The kit for providers, tried on one that is right, and on that one with each defect."""

import ast
from pathlib import Path

import pytest

from boards.testing.conformance.checks import run_check
from boards.testing.conformance.provider import CHECKS, ProviderConformance, Server
from tests.conformance.acme import DEFECTS, AcmeServer
from tests.conformance.mutants import MUTANTS, PLUGIN, Mutant


class TestAcme(ProviderConformance):
    """A plugin that is data, and a server that never heard of it."""

    provider = "acme"
    specs = (PLUGIN / "acme.yaml",)

    @property
    def server(self) -> Server:
        return AcmeServer()


class TestAcmeStudio(ProviderConformance):
    """A plugin with an adapter."""

    provider = "acme-studio"
    specs = (PLUGIN / "acme-studio.yaml",)

    @property
    def server(self) -> Server:
        return AcmeServer()


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
async def test_a_defect_is_noticed_by_its_check(mutant: Mutant, tmp_path: Path) -> None:
    """The check fails, and says what is wrong."""
    verdict = await run_check(CHECKS.named(mutant.check), mutant.subject(tmp_path))
    assert verdict.outcome == "failed", verdict
    assert mutant.tells in verdict.message


def test_every_check_has_a_mutant() -> None:
    """No check of the kit is there that nothing has ever failed."""
    assert {check.name for check in CHECKS} == {mutant.check for mutant in MUTANTS}


def test_every_defect_of_the_server_is_tried() -> None:
    """No defect is written down that nobody looks for."""
    assert {mutant.defect for mutant in MUTANTS} - {None} == set(DEFECTS)


def test_acme_has_never_heard_of_boards() -> None:
    """The server is written from nothing that the kit, or the plugin, is made of."""
    sources = [*(PLUGIN.parent / "acme").glob("*.py")]
    nodes = [node for one in sources for node in ast.walk(ast.parse(one.read_text("utf-8")))]
    imported = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    assert "aiohttp" in imported
    own = {name for name in imported if name.partition(".")[0] in {"boards", "tests"}}
    assert all(name.startswith("tests.conformance.acme") for name in own)
