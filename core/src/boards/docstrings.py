"""Docstrings of the Python that Boards writes."""

__all__ = ["within_docstring"]


def within_docstring(text: str) -> str:
    """A text as it stands between three quotes: one more at its end would be one too many."""
    begin, last = text[:-1].replace("\\", "\\\\").replace('"""', '\\"\\"\\"'), text[-1:]
    return begin + (f"\\{last}" if last in ("\\", '"') else last)
