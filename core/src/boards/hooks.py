"""One plugin's module of hooks, in a manager of its own: whatever it does, it does to itself."""

import inspect
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

import pluggy

from boards import hookspecs
from boards.discovery import EntryPoint
from boards.records import record_of
from boards.spec.places import did_you_mean

__all__ = ["HookError", "HookModule", "load_hooks"]

R = TypeVar("R")

_HOOKS = frozenset(name for name in hookspecs.__all__ if name.startswith("boards_"))


class HookError(Exception):
    """A plugin's module cannot be used, or returned what nobody can use."""


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
    except (Exception, SystemExit) as error:
        raise HookError(f"importing {name} failed: {_told(error)}") from error
    return HookModule(module)


class HookModule:
    """A module whose hooks can be called.

    Raises:
        HookError: One of its hooks does not exist, takes what is not given, or is async.
    """

    def __init__(self, module: ModuleType) -> None:
        self._manager = pluggy.PluginManager("boards")
        self._manager.add_hookspecs(hookspecs)
        try:
            self._manager.register(module)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise HookError(_explained(module, error)) from error
        except Exception as error:  # a module may answer dir() and getattr() as it likes
            raise HookError(f"{module.__name__} cannot be registered: {_told(error)}") from error
        callers = self._manager.get_hookcallers(module) or []
        self._implemented = frozenset(caller.name for caller in callers)
        self._check(module)

    def _check(self, module: ModuleType) -> None:
        for name in sorted(_HOOKS):
            function = vars(module).get(name)
            if not inspect.isfunction(function):
                continue
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
        except (Exception, SystemExit) as error:
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


def _explained(module: ModuleType, error: Exception) -> str:
    marked = (name for name in dir(module) if hasattr(getattr(module, name, None), "boards_impl"))
    for name in marked:
        if name not in _HOOKS:
            return f"there is no hook {name}{did_you_mean(name, sorted(_HOOKS))}"
    return " ".join(str(error).split())


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
