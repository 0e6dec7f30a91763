"""Plugins, their hooks, the host's files and arguments: what overrides what."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from boards.errors import NotFoundError, SpecError
from boards.records import GeneratorRecord, ProviderRecord
from boards.registry import Registry
from boards.settings import Settings

Configure = Callable[..., Settings]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The directory of the host's files."""
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def acme(site: Any) -> Any:
    """A site with the provider ``acme``, which offers ``flux`` and ``sora``."""
    documents = {
        "p.yaml": site.provider("acme", setup="Get a key."),
        "g.yaml": site.generators("acme", "flux", "sora"),
    }
    site.specs("boards-acme", "boards_acme", documents)
    return site


def ids(registry: Registry) -> list[str]:
    return [entry.id for entry in registry.generators()]


def test_availability(acme: Any, configure: Configure) -> None:
    """A provider is available when its secrets are set; they are read when one asks."""
    missing = Registry(configure()).provider("acme").availability()
    assert (missing.ok, missing.reason, missing.setup) == (
        False,
        "ACME_KEY is not set",
        "Get a key.",
    )
    assert Registry(configure(environment={"ACME_KEY": " "})).provider("acme").availability() == (
        missing
    )
    entry = Registry(configure(environment={"ACME_KEY": "hunter2"})).provider("acme")
    assert entry.availability().ok
    assert "hunter2" not in repr(entry)
    assert "hunter2" not in str(entry.as_dict())


def test_a_provider_that_needs_no_secret(site: Any, configure: Configure) -> None:
    """With auth ``none``, only what ``secrets`` names is needed."""
    site.specs(
        "boards-acme",
        "boards_acme",
        {
            "a.yaml": site.provider("acme").replace("bearer", "none"),
            "b.yaml": site.provider("both", secrets="{id: BOTH_ID}"),
        },
    )
    registry = Registry(configure())
    assert registry.provider("acme").availability().ok
    assert registry.provider("both").availability().reason == "BOTH_KEY and BOTH_ID are not set"


ADAPTER = """
from boards.adapters import Adapter
class Odd(Adapter):
    @classmethod
    def available(cls, provider, settings):
        {}
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit(0)", "cannot be imported: SystemExit: 0"),
        (ADAPTER.format("return settings['gpu']"), "TypeError: "),
        (ADAPTER.format("raise SystemExit"), "SystemExit"),
        ("class Panic(BaseException): pass\nraise Panic('oh')", "Panic: oh"),
        (ADAPTER.format("return True"), "it returned bool"),
    ],
)
def test_an_adapter_that_does_not_answer_leaves_the_others(
    acme: Any, configure: Configure, code: str, reason: str
) -> None:
    """Whatever its code does, its provider is unavailable, and the listing goes on."""
    (acme.path / "odd_adapter.py").write_text(code)
    odd = acme.provider("odd", adapter="odd_adapter:Odd")
    acme.specs("boards-odd", "boards_odd", {"p.yaml": odd})
    registry = Registry(configure(environment={"ODD_KEY": "x", "ACME_KEY": "x"}))
    told = {one.name: one.availability() for one in registry.providers()}
    assert told["acme"].ok
    assert not told["odd"].ok
    assert reason in told["odd"].reason
    assert "Mend" in told["odd"].setup


def test_host_files_override_plugins(acme: Any, configure: Configure, home: Path) -> None:
    """A generator of the host stands in for the plugin's, and listings say so."""
    (home / "generators.yaml").write_text(acme.generators("acme", "flux", display_name="Mine"))
    flux, sora = Registry(configure()).generators()
    assert (flux.display_name, flux.overrides) == ("Mine", "boards-acme 1.0")
    assert flux.source == str(home / "generators.yaml")
    assert (sora.source, sora.overrides) == ("boards-acme 1.0", None)


def test_several_instances_offer_everything(acme: Any, configure: Configure, home: Path) -> None:
    """Two accounts: each instance offers all generators, with its own config."""
    (home / "providers.yaml").write_text(
        "providers:\n"
        "  first: {type: acme, priority: 1, config: {api_key_env: FIRST_KEY}}\n"
        "  second: {type: acme, config: {api_key_env: SECOND_KEY, base_url: 'http://s.test'}}\n"
    )
    (home / "generators.yaml").write_text(acme.generators("first", "mine"))
    registry = Registry(configure(environment={"SECOND_KEY": "x"}))
    assert ids(registry) == [
        *("acme/flux", "acme/sora"),
        *("first/flux", "first/mine", "first/sora"),
        *("second/flux", "second/sora"),
    ]
    assert [one.id for one in registry.resolve("flux")] == [
        "first/flux",
        "acme/flux",
        "second/flux",
    ]
    first, second = registry.provider("first"), registry.provider("second")
    assert (first.definition, first.overrides) == ("acme", None)
    assert first.availability().reason == "FIRST_KEY is not set"
    assert second.availability().ok
    assert second.spec.config == {"base_url": "http://s.test", "api_key_env": "SECOND_KEY"}
    assert registry.compiled("second/flux").spec.id == "second/flux"


def test_an_instance_named_like_its_definition(acme: Any, configure: Configure, home: Path) -> None:
    """``acme: {type: acme}`` configures the installed provider."""
    (home / "providers.yaml").write_text(
        "providers: {acme: {type: acme, config: {base_url: 'http://proxy.test'}}}"
    )
    registry = Registry(configure())
    entry = registry.provider("acme")
    assert entry.overrides == "boards-acme 1.0"
    assert entry.spec.config["base_url"] == "http://proxy.test"
    assert entry.spec.config["api_key_env"] == "ACME_KEY"
    assert ids(registry) == ["acme/flux", "acme/sora"]


def test_adjusting_a_provider(acme: Any, configure: Configure, home: Path) -> None:
    """Without ``type`` and ``base_url``, what a file does not mention stays as installed."""
    (home / "providers.yaml").write_text("providers: {acme: {priority: 3}}")
    registry = Registry(configure(), providers={"acme": {"limits": {"concurrency": 2}}})
    entry = registry.provider("acme")
    assert (entry.priority, entry.setup) == (3, "Get a key.")
    assert entry.spec.limits is not None
    assert entry.spec.limits.concurrency == 2
    assert entry.spec.config["base_url"] == "https://acme.test"
    assert registry.problems() == []


def test_a_provider_is_disabled(acme: Any, configure: Configure, home: Path) -> None:
    """``enabled: false`` hides a provider's generators; another instance is not concerned."""
    (home / "providers.yaml").write_text(
        "providers:\n  acme: {enabled: false}\n  other: {type: acme}\n"
    )
    registry = Registry(configure(environment={"ACME_KEY": "x"}))
    assert ids(registry) == ["other/flux", "other/sora"]
    assert not registry.provider("acme").availability().ok
    assert registry.provider("other").availability().ok
    with pytest.raises(NotFoundError, match="acme/flux is disabled: the provider acme in"):
        registry.resolve("acme/flux")


def test_a_generator_is_disabled(acme: Any, configure: Configure, home: Path) -> None:
    """A host need not repeat a generator to switch it off."""
    (home / "generators.yaml").write_text(
        "generators:\n"
        "  - {name: flux, provider: acme, enabled: false}\n"
        "  - {name: gone, provider: acme, enabled: false}\n"
        + acme.generators("acme", "sora", enabled="false").removeprefix("generators:\n")
    )
    registry = Registry(configure())
    assert ids(registry) == []
    for name in ("acme/flux", "sora"):
        with pytest.raises(NotFoundError, match=r"is disabled: .*generators\.yaml"):
            registry.resolve(name)
    (problem,) = registry.problems()
    assert problem.where == "acme/gone"
    assert "there is no such generator" in problem.message


def test_one_file_for_both(acme: Any, configure: Configure, tmp_path: Path) -> None:
    """A file that both settings name is read once."""
    both = tmp_path / "both.yaml"
    both.write_text(acme.provider("mine") + acme.generators("mine", "one"))
    link = tmp_path / "link.yaml"
    link.symlink_to(both)
    registry = Registry(configure(providers_config_path=both, generators_config_path=link))
    assert "mine/one" in ids(registry)
    assert registry.problems() == []
    assert [info.kind for info in registry.plugins()].count("config") == 1


def test_a_mistake_in_a_host_file(acme: Any, configure: Configure, home: Path) -> None:
    """It is told with its place; what is right in the file works, and so does the rest."""
    path = home / "generators.yaml"
    path.write_text(acme.generators("acme", "mine") + "  - {name: bad, provider: acme}\n")
    registry = Registry(configure())
    assert ids(registry) == ["acme/flux", "acme/mine", "acme/sora"]
    assert {problem.where for problem in registry.problems()} == {f"{path}:9:5"}
    (info,) = (info for info in registry.plugins() if info.kind == "config")
    assert (info.status, info.source) == ("broken", str(path))
    with pytest.raises(SpecError, match="missing key 'artifact_type'"):
        Registry(configure(strict=True)).generators()


def test_an_override_with_mistakes_hides_what_it_overrides(
    acme: Any, configure: Configure, home: Path
) -> None:
    """No generator is used in place of one that the host wrote and that cannot be read."""
    (home / "generators.yaml").write_text(acme.generators("acme", "flux", surprise=1))
    registry = Registry(configure())
    assert ids(registry) == ["acme/sora"]
    with pytest.raises(SpecError, match="unknown key 'surprise'"):
        registry.resolve("flux")


@pytest.mark.parametrize(
    "content", [b"\xff", b"providers: {a: {b: c", b"- 1", b"spec: 2\nproviders: {acme: {}}"]
)
def test_a_host_file_that_cannot_be_read(
    acme: Any, configure: Configure, home: Path, content: bytes
) -> None:
    """The listing is whole; what its providers would be asked, and where, nobody can tell."""
    path = home / "providers.yaml"
    path.write_bytes(content)
    registry = Registry(configure())
    assert ids(registry) == ["acme/flux", "acme/sora"]
    assert "providers.yaml" in str(registry.problems()[0])
    told = registry.provider("acme").availability()
    assert not told.ok
    assert str(path) in told.reason
    assert told.setup == f"Mend the file: boards check {path}"
    with pytest.raises(SpecError, match=r"cannot be used: .*providers\.yaml"):
        registry.compiled("acme/flux")


def test_a_file_of_generators_that_cannot_be_read(
    acme: Any, configure: Configure, home: Path
) -> None:
    """It need not tell of providers: the plugins' are as they were."""
    (home / "generators.yaml").write_text("generators: {a: {b: c")
    registry = Registry(configure())
    assert registry.problems()
    assert registry.compiled("acme/flux")


def test_a_provider_that_its_host_adjusted_by_mistake(
    acme: Any, configure: Configure, home: Path
) -> None:
    """It is not asked as if nothing were written: another address, say. Others are."""
    acme.specs("boards-beta", "boards_beta", {"p.yaml": acme.provider("beta")})
    adjusted = "providers:\n  acme: {config: {base_url: 'https://gateway.example'}, surprise: 1}\n"
    (home / "providers.yaml").write_text(adjusted)
    registry = Registry(configure())
    assert "providers.yaml" in registry.provider("acme").availability().reason
    assert registry.provider("beta").fault is None


def test_two_plugins_offer_the_same(acme: Any, configure: Configure) -> None:
    """Neither of two plugins is picked silently: both are named, and the rest works."""
    documents = {"g.yaml": acme.generators("acme", "flux", "extra")}
    acme.specs("boards-more", "boards_more", documents, version="2.0")
    registry = Registry(configure())
    assert ids(registry) == ["acme/extra", "acme/flux", "acme/sora"]
    assert [str(one) for one in registry.problems()] == [
        "acme/flux: error: the generator is offered by both boards-acme 1.0 and boards-more 2.0"
    ]
    with pytest.raises(SpecError, match=r"both boards-acme 1\.0 and boards-more 2\.0") as caught:
        registry.compiled("acme/flux")
    assert "BOARDS_PLUGINS_DISABLED" in caught.value.remedy
    registry.compiled("acme/extra")
    faults = {one.distribution: one.error for one in registry.plugins() if one.error}
    assert set(faults) == {"boards-acme", "boards-more"}
    assert "acme/flux is offered by boards-more 2.0 too" in str(faults["boards-acme"])
    alone = Registry(configure(plugins_disabled="boards-more,boards-fal,boards-replicate"))
    assert alone.problems() == []
    alone.compiled("acme/flux")


def test_the_host_settles_a_dispute(acme: Any, configure: Configure, home: Path) -> None:
    """What two plugins offer, the host's own file overrides."""
    acme.specs("boards-more", "boards_more", {"g.yaml": acme.generators("acme", "flux")})
    (home / "generators.yaml").write_text(acme.generators("acme", "flux"))
    registry = Registry(configure())
    registry.compiled("acme/flux")
    assert not any(one.error for one in registry.plugins())


def test_two_plugins_define_the_same_provider(acme: Any, configure: Configure) -> None:
    """Credentials go to nobody while it is not clear whose the provider is."""
    acme.specs("aaa", "aaa", {"p.yaml": acme.provider("acme")})
    registry = Registry(configure(environment={"ACME_KEY": "x"}))
    availability = registry.provider("acme").availability()
    assert (availability.ok, availability.reason) == (
        False,
        "acme is offered by both aaa 1.0 and boards-acme 1.0",
    )
    with pytest.raises(SpecError, match="offered by both"):
        registry.compiled("acme/flux")


HOST_PROVIDERS = """
providers:
  replicate:
    type: replicate
    config:
      base_url: https://api.replicate.com/v1
      api_key_env: REPLICATE_API_TOKEN
"""


def test_an_instance_whose_plugin_is_left_out(site: Any, configure: Configure, home: Path) -> None:
    """The error says which plugin, and which setting."""
    (home / "providers.yaml").write_text(HOST_PROVIDERS)
    (home / "generators.yaml").write_text(site.generators("replicate", "flux-1.1-pro"))
    registry = Registry(configure())
    (entry,) = registry.resolve("flux-1.1-pro")
    assert entry.id == "replicate/flux-1.1-pro"
    availability = registry.provider("replicate").availability()
    assert "the plugin boards-replicate" in availability.reason
    assert "BOARDS_PLUGINS_DISABLED" in availability.setup
    with pytest.raises(SpecError, match="boards-replicate"):
        registry.compiled(entry.id)


def test_what_to_install(site: Any, configure: Configure, home: Path) -> None:
    """A provider whose plugin is not installed is answered with the command that installs it."""
    (home / "providers.yaml").write_text(HOST_PROVIDERS.replace("replicate", "acme"))
    (home / "generators.yaml").write_text(
        site.generators("acme", "one")
        + site.generators("other", "two").removeprefix("generators:\n")
    )
    registry = Registry(configure())
    assert registry.provider("acme").availability().setup == (
        "Install its plugin: pip install boards-acme"
    )
    assert registry.provider("other").availability().setup == (
        "Install its plugin: pip install boards-other"
    )
    assert len(registry.problems()) == 2
    twice = Registry(configure(), providers={"acme": {"type": "acme"}})
    assert "pip install boards-acme" in twice.provider("acme").availability().setup
    with pytest.raises(SpecError, match="pip install boards-other"):
        registry.compiled("other/two")
    with pytest.raises(NotFoundError, match="nothing that is installed defines"):
        registry.resolve("acme/three")


def test_an_instance_of_an_instance(acme: Any, configure: Configure, home: Path) -> None:
    """An instance has a definition, not another instance, as its type; whatever they are called."""
    for one in ("one", "a"):
        (home / "providers.yaml").write_text(
            f"providers: {{{one}: {{type: acme}}, two: {{type: {one}}}}}"
        )
        registry = Registry(configure())
        availability = registry.provider("two").availability()
        assert availability.reason == f"{one!r} is itself an instance of 'acme'"
        assert availability.setup == "Write type: acme."


def test_a_hosts_files_over_our_own_plugin(site: Any, configure: Configure, home: Path) -> None:
    """A host's instance of the plugin's provider, and a generator over the plugin's own."""
    (home / "providers.yaml").write_text(HOST_PROVIDERS)
    (home / "generators.yaml").write_text(site.generators("replicate", "flux-1.1-pro"))
    registry = Registry(configure(plugins_disabled=None))
    entry = registry.resolve("replicate/flux-1.1-pro")[0]
    assert entry.source == str(home / "generators.yaml")
    provider = registry.provider("replicate")
    assert provider.source == str(home / "providers.yaml")
    assert provider.overrides is not None
    assert provider.overrides.startswith("boards-replicate ")


def test_arguments_win(acme: Any, configure: Configure, home: Path, tmp_path: Path) -> None:
    """What a host's code gives overrides everything: mappings, specs and files."""
    (home / "generators.yaml").write_text(acme.generators("acme", "flux"))
    (tmp_path / "more.yaml").write_text(acme.generators("acme", "filed"))
    given = {
        "name": "flux",
        "provider": "acme",
        "display_name": "Given",
        "artifact_type": "image",
        "io": {"input_schema": {"type": "object"}},
        "execution": {"submit": {"path": "/x", "json": {}}, "extract": {"output_paths": ["a"]}},
    }
    spec = Registry(configure()).spec("acme/sora")
    registry = Registry(
        configure(),
        providers={"acme": {"type": "acme", "config": {"base_url": "http://given.test"}}},
        generators=[given, spec, tmp_path / "more.yaml"],
    )
    filed, flux, sora = registry.generators()
    assert (flux.display_name, flux.source) == ("Given", "an argument")
    assert flux.overrides == str(home / "generators.yaml")
    assert (sora.source, sora.overrides) == ("an argument", "boards-acme 1.0")
    assert filed.source == str(tmp_path / "more.yaml")
    assert registry.spec("acme/sora") == spec
    assert registry.provider("acme").spec.config["base_url"] == "http://given.test"
    registry.compiled("acme/flux")


def test_mistakes_in_arguments_are_told_at_once(configure: Configure) -> None:
    """All of them, each with the argument that it is in."""
    with pytest.raises(SpecError) as caught:
        Registry(configure(), providers={"a": {"tpye": "b"}}, generators=[{"name": "x"}])
    told = str(caught.value)
    assert "providers['a']:1:1: error: unknown key 'tpye'; did you mean 'type'?" in told
    assert "generators[0]:1:1: error: missing key 'io'" in told


def test_a_file_that_is_given_as_a_text_is_told(configure: Configure) -> None:
    """With what else was given wrongly, and how a file is given."""
    wrong: Any = {"providers": {"acme": 7}, "generators": ["mine.yaml"]}
    with pytest.raises(SpecError) as caught:
        ids(Registry(configure(), **wrong))
    told = str(caught.value)
    assert "providers['acme']:1:1: error: expected a mapping, not 7" in told
    assert "generators[0]:1:1: error: expected a mapping, not 'mine.yaml'" in told
    assert "generators=[Path('mine.yaml')]" in caught.value.remedy


def test_hooks_offer_providers_and_generators(acme: Any, configure: Configure) -> None:
    """Records of a hook override files of plugins, and need no file."""
    acme.hooks(
        "boards-code",
        "code_hooks",
        """
        from attrs import evolve
        from boards.spec.places import Problems
        from boards.spec.reader import read_text

        TEXT = '''
        providers: {coded: {auth: {kind: none}, config: {base_url: "http://c.test"}}}
        generators:
          - name: flux
            provider: acme
            artifact_type: image
            io: {input_schema: {type: object}}
            execution: {submit: {path: /x, json: {}}, extract: {output_paths: [a]}}
        '''
        FILE = read_text(TEXT, "code", Problems())

        @hookimpl
        def boards_providers():
            return [ProviderRecord("coded", FILE.providers["coded"])]

        @hookimpl
        def boards_generators():
            for provider in ("acme", "coded"):
                yield GeneratorRecord(evolve(FILE.generators[0], provider=provider))
        """,
    )
    registry = Registry(configure())
    assert ids(registry) == ["acme/flux", "acme/sora", "coded/flux"]
    flux = registry.resolve("acme/flux")[0]
    assert (flux.source, flux.overrides) == ("boards-code 1.0", "boards-acme 1.0")
    registry.compiled("coded/flux")
    (info,) = (one for one in registry.plugins() if one.distribution == "boards-code")
    assert info.offers == {"providers": ("coded",), "generators": ("acme/flux", "coded/flux")}


def test_a_host_registers_records_in_code(configure: Configure, acme: Any) -> None:
    """What a plugin's hooks return, a host can give as well."""
    plugin = Registry(configure())
    provider = ProviderRecord("mine", plugin.provider("acme").spec)
    generator = GeneratorRecord(evolve(plugin.spec("acme/flux"), provider="mine", name="own"))
    registry = Registry(configure(), providers=[provider], generators=[generator])
    assert registry.provider("mine").spec == plugin.provider("acme").spec
    assert registry.compiled("mine/own").id == "mine/own"
