"""Tokens and paths as objects: ``input.prompt``, ``job.id``, ``body.images[:].url``.

A token in an f-string leaves a mark there, of characters that no text has (U+FDD0 and U+FDD1 are
reserved for such uses): so only a token object is ever a token, and a text that merely looks like
one stays a text.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Literal, SupportsIndex, TypeAlias

from attrs import evolve, field, frozen

__all__ = [
    "Let",
    "Names",
    "Path",
    "Predicate",
    "Root",
    "StatusCode",
    "Token",
    "Value",
    "path",
    "split",
    "token",
]

Step: TypeAlias = str | int
EVERY: Final = "*"

_BEGIN, _END = "\ufdd0", "\ufdd1"
_MARK = re.compile(
    f"{_BEGIN}([a-z]+(?:#[0-9]+)?)((?:\\.[^.?!|{_END}]+)*)([?!]?)((?:\\|[a-z0-9_]+)*){_END}"
)


@frozen
class Names:
    """What a class calls things, and what its spec does.

    Attributes:
        inputs: The names of inputs that have another one in Python, by that.
        optional: Inputs that may be absent: a token of one leaves its key out then.
        lets: The names of derived values, by what their tokens are marked with.
    """

    inputs: Mapping[str, str] = field(factory=dict)
    optional: frozenset[str] = frozenset()
    lets: Mapping[str, str] = field(factory=dict)

    def optional_token(self, root: str, name: str) -> bool:
        """Whether a token of that root and name gets a ``?`` by itself."""
        return (root == "input" and name in self.optional) or (root, name) == ("run", "webhook_url")

    def guarded(self, condition: Mapping[str, Any]) -> "Names":
        """The names where a condition holds: the inputs that it finds are there.

        Args:
            condition: As a document has it: ``{"exists": "input.width", ...}``.
        """
        found = {str(one[0] if isinstance(one, list) else one) for one in condition.values()}
        there = {".".join(one.split(".")[:2]).split("[")[0] for one in found}
        return evolve(self, optional=frozenset(
            name for name in self.optional if f"input.{name}" not in there
        ))  # fmt: skip


class Predicate:
    """A condition, made by comparing a path: ``(body.status == "failed") & body.error.exists()``.

    ``&`` is *and*, ``~`` is *not*. There is no *or*: several rules or variants say that, or
    ``.in_([...])``.
    """

    __slots__ = ("conditions",)

    def __init__(self, conditions: Mapping[str, Any]) -> None:
        self.conditions = dict(conditions)

    def __and__(self, other: "Predicate") -> "Predicate":
        both = dict(self.conditions)
        for operator, operand in other.conditions.items():
            if operator not in both:
                both[operator] = operand
            else:  # a mapping has each operator once: the second one stands under not, not
                inner = Predicate({operator: operand})
                nested = both.get("not")
                if operator == "not" or (nested is not None and not _twice(nested)):
                    raise TypeError(
                        "this 'and' has more than one 'not' beside it, which the language cannot "
                        "say: write the second condition into a rule or variant of its own"
                    )
                inner = inner if nested is None else nested.conditions["not"] & inner
                both["not"] = Predicate({"not": inner})
        return Predicate(both)

    def __invert__(self) -> "Predicate":
        return Predicate({"not": self})

    def __or__(self, other: "Predicate") -> "Predicate":
        raise TypeError("the language has no 'or': use .in_([...]), or several rules or variants")

    def __bool__(self) -> bool:
        raise TypeError("a condition is asked later: use & and ~ in place of and, or, not, if")

    def __repr__(self) -> str:
        return f"<condition {self.conditions!r}>"


def _twice(predicate: Predicate) -> bool:
    return predicate.conditions.keys() == {"not"}


class _Reference:
    """What begins at a root, and goes down by keys and indices."""

    __slots__ = ("_root", "_steps")

    def __init__(self, root: str, steps: tuple[Step, ...] = ()) -> None:
        self._root = root
        self._steps = steps

    def _below(self, step: Step) -> Any:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._below(name)

    def __getitem__(self, step: "str | SupportsIndex | slice[None, None, None]") -> Any:
        if isinstance(step, slice):
            if step != slice(None):
                raise TypeError("a path has no ranges: [:] goes over all elements")
            return self._below(EVERY)
        if isinstance(step, str):
            return self._below(step)
        index = step.__index__()
        if index < 0:
            raise TypeError("a path counts from the beginning: no negative index")
        return self._below(index)

    def __iter__(self) -> Any:
        raise TypeError(f"{self!r} stands for a value that is there later: [:] goes over it")

    def exists(self) -> Predicate:
        """It is there, and not null."""
        return Predicate({"exists": self})

    def in_(self, values: Iterable[Any]) -> Predicate:
        """It equals one of these."""
        return Predicate({"in": [self, list(values)]})

    def is_(self, value: bool | None) -> Predicate:
        """It equals this: ``== True``, as linters like it."""
        return Predicate({"eq": [self, value]})

    def contains(self, value: Any) -> Predicate:
        """It is a text with this in it, or a list that has it."""
        return Predicate({"contains": [self, value]})

    def startswith(self, value: Any) -> Predicate:
        """It is a text that begins so."""
        return Predicate({"prefix": [self, value]})

    def __eq__(self, other: object) -> Predicate:  # type: ignore[override]
        return Predicate({"eq": [self, other]})

    def __ne__(self, other: object) -> Predicate:  # type: ignore[override]
        return ~(self == other)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} stands for a value that is there later: use .exists()")

    def path_text(self, names: Names) -> str:
        """It as a path."""
        root, steps = self._root, self._steps
        if root == "input" and steps:
            steps = (names.inputs.get(str(steps[0]), steps[0]), *steps[1:])
        if root.startswith("let#"):
            root, steps = "let", (names.lets.get(root, "?"), *steps)
        text = root + "".join(map(_path_step, steps))
        return text.removeprefix(".")

    def __repr__(self) -> str:
        return self._root + "".join(
            f".{one}" if isinstance(one, str) and one.isidentifier() else f"[{one!r}]"
            for one in self._steps
        )


def _path_step(step: Step) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return "[*]" if step == EVERY else f".{step}"


class Path(_Reference):
    """A place in a reply: ``body.output[0].url``, ``header["retry-after"]``, ``body.images[:]``.

    Below ``body``, ``header``, ``element`` and ``frame`` every attribute is a key; one that begins
    with an underscore or has the name of a method is given in brackets: ``body["every"]``.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> "Path": ...
        def __getitem__(self, step: "str | SupportsIndex | slice[None, None, None]") -> "Path": ...

    def _below(self, step: Step) -> "Path":
        return Path(self._root, (*self._steps, step))

    @property
    def every(self) -> "Path":
        """Every element of a list, or value of a mapping: the same as ``[:]``."""
        return self._below(EVERY)

    def __format__(self, spec: str) -> str:
        raise TypeError(f"{self!r} is part of a reply: it cannot stand in a text of a request")

    @property
    def below_body(self) -> str | None:
        """The path below the body; None if it does not begin there."""
        text = self.path_text(Names())
        if self._root == "":
            return text
        return text.removeprefix("body.") if text.startswith("body.") else None


class StatusCode(Path):
    """The HTTP status of a reply: ``status_code == 429``, ``status_code.in_([502, 503])``."""

    __slots__ = ()

    def __eq__(self, other: object) -> Predicate:  # type: ignore[override]
        return Predicate({"status": other})

    def in_(self, values: Iterable[Any]) -> Predicate:
        return Predicate({"status": list(values)})

    __hash__ = object.__hash__


Mode: TypeAlias = Literal["", "?", "!"]
_MODES: Final[dict[str, Mode]] = {"": "", "?": "?", "!": "!"}


class Token(_Reference):
    """A value that a request is rendered with: ``input.prompt``, ``input.image.file``, ``job.id``.

    Below the first name, the properties here are filters; a key of such a name is given in
    brackets: ``prev.images[0]["url"]``. In an f-string it stands in a longer text.
    """

    __slots__ = ("_filters", "_mode")

    def __init__(
        self,
        root: str,
        steps: tuple[Step, ...] = (),
        mode: Mode = "",
        filters: tuple[str, ...] = (),
    ) -> None:
        super().__init__(root, steps)
        self._mode = mode
        self._filters = filters

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> "Token": ...
        def __getitem__(self, step: "str | SupportsIndex | slice[None, None, None]") -> "Token": ...

    def _below(self, step: Step) -> "Token":
        if self._filters or self._mode:
            raise TypeError(f"{self!r}: keys come before filters")
        return Value(self._root, (*self._steps, step))

    def _filtered(self, name: str) -> "Token":
        return Value(self._root, self._steps, self._mode, (*self._filters, name))

    def _with(self, mode: Mode) -> "Token":
        return Value(self._root, self._steps, mode, self._filters)

    @property
    def every(self) -> "Token":
        """Every element of a list, for a condition: the same as ``[:]``."""
        return self._below(EVERY)

    @property
    def optional(self) -> "Token":
        """Left out with its key where it is absent. Optional inputs are so by themselves."""
        return self._with("?")

    @property
    def required(self) -> "Token":
        """Always there, though the input is optional: a condition has made sure of it."""
        return self._with("!")

    @property
    def file(self) -> "Token":
        """The file in the first form that the provider takes."""
        return self._filtered("file")

    @property
    def url(self) -> "Token":
        """The file as an address."""
        return self._filtered("url")

    @property
    def base64(self) -> "Token":
        """The file's bytes in Base64."""
        return self._filtered("base64")

    @property
    def data_uri(self) -> "Token":
        """The file as a data URI."""
        return self._filtered("data_uri")

    @property
    def bytes(self) -> "Token":
        """The file's bytes, for ``multipart`` or ``body``."""
        return self._filtered("bytes")

    @property
    def mime(self) -> "Token":
        """The file's media type."""
        return self._filtered("mime")

    @property
    def json(self) -> "Token":
        """The value as a JSON text."""
        return self._filtered("json")

    @property
    def str_(self) -> "Token":
        """The value as a text."""
        return self._filtered("str")

    @property
    def int_(self) -> "Token":
        """The value as an integer."""
        return self._filtered("int")

    def token_text(self, names: Names) -> str:
        """It as the language writes it.

        Raises:
            TypeError: It goes over all elements, which only a path does.
        """
        root, steps = self._root, self._steps
        if EVERY in steps:
            raise TypeError(f"{self!r}: a token has no [:]; it goes to one value")
        if root.startswith("let#"):
            if root not in names.lets:
                raise TypeError("this let belongs to no class: assign it in the class's body")
            root, steps = "let", (names.lets[root], *steps)
        name = str(steps[0]) if steps else ""
        if root == "input":
            name = names.inputs.get(name, name)
        optional = self._mode == "?" or (not self._mode and names.optional_token(root, name))
        below = "".join(f".{one}" for one in (name, *steps[1:]) if one != "")
        filters = "".join(f"|{one}" for one in self._filters)
        return f"${{{root}{below}{'?' if optional else ''}{filters}}}"

    def __format__(self, spec: str) -> str:
        if spec:
            raise TypeError(f"{self!r}: a token has no format; its value is not known yet")
        if EVERY in self._steps:
            raise TypeError(f"{self!r}: a token has no [:]; it goes to one value")
        below = "".join(f".{one}" for one in self._steps)
        filters = "".join(f"|{one}" for one in self._filters)
        return f"{_BEGIN}{self._root}{below}{self._mode}{filters}{_END}"

    def __str__(self) -> str:
        return format(self)

    def __repr__(self) -> str:
        after = [{"?": "optional", "!": "required"}.get(self._mode, ""), *self._filters]
        return super().__repr__() + "".join(f".{one}" for one in after if one)


class Value(Token):
    """A token below a root. Not what roots and derived values derive from.

    Python asks the right side of ``==`` first where its class derives from that of the left.
    """

    __slots__ = ()


class Root(Token):
    """Where tokens begin: every attribute of it is a name, none a filter."""

    __slots__ = ()

    if not TYPE_CHECKING:  # a type checker knows them by their names: all of them are tokens

        def __getattribute__(self, name: str) -> Any:
            if name.startswith("_") or name in _OF_ROOTS:
                return super().__getattribute__(name)
            return Value(self._root, (name,))


_OF_ROOTS: Final = frozenset({"token_text", "path_text"})

_serial = count(1)


class Let(Token):
    """A derived value: ``size = let(f"{input.width}x{input.height}")`` in the body of a class.

    Attributes:
        value: What it is.
        name: What the spec calls it, if not what the class does.
    """

    __slots__ = ("_let", "_let_name")

    def __init__(self, value: Any, name: str | None) -> None:
        super().__init__(f"let#{next(_serial)}")
        self._let = value
        self._let_name = name


def split(text: str) -> list[str | Token]:
    """A text in its parts: literal ones, and tokens where an f-string had them."""
    parts: list[str | Token] = []
    at = 0
    for match in _MARK.finditer(text):
        if match.start() > at:
            parts.append(text[at : match.start()])
        root, below, mode, filters = match.groups()
        steps = tuple(below.split(".")[1:])
        parts.append(Value(root, steps, _MODES[mode], tuple(filters.split("|")[1:])))
        at = match.end()
    if at < len(text):
        parts.append(text[at:])
    return parts


def token(text: str) -> Token:
    """A token as the language writes it: ``token("${prev?}")``; for those that attributes lack.

    Raises:
        ValueError: It is none.
    """
    from boards.spec.tokens import parse_template  # noqa: PLC0415  # rarely needed

    found = parse_template(text).only_token
    if found is None:
        raise ValueError(f"{text!r} is not one token, such as ${{prev?}}")
    return Value(found.root, found.steps, "?" if found.optional else "!", found.filters)


def path(text: str) -> Path:
    """A path as the language writes it: ``path("body.images[*].url")``."""
    return Path(text)
