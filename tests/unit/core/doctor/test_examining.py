"""The doctor: whatever is wrong is told with its place, and with the command that mends it."""

import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from boards import hookspecs
from boards.discovery import EntryPoint
from boards.doctor import Finding, Report, examine
from boards.doctor.probing import probe
from boards.hook_arguments import DeprecatedArgument
from boards.settings import Settings
from boards.switches import switch_off

Configure = Callable[..., Settings]


@pytest.fixture
def acme(site: Any) -> Any:
    """A site with one plugin, which is well."""
    site.specs(
        "boards-acme",
        "boards_acme",
        {
            "p.yaml": site.provider("acme", setup='"See https://acme.test/keys"'),
            "g.yaml": site.generators("acme", "flux"),
        },
    )
    return site


def requires(site: Any, package: str, *requirements: str) -> None:
    """Let an installed distribution require something."""
    with (site.path / f"{package}-1.0.dist-info" / "METADATA").open("a") as file:
        file.writelines(f"Requires-Dist: {one}\n" for one in requirements)


def found(report: Report, check: str) -> Finding:
    """The one finding of a check."""
    (finding,) = (one for one in report.findings if one.check == check)
    return finding


KEY = {"environment": {"ACME_KEY": "x"}}


def test_nothing_is_wrong(acme: Any, configure: Configure) -> None:
    """A plugin that is well is listed with its bounds, and nothing else is said."""
    requires(acme, "boards_acme", "boards-core<0.2,>=0.1", "nobody>=1; extra == 'more'")
    report = examine(configure(**KEY))
    assert report.findings == ()
    assert report.ok
    (plugin,) = (one for one in report.plugins if one.distribution == "boards-acme")
    assert (plugin.version, plugin.core, plugin.location, plugin.disabled) == (
        "1.0", "<0.2,>=0.1", str(acme.path), False,
    )  # fmt: skip
    assert json.loads(json.dumps(report.as_dict()))["ok"] is True


def test_a_missing_key_is_told_and_is_not_wrong(acme: Any, configure: Configure) -> None:
    """With the page that gives one."""
    report = examine(configure())
    finding = found(report, "key")
    assert (finding.severity, report.ok) == ("info", True)
    assert finding.where == "boards-acme 1.0"
    assert finding.remedy == "export ACME_KEY=... # See https://acme.test/keys"


ADAPTER = """
from boards.adapters import Adapter
from boards.availability import Availability

class Fussy(Adapter):
    @classmethod
    def available(cls, provider, settings):
        return Availability(False, "there is no GPU", "Buy one.")

class Silent(Adapter):
    @classmethod
    def available(cls, provider, settings):
        return None
"""


@pytest.mark.parametrize(
    ("adapter", "severity", "what", "remedy"),
    [
        ("Fussy", "info", "there is no GPU", "Buy one."),
        ("Gone", "error", "cannot be imported", "Mend it"),
        ("Silent", "error", "it returned NoneType", "Mend boards_silent:Silent"),
    ],
)
def test_what_an_adapter_lacks_is_not_wrong_and_a_broken_one_is(
    site: Any, configure: Configure, adapter: str, severity: str, what: str, remedy: str
) -> None:
    """An extra that is not installed is like a key that is not set."""
    module = f"boards_{adapter.lower()}"
    provider = site.provider("acme", adapter=f"{module}:{adapter}")
    site.specs("boards-acme", module, {"p.yaml": provider}, init=ADAPTER)
    finding = found(examine(configure(**KEY)), "provider")
    assert finding.severity == severity
    assert what in finding.what
    assert finding.remedy.startswith(remedy)


def test_a_core_of_another_version(acme: Any, configure: Configure) -> None:
    """By what the plugin declares."""
    requires(acme, "boards_acme", "boards-core>=7,<8")
    report = examine(configure(**KEY))
    finding = found(report, "core-version")
    assert not report.ok
    assert finding.severity == "error"
    assert finding.what == f"It works with boards-core <8,>=7; this is {report.core}."
    assert finding.remedy == "boards plugins install --upgrade boards-acme"


def test_what_a_plugin_requires_beside(acme: Any, configure: Configure) -> None:
    """Missing, or of the wrong version."""
    requires(acme, "boards_acme", "no-such-thing>=2", "attrs<1")
    told = [one.what for one in examine(configure(**KEY)).findings if one.check == "requirement"]
    assert told[0] == "It requires no-such-thing>=2, which is not installed."
    assert told[1].startswith("It requires attrs<1, which is installed as 2")


def test_two_plugins_offer_the_same(acme: Any, configure: Configure) -> None:
    """One finding for each pair, however many names they share."""
    names = ["flux", "b", "c", "d"]
    acme.specs("boards-bee", "boards_bee", {"g.yaml": acme.generators("acme", *names)})
    acme.specs("boards-cee", "boards_cee", {"g.yaml": acme.generators("acme", *names[1:])})
    told = [one for one in examine(configure(**KEY)).findings if one.check == "duplicate"]
    assert {(one.what, one.where, one.remedy) for one in told} == {
        (
            "Offered by both, usable from neither: acme/flux.",
            "boards-acme 1.0 and boards-bee 1.0",
            "boards plugins disable boards-acme or boards plugins disable boards-bee",
        ),
        (
            "Offered by both, usable from neither: acme/b, acme/c, acme/d.",
            "boards-bee 1.0 and boards-cee 1.0",
            "boards plugins disable boards-bee or boards plugins disable boards-cee",
        ),
    }


def test_a_plugin_without_entry_points(site: Any, configure: Configure) -> None:
    """It is called boards-..., and offers nothing."""
    site.distribution("boards-idle", "[console_scripts]\nidle = idle:main\n")
    finding = found(examine(configure()), "no-entry-points")
    assert (finding.severity, finding.where) == ("warning", "boards-idle 1.0")
    assert finding.remedy.endswith("boards plugins uninstall boards-idle")


def test_a_group_that_nobody_reads(site: Any, configure: Configure) -> None:
    """A slip in the name of the group."""
    site.distribution("boards-slip", "[boards.spec]\nslip = boards_slip.specs\n")
    finding = found(examine(configure()), "unknown-group")
    assert finding.what.endswith("nothing reads; did you mean 'boards.specs'?")


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("@hookimpl\ndef boards_storages(): return 3", "returned int"),
        ("@hookimpl\ndef boards_storages(queue): return []", "does not give"),
        (
            "@hookimpl\ndef boards_storages(): return [StorageRecord('local', print)]",
            "'local' is already offered by boards-core",
        ),
        ("import os; os._exit(7)", "Importing bad_hooks ended the process (exit code 7)."),
        (
            "import os\n@hookimpl\ndef boards_storages(): os._exit(7)",
            "Importing bad_hooks ended the process (exit code 7).",
        ),
    ],
)
def test_a_broken_plugin(acme: Any, configure: Configure, code: str, what: str) -> None:
    """Whatever it does, it is told, and so is all the rest."""
    acme.hooks("boards-bad", "bad_hooks", code)
    report = examine(configure())
    finding = found(report, "broken")
    assert what in finding.what
    assert finding.where == "boards-bad 1.0"
    assert "boards-bad" in finding.remedy
    assert found(report, "key")
    assert examine(configure(strict=True)).findings == report.findings


def test_an_adapter_that_ends_the_process(acme: Any, configure: Configure) -> None:
    """A library below it crashes, say: its plugin is told, and so is all the rest."""
    provider = acme.provider("odd", adapter="odd_adapter:Odd")
    acme.specs("boards-odd", "boards_odd", {"p.yaml": provider})
    (acme.path / "odd_adapter.py").write_text("import os; os._exit(7)")
    report = examine(configure())
    finding = found(report, "broken")
    assert finding.what == "Importing odd_adapter:Odd ended the process (exit code 7)."
    assert finding.where == "boards-odd 1.0"
    assert "boards plugins disable boards-odd" in finding.remedy
    assert found(report, "key").where == "boards-acme 1.0"


def test_metadata_that_cannot_be_read(acme: Any, configure: Configure) -> None:
    """It is told by the name of its directory."""
    acme.distribution("boards-bad", "[boards.plugins]\nthis is no entry point\n")
    assert found(examine(configure(**KEY)), "broken").where == "boards-bad 1.0"


def test_code_that_does_not_come_back(site: Any, tmp_path: Path) -> None:
    """It is ended; those before and after it are still looked at."""
    (site.path / "slow.py").write_text("import time\ntime.sleep(60)\n")
    (site.path / "last.py").write_text("import os\nos._exit(9)\n")
    (site.path / "noisy.py").write_text("print('x' * 100_000)\nraise SystemExit\n")
    points = [
        EntryPoint("boards.commands", name, f"{name}:run", f"boards-{name}", "1.0")
        for name in ("noisy", "slow", "json", "last")
    ]
    assert {one.name: did for one, did in probe(points, seconds=4).items()} == {
        "slow": "did not come back within 4 s",
        "last": "ended the process (exit code 9)",
    }


def test_commands(site: Any, configure: Configure) -> None:
    """One that cannot be imported, and ones that another hides."""
    module = "import click\n@click.command()\ndef run(): pass\n"
    for name, command in (("one", "draw"), ("two", "draw"), ("three", "generate")):
        points = f"[boards.commands]\n{command} = run_{name}:run\n"
        site.distribution(f"boards-{name}", points, {f"run_{name}.py": module})
    site.distribution("boards-void", "[boards.commands]\nvoid = no_such_module:run\n")
    report = examine(configure())
    assert {(one.where, one.what) for one in report.findings if one.check == "conflict"} == {
        (
            "boards-two 1.0",
            "Its command draw cannot be called: boards-one 1.0 has one of that name.",
        ),
        (
            "boards-three 1.0",
            "Its command generate cannot be called: boards-core has one of that name.",
        ),
    }
    assert "no_such_module" in found(report, "broken").what


def test_a_plugin_that_is_installed_twice(
    acme: Any, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of them counts is told."""
    later = type(acme)(tmp_path / "later")
    later.specs("boards_acme", "boards_acme", {"p.yaml": later.provider("old")}, version="0.9")
    monkeypatch.syspath_prepend(later.path)
    monkeypatch.syspath_prepend(acme.path)
    finding = found(examine(configure(**KEY)), "twice")
    assert finding.what == f"It is installed twice; boards-acme 1.0 in {acme.path} counts."
    assert finding.where == f"boards_acme 0.9 in {later.path}"


@pytest.mark.parametrize("first", ["installed", "sources"])
def test_what_setuptools_leaves_beside_sources_is_no_installation(
    acme: Any, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """An editable installation of setuptools puts the sources, with an egg-info, on the path."""
    sources = tmp_path / "project" / "src"
    left = sources / "boards_acme.egg-info"
    left.mkdir(parents=True)
    (left / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: boards-acme\nVersion: 1.0\n")
    (left / "entry_points.txt").write_text("[boards.specs]\nboards_acme = boards_acme.specs\n")
    installed = acme.path / "boards_acme-1.0.dist-info"
    origin = {"dir_info": {"editable": True}, "url": (tmp_path / "project").as_uri()}
    (installed / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.syspath_prepend(sources)
    if first == "installed":
        monkeypatch.syspath_prepend(acme.path)
    assert examine(configure(**KEY)).findings == ()
    (installed / "direct_url.json").unlink()
    assert found(examine(configure(**KEY)), "twice")


def test_an_unrelated_module_of_our_name(acme: Any, configure: Configure) -> None:
    """A distribution that has nothing to do with us, and installs ``boards``."""
    acme.distribution("boards", "", {"boards/surf.py": ""})
    record = acme.path / "boards-1.0.dist-info" / "RECORD"
    record.write_text("boards/surf.py,,\nboards-1.0.dist-info/METADATA,,\n")
    report = examine(configure(**KEY))
    finding = found(report, "module")
    assert finding.severity == "error"
    assert (
        finding.what == "It installs the module boards too (boards/surf.py), "
        "which is that of boards-core."
    )
    assert finding.where == f"boards 1.0 in {acme.path}"
    assert finding.remedy.startswith("boards plugins uninstall --exact boards, ")


def test_an_index_that_cannot_be_written(acme: Any, configure: Configure, tmp_path: Path) -> None:
    """Listings are slow then, and right."""
    (tmp_path / "file").touch()
    finding = found(examine(configure(cache=tmp_path / "file", **KEY)), "cache")
    assert (finding.severity, finding.where) == ("warning", str(tmp_path / "file"))
    assert f"mkdir -p {tmp_path / 'file'}" in finding.remedy


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs permissions")
def test_a_cache_without_permission(acme: Any, configure: Configure, tmp_path: Path) -> None:
    """As in a home that belongs to somebody else."""
    (tmp_path / "cache").mkdir(mode=0o500)
    finding = found(examine(configure(cache=tmp_path / "cache", **KEY)), "cache")
    assert "Permission denied" in finding.what


def test_the_hosts_own_files(acme: Any, configure: Configure, tmp_path: Path) -> None:
    """Mistakes in them, and providers that nothing defines."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "providers.yaml").write_text("providers: {acme: {priority: x}, b: {type: bravo}}")
    report = examine(configure(**KEY))
    assert found(report, "host-file").remedy.endswith(f"boards check {home / 'providers.yaml'}")
    told = {one.what: one.remedy for one in report.findings if one.check == "provider"}
    (acme_is, bravo_is) = sorted(told)
    assert "providers.yaml, which tells of it or may do so, has mistakes" in acme_is
    assert "nothing that is installed defines the provider 'bravo'" in bravo_is
    assert told[bravo_is] == "Install its plugin: pip install boards-bravo"


def test_names_that_nothing_has(acme: Any, configure: Configure, tmp_path: Path) -> None:
    """In the settings, and among what is disabled."""
    settings = configure(plugins="boards-acme,boards-acne", **KEY)
    assert "boards-acne" in found(examine(settings), "selection").what
    switch_off(tmp_path / "home", ["boards-gone"])
    finding = found(examine(configure(**KEY)), "selection")
    assert (finding.severity, finding.remedy) == ("info", "boards plugins enable boards-gone")


def test_a_deprecated_argument(
    acme: Any, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It works for a year, and the doctor tells of it."""
    old = DeprecatedArgument("request", since="0.4", day=date(2027, 1, 5))
    options = vars(hookspecs.boards_before_submit)["boards_spec"]
    monkeypatch.setitem(options, "warn_on_impl_args", {"request": old})
    acme.hooks("boards-old", "old_hooks", "@hookimpl\ndef boards_before_submit(request): pass")
    with pytest.warns(DeprecatedArgument):
        finding = found(examine(configure(**KEY)), "deprecated")
    assert finding.severity == "warning"
    assert finding.what.startswith("boards_before_submit: the argument request is deprecated")


def test_what_is_disabled_is_not_examined(site: Any, configure: Configure) -> None:
    """It is listed as disabled; its code does not run."""
    site.hooks("boards-bad", "bad_hooks", "import os; os._exit(7)")
    requires(site, "boards_bad", "boards-core>=7")
    report = examine(configure(plugins_disabled=("boards-bad", *configure().plugins_disabled)))
    assert report.findings == ()
    assert {one.distribution: one.disabled for one in report.plugins}["boards-bad"]


def test_by_name(acme: Any, configure: Configure) -> None:
    """Only of these; one that is not there, or disabled, is an error then."""
    acme.distribution("boards-idle", "")
    report = examine(configure(), ["acme"])
    assert [one.check for one in report.findings] == ["key"]
    assert [one.distribution for one in report.plugins] == ["boards-acme"]
    report = examine(configure(plugins_disabled="boards-acme"), ["acme", "nobody", "attrs"])
    assert {(one.where, one.what, one.remedy) for one in report.findings} == {
        ("boards-acme", "It is disabled.", "boards plugins enable boards-acme"),
        ("boards-nobody", "It is not installed.", "boards plugins install boards-nobody"),
        ("attrs", "It is no plugin of Boards.", "boards plugins uninstall --exact attrs"),
    }
