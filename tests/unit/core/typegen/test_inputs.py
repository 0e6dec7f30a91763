"""Which names a generator has for a type checker, and which inputs under each."""

from collections.abc import Callable
from typing import Any

import pytest

from boards.registry import Registry
from boards.settings import Settings
from boards.typegen import GeneratorTypes, typed_generators
from boards.typegen.inputs import class_name, limits
from boards.typegen.shapes import Choice, Scalar

Configure = Callable[..., Settings]


def generator(provider: str, name: str, *, required: str = "prompt", **properties: Any) -> Any:
    """A generator in the shape of YAML."""
    schema = {
        "type": "object",
        "required": [required],
        "properties": {required: {"type": "string"}, **properties},
    }
    return {
        "name": name,
        "provider": provider,
        "artifact_type": "image",
        "io": {"input_schema": schema},
        "execution": {"submit": {"path": "/run"}, "extract": {"output_paths": ["url"]}},
    }


@pytest.fixture
def typed(configure: Configure) -> Callable[..., dict[tuple[str, ...], GeneratorTypes]]:
    """The calls of generators of two providers, by their names."""

    def make(*generators: Any, ids: list[str] | None = None) -> Any:
        config = {"base_url": "https://acme.example"}
        providers: dict[str, dict[str, Any]] = {
            "alpha": {"config": config, "auth": {"kind": "none"}, "default_generator": "flux"},
            "beta": {"config": config, "auth": {"kind": "none"}, "priority": 1},
        }
        registry = Registry(configure(), providers=providers, generators=generators)
        return {one.names: one for one in typed_generators(registry, ids)}

    return make


def test_a_generator_is_typed_under_every_name_of_its_own(typed: Any) -> None:
    """Its id, the short name, without the version, and as the default of its provider."""
    found = typed(generator("alpha", "flux@2"), generator("alpha", "flux@1"))
    assert list(found) == [
        ("alpha/flux@1", "flux@1"),
        ("alpha/flux@2", "@alpha", "alpha/flux", "flux", "flux@2"),
    ]


def test_a_short_name_of_several_providers_takes_what_all_of_them_take(typed: Any) -> None:
    """Which of them runs depends on keys: a call that fits one alone may fail."""
    found = typed(
        generator("alpha", "flux", size={"enum": ["s", "m"]}, seed={"type": "integer"}, a={}),
        generator("beta", "flux", size={"enum": ["m", "l"]}, seed={"type": "number"}, b={}),
    )
    assert list(found) == [("alpha/flux", "@alpha"), ("beta/flux",), ("flux",)]
    common = found["flux",]
    assert {one.name: one.shape for one in common.fields} == {
        "prompt": Scalar("string"),
        "size": Choice(("m",)),
        "seed": Scalar("integer"),
    }


def test_a_short_name_without_a_common_call_is_the_first_providers(typed: Any) -> None:
    """It has a type all the same, that of the provider that is asked first."""
    found = typed(generator("alpha", "flux"), generator("beta", "flux", required="text"))
    assert list(found) == [("alpha/flux", "@alpha"), ("beta/flux", "flux")]


def test_some_generators_alone(typed: Any) -> None:
    """A short name still means what all of its providers take."""
    flux = (generator("alpha", "flux", a={}), generator("beta", "flux"))
    found = typed(*flux, generator("beta", "sora"), ids=["alpha/flux"])
    assert list(found) == [("alpha/flux", "@alpha"), ("flux",)]
    assert [one.name for one in found["flux",].fields] == ["prompt"]


def test_what_has_a_default_can_be_left_out(typed: Any) -> None:
    """Also where the schema requires it: the default is filled in before it is checked."""
    found = typed(generator("alpha", "flux", prompt={"type": "string", "default": "a cat"}))
    (flux,) = found.values()
    assert [(one.name, one.required) for one in flux.fields] == [("prompt", False)]


@pytest.mark.parametrize(
    ("names", "class_"),
    [
        (("fal/flux-1.1-pro",), "FalFlux1_1Pro"),
        (("fal/flux-11-pro",), "FalFlux11Pro"),
        (("@fal",), "Fal"),
        (("4k",), "_4k"),
        (("ß",), "_"),
    ],
)
def test_names_of_types(names: tuple[str, ...], class_: str) -> None:
    """Every name of a generator gives a name that Python and TypeScript take."""
    assert class_name(*names) == class_


def test_limits_are_told_to_people() -> None:
    """What a type cannot say."""
    assert limits({"minimum": 1, "maximum": 4}) == "at least 1, at most 4"
    assert limits({"minItems": 1, "maxItems": 4}) == "not empty, at most 4 items"
    assert limits({"type": "string"}) == ""
