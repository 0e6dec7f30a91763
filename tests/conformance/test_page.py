"""The page for authors has every check of the kits, with the promise as the kit has it."""

import re
from pathlib import Path

import pytest

from boards.testing.conformance.auth import AUTH_CHECKS
from boards.testing.conformance.checks import Check
from boards.testing.conformance.storage import STORAGE_CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "testing-plugins.md"


@pytest.mark.parametrize(
    ("section", "checks"), [("Storages", STORAGE_CHECKS), ("Auths", AUTH_CHECKS)]
)
def test_every_check_has_its_row(section: str, checks: list[Check[object]]) -> None:
    """In the order in which they run."""
    text = PAGE.read_text().partition(f"\n### {section}\n")[2].partition("\n## ")[0]
    table = text.partition("| check | the promise |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \|$", table, re.MULTILINE)
    assert rows == [(check.name, check.title) for check in checks]
