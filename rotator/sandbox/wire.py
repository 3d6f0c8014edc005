"""A request and its answer as bytes, and what a costume is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from urllib.parse import parse_qsl

import orjson

from rotator.core.scopes import Scope
from rotator.sandbox.faults import Operation
from rotator.sandbox.ledger import House, Key, Ledger

JSON = b"application/json;charset=UTF-8"
TEXT = b"text/plain;charset=UTF-8"
HTML = b"text/html;charset=UTF-8"
MAX_FIELDS = 200

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """One call as it came in.

    `headers` have lower-case names; `client` is the socket's address, whatever a
    header may claim; `arrived` is real time, the time of the signature window.
    """

    method: str
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    body: bytes
    client: str
    arrived: datetime

    def header(self, name: bytes) -> str:
        """Return a header's text, "" if it is absent."""
        return self.headers.get(name, b"").decode("latin-1")


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: status, body, content type, further headers."""

    status: int
    body: bytes
    kind: bytes = JSON
    headers: tuple[Header, ...] = ()

    def also(self, headers: tuple[Header, ...]) -> Reply:
        """Return the same answer with more headers."""
        return Reply(self.status, self.body, self.kind, self.headers + headers)


class Refusal(StrEnum):
    """Refusals that a fault asks a costume for, in its own words."""

    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    CLOCK_SKEW = "clock_skew"
    MAINTENANCE = "maintenance"
    UNKNOWN_OUTCOME = "unknown_outcome"


class Costume(Protocol):
    """One exchange's wire format over a ledger."""

    def operation(self, request: Request) -> Operation:
        """Say what a call is for; `ANY` where it is none of the named operations."""
        ...

    def answer(self, request: Request) -> Reply:
        """Apply the call to the ledger and answer it; never raises."""
        ...

    def refuse(self, refusal: Refusal) -> Reply:
        """Return the exchange's own words for a refusal; applies nothing."""
        ...

    def window_left(self, request: Request) -> float:
        """Return the seconds for which the call's signature stays acceptable, 0 at least."""
        ...


class Powers(Protocol):
    """How an exchange's permission names and our scopes translate."""

    @property
    def house(self) -> House:
        """Return the rules of the exchange's house."""
        ...

    def scopes(self, ledger: Ledger, key: Key) -> frozenset[Scope]:
        """Return the scopes that the key's permissions grant at this moment."""
        ...

    def grant(self, scopes: frozenset[Scope]) -> tuple[frozenset[str], bool]:
        """Return permissions and read-only switch that grant exactly `scopes`.

        Raises ValueError, with a sentence, where the exchange has none.
        """
        ...

    def check_account(self, account_id: str) -> None:
        """Raise ValueError, with a sentence, where the id cannot be an account's."""
        ...


def json_reply(status: int, content: object, headers: tuple[Header, ...] = ()) -> Reply:
    """Return a JSON answer."""
    return Reply(status, orjson.dumps(content), JSON, headers)


def fields(raw: bytes) -> dict[str, str] | None:
    """Read a query string or form; the last of equal names wins, None if it is too long."""
    if not raw:
        return {}
    try:
        text = raw.decode("latin-1")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        return None


def number(text: str, longest: int = 18) -> int | None:
    """Read a plain decimal number without sign; None if it is none or too long."""
    plain = text.isascii() and text.isdigit() and len(text) <= longest
    return int(text) if plain else None


def cover(
    wanted: frozenset[Scope],
    grants: tuple[tuple[frozenset[str], frozenset[Scope]], ...],
    house: str,
) -> frozenset[str]:
    """Pick permissions that grant exactly `wanted`, the first grants first.

    Raises ValueError for a scope that no permission grants without a further one.
    """
    chosen: frozenset[str] = frozenset()
    missing = wanted
    for native, granted in grants:
        if granted <= wanted and granted & missing:
            chosen |= native
            missing -= granted
    if missing:
        names = ", ".join(sorted(missing))
        raise ValueError(f"{house} has no permission that grants just: {names}")
    return chosen
