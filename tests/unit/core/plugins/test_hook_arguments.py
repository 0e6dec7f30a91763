"""Hooks change without breaking plugins: arguments are added freely, and go with a warning."""

import sys
import warnings
from collections.abc import Callable
from datetime import date
from types import ModuleType
from typing import Any

import pluggy
import pytest

from boards.generations import Generation
from boards.hook_arguments import REMOVED, DeprecatedArgument, RemovedArgument
from boards.hooks import HookError, HookModule
from boards.hookspecs import hookimpl
from boards.plugins import PluginInfo, Plugins
from boards.settings import Settings

Configure = Callable[..., Settings]
GENERATION = Generation(id="g1", generator="a/b", provider="a", artifact_type="image", input={})
OLD = DeprecatedArgument("request", since="0.4", day=date(2027, 1, 5), instead="submit")


def info_of(plugins: Plugins, distribution: str) -> PluginInfo:
    (info,) = (one for one in plugins.infos() if one.distribution == distribution)
    return info


@pytest.mark.parametrize("arguments", ["", "generation", "request", "request, generation"])
def test_a_plugin_takes_the_arguments_that_it_needs(
    site: Any, configure: Configure, arguments: str
) -> None:
    """One that was written when there were fewer works, in any order."""
    site.hooks(
        "boards-older",
        "older_hooks",
        f"""
        seen = []
        @hookimpl
        def boards_before_submit({arguments}): seen.append(dict(locals()))
        """,
    )
    plugins = Plugins(configure())
    assert info_of(plugins, "boards-older").status == "ok"
    plugins.before_submit(GENERATION, {"url": "x"})  # type: ignore[arg-type]
    given = {"generation": GENERATION, "request": {"url": "x"}}
    wanted = {name: given[name] for name in arguments.split(", ") if name}
    assert sys.modules["older_hooks"].seen == [wanted]


UNKNOWN = """
    @hookimpl
    def boards_before_submit(generation, queue): pass
"""


def test_an_unknown_argument_is_told_with_the_version(site: Any, configure: Configure) -> None:
    """What this version gives, and the command that brings another."""
    site.hooks("boards-newer", "newer_hooks", UNKNOWN)
    plugins = Plugins(configure())
    core = info_of(plugins, "boards-core").version
    info = info_of(plugins, "boards-newer")
    assert info.error == (
        f"boards_before_submit takes 'queue', which boards-core {core} does not give"
        "; it gives generation, request"
    )
    assert info.remedy is not None
    assert info.remedy.startswith(
        f"This is boards-core {core}; if it needs a newer one: pip install --upgrade boards-core."
    )
    assert "pip install --upgrade boards-newer" in info.remedy


def test_a_slip_in_an_argument_is_guessed(site: Any, configure: Configure) -> None:
    """Which is likelier than a removal."""
    site.hooks(
        "boards-slip", "slip_hooks", "@hookimpl\ndef boards_before_submit(generations): pass"
    )
    assert "did you mean 'generation'?" in (
        info_of(Plugins(configure()), "boards-slip").error or ""
    )


def test_a_removed_argument_is_told_with_the_last_version_that_gave_it(
    site: Any, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with what replaces it."""
    monkeypatch.setitem(
        REMOVED, ("boards_before_submit", "queue"), RemovedArgument("0.6", instead="generation")
    )
    site.hooks("boards-older", "older_hooks", UNKNOWN)
    info = info_of(Plugins(configure()), "boards-older")
    assert (info.error or "").endswith("does not give since 0.6; take generation instead")
    assert (info.remedy or "").startswith(
        "The last to give it: pip install 'boards-core<0.6'. Upgrade it with: "
    )


def test_an_argument_with_a_default_is_no_argument_of_the_hook() -> None:
    """Pluggy never fills it in, so that a plugin can take what only newer versions give."""
    module = ModuleType("plugin")

    @hookimpl
    def boards_before_submit(generation: Any, queue: Any = None) -> None:
        assert queue is None

    vars(module)["boards_before_submit"] = boards_before_submit
    HookModule(module).call("boards_before_submit", generation=GENERATION, request={})


def specs() -> ModuleType:
    """Hooks of a version to come, in which ``request`` is deprecated."""
    module = ModuleType("specs")

    @pluggy.HookspecMarker("boards")(warn_on_impl_args={"request": OLD})
    def boards_before_submit(generation: Any, submit: Any, request: Any) -> None: ...

    vars(module).update(boards_before_submit=boards_before_submit, __all__=["boards_before_submit"])
    return module


def taking_request() -> ModuleType:
    """A plugin that takes the deprecated argument."""
    module = ModuleType("plugin")

    @hookimpl
    def boards_before_submit(request: Any) -> None:
        vars(module)["seen"] = request

    vars(module)["boards_before_submit"] = boards_before_submit
    return module


def test_a_deprecated_argument_works_and_warns() -> None:
    """Its author sees a warning, at the plugin's own line; the host can list it."""
    module = taking_request()
    with pytest.warns(DeprecatedArgument) as caught:
        hooks = HookModule(module, specs())
    assert str(caught[0].message) == (
        "the argument request is deprecated since boards-core 0.4 and goes after 2028-01-05; "
        "take submit instead"
    )
    assert caught[0].filename == __file__
    assert hooks.deprecated == (("boards_before_submit", OLD),)
    hooks.call("boards_before_submit", generation=1, submit=2, request=3)
    assert module.seen == 3


def test_a_deprecation_concerns_only_those_who_take_it() -> None:
    """A plugin with other arguments is not warned."""
    module = ModuleType("plugin")

    @hookimpl
    def boards_before_submit(submit: Any) -> None: ...

    vars(module)["boards_before_submit"] = boards_before_submit
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert HookModule(module, specs()).deprecated == ()


def test_an_argument_lives_for_a_year_after_its_deprecation() -> None:
    """To the day, leap years too."""
    assert OLD.goes_after == date(2028, 1, 5)
    leap = DeprecatedArgument("request", since="0.9", day=date(2028, 2, 29))
    assert leap.goes_after == date(2029, 2, 28)


def test_a_hook_of_another_version_is_no_crash() -> None:
    """Whatever pluggy refuses is a HookError with words."""
    module = ModuleType("plugin")

    @hookimpl
    def boards_before_submit(nothing: Any) -> None: ...

    vars(module)["boards_before_submit"] = boards_before_submit
    with pytest.raises(HookError, match="takes 'nothing'") as caught:
        HookModule(module)
    assert "boards-core" in caught.value.advice
