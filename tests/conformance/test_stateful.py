"""Stateful: whatever is done in whatever order, the adapter's view is the books'."""

from __future__ import annotations

from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rotator.core.facts import Validity
from rotator.core.issue import IssuedKey
from rotator.core.names import AccountId, KeyId, SigningKey
from rotator.core.outcome import Failure, Happened
from rotator.exchanges.port import Listing
from tests.conformance.harness import BYBIT, HERE, Town
from tests.conformance.test_ambiguity import TABLE
from tests.exchanges.fakes import run

SURELY_NOT = {Happened.NOT_APPLIED, Happened.REFUSED}
FAULTS = sorted(set(TABLE) - {"banned"})


class BybitBooks(RuleBasedStateMachine):
    """Creates, deletes, kills and disturbs; the model is the exchange's own ledger."""

    def __init__(self) -> None:
        super().__init__()
        self.town = Town(BYBIT)
        self.held: dict[str, SigningKey] = {}
        self.labels = 0

    def pick(self, data: Any) -> str:
        """Draw the id of any key of a sub-account that there ever was."""
        known = [k.id for k in self.town.ledger.every_key() if k.account_id in BYBIT.subs]
        return str(data.draw(st.sampled_from(known or ["N" * 18])))

    @rule(
        account=st.sampled_from(BYBIT.subs),
        addresses=st.sampled_from([(), (HERE,), ("192.0.2.1", HERE)]),
    )
    def create(self, account: str, addresses: tuple[str, ...]) -> None:
        """A result is in the books, a sure no is not, and an unknown is at most one key."""
        self.labels += 1
        label = f"rk{self.labels}"
        before = self.town.alive()
        told = run(
            self.town.exchange.create_key(
                self.town.parent,
                self.town.spec(addresses, account),
                label,
                self.town.ticks.now(),
            )
        )
        self.town.catch_up()
        new = self.town.alive() - before
        assert {self.town.books(k).label for k in new} <= {label}
        assert len(new) <= 1
        if isinstance(told, IssuedKey):
            assert new == {told.key_id}
            assert self.town.books(told.key_id).addresses == addresses
            self.held[told.key_id] = SigningKey(told.key_id, told.secrets)
        elif told.happened in SURELY_NOT:
            assert not new

    @rule(data=st.data())
    def delete(self, data: Any) -> None:
        """Success is a key out of the books, and a sure no leaves them as they were."""
        key_id = self.pick(data)
        books = self.town.ledger.key(key_id)
        account = AccountId(books.account_id if books else BYBIT.subs[0])
        before = self.town.alive()
        told = run(
            self.town.exchange.delete_key(
                self.town.parent,
                account,
                KeyId(key_id),
                self.town.ticks.now(),
            )
        )
        self.town.catch_up()
        after = self.town.alive()
        assert before - after <= {key_id}
        if told is None:
            assert key_id not in after
        elif told.happened in SURELY_NOT:
            assert after == before

    @rule(data=st.data())
    def die(self, data: Any) -> None:
        """The exchange ends a key by itself."""
        books = self.town.ledger.listed(self.pick(data))
        if books is not None:
            self.town.ledger.kill(books)

    @rule(operation=st.sampled_from(["create", "delete"]), fault=st.sampled_from(FAULTS))
    def disturb(self, operation: str, fault: str) -> None:
        """The next call of a kind goes wrong."""
        self.town.fault(operation, fault)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def look(self, data: Any) -> None:
        """A key that we hold signs in exactly while it lives."""
        key_id = data.draw(st.sampled_from(sorted(self.held)))
        look = run(self.town.exchange.inspect(self.held[key_id]))
        assert (look.validity is Validity.VALID) == (key_id in self.town.alive())

    @invariant()
    def the_list_is_the_books(self) -> None:
        """The list of all accounts is complete and names the living keys, no others."""
        told = run(self.town.exchange.list_keys(self.town.parent, None))
        assert not isinstance(told, Failure)
        assert isinstance(told, Listing)
        assert told.complete
        assert {k.key_id for k in told.keys} == self.town.alive()


def test_any_history_of_bybit() -> None:
    """In every history of creations, deletions, deaths and faults the list is the books."""
    run_state_machine_as_test(
        BybitBooks, settings=settings(max_examples=20, stateful_step_count=20, deadline=None)
    )
