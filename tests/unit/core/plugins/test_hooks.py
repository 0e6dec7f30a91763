"""Plugins that are code: imported when needed, one at a time, and kept from harming the others."""

import inspect
import logging
from collections.abc import Callable
from typing import Any

import pytest

from boards import hookspecs
from boards.errors import PluginError
from boards.events import Event
from boards.generations import Generation
from boards.plugins import PluginInfo, Plugins
from boards.registry import Registry
from boards.settings import Settings

Configure = Callable[..., Settings]

GOOD = """
    @hookimpl
    def boards_storages():
        yield StorageRecord("tape", lambda settings: settings.home)
"""


def info_of(plugins: Plugins, distribution: str) -> PluginInfo:
    (info,) = (one for one in plugins.infos() if one.distribution == distribution)
    return info


def test_built_ins_are_a_plugin(configure: Configure) -> None:
    """What boards-core offers is listed like anybody's."""
    plugins = Plugins(configure(plugins="none-at-all"))
    info = info_of(plugins, "boards-core")
    assert (info.kind, info.status) == ("builtin", "ok")
    assert info.version
    assert info.offers == {
        "storages": ("local",),
        "auths": ("none",),
        "stores": ("sqlite",),
        "runners": ("embedded",),
    }


async def test_no_auth_knows_one_owner(configure: Configure) -> None:
    """The auth that is built in gives everything to one owner without a name."""
    settings = configure()
    auth = Plugins(settings).auths()["none"].create(settings)
    assert (await auth.identify({"authorization": "Bearer x"})).owner == ""


def test_records_of_a_plugin(site: Any, configure: Configure) -> None:
    """What a hook returns is there by name, beside what is built in."""
    site.hooks("boards-good", "good_hooks", GOOD)
    settings = configure()
    plugins = Plugins(settings)
    assert set(plugins.storages()) == {"local", "tape"}
    made: object = plugins.storages()["tape"].create(settings)
    assert made == settings.home
    assert info_of(plugins, "boards-good").offers == {"storages": ("tape",)}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("1 / 0", "importing bad_hooks failed: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "importing bad_hooks failed: SystemExit: 3"),
        (
            "class Panic(BaseException): pass\nraise Panic('oh')",
            "importing bad_hooks failed: Panic: oh",
        ),
        (
            "class Panic(BaseException): pass\n@hookimpl\ndef boards_storages(): raise Panic('oh')",
            "boards_storages raised Panic: oh",
        ),
        ("import gone_module", "ModuleNotFoundError: No module named 'gone_module'"),
        ("def (", "importing bad_hooks failed: SyntaxError"),
        (
            "@hookimpl\ndef boards_storage(): return []",
            "there is no hook boards_storage; did you mean 'boards_storages'?",
        ),
        ("@hookimpl\ndef boards_storages(config): return []", "config"),
        ("def boards_storages(): return []", "boards_storages is not marked with @hookimpl"),
        ("@hookimpl\nasync def boards_storages(): return []", "hooks are plain functions"),
        (
            "import functools\n@hookimpl\n@functools.cache\ndef boards_storages(): return []",
            "boards_storages is a _lru_cache_wrapper, no function: it would never be called",
        ),
        ("@hookimpl\ndef boards_storages(): return 3", "boards_storages returned int"),
        ("@hookimpl\ndef boards_storages(): return 'tape'", "boards_storages returned str"),
        ("@hookimpl\ndef boards_storages(): pass", "boards_storages returned None"),
        (
            "@hookimpl\ndef boards_storages(): return [AuthRecord('tape', print)]",
            "boards_storages returned AuthRecord among its records; expected StorageRecord",
        ),
        (
            "@hookimpl\ndef boards_storages(): yield StorageRecord('No Name', print)",
            "expected a name such as s3, not 'No Name'",
        ),
        (
            "@hookimpl\ndef boards_storages(): yield StorageRecord('tape', None)",
            "create is a function of the settings",
        ),
        (
            "@hookimpl\ndef boards_providers(): yield ProviderRecord('acme', {})",
            "expected a ProviderSpec, not dict",
        ),
        (
            "@hookimpl\ndef boards_generators(): yield GeneratorRecord('acme')",
            "expected a GeneratorSpec, not str",
        ),
        (
            "@hookimpl\ndef boards_storages(): return [StorageRecord('local', print)]",
            "'local' is already offered by boards-core",
        ),
    ],
)
def test_a_broken_plugin_is_told_and_the_rest_works(
    site: Any, configure: Configure, code: str, error: str
) -> None:
    """Whatever is wrong with a plugin is in its entry, with the command that mends it."""
    site.hooks("boards-bad", "bad_hooks", code)
    site.hooks("boards-good", "good_hooks", GOOD)
    plugins = Plugins(configure())
    info = info_of(plugins, "boards-bad")
    assert info.status == "broken"
    assert info.error is not None
    assert error in info.error
    assert "BOARDS_PLUGINS_DISABLED=boards-bad" in (info.remedy or "")
    assert set(plugins.storages()) == {"local", "tape"}
    assert Registry(configure()).generators() == []
    with pytest.raises(PluginError) as caught:
        Plugins(configure(strict=True)).infos()
    assert "boards-bad 1.0" in caught.value.message


def test_a_module_is_named_without_an_attribute(site: Any, configure: Configure) -> None:
    """An entry point that names an object in a module is told so."""
    site.distribution(
        "boards-bad", "[boards.plugins]\nbad = bad_hooks:plugin\n", {"bad_hooks.py": "plugin = 1"}
    )
    assert "names a module" in (info_of(Plugins(configure()), "boards-bad").error or "")


def test_two_plugins_of_one_name_both_count(site: Any, configure: Configure) -> None:
    """Entry points of the same name are two plugins."""
    for number, tape in ((1, "tape-one"), (2, "tape-two")):
        code = (
            "from boards.hookspecs import hookimpl\nfrom boards.records import StorageRecord\n"
            f"@hookimpl\ndef boards_storages(): return [StorageRecord('{tape}', print)]\n"
        )
        entry_points = f"[boards.plugins]\ntape = tape_hooks_{number}\n"
        site.distribution(f"boards-tape{number}", entry_points, {f"tape_hooks_{number}.py": code})
    assert set(Plugins(configure()).storages()) == {"local", "tape-one", "tape-two"}


def test_a_plugin_that_is_left_out_is_not_imported(site: Any, fresh: Any) -> None:
    """The deny-list holds before the import."""
    site.hooks("boards-bad", "bad_hooks", "raise SystemExit")
    code = """
        from boards.plugins import Plugins
        settings = s.load(plugins_disabled="boards-bad", home="home")
        told = [[i.distribution, i.status] for i in Plugins(settings).infos()]
        told = [one for one in told if one[0] == "boards-bad"] + ["bad_hooks" in sys.modules]
    """
    assert fresh(code) == [["boards-bad", "disabled"], False]


def test_a_plugin_with_hooks_is_imported_when_hooks_are_needed(site: Any, fresh: Any) -> None:
    """Asking for files imports nothing; asking for storages does."""
    site.hooks("boards-good", "good_hooks", GOOD)
    code = """
        from boards.plugins import Plugins
        plugins = Plugins(settings)
        plugins.spec_files()
        told = ["good_hooks" in sys.modules]
        plugins.storages()
        told.append("good_hooks" in sys.modules)
    """
    assert fresh(code) == [False, True]


EVENT = Event(1, "g1", "succeeded", 0.0)
GENERATION = Generation(id="g1", generator="a/b", provider="a", artifact_type="image", input={})


def test_observers_are_told(
    site: Any, configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    """An observer that raises is logged by name, and the next one is told all the same."""
    site.hooks(
        "boards-bad",
        "bad_hooks",
        "@hookimpl\ndef boards_generation_event(event): raise RuntimeError('oh')",
    )
    site.hooks(
        "boards-good",
        "good_hooks",
        "seen = []\n@hookimpl\ndef boards_generation_event(event): seen.append(event)",
    )
    plugins = Plugins(configure())
    assert plugins.implements("boards_generation_event")
    assert not plugins.implements("boards_before_submit")
    with caplog.at_level(logging.ERROR):
        plugins.generation_event(EVENT)
    import good_hooks  # type: ignore[import-not-found]

    assert good_hooks.seen == [EVENT]
    (line,) = caplog.messages
    told = "plugin='bad_hooks' source='boards-bad 1.0' type='succeeded' generation='g1'"
    assert line.startswith(f"event='a plugin failed to observe' {told}\nTraceback")
    assert line.endswith("RuntimeError: oh")
    assert caplog.records[0].exc_info is None  # whose frames a host's log may show


def test_a_veto_comes_through(site: Any, configure: Configure) -> None:
    """What a plugin raises before a submit is the caller's, with a note on who raised it."""
    site.hooks(
        "boards-budget",
        "budget_hooks",
        """
        @hookimpl
        def boards_before_submit(generation, request):
            if request["prompt"] == "expensive":
                raise ValueError(f"no money for {generation.id}")
        """,
    )
    plugins = Plugins(configure())
    plugins.before_submit(GENERATION, {"prompt": "cheap"})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no money for g1") as caught:
        plugins.before_submit(GENERATION, {"prompt": "expensive"})  # type: ignore[arg-type]
    assert caught.value.__notes__ == ["raised by the plugin budget_hooks of boards-budget 1.0"]


def test_without_plugins_nothing_is_asked(configure: Configure, fresh: Any) -> None:
    """Events and submits cost nothing where no plugin has hooks."""
    code = """
        from boards.plugins import Plugins
        plugins = Plugins(settings)
        plugins.generation_event(None), plugins.before_submit(None, None)
        told = [plugins.implements("boards_before_submit"), "pluggy" in sys.modules]
    """
    assert fresh(code) == [False, False]


@pytest.mark.parametrize("name", sorted(set(hookspecs.__all__) - {"hookimpl"}))
def test_every_hook_is_documented_and_has_a_wrapper(name: str) -> None:
    """A hook says what it is for, with an example; a typed method of Plugins calls it."""
    hook = getattr(hookspecs, name)
    text = inspect.getdoc(hook) or ""
    assert ".. versionadded::" in text
    assert ".. code-block:: python" in text
    assert f"def {name}(" in text
    if inspect.signature(hook).parameters:
        assert "Args:" in text
    wrapper = getattr(Plugins, name.removeprefix("boards_"))
    assert list(inspect.signature(wrapper).parameters)[1:] == list(
        inspect.signature(hook).parameters
    )
