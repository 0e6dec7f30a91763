"""What a name stands for: ids, short names, versions, defaults, and slips of the keyboard."""

from collections.abc import Callable
from typing import Any

import pytest

from boards.errors import NotFoundError, SpecError
from boards.registry import Registry
from boards.settings import Settings

Configure = Callable[..., Settings]


@pytest.fixture
def registry(site: Any, configure: Configure) -> Registry:
    """Two providers that share generators."""
    beta = ("flux", "kling@v9", "kling@v10", "sora", "sora@2", "only-beta")
    site.specs(
        "boards-alpha",
        "boards_alpha",
        {
            "p.yaml": site.provider("alpha", priority=20, default_generator="flux"),
            "g.yaml": site.generators("alpha", "flux", "kling@v1"),
        },
    )
    site.specs(
        "boards-beta",
        "boards_beta",
        {
            "p.yaml": site.provider("beta", priority=10),
            "g.yaml": site.generators("beta", *beta),
        },
    )
    return Registry(configure())


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("alpha/flux", ["alpha/flux"]),
        ("flux", ["beta/flux", "alpha/flux"]),
        ("only-beta", ["beta/only-beta"]),
        ("@alpha", ["alpha/flux"]),
        ("beta/kling", ["beta/kling@v10"]),
        ("beta/kling@v9", ["beta/kling@v9"]),
        ("kling", ["beta/kling@v10", "alpha/kling@v1"]),
        ("kling@v9", ["beta/kling@v9"]),
        ("sora", ["beta/sora"]),
        ("sora@2", ["beta/sora@2"]),
    ],
)
def test_a_name(registry: Registry, name: str, ids: list[str]) -> None:
    """Candidates come in the order of their providers; a version that is not named is chosen."""
    assert [entry.id for entry in registry.resolve(name)] == ids


@pytest.mark.parametrize(
    ("name", "suggestions"),
    [
        ("flix", ["alpha/flux", "beta/flux"]),
        ("alhpa/flux", ["alpha/flux", "beta/flux"]),
        ("only", ["beta/only-beta"]),
        ("sora@3", ["beta/sora@2", "beta/sora"]),
        ("qqqqq", []),
        ("", []),
        ("/", []),
    ],
)
def test_a_slip(registry: Registry, name: str, suggestions: list[str]) -> None:
    """A name that nothing has is answered with those that are near, and how to list them all."""
    with pytest.raises(NotFoundError) as caught:
        registry.resolve(name)
    assert list(caught.value.suggestions) == suggestions
    assert "boards generators" in caught.value.remedy
    if suggestions:
        assert f"Did you mean {suggestions[0]}" in caught.value.message


def test_an_unknown_provider(registry: Registry) -> None:
    """A provider that nothing has is answered in the same way."""
    with pytest.raises(NotFoundError, match=r"no provider 'alfa'\. Did you mean alpha\?"):
        registry.provider("alfa")
    with pytest.raises(NotFoundError, match="no provider is called 'alfa'"):
        registry.resolve("alfa/flux")
    with pytest.raises(NotFoundError, match="no provider 'alfa'"):
        registry.generators(provider="alfa")


def test_a_provider_without_a_default(registry: Registry) -> None:
    """``@provider`` needs the provider to have a default."""
    with pytest.raises(NotFoundError, match="beta has no default generator"):
        registry.resolve("@beta")


def test_providers_by_priority(registry: Registry, configure: Configure) -> None:
    """Lower comes first; what the host prefers comes before."""
    assert [entry.name for entry in registry.providers()] == ["beta", "alpha"]
    preferring = Registry(configure(provider_priority="alpha,gamma"))
    assert [entry.name for entry in preferring.providers()] == ["alpha", "beta"]
    assert [entry.id for entry in preferring.resolve("flux")] == ["alpha/flux", "beta/flux"]
    (problem,) = preferring.problems()
    assert str(problem) == "BOARDS_PROVIDER_PRIORITY: error: there is no provider 'gamma'"


def test_generators_are_filtered(registry: Registry) -> None:
    """By provider, and by what they make."""
    assert [one.name for one in registry.generators(provider="alpha")] == ["flux", "kling@v1"]
    assert registry.generators(artifact_type="video") == []
    ids = [one.id for one in registry.generators(artifact_type="image")]
    assert ids == sorted(ids)
    assert len(ids) == 8


def test_a_generator_with_mistakes_says_so(site: Any, configure: Configure) -> None:
    """Its name is known, and so are its mistakes; it is not "not found"."""
    site.specs(
        "boards-gamma",
        "boards_gamma",
        {
            "a.yaml": site.provider("gamma"),
            "b.yaml": site.generators("gamma", "bad", surprise=1, docs=2),
        },
    )
    registry = Registry(configure())
    for name in ("gamma/bad", "bad"):
        with pytest.raises(SpecError, match="gamma/bad has mistakes") as caught:
            registry.resolve(name)
        assert len(caught.value.problems) == 2
    assert len(registry.problems()) == 2


def test_a_spec_and_its_compiled_form(registry: Registry) -> None:
    """The spec is read at first use; it is compiled once."""
    spec = registry.spec("beta/kling@v9")
    assert spec.id == "beta/kling@v9"
    compiled = registry.compiled("beta/kling@v9")
    assert compiled is registry.compiled("beta/kling@v9")
    assert (compiled.provider_name, compiled.spec) == ("beta", spec)
    with pytest.raises(NotFoundError):
        registry.spec("beta/kling")


def test_mistakes_of_a_generator_and_its_provider_are_told_together(
    site: Any, configure: Configure
) -> None:
    """What only the checker sees is told at the first use, all of it, with places."""
    generator = site.generators("gamma", "bad").replace("input.prompt", "input.promt")
    provider = site.provider("gamma").replace("base_url: 'https://gamma.test', ", "")
    site.specs("boards-gamma", "boards_gamma", {"a.yaml": provider, "b.yaml": generator})
    with pytest.raises(SpecError, match="gamma/bad has mistakes") as caught:
        Registry(configure()).compiled("gamma/bad")
    told = str(caught.value)
    assert "a.yaml:4:13: error: provider gamma: config lacks base_url" in told
    assert "promt" in told


@pytest.mark.parametrize(
    ("name", "told", "remedy"),
    [
        ("specs/flux.yaml", "a file is no name", "BOARDS_GENERATORS_CONFIG_PATH=specs/flux.yaml"),
        ("beta", "that is a provider. Did you mean @beta?", "boards generators --provider beta"),
    ],
)
def test_what_is_no_generators_name_is_told_for_what_it_is(
    registry: Registry, name: str, told: str, remedy: str
) -> None:
    """A file, and a provider."""
    with pytest.raises(NotFoundError, match=told) as caught:
        registry.resolve(name)
    assert remedy in caught.value.remedy
