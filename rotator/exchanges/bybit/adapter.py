"""Bybit's adapter: signs, asks, and lists, creates and deletes keys of sub-accounts.

Sub-account keys are managed with the master's key.  Bybit documents no answer
that says "this key does not exist": a refused deletion counts as done only when
a complete list of the account lacks the key.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

import httpx
import orjson

from rotator.core.facts import KeyFacts
from rotator.core.issue import IssuedKey, KeySpec
from rotator.core.names import AccountId, KeyId, Secrets, Sensitive, SigningKey
from rotator.core.outcome import ExchangeError
from rotator.exchanges import reading
from rotator.exchanges.bybit import content
from rotator.exchanges.bybit.sheet import (
    ABSENT,
    ACCOUNTS,
    CREATE,
    DELETE,
    INSPECT,
    LIST,
    NAME,
    PROFILE,
    WINDOW,
)
from rotator.exchanges.errors import Answer, field_of, unusable
from rotator.exchanges.port import Listing, SignatureTime
from rotator.exchanges.signing import Signer, signer, unix_millis
from rotator.exchanges.transport import Route, Transport

PAGE: Final = 20
MOST_PAGES: Final = 500
LONGEST_CURSOR: Final = 1024


def payload(key_id: str, at: datetime, query_or_body: bytes) -> bytes:
    """Return what Bybit's signature covers: time, key, window, and query or body as sent."""
    return f"{unix_millis(at)}{key_id}{WINDOW}".encode() + query_or_body


class BybitAuth(httpx.Auth):
    """Signs one request with `key` at time `at`; a pure function of the three."""

    requires_request_body = True

    def __init__(self, key_id: KeyId, sign: Signer, at: datetime) -> None:
        self._key_id = key_id
        self._sign = sign
        self._at = at

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the four headers."""
        covered = request.url.query if request.method == "GET" else request.content
        request.headers["X-BAPI-API-KEY"] = self._key_id
        request.headers["X-BAPI-TIMESTAMP"] = str(unix_millis(self._at))
        request.headers["X-BAPI-RECV-WINDOW"] = WINDOW
        request.headers["X-BAPI-SIGN"] = self._sign.sign(payload(self._key_id, self._at, covered))
        yield request


def auth_of(key: SigningKey, at: datetime) -> BybitAuth:
    """Return the auth of one request; raise ExchangeError if the key cannot sign."""
    return BybitAuth(key.key_id, signer(key), at)


class Bybit:
    """Inspector and Issuer.  `now` gives the time that reading calls are signed with."""

    name = NAME
    capabilities = PROFILE.capabilities

    def __init__(self, transport: Transport, now: SignatureTime) -> None:
        self._transport = transport
        self._now = now

    async def inspect(self, key: SigningKey) -> KeyFacts:
        """Return what Bybit says of the key that signs."""
        answer = await self._ask(INSPECT, key, "")
        entry = reading.mapping(field_of(answer, "result"))
        shown = reading.text(entry.get("apiKey"))
        if not entry or (shown and shown != key.key_id and not reading.masked(shown)):
            raise ExchangeError(unusable("Bybit", "with another key than the one that signed"))
        return content.own_facts(entry, key.key_id)

    async def list_keys(self, parent: SigningKey, account: AccountId | None) -> Listing:
        """Return the keys of one sub-account, or of all that the master has."""
        if account is not None:
            return await self._keys_of(parent, account)
        accounts, complete = await self._accounts(parent)
        keys: list[KeyFacts] = []
        for each in accounts:
            found = await self._keys_of(parent, each)
            keys += found.keys
            complete = complete and found.complete
        return Listing(tuple(keys), complete)

    async def create_key(
        self, parent: SigningKey, spec: KeySpec, label: str, signed_at: datetime
    ) -> IssuedKey:
        """Create a key of a sub-account; its secret is in this answer alone."""
        body = orjson.dumps(content.create_body(spec, label))
        answer = await self._transport.act(CREATE, auth_of(parent, signed_at), body)
        entry = reading.mapping(field_of(answer, "result"))
        key_id, secret = reading.text(entry.get("apiKey")), entry.get("secret")
        if key_id is None or not isinstance(secret, str) or not secret.strip("*"):
            raise ExchangeError(unusable("Bybit", "a creation without key and secret"))
        return IssuedKey(
            KeyId(key_id), Secrets(api_secret=Sensitive(secret)), reading.text(entry.get("id"))
        )

    async def delete_key(
        self, parent: SigningKey, account: AccountId, key_id: KeyId, signed_at: datetime
    ) -> None:
        """Delete a key of a sub-account; a key that a complete list lacks is gone already."""
        body = orjson.dumps({"apikey": key_id})
        try:
            await self._transport.act(DELETE, auth_of(parent, signed_at), body)
        except ExchangeError as error:
            if error.failure.code not in ABSENT:
                raise
            if not await self._gone(parent, account, key_id):
                raise

    def respec(self, facts: KeyFacts, forbid: Sequence[str]) -> KeySpec | str:
        """Return the spec that makes this key again, or why create cannot."""
        return content.respec(facts, forbid)

    async def _gone(self, parent: SigningKey, account: AccountId, key_id: KeyId) -> bool:
        try:
            listing = await self.list_keys(parent, account)
        except ExchangeError:
            return False
        return listing.complete and all(k.key_id != key_id for k in listing.keys)

    async def _keys_of(self, parent: SigningKey, account: AccountId) -> Listing:
        content.sub_uid(account)
        entries, complete = await self._pages(
            parent,
            LIST,
            {"subMemberId": account, "limit": str(PAGE)},
            ("cursor", "nextPageCursor", "result"),
        )
        facts = [content.listed_facts(reading.mapping(e), account) for e in entries]
        known = tuple(f for f in facts if f.key_id is not None)
        return Listing(known, complete and len(known) == len(facts))

    async def _accounts(self, parent: SigningKey) -> tuple[list[AccountId], bool]:
        entries, complete = await self._pages(
            parent, ACCOUNTS, {"pageSize": "100"}, ("nextCursor", "nextCursor", "subMembers")
        )
        uids = [reading.identifier(reading.mapping(e).get("uid")) for e in entries]
        known = [AccountId(u) for u in uids if u is not None and content.is_uid(u)]
        return known, complete and len(known) == len(uids)

    async def _pages(
        self,
        parent: SigningKey,
        route: Route,
        query: dict[str, str],
        names: tuple[str, str, str],
    ) -> tuple[list[object], bool]:
        """Return the entries of all pages, and whether the pages surely ended."""
        sent_as, told_as, field = names
        found: list[object] = []
        cursor, seen = "", {""}
        for _ in range(MOST_PAGES):
            asked = {**query, sent_as: cursor} if cursor else query
            answer = await self._ask(route, parent, urlencode(asked))
            result = reading.mapping(field_of(answer, "result"))
            page, told = reading.items(result.get(field)), result.get(told_as)
            if page is None:
                return found, False
            found += page
            if told in {"", "0", 0}:
                return found, True
            if not isinstance(told, str) or told in seen or len(told) > LONGEST_CURSOR:
                return found, False
            cursor = told
            seen.add(cursor)
        return found, False

    async def _ask(self, route: Route, key: SigningKey, query: str) -> Answer:
        return await self._transport.ask(route, auth_of(key, self._now()), key.key_id, query)
