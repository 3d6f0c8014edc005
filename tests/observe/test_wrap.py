"""Calls are timed and counted from outside."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import NoReturn

import pytest

from rotator.core.issue import IssuedKey
from rotator.core.names import KeyId, Secrets, Sensitive, SigningKey
from rotator.core.outcome import ExchangeError, Failure, Meaning, StoreError
from rotator.observe import wrap
from rotator.observe.metrics import Metrics
from rotator.observe.redact import Redactor
from tests.observe import canary
from tests.observe.views import NOW, of, samples


class Ticking:
    """A monotonic clock that moves half a second at each look."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        self.at += 0.5
        return self.at


def counted(metrics: Metrics, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Return a counter's series."""
    return of(samples(metrics.text(gzip=False)), name)


async def answering() -> str:
    """Give an answer."""
    return "answer"


async def banned() -> NoReturn:
    """Be refused."""
    raise ExchangeError(Failure.of(Meaning.BANNED, retry_after=timedelta(minutes=5)))


async def cancelled() -> NoReturn:
    """Be cancelled."""
    raise asyncio.CancelledError


def test_an_exchange_call_is_counted_by_its_outcome() -> None:
    """Success is ok, a failure its meaning, and both are passed on."""
    metrics = Metrics()
    told = wrap.exchange_answers(metrics, "bybit", lambda: NOW)
    ticks = Ticking()
    assert asyncio.run(wrap.timed_exchange("inspect", answering, told, ticks)) == "answer"
    with pytest.raises(ExchangeError):
        asyncio.run(wrap.timed_exchange("inspect", banned, told, ticks))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(wrap.timed_exchange("inspect", cancelled, told, ticks))
    counts = counted(metrics, "rotator_exchange_requests_total")
    assert {dict(labels)["outcome"] for labels in counts} == {"ok", "banned", "cancelled"}
    spent = counted(metrics, "rotator_exchange_request_duration_seconds_sum")
    assert set(spent.values()) == {0.5}


def test_a_store_call_is_counted_by_its_status() -> None:
    """A failure without a status is an error."""

    async def denied() -> NoReturn:
        raise StoreError("denied", status=403)

    async def lost() -> NoReturn:
        raise StoreError("lost")

    metrics = Metrics()
    told = wrap.store_requests(metrics)
    assert asyncio.run(wrap.timed_store("read", answering, told, Ticking())) == "answer"
    for call, error in (
        (denied, StoreError),
        (lost, StoreError),
        (cancelled, asyncio.CancelledError),
    ):
        with pytest.raises(error):
            asyncio.run(wrap.timed_store("read", call, told, Ticking()))
    counts = counted(metrics, "rotator_store_requests_total")
    assert {dict(labels)["code"] for labels in counts} == {"ok", "403", "error", "cancelled"}


def test_the_exchange_s_date_gives_the_clocks_difference() -> None:
    """An exchange that is ahead has a positive skew."""
    metrics = Metrics()
    told = wrap.exchange_answers(metrics, "bybit", lambda: NOW)
    told("inspect", "ok", 0.1, NOW + timedelta(seconds=2))
    assert counted(metrics, "rotator_exchange_clock_skew_seconds") == {
        (("exchange", "bybit"),): 2.0
    }


def test_a_ban_is_shown_with_its_end() -> None:
    """Only a ban that says for how long has an end."""
    metrics = Metrics()
    note = wrap.bans(metrics, "bybit", lambda: NOW)
    note(ExchangeError(Failure.of(Meaning.RATE_LIMITED, retry_after=timedelta(minutes=1))))
    assert counted(metrics, "rotator_exchange_banned_until_timestamp_seconds") == {}
    note(ExchangeError(Failure.of(Meaning.BANNED, retry_after=timedelta(minutes=5))))
    assert counted(metrics, "rotator_exchange_banned_until_timestamp_seconds") == {
        (("exchange", "bybit"),): (NOW + timedelta(minutes=5)).timestamp()
    }


def test_keys_that_enter_are_known_to_the_redactor() -> None:
    """A stored key and a key just created are both blanked from then on."""
    redactor = Redactor()
    stored = SigningKey(KeyId("k"), Secrets(api_secret=Sensitive(canary.API)))
    issued = IssuedKey(KeyId("k"), Secrets(passphrase=Sensitive(canary.ODD)))
    assert wrap.signing_keys(redactor)(stored) is stored
    assert wrap.issued_keys(redactor)(issued) is issued
    assert canary.told(redactor.text(canary.API + " " + canary.ODD)) == []
