"""Generators as classes, as a type checker sees them. Never run: ``nox -s typing`` reads it."""

from pathlib import Path
from typing import Any, Literal, assert_type

import boards.sync
from boards import Artifact, Boards, Cost, Generation
from boards.dsl import (
    Auth,
    Deadline,
    Error,
    Failure,
    Generator,
    Image,
    Output,
    Provider,
    Raise,
    Status,
    body,
    each,
    field,
    get,
    input,
    item,
    job,
    let,
    map_,
    post,
    put,
    spec_of,
    status_code,
    variants,
    when,
)
from boards.dsl import (
    Cost as ListPrice,
)
from boards.dsl.parts import Request
from boards.dsl.references import Path as ReplyPath
from boards.dsl.references import Predicate, Token
from boards.engine.explaining import Explanation
from boards.hookspecs import hookimpl
from boards.spec.model import GeneratorSpec, ProviderSpec

acme = Provider("acme", base_url="https://acme.example", auth=Auth("bearer"))
assert_type(spec_of(acme), ProviderSpec)
Provider("acme", base=3)  # type: ignore[call-arg]
Auth("bearre")  # type: ignore[arg-type]


class Queue(Generator, provider=acme, artifact="image"):
    prompt: str = field(min_length=1)

    poll = get(f"/jobs/{job.id}", every="1s", backoff=2)
    failure = Failure(body.error, raise_=[Raise("moderated", when=body.code == 3)])
    errors = [Error("rate_limited", when=status_code == 429, after=body.retry_after)]
    deadline = Deadline(run="10m")


class Draw(Queue, name="draw"):
    width: int = field(default=1024, ge=256, le=1440, multiple_of=32)
    style: Literal["photo", "paint"] = "photo"
    seed: int | None = None
    image: Image | None = None
    images: list[Image] = field(default=[], max_items=3)
    options: dict[str, Any] = field(default={})
    model_: str = field(default="a", name="model")

    size = let(f"{input.width}x{input.width}")
    submit = post(
        "/jobs",
        json={
            "prompt": input.prompt,
            "size": size,
            "mode": map_(input.style, {"photo": 1, "paint": {"kind": 2}}),
            "images": each(input.images, {"url": item.url}),
            "seed": when(input.seed.exists(), input.seed, else_=None),
        },
        capture={"id": body.id},
    )
    outputs = [Output(body.images[:].url, expires="1h"), body.other]
    cost = ListPrice("image", usd=0.04, source="https://acme.example", as_of="2025-01-15")


assert_type(input.prompt, Token)
assert_type(input.image.file, Token)
assert_type(body.images[0].url, ReplyPath)
assert_type(body.images.every.url, ReplyPath)
assert_type(body.status == "failed", Predicate)
assert_type((body.status != "a") & ~body.b.exists(), Predicate)
assert_type(put("/x"), Request)
assert_type(spec_of(Draw), GeneratorSpec)
variants(post("/a", when=input.seed.exists()), post("/b"))
get("/x", evry="1s")  # type: ignore[call-arg]
get("/x", capture={"id": "body.id"})  # type: ignore[dict-item]
Error("rate_limitd", when=body.a == 1)  # type: ignore[arg-type]
Status(body.status, {"done": "finished"}, unknown="fail")  # type: ignore[dict-item]


class Wrong(Generator, name="wrong", provider=acme, artifact="imag"):  # type: ignore[arg-type]
    width: int = field(default="wide")  # type: ignore[assignment]
    poll = 3  # type: ignore[assignment]


class Unknown(Generator, nmae="unknown"):  # type: ignore[call-arg]
    pass


async def generating(artifact: Artifact) -> None:
    one = Draw(prompt="a cat", width=512, image=Path("cat.png"))
    assert_type(one.prompt, str)
    assert_type(one.seed, int | None)
    assert_type(one.style, Literal["photo", "paint"])
    Draw(prompt="a cat", image=b"...", images=["https://x.example/a", Path("b.png"), artifact])
    Draw()  # type: ignore[call-arg]
    Draw("a cat")  # type: ignore[call-arg]
    Draw(prompt=3)  # type: ignore[arg-type]
    Draw(prompt="a cat", style="oil")  # type: ignore[arg-type]
    Draw(prompt="a cat", seeed=3)  # type: ignore[call-arg]
    Draw(prompt="a cat", image=3)  # type: ignore[arg-type]
    one.prompt = "a dog"  # type: ignore[misc]
    assert_type(Draw.from_input({"prompt": "a cat"}), Draw)
    async with Boards(generators=[Draw], providers=[acme]) as host:
        assert_type(await host.generate(one), Generation)
        assert_type(await host.generate(Draw(prompt="a cat"), priority=1), Generation)
        assert_type(await host.submit(one, dedupe_key="order-7"), Generation)
        assert_type(host.estimate(one), Cost | None)
        assert_type(await host.explain(one), Explanation)
        await host.generate(one, prompt="a dog")  # type: ignore[call-overload]
        await host.generate(Draw)  # type: ignore[call-overload]
        await host.generate(3)  # type: ignore[call-overload]


def without_await(one: Draw) -> None:
    with boards.sync.Boards(generators=[Draw]) as host:
        assert_type(host.generate(one), Generation)
        assert_type(host.submit(one, priority=3), Generation)
        assert_type(host.estimate(one), Cost | None)
        assert_type(host.explain(one), Explanation)


@hookimpl
def boards_generators() -> list[type[Generator]]:
    return [Draw]
