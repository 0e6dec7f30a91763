"""Creating, comparing and setting, noting, canceling."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from attrs import evolve

from boards.errors import ConflictError, StoreError
from boards.events import Happening
from boards.generations import FINAL_PHASES, PHASES, Attempt, Generation, Phase, Progress, new_id
from boards.store import Change, Store
from boards.store.sqlite import SQLiteStore

Make = Callable[..., Generation]


def typed_as_a_store(store: SQLiteStore) -> Store:
    """The type checker's proof that the protocol is implemented."""
    return store


def attempt_of(generation: Generation, number: int = 1) -> Attempt:
    return Attempt(generation.id, number, "uuid", "key", "digest", 1, 1.0)


async def event_types(store: SQLiteStore, generation: Generation) -> list[str]:
    return [event.type for event in await store.events(generation.id)]


async def test_a_generation_is_created_with_its_events(store: SQLiteStore, make: Make) -> None:
    """Both are there when the call returns."""
    created = await store.create(make(), [Happening("queued"), Happening("log", {"lines": ["x"]})])
    assert await store.get(created.id) == created
    queued, log = await store.events(created.id)
    assert (queued.type, queued.data) == ("queued", {})
    assert (log.type, log.data) == ("log", {"lines": ["x"]})
    assert queued.id < log.id
    assert await store.events(created.id, after=queued.id) == [log]


async def test_a_dedupe_key_makes_one_generation(store: SQLiteStore, make: Make) -> None:
    """The earlier one is returned, also to callers at the same time, and gets no second event."""
    many = await asyncio.gather(
        *(store.create(make(dedupe_key="order-7"), [Happening("queued")]) for _ in range(20))
    )
    assert {one.id for one in many} == {many[0].id}
    assert await event_types(store, many[0]) == ["queued"]


async def test_a_used_dedupe_key_needs_no_room(store: SQLiteStore, make: Make) -> None:
    """An order that was filled is not refused because others are under way."""
    done = await store.create(make(dedupe_key="order-7"))
    await store.cas(Change("queued", evolve(done, phase="succeeded", finished_at=1.0)))
    under_way = [await store.create(make(), max_in_flight=2) for _ in range(2)]
    again = await store.create(make(dedupe_key="order-7"), max_in_flight=2)
    assert (again.id, again.phase) == (done.id, "succeeded")
    with pytest.raises(ConflictError) as caught:
        await store.create(make(dedupe_key="order-8"), max_in_flight=2)
    assert set(caught.value.running) == {one.id for one in under_way}


async def test_a_used_dedupe_key_goes_before_an_equal_request(
    store: SQLiteStore, make: Make
) -> None:
    """Whoever repeats a request gets what it made, also where another one was like it since."""
    first = await store.create(make(dedupe_key="order-7"), shared_as="a cat")
    await store.cas(Change("queued", evolve(first, phase="failed")))
    other = await store.create(make(), shared_as="a cat")
    again = await store.create(make(dedupe_key="order-7"), shared_as="a cat")
    assert other.id != first.id
    assert again.id == first.id


async def test_a_dedupe_key_is_its_owners(
    store: SQLiteStore, other: SQLiteStore, make: Make
) -> None:
    """Two owners may use one key; two processes of one owner share it."""
    mine = await store.create(make(dedupe_key="k", owner="a"))
    theirs = await store.create(make(dedupe_key="k", owner="b"))
    assert mine.id != theirs.id
    assert await other.create(make(dedupe_key="k", owner="a")) == mine
    without = await asyncio.gather(store.create(make()), store.create(make()))
    assert without[0].id != without[1].id


async def test_a_change_is_applied_once(store: SQLiteStore, make: Make) -> None:
    """Of two that expect the same phase, one is applied: row, events and attempt, or nothing."""
    queued = await store.create(make())
    submitting = evolve(queued, phase="submitting", due_at=None)
    change = Change("queued", submitting, [Happening("submitting")], attempt_of(queued))
    assert sorted(await asyncio.gather(store.cas(change), store.cas(change))) == [False, True]
    assert await store.get(queued.id) == submitting
    assert await event_types(store, queued) == ["submitting"]
    assert await store.attempts(queued.id) == [attempt_of(queued)]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("expect", PHASES)
async def test_only_the_expected_phase_changes(
    store: SQLiteStore, make: Make, phase: Phase, expect: Phase
) -> None:
    """Whatever the phases are."""
    there = await store.create(make(phase=phase, due_at=None))
    after = evolve(there, phase="failed", finished_at=9.0)
    assert await store.cas(Change(expect, after)) is (phase == expect)
    assert await store.get(there.id) == (after if phase == expect else there)


async def test_an_unknown_generation_does_not_change(store: SQLiteStore, make: Make) -> None:
    """It is not made by a change."""
    stranger = make()
    assert not await store.cas(Change("queued", stranger))
    assert await store.get(stranger.id) is None


async def test_a_final_generation_is_never_due(store: SQLiteStore, make: Make) -> None:
    """Whatever the change says."""
    created = await store.create(make(due_at=1.0))
    await store.cas(Change("queued", evolve(created, phase="canceled", finished_at=2.0)))
    assert await store.due(1e12) == []


async def test_what_never_changes_is_written_once(store: SQLiteStore, make: Make) -> None:
    """A change cannot rewrite the input, the owner or the generator."""
    created = await store.create(make())
    forged = evolve(created, phase="waiting", input={}, owner="other", generator="x/y")
    assert await store.cas(Change("queued", forged))
    assert await store.get(created.id) == evolve(created, phase="waiting")


async def test_notes_are_written_in_order(store: SQLiteStore, make: Make) -> None:
    """Notes before a change come before it; a note after it, of the phase before, is dropped."""
    waiting = await store.create(make(phase="waiting"))
    for percent in range(50):
        noted = evolve(waiting, progress=Progress("running", percent))
        await store.note(noted, [Happening("progress", {"percent": percent})])
    done = evolve(waiting, phase="succeeded", finished_at=2.0, due_at=None)
    applying = asyncio.create_task(store.cas(Change("waiting", done, [Happening("succeeded")])))
    await asyncio.sleep(0)
    await store.note(waiting, [Happening("progress", {"percent": 99})])
    assert await applying
    await store.changed_elsewhere()
    events = await store.events(waiting.id)
    assert [event.data.get("percent") for event in events] == [*range(50), None]
    assert await store.get(waiting.id) == done


@pytest.mark.parametrize("phase", sorted(FINAL_PHASES))
async def test_a_final_generation_takes_no_notes(
    store: SQLiteStore, make: Make, phase: Phase
) -> None:
    """What is final stays as it is."""
    final = await store.create(make(phase=phase, due_at=None, finished_at=1.0))
    await store.note(evolve(final, cost=None, error=None), [Happening("progress")])
    await store.close()
    await store.open()
    assert await store.events(final.id) == []


async def test_an_attempts_result_is_kept_in_any_phase(store: SQLiteStore, make: Make) -> None:
    """A late answer is never lost: not even one about a generation that was given up."""
    for phase in PHASES:
        generation = await store.create(make(phase=phase))
        await store.attempt_result(
            attempt_of(generation), provider_job_id="job", job={"a": 1}, outcome="accepted"
        )
        (kept,) = await store.attempts(generation.id)
        assert (kept.provider_job_id, kept.job, kept.outcome) == ("job", {"a": 1}, "accepted")


async def test_what_is_known_of_a_job_is_not_forgotten(store: SQLiteStore, make: Make) -> None:
    """A time-out that is noticed after the answer does not erase the answer."""
    generation = await store.create(make())
    intent = attempt_of(generation)
    await store.attempt_result(intent, outcome="ambiguous")
    await store.attempt_result(intent, provider_job_id="job", job=[1], outcome="accepted")
    await store.attempt_result(intent, outcome="ambiguous")
    assert await store.cas(Change("queued", generation, attempt=intent))
    expected = evolve(intent, provider_job_id="job", job=[1], outcome="accepted")
    assert await store.attempts(generation.id) == [expected]


async def test_attempts_come_in_order(store: SQLiteStore, make: Make) -> None:
    """By their number."""
    generation = await store.create(make())
    for number in (2, 1, 10):
        await store.attempt_result(attempt_of(generation, number))
    assert [one.number for one in await store.attempts(generation.id)] == [1, 2, 10]


async def test_an_attempt_of_nothing_is_an_error(store: SQLiteStore, make: Make) -> None:
    """A job id that cannot be kept is not dropped silently."""
    with pytest.raises(StoreError, match="no generation"):
        await store.attempt_result(attempt_of(make()), provider_job_id="job")


async def test_a_wish_to_cancel_is_due_at_once(
    store: SQLiteStore, other: SQLiteStore, make: Make
) -> None:
    """Any process may wish; the owner sees it in what is due."""
    waiting = await store.create(make(phase="waiting", due_at=4e9))
    wished = await other.wish_cancel(waiting.id)
    assert wished is not None
    assert wished.canceling
    assert await store.due(2e9) == [wished]
    assert await event_types(store, waiting) == ["canceling"]


async def test_a_second_wish_is_no_second_event(store: SQLiteStore, make: Make) -> None:
    """It makes the generation due again, which is harmless."""
    created = await store.create(make(due_at=None))
    first = await store.wish_cancel(created.id)
    assert await store.wish_cancel(created.id) == first
    assert await event_types(store, created) == ["canceling"]


async def test_nothing_live_nothing_to_cancel(store: SQLiteStore, make: Make) -> None:
    """Neither a final generation nor one that does not exist."""
    final = await store.create(make(phase="succeeded", due_at=None))
    assert await store.wish_cancel(final.id) is None
    assert await store.wish_cancel(new_id()) is None
    assert await store.get(final.id) == final


@pytest.mark.parametrize("due_at", [None, 4e9])
@pytest.mark.parametrize("how", ["cas", "note"])
async def test_a_wish_outlives_a_write_that_did_not_know_it(
    store: SQLiteStore, make: Make, due_at: float | None, how: str
) -> None:
    """The wish stays, and stays due, until the driver has seen it."""
    stale = await store.create(make(phase="waiting", due_at=4e9))
    wished = await store.wish_cancel(stale.id)
    assert wished is not None
    later = evolve(stale, due_at=due_at, progress=Progress("running", 5.0))
    if how == "cas":
        assert await store.cas(Change("waiting", later))
    else:
        await store.note(later, [])
        await store.changed_elsewhere()
    seen = await store.get(stale.id)
    assert seen == evolve(later, canceling=True, due_at=wished.due_at)
    assert await store.cas(Change("waiting", evolve(seen, due_at=5e9)))
    assert await store.due(4e9) == []


async def test_a_wish_does_not_make_a_final_generation_due(store: SQLiteStore, make: Make) -> None:
    """It came too late, and nobody need look."""
    stale = await store.create(make(phase="waiting"))
    await store.wish_cancel(stale.id)
    final = evolve(stale, phase="succeeded", due_at=None, finished_at=2.0)
    assert await store.cas(Change("waiting", final))
    assert await store.get(stale.id) == evolve(final, canceling=True)
    assert await store.due(1e12) == []


async def test_subscribers_are_told_after_the_commit(store: SQLiteStore, make: Make) -> None:
    """Of what was committed, in order, as it was committed; and of nothing that was not."""
    told: list[tuple[Generation, list[str]]] = []

    def listen(generation: Generation, happenings: Sequence[Happening]) -> None:
        told.append((generation, [one.type for one in happenings]))

    def fail(generation: Generation, happenings: Sequence[Happening]) -> None:
        raise RuntimeError("a subscriber's own fault")

    store.subscribe(fail)
    store.subscribe(listen)
    created = await store.create(make(dedupe_key="k"), [Happening("queued")])
    await store.create(make(dedupe_key="k"), [Happening("queued")])
    wished = await store.wish_cancel(created.id)
    assert wished is not None
    waiting = evolve(created, phase="waiting", due_at=4e9)
    await store.cas(Change("queued", waiting, [Happening("submitted")]))
    await store.cas(Change("queued", waiting, [Happening("submitted")]))
    assert told == [
        (created, ["queued"]),
        (wished, ["canceling"]),
        (evolve(waiting, canceling=True, due_at=wished.due_at), ["submitted"]),
    ]


@pytest.mark.parametrize("first", ["answer", "unknown"])
async def test_an_unknown_generation_whose_answer_is_known_is_due(
    store: SQLiteStore, make: Make, first: str
) -> None:
    """Whichever is committed second says so; a wish of nobody's, and an older attempt, do not."""
    created = await store.create(make(due_at=None))
    attempt = attempt_of(created, 2)
    lost = evolve(attempt, outcome="ambiguous")
    told = evolve(attempt, outcome="accepted", job={"id": "job-1"}, provider_job_id="job-1")
    older = evolve(told, number=1)
    unknown = Change("submitting", evolve(created, phase="unknown"), attempt=lost)
    submitting = evolve(created, phase="submitting")
    assert await store.cas(Change("queued", submitting, attempt=attempt))
    await store.attempt_result(older)
    if first == "answer":
        await store.attempt_result(told)
        assert await store.due(4_000_000_000.0) == []
        assert await store.cas(unknown)
    else:
        assert await store.cas(unknown)
        assert await store.due(4_000_000_000.0) == []
        await store.attempt_result(told)
    assert [one.id for one in await store.due(4_000_000_000.0)] == [created.id]


@pytest.mark.parametrize("phase", ["submitting", "unknown"])
async def test_what_is_known_to_run_is_not_queued_again(
    store: SQLiteStore, make: Make, phase: Phase
) -> None:
    """Its answer came after all, a moment before it was to be submitted once more."""
    created = await store.create(make(phase=phase))
    lost = evolve(attempt_of(created, 2), outcome="ambiguous")
    told = evolve(lost, outcome="accepted", job={"id": "job-1"}, provider_job_id="job-1")
    again = Change(phase, evolve(created, phase="queued"), attempt=lost)
    await store.attempt_result(evolve(told, number=1))
    await store.attempt_result(told)
    assert not await store.cas(again)
    assert await store.get(created.id) == created
    other = await store.create(make(phase=phase))
    await store.attempt_result(evolve(told, generation_id=other.id, number=1))
    refused = evolve(attempt_of(other, 2), outcome="refused")
    await store.attempt_result(attempt_of(other, 2))
    assert await store.cas(Change(phase, evolve(other, phase="queued"), attempt=refused))
