"""Tenant and owner as one text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from boards.auth import Identity

NAMES = st.text(st.characters(), max_size=20) | st.sampled_from(
    ["", "/", "%2F", "a/b", "%", "\ud800"]
)


@given(NAMES, NAMES, NAMES, NAMES)
@example("a/b", "", "a", "b")
@example("", "a", "a", "")
@example("%2F", "", "/", "")
def test_no_two_identities_have_one_scope(
    owner: str, tenant: str, other_owner: str, other_tenant: str
) -> None:
    """Whatever characters a name has."""
    one, other = Identity(owner, tenant), Identity(other_owner, other_tenant)
    assert (one.scope == other.scope) == (one == other)
    assert one.scope.isascii()


@given(NAMES, NAMES)
def test_a_scope_tells_whose_it_is(owner: str, tenant: str) -> None:
    """For operators, who read it in the ledger."""
    assert Identity.of_scope(Identity(owner, tenant).scope) == Identity(owner, tenant)


def test_nobody_has_an_empty_scope() -> None:
    """And only nobody has."""
    assert Identity("").scope == ""
    assert Identity("", tenant="acme").scope == "acme/"
    assert Identity("alice", tenant="acme").scope == "acme/alice"
    assert Identity("alice").scope == "/alice"


@pytest.mark.parametrize("text", ["/", "alice", "acme/alice/x", "a%2f/b", "ä/b"])
def test_what_is_no_scope_is_refused(text: str) -> None:
    """An owner's name alone is none; nor is one that is written in another way."""
    with pytest.raises(ValueError, match="no scope"):
        Identity.of_scope(text)


@pytest.mark.parametrize("name", [None, 7, b"alice"])
def test_a_name_is_a_text(name: object) -> None:
    """A claim that is missing, or a number, must not become nobody."""
    with pytest.raises(TypeError):
        Identity(name)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Identity("alice", tenant=name)  # type: ignore[arg-type]
