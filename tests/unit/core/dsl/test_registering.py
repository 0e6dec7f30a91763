"""Classes and providers of Python in a registry: from plugins' hooks, and from the host."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from boards.dsl import Auth, Generator, Provider, body, post
from boards.errors import SpecError
from boards.registry import Registry
from boards.settings import Settings

Configure = Callable[..., Settings]

CODE = """
from boards.dsl import Auth, Generator, Provider, body, field, input, post

studio = Provider("studio", base_url="https://studio.test", auth=Auth("none"))


class Poster(Generator, name="poster", provider=studio, artifact="image"):
    '''Posters.'''

    prompt: str = field(min_length=1)
    submit = post("/posters", json={"text": input.prompt})
    outputs = body.url


class Banner(Poster, name="banner"):
    pass


@hookimpl
def boards_providers():
    return [studio]


@hookimpl
def boards_generators():
    return [Poster, Banner.__boards_record__()]
"""


def make(name: str, provider: Provider | str) -> type[Generator]:
    class Made(Generator, name=name, provider=provider, artifact="image"):
        submit = post("/a")
        outputs = body.url

    return Made


def test_hooks_return_classes_and_providers(site: Any, configure: Configure) -> None:
    """As they return records; the provider comes along, or by its own hook."""
    site.hooks("boards-studio", "boards_studio", CODE)
    registry = Registry(configure())
    assert [one.id for one in registry.generators()] == ["studio/banner", "studio/poster"]
    assert registry.compiled("studio/poster").spec.description == "Posters."
    assert not registry.problems()


def test_the_provider_alone_comes_along(site: Any, configure: Configure) -> None:
    """No second hook is needed."""
    code = CODE.replace("@hookimpl\ndef boards_providers", "def providers")
    site.hooks("boards-studio", "boards_studio", code)
    registry = Registry(configure())
    assert registry.provider("studio").spec.config == {"base_url": "https://studio.test"}
    assert registry.compiled("studio/banner")


def test_a_class_with_mistakes_breaks_its_plugin_alone(site: Any, configure: Configure) -> None:
    """The listing tells the line."""
    site.hooks("boards-studio", "boards_studio", CODE.replace("input.prompt", "input.promt"))
    registry = Registry(configure())
    assert registry.generators() == []
    (info,) = (one for one in registry.plugins() if one.distribution == "boards-studio")
    assert info.error is not None
    assert "did you mean 'prompt'?" in info.error
    assert re.search(r"boards_studio\.py:\d+:\d+: error", info.error)


def test_a_host_gives_classes(configure: Configure) -> None:
    """Several with one provider; a provider that says something else is a rival."""
    here = Provider("here", base_url="https://here.test", auth=Auth("none"))
    classes = [make("one", here), make("two", here)]
    registry = Registry(configure(), providers=[here], generators=classes)
    assert [one.id for one in registry.generators(provider="here")] == ["here/one", "here/two"]
    other = Provider("here", base_url="https://there.test", auth=Auth("none"))
    with pytest.raises(SpecError, match="offered by both"):
        Registry(configure(), generators=[make("one", here), make("two", other)])


def test_adding_a_known_generator_changes_nothing(configure: Configure) -> None:
    """Its spec is what counts, not the object."""
    here = Provider("here", base_url="https://here.test", auth=Auth("none"))
    registry = Registry(configure(), generators=[make("one", here)])
    before = registry.compiled("here/one")
    assert registry.add(make("one", here).__boards_record__()) == "here/one"
    assert registry.compiled("here/one") is before
    assert registry.add(make("two", here).__boards_record__()) == "here/two"
    assert registry.compiled("here/two").id == "here/two"
