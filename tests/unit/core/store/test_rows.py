"""What is kept comes back as it was."""

from pathlib import Path

import pytest
from attrs import fields
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boards.artifacts import ARTIFACT_TYPES, Artifact
from boards.errors import PROVIDER_ERROR_KINDS, Failure, StoreError
from boards.generations import (
    PHASES,
    Alternative,
    Attempt,
    Cost,
    Generation,
    Output,
    Progress,
    new_id,
)
from boards.store.rows import encode
from boards.store.sqlite import SQLiteStore

# Any text that JSON can carry: also NUL, and halves of surrogate pairs.
anything = st.text(st.characters(), max_size=8)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
number = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | number | anything,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(anything, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(anything, json_values, max_size=3)

progress = st.builds(
    Progress,
    status=st.sampled_from(["queued", "running"]),
    percent=st.none() | number,
    queue_position=st.none() | st.integers(),
)
outputs = st.builds(
    Output,
    form=st.sampled_from(["url", "inline", "text"]),
    url=st.none() | anything,
    key=st.none() | anything,
    mime=st.none() | anything,
    expires_at=st.none() | number,
    fetch_auth=st.sampled_from(["none", "same_origin"]),
    meta=objects,
    headers=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=2),
)
artifacts = st.builds(
    Artifact,
    id=anything,
    type=st.sampled_from(ARTIFACT_TYPES),
    mime=anything,
    size=st.integers(0),
    sha256=anything,
    key=anything,
    path=st.none() | st.just(Path("/artifacts/a.png")),
    meta=objects,
    width=st.none() | st.integers(1),
    height=st.none() | st.integers(1),
    duration=st.none() | number,
    fps=st.none() | number,
    sample_rate=st.none() | st.integers(1),
    channels=st.none() | st.integers(1),
)
generations = st.builds(
    Generation,
    id=st.builds(new_id),
    generator=text,
    provider=text,
    artifact_type=text,
    input=objects,
    owner=text,
    phase=st.sampled_from([phase for phase in PHASES if phase != "expired"]),
    progress=progress,
    canceling=st.booleans(),
    provider_job_id=st.none() | text,
    outputs=st.lists(outputs, max_size=2).map(tuple),
    artifacts=st.lists(artifacts, max_size=2).map(tuple),
    cost=st.none()
    | st.builds(Cost, usd=number, unit=anything, quantity=number, estimated=st.booleans()),
    error=st.none()
    | st.builds(
        Failure,
        kind=st.sampled_from(PROVIDER_ERROR_KINDS),
        message=anything,
        remedy=anything,
        retryable=st.booleans(),
        maybe_charged=st.booleans(),
    ),
    priority=st.integers(-(2**63), 2**63 - 1),
    created_at=number,
    submitted_at=st.none() | number,
    started_at=st.none() | number,
    finished_at=st.none() | number,
    due_at=st.none() | number,
    on_ambiguous=st.sampled_from(["hold", "resubmit", "fail"]),
    alternatives=st.lists(
        st.builds(
            Alternative,
            generator=text,
            provider=text,
            input=objects,
            cost=st.none() | st.builds(Cost, usd=number, unit=text, quantity=number),
        ),
        max_size=2,
    ).map(tuple),
)


@given(generation=generations)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_a_generation_comes_back_as_it_was(
    store: SQLiteStore, generation: Generation
) -> None:
    """Every field survives, whatever text and JSON providers and callers put into it."""
    await store.create(generation)
    assert await store.get(generation.id) == generation


@pytest.mark.parametrize("record", [Generation, Progress, Output, Artifact, Cost, Failure])
def test_no_field_is_forgotten(record: type) -> None:
    """The strategies above name each field of each record, so that a new one is tested too."""
    named = {
        Generation: {*generations.wrapped_strategy.kwargs, "dedupe_key"},  # type: ignore[attr-defined]
        Progress: {*progress.wrapped_strategy.kwargs},  # type: ignore[attr-defined]
        Output: {*outputs.wrapped_strategy.kwargs},  # type: ignore[attr-defined]
        Artifact: {*artifacts.wrapped_strategy.kwargs},  # type: ignore[attr-defined]
        Cost: {"usd", "unit", "quantity", "estimated"},
        Failure: {"kind", "message", "remedy", "retryable", "maybe_charged"},
    }
    assert {field.name for field in fields(record)} == named[record]


async def test_an_attempt_comes_back_as_it_was(store: SQLiteStore, generation: Generation) -> None:
    """Also the captured job, which may be any JSON."""
    attempt = Attempt(
        generation.id, 1, "u", "k", "d", 3, 5.5, "t", "job-1", {"urls": ["\ud83d", None]}, "refused"
    )
    await store.create(generation)
    await store.attempt_result(attempt)
    assert await store.attempts(generation.id) == [attempt]


@pytest.fixture
def generation() -> Generation:
    return Generation(id=new_id(), generator="g", provider="p", artifact_type="image", input={})


def test_what_is_not_json_is_refused() -> None:
    """The caller learns it at once, not the writer."""
    with pytest.raises(StoreError, match="not JSON"):
        encode({"file": Path("a.png")})
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(StoreError, match="not JSON"):
        encode(endless)
