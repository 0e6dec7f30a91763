"""The JSON Schema of the language, for editors: from the tables that the reader and checker use.

It is draft-07 because every YAML language server reads that draft, and nothing here needs a newer
one. It says what can be said of one mapping at a time; what lies between mappings (references,
scopes, the input schema) is told by the checker.
"""

from boards.spec.schema.language import SCHEMA_DRAFT, document_schema, language_schema

__all__ = ["SCHEMA_DRAFT", "document_schema", "language_schema"]
