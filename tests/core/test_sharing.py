"""Equal values are held once."""

from __future__ import annotations

from rotator.core.facts import KeyFacts
from rotator.core.names import KeyId
from rotator.core.sharing import MOST, Shared


def test_equal_facts_share_their_values() -> None:
    """Two keys with the same powers hold the very same tuple."""
    shared = Shared()
    one, two = (
        shared.facts(KeyFacts(KeyId(name), native=("Spot.SpotTrade", name[:0]))) for name in "ab"
    )
    assert one.native is two.native
    assert (one.key_id, two.key_id) == ("a", "b")


def test_a_full_table_changes_nothing() -> None:
    """Beyond its size the table keeps what it knows, and leaves new values as they are."""
    shared = Shared()
    for number in range(MOST):
        shared.one(number)
    known, late = shared.one(7), ("late",)
    assert known == 7
    assert shared.one(late) is late
    assert len(shared._known) == MOST
