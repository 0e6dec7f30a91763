"""An issuer for each test."""

from collections.abc import Iterator

import pytest
from tests.unit.plugins.jwt.issuing import Issuer, issuing


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer that is up."""
    with issuing() as one:
        yield one
