"""Mistakes that reading cannot see: references, scopes, coverage. Each is told at its place."""

from boards.spec.check.documents import check_documents
from boards.spec.check.generator import check_generator
from boards.spec.check.lints import lint_document, lint_generator
from boards.spec.check.provider import check_provider

__all__ = [
    "check_documents",
    "check_generator",
    "check_provider",
    "lint_document",
    "lint_generator",
]
