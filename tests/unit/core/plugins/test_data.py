"""Plugins that are data: found wherever they are installed, never executed."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boards.errors import PluginError
from boards.plugins import PluginInfo, Plugins
from boards.registry import Registry
from boards.settings import Settings

Configure = Callable[..., Settings]

PROVIDER = """
providers:
  acme:
    auth: {kind: none}
    config: {base_url: "https://acme.test"}
"""
GENERATOR = """
generators:
  - name: flux
    provider: acme
    artifact_type: image
    io: {input_schema: {type: object}}
    execution: {submit: {path: /run, json: {}}, extract: {output_paths: [images]}}
"""
RAISES = "raise RuntimeError('a plugin that is data was executed')"

LIST = """
    from boards.registry import Registry
    registry = Registry(settings)
    told = [entry.id for entry in registry.generators()]
"""


def only(settings: Settings, distribution: str = "boards-acme") -> PluginInfo:
    (info,) = (one for one in Plugins(settings).infos() if one.distribution == distribution)
    return info


def test_nothing_is_executed(site: Any, fresh: Any) -> None:
    """A package whose __init__ raises is listed all the same: it is data."""
    site.specs("boards-acme", "boards_acme", {"acme.yaml": PROVIDER + GENERATOR}, init=RAISES)
    code = LIST + "\n    registry.spec('acme/flux')\n    told.append('boards_acme' in sys.modules)"
    assert fresh(code) == ["acme/flux", False]


def test_an_editable_install(site: Any, fresh: Any, tmp_path: Path) -> None:
    """The metadata is in the site, the package elsewhere on the search path."""
    source = tmp_path / "checkout" / "src"
    site.specs(
        "boards-acme",
        "boards_acme",
        {"acme.yaml": PROVIDER + GENERATOR},
        init=RAISES,
        package_at=source,
    )
    assert fresh(LIST, PYTHONPATH=f"{site.path}:{source}") == ["acme/flux"]


def test_an_archive(site: Any, fresh: Any, tmp_path: Path) -> None:
    """A wheel or zip on the search path is read as it is, also by its second run."""
    site.specs(
        "boards-acme", "boards_acme", {"deep/er/acme.yaml": PROVIDER + GENERATOR}, init=RAISES
    )
    archive = tmp_path / "plugins.zip"
    site.zipped(archive)
    code = LIST + "\n    told.append(registry.spec('acme/flux').artifact_type)"
    for _ in range(2):
        assert fresh(code, PYTHONPATH=str(archive)) == ["acme/flux", "image"]


def test_folders_below_are_read(site: Any, configure: Configure) -> None:
    """A plugin may sort its files into folders; what is no YAML is left alone."""
    site.specs(
        "boards-acme",
        "boards_acme",
        {"a.yml": PROVIDER, "images/b.yaml": GENERATOR, "README.md": "{{", ".c.yaml": "{{"},
    )
    assert only(configure()).offers == {"providers": ("acme",), "generators": ("acme/flux",)}


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("boards_acme.missing", "there is no folder missing in the package boards_acme"),
        ("boards_gone.specs", "the package boards_gone is not installed"),
        ("boards_acme/specs", "'boards_acme/specs' is no package path"),
        ("colorsys.specs", "colorsys is a module, not a package"),
        ("boards_acme.empty", "boards_acme.empty holds no .yaml file"),
    ],
)
def test_a_folder_that_is_not_there(
    site: Any, configure: Configure, value: str, error: str
) -> None:
    """An entry point that names no folder of specifications is a broken plugin."""
    site.distribution(
        "boards-acme",
        f"[boards.specs]\nacme = {value}\n",
        {"boards_acme/__init__.py": "", "boards_acme/empty/notes.txt": ""},
    )
    info = only(configure())
    assert info.status == "broken"
    assert info.error is not None
    assert error in info.error
    assert "pip install --upgrade boards-acme" in (info.remedy or "")
    assert "BOARDS_PLUGINS_DISABLED=boards-acme" in (info.remedy or "")


def test_strict_makes_it_an_error(site: Any, configure: Configure) -> None:
    """Authors want to be stopped."""
    site.distribution("boards-acme", "[boards.specs]\nacme = boards_gone.specs\n")
    with pytest.raises(PluginError, match="boards_gone is not installed"):
        Registry(configure(strict=True)).generators()


def test_a_mistake_leaves_the_rest(site: Any, configure: Configure) -> None:
    """One bad generator is told with its place; the good ones beside it work."""
    bad = GENERATOR.replace("flux", "bad").replace("generators:\n", "").replace("image", "imge")
    site.specs("boards-acme", "boards_acme", {"acme.yaml": PROVIDER + GENERATOR + bad})
    info = only(configure())
    assert info.status == "broken"
    assert "acme.yaml:16:20: error: 'imge' is not allowed here" in (info.error or "")
    assert info.offers["generators"] == ("acme/flux",)


def test_unreadable_metadata_harms_nobody_else(site: Any, configure: Configure) -> None:
    """A distribution whose entry_points.txt is damaged is a broken plugin, and the only one."""
    site.specs("boards-acme", "boards_acme", {"acme.yaml": PROVIDER + GENERATOR})
    site.distribution("boards-bad", "[boards.specs]\nthis line has no equals sign\n")
    assert only(configure(), "boards-bad").status == "broken"
    assert only(configure()).status == "ok"


def test_a_second_entry_point_of_the_same_name_counts(site: Any, configure: Configure) -> None:
    """Two distributions may call their entry points the same."""
    site.distribution(
        "boards-one",
        "[boards.specs]\nacme = acme_one.specs\n",
        {"acme_one/__init__.py": "", "acme_one/specs/a.yaml": PROVIDER},
    )
    site.distribution(
        "boards-two",
        "[boards.specs]\nacme = acme_two.specs\n",
        {"acme_two/__init__.py": "", "acme_two/specs/a.yaml": GENERATOR},
    )
    entries = Registry(configure()).generators()
    assert [(entry.id, entry.source) for entry in entries] == [("acme/flux", "boards-two 1.0")]


def test_the_first_installation_of_a_distribution_counts(
    site: Any, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A distribution that is installed twice is listed as Python would import it."""
    site.specs("boards-acme", "boards_acme", {"acme.yaml": PROVIDER}, version="1.0")
    shutil.copytree(site.path, tmp_path / "later")
    old = tmp_path / "later" / "boards_acme-1.0.dist-info" / "METADATA"
    old.write_text(old.read_text().replace("1.0", "0.9"))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "later")])
    assert only(configure()).version == "1.0"


@pytest.mark.parametrize("name", ["boards-acme", "Boards_Acme", "boards.acme"])
def test_a_distribution_can_be_left_out(site: Any, configure: Configure, name: str) -> None:
    """Names are compared as pip compares them."""
    site.specs("boards-acme", "boards_acme", {"acme.yaml": PROVIDER})
    assert only(configure(plugins_disabled=name)).status == "disabled"
    assert only(configure(plugins=name)).status == "ok"


def test_an_allow_list_leaves_out_all_others(site: Any, configure: Configure) -> None:
    """With an allow-list, nothing else is used; a name that is not installed is told."""
    site.specs("boards-acme", "boards_acme", {"acme.yaml": PROVIDER})
    plugins = Plugins(configure(plugins="boards-acne"))
    assert plugins.spec_files() == []
    assert [str(one) for one in plugins.problems()] == [
        "BOARDS_PLUGINS: error: no plugin 'boards-acne' is installed; did you mean 'boards-acme'?"
    ]
    assert {one.status for one in plugins.infos() if one.kind != "builtin"} == {"disabled"}


def test_entry_points_of_other_groups(site: Any, configure: Configure) -> None:
    """Commands are found in the same way, and nothing of them is imported."""
    site.distribution("boards-acme", "[boards.commands]\nacme = boards_acme.cli:main\n")
    (command,) = Plugins(configure()).entry_points("boards.commands")
    assert (command.name, command.value) == ("acme", "boards_acme.cli:main")


def test_our_own_plugins_are_found(configure: Configure) -> None:
    """The plugins of this repository are installed where these tests run."""
    settings = configure(plugins_disabled=None)
    for name in ("boards-fal", "boards-replicate"):
        info = only(settings, name)
        assert (info.kind, info.status, info.error) == ("specs", "ok", None)
        assert info.as_dict()["offers"]["providers"] == [name.removeprefix("boards-")]
