"""Expressions of Python, laid out as formatters do: on a line if it fits, else one part a line."""

from typing import Any, Final, TypeAlias

from attrs import frozen

__all__ = [
    "WIDTH",
    "Brackets",
    "Call",
    "Code",
    "Every",
    "Expression",
    "Items",
    "Members",
    "Not",
    "flat",
    "laid_out",
    "quoted",
]

WIDTH: Final = 100


@frozen
class Code:
    """What stands on one line."""

    text: str


@frozen
class Call:
    """A call, or a class statement: arguments, with a name or without."""

    function: str
    arguments: tuple[tuple[str | None, "Expression"], ...]


@frozen
class Items:
    """A list."""

    items: tuple["Expression", ...]


@frozen
class Members:
    """A dict; keys are source."""

    members: tuple[tuple[str, "Expression"], ...]


@frozen
class Brackets:
    """A type with parameters."""

    name: str
    items: tuple["Expression", ...]


@frozen
class Every:
    """Conditions, joined by ``&``."""

    conditions: tuple["Expression", ...]


@frozen
class Not:
    """A condition in parentheses, and ``~`` before them."""

    condition: "Expression"


Expression: TypeAlias = Code | Call | Items | Members | Brackets | Every | Not


def laid_out(expression: Expression, *, prefix: str = "", suffix: str = "", indent: int = 0) -> str:
    """An expression after a prefix and before a suffix.

    Args:
        expression: What to lay out.
        prefix: What stands before it on its first line, indentation included.
        suffix: What stands after it on its last line.
        indent: The indentation of its last line.
    """
    whole = prefix + flat(expression) + suffix
    if len(whole) <= WIDTH or isinstance(expression, Code):
        return whole
    if isinstance(expression, Every):
        return _every(expression, prefix, suffix, indent)
    inner = indent + 4
    begin, parts, end = _exploded(expression)
    if not parts:
        return whole
    comma = "" if isinstance(expression, Not | Brackets) and len(parts) == 1 else ","
    lines = [
        laid_out(part, prefix=f"{' ' * inner}{name}", suffix=comma, indent=inner)
        for name, part in parts
    ]
    return "\n".join([prefix + begin, *lines, f"{' ' * indent}{end}{suffix}"])


def _every(expression: Every, prefix: str, suffix: str, indent: int) -> str:
    """Each condition on a line of its own; what is around them is in brackets already."""
    last = len(expression.conditions) - 1
    return "\n".join(
        laid_out(
            condition,
            prefix=f"{' ' * indent}& " if index else prefix,
            suffix=suffix if index == last else "",
            indent=indent,
        )
        for index, condition in enumerate(expression.conditions)
    )


def _exploded(expression: Any) -> tuple[str, list[tuple[str, Expression]], str]:
    match expression:
        case Call(function, arguments):
            named = [("" if name is None else f"{name}=", one) for name, one in arguments]
            return f"{function}(", named, ")"
        case Items(items):
            return "[", [("", one) for one in items], "]"
        case Members(members):
            return "{", [(f"{key}: ", one) for key, one in members], "}"
        case Brackets(name, items):
            return f"{name}[", [("", one) for one in items], "]"
        case Not(condition):
            return "~(", [("", condition)], ")"
    return "", [], ""


def flat(expression: Expression) -> str:
    """An expression on one line."""
    if isinstance(expression, Code):
        return expression.text
    if isinstance(expression, Every):
        return " & ".join(map(flat, expression.conditions))
    begin, parts, end = _exploded(expression)
    return f"{begin}{', '.join(name + flat(one) for name, one in parts)}{end}"


def quoted(text: str, *, only: str | None = None) -> str:
    """A text as a string of Python, in double quotes unless single ones save escapes."""
    quote = only or ("'" if text.count('"') > text.count("'") else '"')
    return f"{quote}{''.join(_escaped(one, quote) for one in text)}{quote}"


_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escaped(one: str, quote: str) -> str:
    if one == quote:
        return f"\\{one}"
    if one in _ESCAPES:
        return _ESCAPES[one]
    if one.isprintable():
        return one
    code = ord(one)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
