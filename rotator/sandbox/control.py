"""The sandbox's control port: look at the ledgers, make and kill keys, move time, break things."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TypeVar

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from rotator.core import scopes as vocabulary
from rotator.sandbox.app import MAX_BODY, TOO_LARGE, read_body, send_reply
from rotator.sandbox.calendar import iso
from rotator.sandbox.faults import Fault, Operation, Order
from rotator.sandbox.ledger import ENVIRONMENT, Key, Kind, Origin
from rotator.sandbox.seeds import KEY_TYPES, KeyType, Wish, make_key
from rotator.sandbox.wire import Reply, json_reply
from rotator.sandbox.world import Exchange, World

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DURATION = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
KEY_FIELDS = frozenset(
    {
        "exchange",
        "account",
        "label",
        "scopes",
        "addresses",
        "created_at",
        "type",
        "environment",
        "parent",
    }
)
MAX_TEXT = 256
MAX_ADDRESSES = 100

Body = Mapping[str, object]
Word = TypeVar("Word", Operation, Fault)


class BadInput(Exception):
    """A request that the control port refuses, with one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Control:
    """The control port of one world."""

    world: World

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP call; other kinds of connection are ignored."""
        if scope["type"] != "http":
            return
        body = await read_body(receive, MAX_BODY)
        reply = TOO_LARGE if body is None else self._answer(scope["method"], scope["path"], body)
        await send_reply(send, reply)

    def _answer(self, method: str, path: str, body: bytes) -> Reply:
        action = ACTIONS.get((method, path))
        if action is None:
            known = ", ".join(f"{m} {p}" for m, p in ACTIONS)
            return _error(HTTPStatus.NOT_FOUND, f"the control port knows {known}")
        try:
            return json_reply(200, action(self.world, _parse(method, body)))
        except BadInput as bad:
            return _error(HTTPStatus.BAD_REQUEST, str(bad))


def control(world: World) -> ASGIApp:
    """Return the ASGI application of the control port."""
    return Control(world)


def show_ledger(world: World, _: Body) -> object:
    """Tell every account and key of every exchange, no secret."""
    return {
        "now": iso(world.calendar.now()),
        "exchanges": {name: _books(exchange) for name, exchange in world.exchanges.items()},
    }


def add_key(world: World, body: Body) -> object:
    """Make a key; an account that does not exist is opened as a sub-account."""
    _only(body, KEY_FIELDS)
    exchange = _exchange(world, body)
    account = _account(exchange, body)
    native, read_only = _native(exchange, body)
    wish = Wish(
        account=account,
        label=_text(body, "label") or "",
        native=native,
        origin=Origin.CONTROL,
        kind=_key_type(body),
        addresses=_addresses(body),
        read_only=read_only,
        created_at=_created_at(world, body),
        environment=_text(body, "environment") or ENVIRONMENT,
    )
    return make_key(exchange, wish)


def kill(world: World, body: Body) -> object:
    """End a key as the exchange or its web page would."""
    _only(body, frozenset({"exchange", "key_id"}))
    exchange = _exchange(world, body)
    key = exchange.ledger.key(_text(body, "key_id") or "")
    if key is None:
        raise BadInput(f"{exchange.name} has no key with this key_id")
    if key.gone_from is None:
        exchange.ledger.kill(key)
    return {"exchange": exchange.name, "key_id": key.id, "alive": False}


def advance(world: World, body: Body) -> object:
    """Move the calendar forward."""
    _only(body, frozenset({"advance"}))
    found = DURATION.fullmatch(_text(body, "advance") or "")
    if found is None:
        raise BadInput('"advance" must be a number with s, m, h, d or w, such as "3d"')
    try:
        world.calendar.advance(timedelta(**{UNITS[found[2]]: int(found[1])}))
    except OverflowError:
        raise BadInput('"advance" leads beyond the calendar') from None
    return {"now": iso(world.calendar.now())}


def add_fault(world: World, body: Body) -> object:
    """Order a fault; `times` null is until DELETE /faults, absent is once."""
    _only(body, frozenset({"exchange", "operation", "fault", "times"}))
    exchange = _exchange(world, body)
    operation = _word(body, "operation", Operation)
    fault = _word(body, "fault", Fault)
    times = body.get("times", 1)
    counted = isinstance(times, int) and not isinstance(times, bool) and times >= 1
    if times is not None and not counted:
        raise BadInput('"times" must be a whole number from 1, or null for no end')
    exchange.faults.add(Order(operation, fault, times if isinstance(times, int) else None))
    return _pending(world)


def clear_faults(world: World, _: Body) -> object:
    """Take back every fault."""
    for exchange in world.exchanges.values():
        exchange.faults.clear()
    return _pending(world)


ACTIONS: dict[tuple[str, str], Callable[[World, Body], object]] = {
    ("GET", "/ledger"): show_ledger,
    ("POST", "/keys"): add_key,
    ("POST", "/kill"): kill,
    ("POST", "/clock"): advance,
    ("POST", "/faults"): add_fault,
    ("DELETE", "/faults"): clear_faults,
}


def _error(status: HTTPStatus, sentence: str) -> Reply:
    return json_reply(status, {"error": sentence})


def _parse(method: str, body: bytes) -> Body:
    if method != "POST":
        return {}
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise BadInput("the body must be a JSON object")
    return content


def _only(body: Body, known: frozenset[str]) -> None:
    strange = sorted(set(body) - known)
    if strange:
        raise BadInput(
            f"unknown field {strange[0][:MAX_TEXT]!r}; known: {', '.join(sorted(known))}"
        )


def _exchange(world: World, body: Body) -> Exchange:
    exchange = world.exchanges.get(_text(body, "exchange") or "")
    if exchange is None:
        raise BadInput(f'"exchange" must be one of {", ".join(sorted(world.exchanges))}')
    return exchange


def _text(body: Body, name: str) -> str | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise BadInput(f'"{name}" must be a text of at most {MAX_TEXT} characters')
    return value


def _word(body: Body, name: str, words: type[Word]) -> Word:
    try:
        return words(_text(body, name) or "")
    except ValueError:
        raise BadInput(f'"{name}" must be one of {", ".join(words)}') from None


def _account(exchange: Exchange, body: Body) -> str:
    ledger = exchange.ledger
    first = ledger.first_master()
    parent = _account_id(exchange, body, "parent") or (first.id if first else None)
    account = _account_id(exchange, body, "account") or parent
    if account is None:
        raise BadInput('"account" must be given: this exchange has no account yet')
    if ledger.account(account) is not None:
        return account
    if parent is None or parent == account:
        return ledger.open_account(account, None).id
    if ledger.open_account(parent, None).kind is not Kind.MASTER:
        raise BadInput('"parent" must be a master account')
    return ledger.open_account(account, parent).id


def _account_id(exchange: Exchange, body: Body, name: str) -> str | None:
    account = _text(body, name)
    if account is None:
        return None
    try:
        exchange.powers.check_account(account)
    except ValueError as wrong:
        raise BadInput(f'"{name}": {wrong}') from None
    return account


def _native(exchange: Exchange, body: Body) -> tuple[frozenset[str], bool]:
    value = body.get("scopes")
    names = ["read"] if value is None else value
    known = ", ".join(vocabulary.Scope)
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise BadInput(f'"scopes" must be a list of {known}')
    try:
        return exchange.powers.grant(frozenset(vocabulary.Scope(n) for n in names))
    except ValueError as wrong:
        strange = [n for n in names if n not in tuple(vocabulary.Scope)]
        sentence = f"must be a list of {known}" if strange else str(wrong)
        raise BadInput(f'"scopes": {sentence}') from None


def _addresses(body: Body) -> tuple[str, ...]:
    value = body.get("addresses")
    if value is None:
        return ()
    listed = value if isinstance(value, list) else [value]
    texts = tuple(a for a in listed if isinstance(a, str) and 0 < len(a) <= MAX_TEXT)
    if listed is not value or len(texts) != len(listed) or len(texts) > MAX_ADDRESSES:
        raise BadInput(f'"addresses" must be null or a list of at most {MAX_ADDRESSES} texts')
    return texts


def _key_type(body: Body) -> KeyType:
    wanted = _text(body, "type") or "hmac"
    for kind in KEY_TYPES:
        if kind == wanted:
            return kind
    raise BadInput(f'"type" must be one of {", ".join(KEY_TYPES)}')


def _created_at(world: World, body: Body) -> datetime | None:
    text = _text(body, "created_at")
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        aware = moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        aware = None
    if aware is None:
        raise BadInput('"created_at" must be null or a time such as "2026-01-31T12:00:00Z"')
    if aware > world.calendar.now():
        raise BadInput('"created_at" lies in the future')
    return aware


def _books(exchange: Exchange) -> object:
    ledger = exchange.ledger
    return {
        "accounts": [
            {"id": a.id, "kind": a.kind, "parent_id": a.parent_id} for a in ledger.accounts()
        ],
        "keys": [_entry(exchange, key) for key in ledger.every_key()],
        "creates": ledger.creates,
        "deletes": ledger.deletes,
    }


def _entry(exchange: Exchange, key: Key) -> object:
    return {
        "id": key.id,
        "label": key.label or None,
        "account_id": key.account_id,
        "scopes": sorted(exchange.powers.scopes(exchange.ledger, key)),
        "addresses": list(key.addresses) or None,
        "alive": exchange.ledger.alive(key),
        "created_at": iso(key.created_at),
        "created_by": key.origin,
        "creator": key.creator,
    }


def _pending(world: World) -> object:
    return {
        "faults": [
            {"exchange": name, "operation": o.operation, "fault": o.fault, "times": o.times}
            for name, exchange in world.exchanges.items()
            for o in exchange.faults.pending()
        ]
    }
