"""boards-openai: what its generators cost, before and after, and that each tells a moderation."""

from typing import Any

import pytest

from boards import Boards
from boards.registry import Registry


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Boards(drive=False, environment={}).registry


def estimated(registry: Registry, name: str, **given: Any) -> float:
    """US dollars by the list price."""
    compiled = registry.compiled(f"openai/{name}")
    complete = compiled.inputs.complete(given)
    assert compiled.inputs.problems(complete) == []
    found = compiled.estimate({"input": complete, "config": {}, "run": {}})
    assert found is not None
    return found[0]


@pytest.mark.parametrize("name", ["gpt-image-2", "gpt-image-2-edit"])
@pytest.mark.parametrize("quality", ["low", "medium", "high"])
@pytest.mark.parametrize("count", range(1, 11))
def test_images_are_estimated_by_quality_and_number(
    registry: Registry, name: str, quality: str, count: int
) -> None:
    """Some cents for each image; ``auto`` as the dearest that it may turn out to be."""
    each = {"low": 0.006, "medium": 0.053, "high": 0.211}[quality]
    given = {"prompt": "a fox", "num_outputs": count}
    if name.endswith("edit"):
        given["images"] = ["https://example.com/fox.png"]
    found = estimated(registry, name, quality=quality, **given)
    assert found == pytest.approx(each * count, rel=0.001)
    if quality == "high":
        assert estimated(registry, name, quality="auto", **given) == found


@pytest.mark.parametrize(
    ("name", "given", "usd"),
    [
        ("sora-2", {"prompt": "a fox", "duration": 8}, 0.8),
        ("sora-2-pro", {"prompt": "a fox", "duration": 8}, 4.0),
        ("sora-2-remix", {"prompt": "a fox", "video_id": "video_1"}, 1.2),
        ("tts-1", {"text": "x" * 1000}, 0.015),
        ("gpt-4o-mini-tts", {"text": "x" * 1000}, 0.016),
        ("gpt-5.6-luna", {"prompt": "a fox", "max_tokens": 1000}, 0.0012),
    ],
)
def test_others_are_estimated_by_length(
    registry: Registry, name: str, given: dict[str, Any], usd: float
) -> None:
    """Of a video in seconds, of speech in characters, of an answer in tokens."""
    assert estimated(registry, name, **given) == pytest.approx(usd)


@pytest.mark.parametrize(
    ("name", "body", "usd"),
    [
        (
            "gpt-image-2-edit",
            {
                "input_tokens": 1550,
                "input_tokens_details": {"text_tokens": 50, "image_tokens": 1500},
                "output_tokens": 1767,
            },
            0.00025 + 0.012 + 0.05301,
        ),
        ("gpt-5.6-luna", {"prompt_tokens": 1000, "completion_tokens": 500}, 0.0008),
        ("gpt-transcribe", {"type": "duration", "seconds": 60}, 0.006),
        ("gpt-transcribe", {"type": "tokens", "input_tokens": 60}, None),
    ],
)
def test_usage_tells_what_it_did_cost(
    registry: Registry, name: str, body: Any, usd: float | None
) -> None:
    """Tokens in and tokens out at their own prices."""
    charged = registry.compiled(f"openai/{name}").charged
    assert charged is not None
    told = charged({"status": 200, "header": {}, "body": {"usage": body}})
    assert (told and told[0]) == (usd if usd is None else pytest.approx(usd))


def test_a_video_costs_its_seconds(registry: Registry) -> None:
    """Which the job tells as a text."""
    charged = registry.compiled("openai/sora-2").charged
    assert charged is not None
    told = charged({"status": 200, "header": {}, "body": {"status": "completed", "seconds": "12"}})
    assert told == (pytest.approx(1.2), "second", 12)


def test_each_generator_has_a_test_of_moderation(registry: Registry) -> None:
    """Anything that OpenAI makes it may refuse to make."""
    for entry in registry.generators(provider="openai"):
        assert "moderated" in {one.raises for one in registry.spec(entry.id).tests}, entry.id
