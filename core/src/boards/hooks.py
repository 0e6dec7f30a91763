"""One plugin's module of hooks, in a manager of its own: whatever it does, it does to itself."""

import inspect
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

import pluggy

from boards import hookspecs
from boards.discovery import EntryPoint
from boards.hook_arguments import REMOVED, DeprecatedArgument
from boards.records import record_of
from boards.spec.places import did_you_mean

__all__ = ["HookError", "HookModule", "load_hooks"]

R = TypeVar("R")


class HookError(Exception):
    """A plugin's module cannot be used, or returned what nobody can use.

    Attributes:
        advice: What helps, beside another version of the plugin; often nothing is known.
    """

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


def load_hooks(entry_point: EntryPoint) -> "HookModule":
    """Import the module that an entry point of ``boards.plugins`` names.

    Raises:
        HookError: It cannot be imported, is no module, or its hooks are not ours.
    """
    name = entry_point.value.strip()
    if ":" in name:
        raise HookError(f"{name} is no module: the entry point names a module, without ':'")
    try:
        module = import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of an extension in Rust is no Exception
        raise HookError(f"importing {name} failed: {_told(error)}") from error
    return HookModule(module)


class HookModule:
    """A module whose hooks can be called.

    Args:
        module: The plugin's.
        specs: The hooks that there are.

    Attributes:
        deprecated: The arguments it takes that will go, each with the hook.

    Raises:
        HookError: One of its hooks does not exist, takes what is not given, or is async.
    """

    def __init__(self, module: ModuleType, specs: ModuleType = hookspecs) -> None:
        self._manager = pluggy.PluginManager("boards")
        self._manager.add_hookspecs(specs)
        try:
            self._manager.register(module)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise _explained(module, specs, error) from error
        except Exception as error:  # a module may answer dir() and getattr() as it likes
            raise HookError(f"{module.__name__} cannot be registered: {_told(error)}") from error
        callers = self._manager.get_hookcallers(module) or []
        self._implemented = frozenset(caller.name for caller in callers)
        self.deprecated = tuple(one for caller in callers for one in _deprecated(caller))
        self._check(module, specs)

    def _check(self, module: ModuleType, specs: ModuleType) -> None:
        for name in _hooks_of(specs):
            function = vars(module).get(name)
            if not callable(function):
                continue
            if name not in self._implemented and hasattr(function, "boards_impl"):
                # pluggy passes over what is no routine: a cache or a partial around a function
                kind = type(function).__name__
                raise HookError(f"{name} is a {kind}, no function: it would never be called")
            if name not in self._implemented:
                raise HookError(f"{name} is not marked with @hookimpl: it would never be called")
            if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
                raise HookError(f"{name} is async; hooks are plain functions")

    def implements(self, hook: str) -> bool:
        """Whether the module has that hook."""
        return hook in self._implemented

    def records(self, hook: str, kind: type[R]) -> list[R]:
        """The records that a hook returns.

        Raises:
            HookError: It raised, or returned something else.
        """
        if hook not in self._implemented:
            return []
        try:
            results = self.call(hook)
            records = [record_of(record) for result in results for record in _iterated(result)]
        except HookError as error:
            raise HookError(f"{hook} {error}") from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise HookError(f"{hook} raised {_told(error)}") from error
        if not results:
            raise HookError(f"{hook} returned None; expected an iterable of {kind.__name__}")
        for record in records:
            if not isinstance(record, kind):
                raise HookError(
                    f"{hook} returned {type(record).__name__} among its records; "
                    f"expected {kind.__name__}"
                )
        return records

    def call(self, hook: str, **arguments: Any) -> list[Any]:
        """Call a hook; what it raises comes through."""
        results: list[Any] = getattr(self._manager.hook, hook)(**arguments)
        return results


def _iterated(result: Any) -> list[Any]:
    if not isinstance(result, Iterable) or isinstance(result, str | bytes | dict):
        raise HookError(f"returned {type(result).__name__}; expected an iterable of records")
    return list(result)


def _hooks_of(specs: ModuleType) -> list[str]:
    return sorted(name for name in specs.__all__ if name.startswith("boards_"))


def _deprecated(caller: pluggy.HookCaller) -> Iterable[tuple[str, DeprecatedArgument]]:
    warned = (caller.spec and caller.spec.warn_on_impl_args) or {}
    for name, warning in warned.items():
        if isinstance(warning, DeprecatedArgument) and any(
            name in one.argnames for one in caller.get_hookimpls()
        ):
            yield caller.name, warning


def _explained(module: ModuleType, specs: ModuleType, error: Exception) -> HookError:
    """Why pluggy does not take a module: a hook, or an argument of one, that there is not."""
    hooks = _hooks_of(specs)
    for name in dir(module):
        function: Any = getattr(module, name, None)
        if not hasattr(function, "boards_impl"):
            continue
        if name not in hooks:
            return HookError(f"there is no hook {name}{did_you_mean(name, hooks)}")
        given = list(inspect.signature(getattr(specs, name)).parameters)
        for one in inspect.signature(function).parameters.values():
            if one.default is one.empty and one.name not in given:
                return _no_argument(name, one.name, given)
    return HookError(" ".join(str(error).split()))


def _no_argument(hook: str, name: str, given: list[str]) -> HookError:
    from importlib_metadata import version  # noqa: PLC0415 - slow to import, and only for mistakes

    core = f"boards-core {version('boards-core')}"
    message = f"{hook} takes {name!r}, which {core} does not give"
    known = did_you_mean(name, given) or "; it gives nothing"
    removed = REMOVED.get((hook, name))
    if removed is None:
        advice = f"This is {core}; if it needs a newer one: pip install --upgrade boards-core"
        return HookError(message + known.replace("; known:", "; it gives"), advice)
    instead = f"; take {removed.instead} instead" if removed.instead else ""
    return HookError(
        f"{message} since {removed.version}{instead}",
        f"The last to give it: pip install 'boards-core<{removed.version}'",
    )


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
