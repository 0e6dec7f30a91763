"""The storage keeps what Boards relies on."""

from boards.testing import StorageConformance


class TestDirectoryStorage(StorageConformance):
    storage = "{{ cookiecutter.provider }}"
