"""The page on the provider kit has every check, with the promise as the kit has it."""

import re
from pathlib import Path

from boards.testing.conformance.provider import CHECKS

PAGE = Path(__file__).parents[5] / "docs" / "conformance.md"


def test_every_check_has_its_row() -> None:
    """In the order in which they run."""
    text = PAGE.read_text().partition("\n## The checks\n")[2]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \|$", text, re.MULTILINE)
    assert rows == [(check.name, check.title) for check in CHECKS]
