"""From a provider's own description of a model to a generator of the language; no I/O."""

from boards.spec.importers.imported import Imported, import_model

__all__ = ["Imported", "import_model"]
