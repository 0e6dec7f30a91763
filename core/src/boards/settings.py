"""What a host may set: arguments over ``BOARDS_*`` variables over a ``.env`` file."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypedDict, Unpack, get_args

from attrs import field, frozen

from boards.budgets import Budgets, parse_budgets
from boards.errors import SettingsError
from boards.switches import read_switches

__all__ = ["AllOverrides", "Fallback", "OnAmbiguous", "Overrides", "Settings", "Unpriced", "load"]

Fallback = Literal["off", "on_unavailable", "on_error"]
OnAmbiguous = Literal["hold", "resubmit", "fail"]
Unpriced = Literal["allow", "refuse"]

_DISTRIBUTION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PART: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
_ADDRESS: Final = re.compile(
    r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?|[0-9A-Fa-f:.]+/[0-9]{1,3}"
)
_CREDENTIALS: Final = re.compile(r"//[^/\s]*@")
"""Of an address: a message about it does not repeat a password."""
_WEB_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+(/[A-Za-z0-9._~/-]*)?")
_FLAGS: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


@frozen(kw_only=True)
class Settings:
    """What a host has set. Made by :func:`load`; frozen from then on.

    Attributes:
        home: The directory of the database, the artifacts and the host's own files.
            ``BOARDS_HOME``, else the user's data directory.
        cache: A directory whose files may be deleted at any time. ``BOARDS_CACHE``.
        providers_config_path: The host's providers: ``BOARDS_PROVIDERS_CONFIG_PATH``, else
            ``providers.yaml`` in ``home`` if there is one.
        generators_config_path: The host's generators: ``BOARDS_GENERATORS_CONFIG_PATH``, else
            ``generators.yaml`` in ``home`` if there is one.
        plugins: Only plugins of these distributions are used; all where None. ``BOARDS_PLUGINS``.
        plugins_disabled: Plugins of these distributions are not used.
            ``BOARDS_PLUGINS_DISABLED``; :func:`load` adds those that ``boards plugins disable``
            wrote down in ``home``.
        strict: A broken plugin or specification is an error, not an entry in a list.
            ``BOARDS_STRICT``.
        allow_private_hosts: Private, loopback and link-local addresses that may be connected to:
            all (True), none (False), or these. ``BOARDS_ALLOW_PRIVATE_HOSTS``, as ``1`` or
            ``127.0.0.1:8765,10.0.0.0/8``.
        provider_priority: Providers to be tried before all others, in this order.
            ``BOARDS_PROVIDER_PRIORITY``.
        fallback: What to do where the preferred provider of a short name cannot be used: ``off``
            (an error), ``on_unavailable`` (the next one) or ``on_error`` (the next one also where
            it refuses). ``BOARDS_FALLBACK``.
        on_ambiguous: What becomes of a generation whose submit's answer was lost, once the job was
            looked for in vain: ``hold``, ``resubmit`` (at the risk of paying twice) or ``fail``.
            ``BOARDS_ON_AMBIGUOUS``.
        storage: The installed storage that keeps artifacts. ``BOARDS_STORAGE``.
        auth: The installed auth that tells who asks. ``BOARDS_AUTH``.
        max_in_flight: How many generations of one owner may be under way at once.
            ``BOARDS_MAX_IN_FLIGHT``.
        webhook_url: The public address below which providers' webhooks arrive, as
            ``https://example.com/webhooks``; without it none is asked for. ``BOARDS_WEBHOOK_URL``.
        max_output_bytes: The largest output that is fetched. ``BOARDS_MAX_OUTPUT_SIZE``, as
            ``2GB``.
        budget: What may be spent in a time, by all together: nothing is submitted that does not
            fit into each. ``BOARDS_BUDGET``, as ``10 USD/day,100 USD/month``.
        owner_budget: What each owner may spend. ``BOARDS_OWNER_BUDGET``.
        budget_unpriced: Whether generators without a price may be used while there is a budget,
            which cannot see them: ``allow`` or ``refuse``. ``BOARDS_BUDGET_UNPRICED``.
        opentelemetry: Whether traces and figures go to OpenTelemetry; None for: if the host has
            imported it. ``BOARDS_OPENTELEMETRY``.
        environment: The environment over the ``.env`` file. Secrets are read from here when they
            are needed and kept nowhere else.
    """

    home: Path
    cache: Path = field()
    providers_config_path: Path | None = None
    generators_config_path: Path | None = None
    plugins: tuple[str, ...] | None = None
    plugins_disabled: tuple[str, ...] = ()
    strict: bool = False
    allow_private_hosts: bool | tuple[str, ...] = False
    provider_priority: tuple[str, ...] = ()
    fallback: Fallback = "on_unavailable"
    on_ambiguous: OnAmbiguous = "hold"
    storage: str = "local"
    auth: str = "none"
    max_in_flight: int | None = None
    webhook_url: str | None = None
    max_output_bytes: int = 2_000_000_000
    budget: Budgets = ()
    owner_budget: Budgets = ()
    budget_unpriced: Unpriced = "allow"
    opentelemetry: bool | None = None
    environment: Mapping[str, str] = field(factory=dict, repr=False, eq=False)

    @cache.default
    def _default_cache(self) -> Path:
        return self.home / "cache"

    @property
    def database(self) -> Path:
        """Where the SQLite store keeps its database."""
        return self.home / "boards.db"

    def secret(self, name: str) -> str | None:
        """The value of an environment variable without surrounding space; None if it is empty."""
        return self.environment.get(name, "").strip() or None


class Overrides(TypedDict, total=False):
    """What :class:`boards.Boards` takes as settings: typed values, or texts as in the environment.

    ``None`` stands for "not given". ``environment`` replaces both ``os.environ`` and ``.env``.
    """

    home: str | os.PathLike[str] | None
    cache: str | os.PathLike[str] | None
    providers_config_path: str | os.PathLike[str] | None
    generators_config_path: str | os.PathLike[str] | None
    plugins: str | tuple[str, ...] | list[str] | None
    plugins_disabled: str | tuple[str, ...] | list[str] | None
    strict: bool | str | None
    allow_private_hosts: bool | str | tuple[str, ...] | list[str] | None
    provider_priority: str | tuple[str, ...] | list[str] | None
    fallback: Fallback | None
    on_ambiguous: OnAmbiguous | None
    max_in_flight: int | str | None
    webhook_url: str | None
    max_output_bytes: int | str | None
    budget: str | tuple[str, ...] | list[str] | None
    owner_budget: str | tuple[str, ...] | list[str] | None
    budget_unpriced: Unpriced | None
    opentelemetry: bool | str | None
    environment: Mapping[str, str] | None


class AllOverrides(Overrides, total=False):
    """The arguments of :func:`load`: these two may be objects where :class:`boards.Boards` is."""

    storage: str | None
    auth: str | None


def load(**overrides: Unpack[AllOverrides]) -> Settings:
    """Read the settings: arguments, else ``BOARDS_*`` variables, else ``.env``, else defaults.

    The ``.env`` file is the one in the working directory. An empty variable counts as not set.

    Raises:
        SettingsError: A value cannot be used.
        TypeError: An argument is no setting.
    """
    if unknown := overrides.keys() - _SETTINGS.keys() - {"environment"}:
        raise TypeError(
            f"{', '.join(sorted(unknown))}: no such setting; there are: {', '.join(_SETTINGS)}"
        )
    given: dict[str, Any] = {k: value for k, value in overrides.items() if value is not None}
    dotenv = {} if "environment" in given else _dotenv(Path.cwd() / ".env")
    outer = given.pop("environment", os.environ)
    environment = {**dotenv, **outer}
    values: dict[str, Any] = {"environment": MappingProxyType(environment)}
    for name, (variable, read) in _SETTINGS.items():
        text = environment.get(variable, "").strip()
        if name in given:
            values[name] = _read(read, given[name], name, "an argument")
        elif text:
            origin = "the environment" if variable in outer else ".env"
            values[name] = _read(read, text, variable, origin)
    if "home" not in values:
        values["home"] = _default_home()
    if switched_off := read_switches(values["home"]):
        values["plugins_disabled"] = (*values.get("plugins_disabled", ()), *switched_off)
    for name in ("providers", "generators"):
        path = values["home"] / f"{name}.yaml"
        if path.is_file():
            values.setdefault(f"{name}_config_path", path)
    return Settings(**values)


def _default_home() -> Path:
    from platformdirs import user_data_path  # noqa: PLC0415 - slow to import

    return user_data_path("boards", appauthor=False)


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 - slow to import, rarely needed

    try:
        values = dotenv_values(path, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read: {error}", remedy="Mend the file, or move it away."
        ) from error
    return {name: value for name, value in values.items() if value is not None}


def _read(read: Callable[[Any], Any], value: Any, name: str, origin: str) -> Any:
    try:
        return read(value)
    except (ValueError, TypeError) as error:
        shown = _CREDENTIALS.sub("//***@", repr(value))
        raise SettingsError(
            f"{name} is {shown} in {origin}: expected {error}.",
            remedy=f"Change {name}, or leave it out for the default.",
        ) from error


def _path(value: Any) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise TypeError("a path")
    return Path(os.path.abspath(os.path.expanduser(value)))


def _file(value: Any) -> Path:
    path = _path(value)
    if not path.is_file():
        raise ValueError("the path of a file that exists")
    return path


def _names(value: Any) -> tuple[str, ...]:
    names = _texts(value)
    if names is None or not all(_DISTRIBUTION.fullmatch(name) for name in names):
        raise ValueError("names, separated by commas")
    return names


def _texts(value: Any) -> tuple[str, ...] | None:
    """Texts of a list, or of one text, by commas; None where it is neither."""
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, Iterable) or not all(isinstance(word, str) for word in words):
        return None
    return tuple(word.strip() for word in words if word.strip())


def _part(value: Any) -> str:
    if not isinstance(value, str) or not _PART.fullmatch(value):
        raise ValueError("the name of one that is installed, such as local or s3")
    return value


def _flag(value: Any) -> bool:
    flag = value if isinstance(value, bool) else _FLAGS.get(str(value).lower())
    if flag is None:
        raise ValueError("1 or 0 (or true, false, yes, no, on, off)")
    return flag


def _hosts(value: Any) -> bool | tuple[str, ...]:
    if isinstance(value, bool) or (isinstance(value, str) and value.lower() in _FLAGS):
        return _flag(value)
    hosts = _texts(value)
    if hosts is None or not all(map(_is_address, hosts)):
        raise ValueError("1, 0, or addresses such as 127.0.0.1:8765,[::1]:80,10.0.0.0/8, by commas")
    return hosts


def _is_address(host: str) -> bool:
    match = _ADDRESS.fullmatch(host)
    return match is not None and 0 < int(match[1] or 1) < 65_536


def _word(value: Any, words: tuple[str, ...]) -> str:
    if value not in words:
        raise ValueError(f"one of {', '.join(words)}")
    return str(value)


def _count(value: Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not text.isdecimal() or int(text) < 1:
        raise ValueError("a number from 1 on")
    return int(text)


def _url(value: Any) -> str:
    if not isinstance(value, str) or not _WEB_ADDRESS.fullmatch(value):
        raise ValueError("an address such as https://example.com/webhooks")
    return value


def _size(value: Any) -> int:
    if type(value) is int:
        size: Any = value
    else:
        # The language's own sizes; its grammar is slow to import, and this is rarely set.
        from boards.spec.grammar import BAD, SizeKind  # noqa: PLC0415
        from boards.spec.places import Place, Problems, Source  # noqa: PLC0415

        size = SizeKind().read(value, Place(Source("")), Problems())
        size = 0 if size is BAD else size
    if size < 1:
        raise ValueError("a size such as 256KB, 1MB or 2GB")
    return int(size)


_SETTINGS: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "home": ("BOARDS_HOME", _path),
    "cache": ("BOARDS_CACHE", _path),
    "providers_config_path": ("BOARDS_PROVIDERS_CONFIG_PATH", _file),
    "generators_config_path": ("BOARDS_GENERATORS_CONFIG_PATH", _file),
    "plugins": ("BOARDS_PLUGINS", _names),
    "plugins_disabled": ("BOARDS_PLUGINS_DISABLED", _names),
    "strict": ("BOARDS_STRICT", _flag),
    "allow_private_hosts": ("BOARDS_ALLOW_PRIVATE_HOSTS", _hosts),
    "provider_priority": ("BOARDS_PROVIDER_PRIORITY", _names),
    "fallback": ("BOARDS_FALLBACK", lambda value: _word(value, get_args(Fallback))),
    "on_ambiguous": ("BOARDS_ON_AMBIGUOUS", lambda value: _word(value, get_args(OnAmbiguous))),
    "storage": ("BOARDS_STORAGE", _part),
    "auth": ("BOARDS_AUTH", _part),
    "max_in_flight": ("BOARDS_MAX_IN_FLIGHT", _count),
    "webhook_url": ("BOARDS_WEBHOOK_URL", _url),
    "max_output_bytes": ("BOARDS_MAX_OUTPUT_SIZE", _size),
    "budget": ("BOARDS_BUDGET", parse_budgets),
    "owner_budget": ("BOARDS_OWNER_BUDGET", partial(parse_budgets, each_owner=True)),
    "budget_unpriced": ("BOARDS_BUDGET_UNPRICED", lambda value: _word(value, get_args(Unpriced))),
    "opentelemetry": ("BOARDS_OPENTELEMETRY", _flag),
}
