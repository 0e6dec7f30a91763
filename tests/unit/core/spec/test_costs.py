"""``cost``: a list price, and where the provider tells what a job did cost."""

from typing import Any

import pytest

from boards.spec import yaml
from boards.spec.check import check_documents
from boards.spec.compile import CompiledGenerator
from boards.spec.model import ProviderSpec
from boards.spec.places import Problems
from boards.spec.reader import read_text

PRICE = "unit: image, usd: 0.5, source: s, as_of: 2025-01-15"
SPEC = """providers:
  acme: {{config: {{base_url: "https://acme.example"}}, auth: {{kind: none}}}}
generators:
  - name: x
    artifact_type: image
    provider: acme
    cost: {{{}}}
    io: {{input_schema: {{type: object}}}}
    execution: {{submit: {{path: /x}}, extract: {{output_paths: [o]}}}}
"""


def mistakes(cost: str) -> list[str]:
    """The errors of a generator with this cost, without their places."""
    problems = Problems()
    document = yaml.parse(SPEC.format(cost), "f.yaml", problems)
    assert document is not None
    check_documents([document], problems)
    return [one.message.removeprefix("error: ") for one in problems.errors]


def charged(cost: str, body: Any = None, **header: str) -> Any:
    """What a reply tells of the cost."""
    problems = Problems()
    file = read_text(SPEC.format(cost), "f.yaml", problems)
    assert file is not None, [str(one) for one in problems.errors]
    compiled = CompiledGenerator(file.generators[0], "acme", ProviderSpec())
    if compiled.charged is None:
        return None
    return compiled.charged({"status": 200, "body": body, "header": header})


@pytest.mark.parametrize(
    "cost",
    [
        PRICE,
        PRICE + ", times: 3, actual: {quantity: header.x-units}",
        PRICE + ", actual: {usd: body.price, quantity: body.n}",
        "unit: generation, actual: {usd: 'body.data[*].cost'}",
        "unit: credit, usd: 0.01, source: s, as_of: 2025-01-15, actual: {quantity: body.credits}",
        "unit: token, actual: {rates: [{quantity: body.in, usd: 1}, {quantity: body.out, usd: 2}]}",
    ],
)
def test_a_cost_has_a_list_price_or_a_place_where_it_is_told(cost: str) -> None:
    """Or both."""
    assert mistakes(cost) == []


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        ("unit: image", "a cost needs usd, the list price, or actual"),
        ("unit: image, usd: 0.5, source: s", "a list price needs usd, source and as_of"),
        ("unit: image, usd: 0.5, as_of: 2025-01-15", "a list price needs usd, source and as_of"),
        (
            "unit: image, times: 3, actual: {usd: body.price}",
            "times needs usd, the price of one",
        ),
        (PRICE + ", times: three", "times is a number, or a token"),
        (PRICE + ", times: -3", "times is a number, or a token"),
        (PRICE + ", actual: {}", "actual needs usd, quantity or rates"),
        (PRICE + ", actual: {usd: price}", "'price' begins with none of body, header, status"),
        (PRICE + ", actual: {dollars: body.price}", "unknown key 'dollars'"),
        ("unit: image, actual: {quantity: body.n}", "a quantity needs the price of one"),
        ("unit: token, actual: {rates: [{quantity: body.n}]}", "missing key 'usd'"),
        ("unit: token, actual: {rates: [{quantity: n, usd: 1}]}", "'n' begins with none of"),
    ],
)
def test_a_cost_that_cannot_be_computed_is_a_mistake(cost: str, message: str) -> None:
    """Each is told by what is missing."""
    assert any(message in one for one in mistakes(cost)), mistakes(cost)


@pytest.mark.parametrize(
    ("actual", "told"),
    [
        ("{usd: body.price}", (0.07, "image", None)),
        ("{usd: 'body.parts[*].price'}", (0.75, "image", None)),
        ("{quantity: header.x-units}", (1.25, "image", 2.5)),
        ("{quantity: body.zero}", (0.0, "image", 0.0)),
        ("{usd: body.price, quantity: header.x-units}", (0.07, "image", 2.5)),
        ("{usd: body.none, quantity: header.x-units}", (1.25, "image", 2.5)),
        ("{usd: body.nothing}", None),
        ("{usd: body.word}", None),
        ("{usd: body.minus}", None),
        ("{usd: body.yes}", None),
        ("{usd: 'body.mixed[*]'}", None),
        ("{quantity: header.x-huge}", None),
    ],
)
def test_a_reply_tells_what_it_did_cost(actual: str, told: Any) -> None:
    """A number, or a text that is one; several are added up; what is no amount tells nothing."""
    body = {
        "price": 0.07, "parts": [{"price": 0.5}, {"price": "0.25"}], "zero": 0, "none": None,
        "word": "much", "minus": -1, "yes": True, "mixed": [1, "much"],
    }  # fmt: skip
    header = {"x-units": "2.5", "x-huge": "inf"}
    assert charged(f"{PRICE}, actual: {actual}", body, **header) == told


def test_a_list_price_alone_looks_nowhere() -> None:
    """The engine need not look at replies then."""
    assert charged(PRICE) is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"in": 10, "out": 4}, (3.0, "token", 14)),
        ({"out": 4}, (2.0, "token", 4)),
        ({"in": "much"}, None),
        ({}, None),
        ({"in": 10, "out": 4, "price": 0.07}, (0.07, "token", None)),
    ],
)
def test_units_that_differ_in_price_are_added_up(body: Any, told: Any) -> None:
    """Each that is told at its own price; dollars win where they are told."""
    rates = "[{quantity: body.in, usd: 0.1}, {quantity: body.out, usd: 0.5}]"
    assert charged(f"unit: token, actual: {{usd: body.price, rates: {rates}}}", body) == told


@pytest.mark.parametrize(
    ("unit", "times", "quantity"),
    [
        ("character", "'${input.text}'", 14),
        ("image", "'${input.text}'", 1),
        ("image", "'${let.n}'", 4),
        ("character", "120", 120),
        ("image", "0.5", 0.5),
    ],
)
def test_units_are_counted_from_the_input(unit: str, times: str, quantity: float) -> None:
    """A text has its characters where they are priced; what ``let`` derives counts, or a number."""
    cost = f"unit: {unit}, usd: 0.5, source: s, as_of: 2025-01-15, times: {times}"
    let = "let: {n: {$map: '${input.text}', to: {'Guten Tag, Bär': 4}}}, "
    text = SPEC.format(cost).replace("{submit:", f"{{{let}submit:")
    file = read_text(text, "f.yaml", Problems())
    assert file is not None
    compiled = CompiledGenerator(file.generators[0], "acme", ProviderSpec())
    found = compiled.estimate({"input": {"text": "Guten Tag, Bär"}})
    assert found == (0.5 * quantity, unit, quantity)


@pytest.mark.parametrize(
    ("unit", "times", "told"),
    [
        ("second", "${input.seconds}", "is a text, which would count once: ${input.seconds|int}"),
        ("image", "${input.width}x${input.width}", "is a text, which would count once"),
        ("second", "${input.image?|url}", "a file goes with the submit"),
        ("second", "${run.id}", "'run' is not known here"),
        ("second", "${input.seconds|int}", None),
        ("character", "${input.seconds}", None),
        ("image", "${input.width}", None),
        ("image", "${config.factor}", None),
    ],
)
def test_what_is_no_number_of_units_is_a_mistake(unit: str, times: str, told: str | None) -> None:
    """A text would count once, whatever it says, and a budget would believe it."""
    cost = f'unit: {unit}, usd: 0.5, source: s, as_of: 2025-01-15, times: "{times}"'
    schema = """{type: object, properties: {
      seconds: {type: string, enum: ["5", "10"], default: "5"}, width: {type: integer, default: 1},
      image: {type: string, format: image}}}"""
    text = SPEC.replace("{{type: object}}", schema.replace("{", "{{").replace("}", "}}"))
    text = text.replace("base_url:", "factor: 3, base_url:")
    problems = Problems()
    document = yaml.parse(text.format(cost), "f.yaml", problems)
    assert document is not None
    check_documents([document], problems)
    assert len(problems.errors) == (told is not None)
    assert told is None or told in problems.errors[0].message


@pytest.mark.parametrize(
    ("times", "given", "quantity"),
    [
        ("${config.factor}", {}, 3),
        ("${let.n}", {"n": 4}, 12),
        ("${input.text|int}", {"text": "7"}, 7),
        ("${input.text|int}", {"text": "auto"}, 1),
        ("${let.later}", {}, 1),
    ],
)
def test_a_price_needs_the_input_alone(times: str, given: Any, quantity: float) -> None:
    """What there is only once there is an attempt is not asked for: nothing fails before one."""
    cost = f'unit: second, usd: 0.5, source: s, as_of: 2025-01-15, times: "{times}"'
    let = 'let: {later: "${run.id}", n: {$map: "${input.n?}", to: {"4": 12}}}, '
    text = SPEC.format(cost).replace("{submit:", f"{{{let}submit:")
    file = read_text(text, "f.yaml", Problems())
    provider = ProviderSpec(config={"factor": 3})
    found = CompiledGenerator(file.generators[0], "acme", provider).estimate({"input": given})
    assert found == (0.5 * quantity, "second", quantity)
