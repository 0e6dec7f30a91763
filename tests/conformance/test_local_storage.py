"""The storage that comes with Boards keeps the promises that the kit asks of any."""

from pathlib import Path

from boards.storage.local import LocalStorage
from boards.testing.conformance.storage import StorageConformance


class TestLocalStorage(StorageConformance):
    """By its name, as a host finds it."""

    storage = "local"
    exempt = {"url": "Files of this machine have no public address."}


class TestUnnamedStorage(StorageConformance):
    """By a function, as an author does before there is a plugin."""

    exempt = {"killed": "The same storage is killed by its name, above."}

    def make_storage(self, folder: Path) -> LocalStorage:
        return LocalStorage(folder / "blobs")
