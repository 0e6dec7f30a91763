"""Links between generations: written with the one that takes, followed both ways, pruned."""

import asyncio
import hashlib
import sqlite3
import time
from pathlib import Path

from attrs import evolve
from tests.unit.core.store.conftest import Make

from boards.artifacts import Artifact
from boards.generations import Generation
from boards.lineage import Lineage, Source
from boards.store import Change
from boards.store.schema import _MIGRATIONS
from boards.store.sqlite import SQLiteStore

LATER = 4_000_000_000.0


def sha(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


async def made(
    store: SQLiteStore, generation: Generation, *contents: str, takes: list[Source] | None = None
) -> Generation:
    """A generation that ended with artifacts of these contents."""
    created = await store.create(generation, sources=takes or ())
    artifacts = tuple(
        Artifact(f"{created.id}.{number}", "image", "image/png", 1, sha(one), f"{sha(one)}.png")
        for number, one in enumerate(contents)
    )
    ended = evolve(created, phase="succeeded", artifacts=artifacts, finished_at=1.0, due_at=None)
    assert await store.cas(Change("queued", ended))
    return ended


def image(content: str, given: Artifact | None = None, name: str = "image") -> Source:
    return Source(name, sha(content), None if given is None else given.id)


async def lineage(
    store: SQLiteStore, generation: Generation, number: int | None = None, limit: int = 100
) -> Lineage:
    return await store.lineage.get(generation, number, limit=limit)


async def test_links_are_followed_up_and_down_the_nearest_first(
    store: SQLiteStore, make: Make
) -> None:
    """A diamond and a tail: each generation once, whatever way leads to it."""
    root = await made(store, make(), "root")
    left = await made(store, make(), "left", takes=[image("root")])
    right = await made(store, make(), "right", takes=[image("root")])
    both = [image("left", name="images[0]"), image("right", name="images[1]")]
    end = await made(store, make(), "end", takes=both)
    last = await made(store, make(), "last", takes=[image("end"), image("root", name="mask")])

    up = await lineage(store, last)
    assert [(one.input, one.artifact_id) for one in up.sources_of(last.id)] == [
        ("image", f"{end.id}.0"), ("mask", f"{root.id}.0"),
    ]  # fmt: skip
    assert [one.generation_id for one in up.ancestors] == [
        last.id, last.id, end.id, end.id, left.id, right.id,
    ]  # fmt: skip
    assert up.descendants == ()
    down = await lineage(store, root)
    assert [one.generation_id for one in down.descendants] == [
        left.id, right.id, last.id, end.id, end.id, last.id,
    ]  # fmt: skip
    assert set(down.relatives) == {one.id for one in (root, left, right, end, last)}
    middle = await lineage(store, left)
    assert [one.source_id for one in middle.ancestors] == [root.id]
    assert [one.generation_id for one in middle.descendants] == [end.id, last.id]
    assert middle.complete


async def test_one_artifact_of_several_has_descendants_of_its_own(
    store: SQLiteStore, make: Make
) -> None:
    """And the ancestors of its generation."""
    first = await made(store, make(), "base")
    pair = await made(store, make(), "one", "two", takes=[image("base")])
    of_two = await made(store, make(), "x", takes=[image("two")])
    found = await lineage(store, pair, 1)
    assert found.id == f"{pair.id}.1"
    assert [one.generation_id for one in found.descendants] == [of_two.id]
    assert [one.source_id for one in found.ancestors] == [first.id]
    assert (await lineage(store, pair, 0)).descendants == ()


async def test_the_artifact_that_was_given_wins_over_others_of_the_same_bytes(
    store: SQLiteStore, make: Make
) -> None:
    """Of bytes alone, the newest artifact that has them counts."""
    old = await made(store, make(), "same")
    new = await made(store, make(), "same")
    takes = [image("same"), image("same", old.artifacts[0], "mask")]
    taker = await made(store, make(), "x", takes=takes)
    found = await lineage(store, taker)
    assert [one.source_id for one in found.ancestors] == [new.id, old.id]


async def test_nobody_is_linked_to_what_is_not_theirs(store: SQLiteStore, make: Make) -> None:
    """Neither by bytes, nor by an id; an id that never was is no harm."""
    other = await made(store, make(owner="bob"), "secret")
    forged = Artifact("nobody.0", "image", "image/png", 1, sha("own"), f"{sha('own')}.png")
    own = await made(store, make(owner="eve"), "own")
    takes = [image("secret"), image("secret", other.artifacts[0]), image("own", forged)]
    taker = await made(store, make(owner="eve"), "x", takes=takes)
    assert [one.source_id for one in (await lineage(store, taker)).ancestors] == [own.id]
    assert (await lineage(store, other)).descendants == ()


async def test_what_makes_its_own_input_again_closes_no_circle(
    store: SQLiteStore, make: Make
) -> None:
    """Links go to generations that had ended, never to itself or to a later one."""
    first = await made(store, make(), "same")
    again = await made(store, make(), "same", takes=[image("same")])
    third = await made(store, make(), "same", takes=[image("same")])
    found = await lineage(store, third)
    assert [one.source_id for one in found.ancestors] == [again.id, first.id]
    assert len((await lineage(store, first)).descendants) == 2


async def test_a_request_that_another_stands_for_writes_no_links(
    store: SQLiteStore, make: Make
) -> None:
    """The generation with the dedupe key has those that it was created with."""
    root = await made(store, make(), "root")
    key = {"dedupe_key": "k"}
    one = await made(store, make(**key), "one")
    same = await store.create(make(**key), sources=[image("root")])
    assert same.id == one.id
    assert (await lineage(store, root)).descendants == ()


async def test_the_limit_keeps_the_nearest(store: SQLiteStore, make: Make) -> None:
    """Of a long chain, and of many uses."""
    chain = [
        await made(store, make(), str(number), takes=[image(str(number - 1))])
        for number in range(10)
    ]
    found = await lineage(store, chain[-1], limit=3)
    assert [one.source_id for one in found.ancestors] == [chain[at].id for at in (8, 7, 6)]
    assert not found.complete
    assert (await lineage(store, chain[-1], limit=9)).complete
    down = await lineage(store, chain[0], limit=3)
    assert [one.generation_id for one in down.descendants] == [chain[at].id for at in (1, 2, 3)]
    assert not down.complete


async def test_what_was_pruned_leaves_the_links_of_those_who_took_it(
    store: SQLiteStore, path: Path, make: Make
) -> None:
    """They still tell what they were made from; what that was made from is gone with it."""
    root = await made(store, make(), "root")
    middle = await made(store, make(), "middle", takes=[image("root")])
    end = await made(store, make(), "end", takes=[image("middle")])
    assert await store.prune(before=LATER, keep=1) == 2
    found = await lineage(store, end)
    assert [one.artifact_id for one in found.ancestors] == [f"{middle.id}.0"]
    assert set(found.relatives) == {end.id}
    later = await made(store, make(), "later", takes=[image("root", root.artifacts[0])])
    assert (await lineage(store, later)).ancestors == ()
    assert await store.prune(before=LATER) == 2
    database = sqlite3.connect(path)
    for table in ("lineage", "made"):
        assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    database.close()


async def test_a_long_history_is_followed_in_milliseconds(
    store: SQLiteStore, path: Path, make: Make
) -> None:
    """Hundreds of thousands made the same bytes, and took them: indexes are all that is read."""
    root = await made(store, make(), "same")
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("BEGIN")
    database.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n LIMIT 200000)"
        " INSERT INTO generations (seq, id, owner, generator, provider, artifact_type, phase,"
        " status, canceling, priority, created_at, finished_at, state)"
        " SELECT i, 'g' || i, '', 'a/b', 'a', 'image', 'succeeded', 'succeeded', 0, 0, 1, 1, '{}'"
        " FROM n"
    )
    database.execute("INSERT INTO made SELECT ?, '', seq, 0 FROM generations", (sha("many"),))
    database.execute(
        "INSERT INTO lineage SELECT seq, 0, 'image', 1, 0, ? FROM generations WHERE seq > 1",
        (root.id,),
    )
    database.execute("COMMIT")
    database.close()
    start = time.process_time()
    taker = await made(store, make(), "x", takes=[image("many"), image("same")])
    found = await lineage(store, root, limit=100)
    up = await lineage(store, taker)
    took = time.process_time() - start
    assert [one.source_id for one in up.sources_of(taker.id)] == ["g200999", root.id]
    assert len(found.descendants) == 100
    assert took < 0.5  # some milliseconds of CPU


async def test_a_history_from_before_gets_its_links(path: Path, make: Make) -> None:
    """By its inputs and artifacts, as they lie in a database of an earlier release."""
    before = next(
        number for number, steps in enumerate(_MIGRATIONS) if "TABLE made" in "".join(steps)
    )
    store = SQLiteStore(path)
    await store.open()
    await store.own()
    root = await made(store, make(), "zero", "root")
    taken = f"artifact:{sha('root')}.png"
    takes = {"prompt": "artifact:no", "image": taken, "images": [taken, "https://x.example"]}
    end = await made(store, make(input=takes, created_at=time.time()), "end")
    odd = await made(store, make(input={"prompt": float("nan")}), "odd")
    await store.close()
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("DROP TABLE made")
    database.execute("DROP TABLE lineage")
    database.execute(f"PRAGMA user_version = {before}")
    database.close()
    await store.open()
    found = await lineage(store, end)
    assert [(one.input, one.artifact_id) for one in found.ancestors] == [
        ("image", f"{root.id}.1"), ("images[0]", f"{root.id}.1"),
    ]  # fmt: skip
    assert (await lineage(store, odd)).ancestors == ()
    await store.own()
    again = await made(store, make(), "x", takes=[image("odd")])
    assert [one.source_id for one in (await lineage(store, again)).ancestors] == [odd.id]
    await store.close()


async def test_links_of_many_at_once(store: SQLiteStore, make: Make) -> None:
    """One transaction has many creations: each is linked to what ended before."""
    await made(store, make(), "root")
    takers = await asyncio.gather(
        *(made(store, make(), f"x{n}", takes=[image("root")]) for n in range(50))
    )
    for one in takers:
        assert len((await lineage(store, one)).ancestors) == 1
