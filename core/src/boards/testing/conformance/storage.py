"""The kit for storages: a class to subclass, and its table of checks.

.. code-block:: python

    from boards.testing import StorageConformance


    class TestAcmeStorage(StorageConformance):
        storage = "acme"
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from boards.storage.protocol import Storage
from boards.testing.conformance import storage_content, storage_faults, storage_names
from boards.testing.conformance.checks import CheckTable, Conformance
from boards.testing.conformance.installed import create, own_environment
from boards.testing.conformance.storage_place import StorageSubject

__all__ = ["STORAGE_CHECKS", "StorageConformance"]

STORAGE_CHECKS: Final = CheckTable[StorageSubject](
    (*storage_content.CHECKS, *storage_names.CHECKS, *storage_faults.CHECKS)
)
"""What Boards relies on in a storage, as :mod:`boards.storage.protocol` promises it."""


class StorageConformance(Conformance, checks=STORAGE_CHECKS):
    """Tries a storage. Subclass it in a test module, and name the storage.

    Nothing is assumed of what else lies in the storage, and what the checks write they delete: a
    bucket that is used for nothing important will do.

    Attributes:
        storage: The name under which the plugin offers it, or ``package.module:function`` for a
            function of the settings that makes it. Without it, :meth:`make_storage` is overridden,
            and the check ``killed`` cannot be tried.
    """

    storage: str = ""

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment in which the storage is made; this process's by default."""
        return own_environment()

    def make_storage(self, folder: Path) -> Storage:
        """A new storage, not yet open.

        Args:
            folder: An empty directory; where the storage keeps files, it keeps them below. Asked
                twice with the same one, both storages are of one place.

        Raises:
            TypeError: The class does not say which.
        """
        if not self.storage:
            raise TypeError(
                f"{type(self).__name__}: give the storage's name, as in storage = 'acme',"
                " or override make_storage()."
            )
        made: Storage = create("storages", self.storage, folder, self.environment)
        return made
