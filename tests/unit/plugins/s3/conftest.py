"""An S3 server on loopback for every test of the plugin."""

from collections.abc import Iterator

import pytest
from tests.unit.plugins.s3.bucket_server import BucketServer, serving


@pytest.fixture
def server() -> Iterator[BucketServer]:
    """A server with an empty bucket."""
    with serving() as running:
        yield running
