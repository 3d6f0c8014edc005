"""The ledger: slots, expiry, delays, address lists, counters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rotator.core.names import Sensitive
from rotator.sandbox.calendar import Calendar
from rotator.sandbox.ledger import Draft, HmacSecret, House, Key, Ledger, Origin, State, is_address
from rotator.sandbox.limits import Meter

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUSE = House(
    name="house",
    key_length=8,
    secret_length=12,
    slots=2,
    lifetime=timedelta(days=90),
    trading=timedelta(days=30),
    lapsing=frozenset({"trade"}),
)


class Books:
    """A ledger with one master and one sub-account, and its calendar."""

    def __init__(self, house: House = HOUSE) -> None:
        self.calendar = Calendar(lambda: START)
        self._drawn = 0
        self.ledger = Ledger(house, self.calendar, self._entropy)
        self.ledger.open_account("main", None)
        self.ledger.open_account("sub", "main")

    def _entropy(self, length: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(length, "big")

    def create(self, origin: Origin = Origin.API, addresses: tuple[str, ...] = ()) -> Key:
        """Make a key that reads and trades."""
        native = frozenset({"read", "trade"})
        material = HmacSecret(Sensitive("not a secret"))
        return self.ledger.create(Draft("sub", "label", native, material, origin, addresses))


def test_a_key_without_addresses_dies_of_age() -> None:
    """A key without an address list expires when its lifetime is over, and not before."""
    books = Books()
    key = books.create()
    books.calendar.advance(timedelta(days=90) - timedelta(seconds=1))
    assert books.ledger.state(key) is State.ACTIVE
    books.calendar.advance(timedelta(seconds=1))
    assert books.ledger.state(key) is State.EXPIRED
    assert not books.ledger.alive(key)


def test_a_key_with_addresses_lives_on() -> None:
    """A key with an address list neither expires nor loses a power."""
    books = Books()
    key = books.create(addresses=("192.0.2.1",))
    books.calendar.advance(timedelta(days=4000))
    assert books.ledger.alive(key)
    assert books.ledger.powers(key) == {"read", "trade"}


def test_lifting_the_list_starts_the_lifetime_anew() -> None:
    """A key whose addresses are lifted lives its lifetime from that moment on."""
    books = Books()
    key = books.create(addresses=("192.0.2.1",))
    books.calendar.advance(timedelta(days=200))
    unbound = books.ledger.change(key, addresses=())
    assert books.ledger.expires_at(unbound) == START + timedelta(days=290)


def test_trading_lapses_first() -> None:
    """A key without addresses loses its trading powers after the trading time."""
    books = Books()
    key = books.create()
    books.calendar.advance(timedelta(days=30))
    assert books.ledger.powers(key) == {"read"}


def test_slots_count_listed_keys() -> None:
    """An account is full at the house's slots, and a deletion makes room."""
    books = Books()
    books.create()
    key = books.create()
    assert not books.ledger.has_slot("sub")
    books.ledger.delete(key)
    assert books.ledger.has_slot("sub")


def test_delays_of_creation_and_deletion() -> None:
    """A created key begins, and a deleted key ends, only after the house's delays."""
    delay = timedelta(seconds=10)
    books = Books(replace(HOUSE, activation=delay, revocation=delay))
    key = books.create()
    assert books.ledger.state(key) is State.PENDING
    books.calendar.advance(delay)
    assert books.ledger.state(key) is State.ACTIVE
    books.ledger.delete(key)
    deleted = books.ledger.key(key.id)
    assert deleted is not None
    assert books.ledger.keys_of("sub") == ()
    assert books.ledger.state(deleted) is State.ACTIVE
    books.calendar.advance(delay)
    assert books.ledger.state(deleted) is State.GONE


def test_only_the_exchanges_own_calls_are_counted() -> None:
    """Seeds, control keys and kills leave the counters of creates and deletes alone."""
    books = Books()
    books.ledger.kill(books.create(Origin.CONTROL))
    books.create(Origin.SEED)
    assert (books.ledger.creates, books.ledger.deletes) == (0, 0)
    books.ledger.delete(books.create())
    assert (books.ledger.creates, books.ledger.deletes) == (1, 1)


@pytest.mark.parametrize(
    ("addresses", "client", "admitted"),
    [
        ((), "203.0.113.9", True),
        (("192.0.2.1",), "192.0.2.1", True),
        (("192.0.2.1",), "192.0.2.2", False),
        (("192.0.2.0/24",), "192.0.2.77", True),
        (("2001:db8::/32",), "2001:db8::1", True),
        (("999.1.1.1", "192.0.2.1"), "192.0.2.1", True),
        (("999.1.1.1",), "not an address", False),
    ],
)
def test_address_lists(addresses: tuple[str, ...], client: str, *, admitted: bool) -> None:
    """An address list admits its addresses and networks, and impossible entries admit nobody."""
    assert Books().create(addresses=addresses).admits(client) is admitted


def test_what_an_address_is() -> None:
    """Addresses and networks of both families are addresses, names are not."""
    assert is_address("192.0.2.1")
    assert is_address("2001:db8::/32")
    assert not is_address("desk.example")


def test_windows_and_bans_end_with_the_calendar() -> None:
    """A window counts from its first call, old ones are forgotten, bans end by the calendar."""
    calendar = Calendar(lambda: START)
    meter = Meter(calendar, on=True)
    second = timedelta(seconds=1)
    assert [meter.take("a", 2, second).left for _ in range(3)] == [1, 0, -1]
    for bucket in range(5000):
        meter.take(bucket, 1, second)
    meter.ban("client", second)
    assert meter.banned_until("client") is not None
    calendar.advance(second)
    assert meter.banned_until("client") is None
    assert [meter.take("a", 2, second).exceeded, meter.take(7, 1, second).exceeded] == [False] * 2


def test_a_meter_that_is_off_refuses_nothing() -> None:
    """With limits off every call finds its bucket full."""
    meter = Meter(Calendar(lambda: START), on=False)
    assert [meter.take("a", 1, timedelta(days=1)).left for _ in range(3)] == [1, 1, 1]


def test_the_calendar_only_moves_forward() -> None:
    """The calendar refuses to go back or beyond the years it knows, and stays where it is."""
    calendar = Calendar(lambda: START)
    with pytest.raises(ValueError, match="forward"):
        calendar.advance(timedelta(seconds=-1))
    with pytest.raises(OverflowError):
        calendar.advance(timedelta(days=365 * 8000))
    assert calendar.now() == START == calendar.real()
