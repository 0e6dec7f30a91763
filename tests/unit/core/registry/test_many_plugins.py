"""A hundred plugins that are data: found, listed and used without importing one of them."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
from tests.bench.synthetic import install_plugins

from boards import index
from boards.registry import Registry
from boards.settings import Settings

Configure = Callable[..., Settings]
PLUGINS, GENERATORS = 100, 4

LIST = """
    from boards import Boards
    boards = Boards(home=settings.home, plugins_disabled=settings.plugins_disabled)
    told = {"ids": len(boards.generators()), "providers": len(boards.providers()),
            "modules": [name for name in sys.modules
                        if name.startswith("boards_") or name in ("yaml", "pluggy")]}
"""


@pytest.fixture
def many(site: Any) -> Any:
    """A site with a hundred plugins, each of which ends the process that imports it."""
    install_plugins(site.path, plugins=PLUGINS, generators=GENERATORS)
    return site


def test_none_is_imported(many: Any, fresh: Any) -> None:
    """Neither by the first listing, which reads all files, nor by the next, which reads none."""
    cold, warm = fresh(LIST), fresh(LIST)
    assert cold.pop("modules") == ["yaml"]
    assert warm.pop("modules") == []
    assert cold == warm == {"ids": PLUGINS * GENERATORS, "providers": PLUGINS}


def test_each_can_be_used(many: Any, configure: Configure) -> None:
    """A generator is compiled from its one file."""
    registry = Registry(configure())
    assert registry.problems() == []
    assert registry.compiled("acme42/model-3").spec.id == "acme42/model-3"
    assert all(one.status == "ok" for one in registry.plugins() if "acme" in one.distribution)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_search_for_garbage_is_put_off_and_no_more(
    many: Any, configure: Configure, enabled: bool
) -> None:
    """Afterwards it is as the host had it, whatever happened."""
    was = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        Registry(configure()).generators()
        assert gc.isenabled() == enabled
        broken = Registry(configure())
        broken._hooks = None  # type: ignore[assignment]
        with pytest.raises(AttributeError):
            broken.generators()
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_of_many_files_only_a_few_are_kept(
    many: Any, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read for a listing is mostly not wanted again, and takes much memory."""
    read: list[str] = []
    original = index._read

    def counting(source: Any) -> Any:
        read.append(source.path)
        return original(source)

    monkeypatch.setattr(index, "_read", counting)
    monkeypatch.setattr(index, "_KEPT_BYTES", 10_000)
    registry = Registry(configure())
    registry.generators()
    assert len(read) == 2 * PLUGINS
    registry.spec("acme99/model-0")
    registry.spec("acme99/model-1")
    assert len(read) == 2 * PLUGINS + 1
    registry.spec("acme0/model-0")
    assert len(read) == 2 * PLUGINS + 1
