"""The storage does what every storage must, at a server that checks signatures."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import pytest
from tests.unit.plugins.s3.bucket_server import BucketServer, serving

from boards.testing import StorageConformance


class TestABucket(StorageConformance):
    """With the bucket in the path, and a prefix."""

    storage = "s3"
    server: ClassVar[BucketServer]

    @property
    def environment(self) -> Mapping[str, str]:
        return {**super().environment, **self.server.environment}


@pytest.fixture(autouse=True, scope="module")
def _server() -> Iterator[None]:
    """A server that is up."""
    with serving() as TestABucket.server:
        yield
