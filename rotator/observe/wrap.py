"""Callbacks and wrappers that let ports be timed and counted from outside.

An adapter neither logs nor counts.  Whoever calls it wraps the call here, or
hands its client one of the callbacks; both feed `Metrics` and tell the
`Redactor` of secrets at the moment when they enter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from rotator.core.issue import IssuedKey
from rotator.core.names import SigningKey
from rotator.core.outcome import ExchangeError, Meaning, StoreError
from rotator.observe.metrics import OK, Metrics
from rotator.observe.redact import Redactor

T = TypeVar("T")

OnRequest = Callable[[str, str, float], None]
"""Called after each store request: operation, HTTP status or word, seconds."""

OnAnswer = Callable[[str, str, float, datetime | None], None]
"""Called after each exchange call: operation, outcome, seconds, its `Date` if any."""

Ticks = Callable[[], float]
"""A monotonic clock in seconds."""

CANCELLED = "cancelled"


def store_requests(metrics: Metrics) -> OnRequest:
    """Return the callback that a store client calls after each request."""
    return metrics.store_request


def exchange_answers(metrics: Metrics, exchange: str, now: Callable[[], datetime]) -> OnAnswer:
    """Return the callback for one exchange; it also measures the clocks' difference."""

    def on_answer(
        operation: str, outcome: str, seconds: float, server_date: datetime | None = None
    ) -> None:
        metrics.exchange_answer(exchange, operation, outcome, seconds)
        if server_date is not None:
            metrics.exchange_skew(exchange, (server_date - now()).total_seconds())

    return on_answer


def bans(
    metrics: Metrics, exchange: str, now: Callable[[], datetime]
) -> Callable[[ExchangeError], None]:
    """Return the callback that notes until when an exchange refuses everything."""

    def on_error(error: ExchangeError) -> None:
        failure = error.failure
        if failure.meaning is Meaning.BANNED and failure.retry_after is not None:
            metrics.exchange_banned(exchange, now() + failure.retry_after)

    return on_error


async def timed_store(
    operation: str, call: Callable[[], Awaitable[T]], on_request: OnRequest, ticks: Ticks
) -> T:
    """Await a store call and report it; its result or error is passed on."""
    start, code = ticks(), OK
    try:
        return await call()
    except StoreError as error:
        code = "error" if error.status is None else str(error.status)
        raise
    except asyncio.CancelledError:
        code = CANCELLED
        raise
    finally:
        on_request(operation, code, ticks() - start)


async def timed_exchange(
    operation: str, call: Callable[[], Awaitable[T]], on_answer: OnAnswer, ticks: Ticks
) -> T:
    """Await an exchange call and report it; its result or error is passed on."""
    start, outcome = ticks(), OK
    try:
        return await call()
    except ExchangeError as error:
        outcome = error.failure.meaning.value
        raise
    except asyncio.CancelledError:
        outcome = CANCELLED
        raise
    finally:
        on_answer(operation, outcome, ticks() - start, None)


def signing_keys(redactor: Redactor) -> Callable[[SigningKey], SigningKey]:
    """Return a function that tells the redactor of a key's secrets and passes it on."""

    def enter(key: SigningKey) -> SigningKey:
        redactor.remember_all(key.secrets)
        return key

    return enter


def issued_keys(redactor: Redactor) -> Callable[[IssuedKey], IssuedKey]:
    """Return the same for a key that an exchange has just created."""

    def enter(issued: IssuedKey) -> IssuedKey:
        redactor.remember_all(issued.secrets)
        return issued

    return enter
