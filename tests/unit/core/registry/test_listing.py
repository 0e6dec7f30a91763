"""Listings are quick: what was found is remembered, and found again when anything changed."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boards.index import Index
from boards.registry import Registry
from boards.settings import Settings

Configure = Callable[..., Settings]

HEAVY = ("yaml", "pluggy", "importlib_metadata", "importlib.metadata", "aiohttp", "jsonschema_rs")

LIST = """
    from boards.registry import Registry
    registry = Registry(settings)
    told = {"ids": [entry.id for entry in registry.generators()],
            "providers": [entry.as_dict()["reason"] for entry in registry.providers()],
            "problems": len(registry.problems())}
"""
LIST_MODULES = (
    LIST
    + f"""
    told["heavy"] = [name for name in {HEAVY!r} if name in sys.modules]
"""
)


@pytest.fixture
def acme(site: Any) -> Any:
    """A site with one plugin of two files."""
    documents = {"p.yaml": site.provider("acme"), "g.yaml": site.generators("acme", "flux")}
    site.specs("boards-acme", "boards_acme", documents)
    return site


def ids(configure: Configure) -> list[str]:
    return [entry.id for entry in Registry(configure()).generators()]


def cache_of(configure: Configure) -> Path:
    (path,) = configure().cache.iterdir()
    return path


def test_a_warm_listing_reads_no_yaml_and_no_metadata(
    acme: Any, fresh: Any, tmp_path: Path
) -> None:
    """The second listing says the same, and imports nothing heavy; mistakes included."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "providers.yaml").write_text("providers: {acme: {priority: x}, b: {type: acme}}")
    cold = fresh(LIST_MODULES)
    warm = fresh(LIST_MODULES)
    assert "yaml" in cold.pop("heavy")
    assert warm.pop("heavy") == []
    assert warm == cold
    assert warm["ids"] == ["acme/flux", "b/flux"]
    assert warm["problems"] == 1


def test_a_warm_listing_is_quick(site: Any, configure: Configure) -> None:
    """40 generators in well under 15 ms of CPU, the reading of the cache included."""
    names = [f"generator-{number}" for number in range(40)]
    documents = {f"{name}.yaml": site.generators("acme", name) for name in names}
    site.specs("boards-acme", "boards_acme", documents | {"p.yaml": site.provider("acme")})
    assert len(ids(configure)) == 40
    took = []
    for _ in range(5):
        start = time.process_time()
        assert len(ids(configure)) == 40
        took.append(time.process_time() - start)
    assert min(took) < 0.015


def test_a_new_plugin_is_seen(acme: Any, configure: Configure) -> None:
    """Installing a distribution changes the directory that it is in."""
    assert ids(configure) == ["acme/flux"]
    acme.specs("boards-more", "boards_more", {"g.yaml": acme.generators("acme", "more")})
    assert ids(configure) == ["acme/flux", "acme/more"]


def test_a_changed_file_is_seen(acme: Any, configure: Configure) -> None:
    """Size and modification time tell, of each file."""
    assert ids(configure) == ["acme/flux"]
    path = acme.path / "boards_acme" / "specs" / "g.yaml"
    path.write_text(acme.generators("acme", "flex"))
    os.utime(path, ns=(1, 1))
    assert ids(configure) == ["acme/flex"]


def test_a_file_added_to_an_editable_install_is_seen(
    site: Any, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metadata does not change then; the folder of specifications does."""
    source = tmp_path / "checkout" / "src"
    documents = {"p.yaml": site.provider("acme"), "a/g.yaml": site.generators("acme", "flux")}
    site.specs("boards-acme", "boards_acme", documents, package_at=source)
    monkeypatch.syspath_prepend(source)
    assert ids(configure) == ["acme/flux"]
    folder = source / "boards_acme" / "specs" / "a"
    (folder / "more.yaml").write_text(site.generators("acme", "more"))
    assert ids(configure) == ["acme/flux", "acme/more"]
    (folder / "g.yaml").unlink()
    assert ids(configure) == ["acme/more"]


def test_a_package_that_moved_is_seen(
    acme: Any, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package of the same name earlier on the search path is the one that counts."""
    earlier = tmp_path / "earlier"
    (earlier / "unrelated").mkdir(parents=True)
    monkeypatch.syspath_prepend(earlier)
    assert ids(configure) == ["acme/flux"]
    (earlier / "boards_acme" / "specs").mkdir(parents=True)
    (earlier / "boards_acme" / "__init__.py").touch()
    text = acme.provider("acme") + acme.generators("acme", "moved")
    (earlier / "boards_acme" / "specs" / "g.yaml").write_text(text)
    assert ids(configure) == ["acme/moved"]


def test_a_changed_host_file_is_seen(acme: Any, configure: Configure, tmp_path: Path) -> None:
    """The host's files are remembered in the same way."""
    path = tmp_path / "home" / "generators.yaml"
    path.parent.mkdir()
    path.write_text(acme.generators("acme", "one"))
    assert ids(configure) == ["acme/flux", "acme/one"]
    path.write_text(acme.generators("acme", "three"))
    assert ids(configure) == ["acme/flux", "acme/three"]
    path.unlink()
    assert ids(configure) == ["acme/flux"]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"00000000\n{}", b"[[[["])
def test_a_damaged_cache_is_made_again(acme: Any, configure: Configure, content: bytes) -> None:
    """Whatever the cache holds, the listing is right, and the cache is whole afterwards."""
    assert ids(configure) == ["acme/flux"]
    cache = cache_of(configure)
    whole = cache.read_bytes()
    cache.write_bytes(content)
    assert ids(configure) == ["acme/flux"]
    assert cache.read_bytes() == whole


def test_one_changed_byte_is_damage(acme: Any, configure: Configure) -> None:
    """A checksum tells a cache that still parses from one that is true."""
    assert ids(configure) == ["acme/flux"]
    cache = cache_of(configure)
    cache.write_bytes(cache.read_bytes().replace(b'"flux"', b'"flex"'))
    assert ids(configure) == ["acme/flux"]


def test_another_version_of_the_language_reads_again(
    acme: Any, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another version of boards-core remembered is not believed."""
    assert ids(configure) == ["acme/flux"]
    before = cache_of(configure).read_bytes()
    monkeypatch.setattr("boards.index._code_stamp", lambda: "another")
    assert ids(configure) == ["acme/flux"]
    assert cache_of(configure).read_bytes() != before


def test_a_cache_directory_that_cannot_be_made(
    acme: Any, configure: Configure, tmp_path: Path
) -> None:
    """Nobody is told: the next listing is slow again, and right."""
    (tmp_path / "file").touch()
    for cache in (tmp_path / "file", tmp_path / "file" / "below"):
        registry = Registry(configure(cache=cache))
        assert [entry.id for entry in registry.generators()] == ["acme/flux"]


def test_a_read_only_cache(
    acme: Any, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that cannot be written is used for what is still true in it."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    ids(configure)
    cache = cache_of(configure)
    before = cache.read_bytes()
    monkeypatch.setattr(Path, "write_text", refuse)
    (acme.path / "boards_acme" / "specs" / "more.yaml").write_bytes(
        acme.generators("acme", "more").encode()
    )
    assert ids(configure) == ["acme/flux", "acme/more"]
    assert [cache_of(configure), cache.read_bytes()] == [cache, before]


def test_a_warm_listing_writes_nothing(acme: Any, configure: Configure) -> None:
    """The cache is written when there is news, and leaves no temporary file."""
    ids(configure)
    before = cache_of(configure).stat().st_mtime_ns
    Registry(configure()).plugins()
    ids(configure)
    assert cache_of(configure).stat().st_mtime_ns == before


def test_what_was_not_asked_for_is_kept(acme: Any, configure: Configure) -> None:
    """A process that only asks for entry points does not undo what another has read."""
    ids(configure)
    before = cache_of(configure).read_bytes()
    (acme.path / "news").mkdir()
    index = Index(configure().cache)
    index.entry_points()
    index.save()
    assert cache_of(configure).read_bytes() != before
    assert b"acme/flux" not in before
    assert b'"flux"' in cache_of(configure).read_bytes()
