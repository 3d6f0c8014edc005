"""Binance: reads the flags of its own key.

Facts and errors of the official documents of 2026-07/08.  The answer names
neither key, owner, label nor addresses: those stay unknown.  One error (-2015)
means a wrong key, address, permission or an expired key; a second probe that
succeeds narrows it to a missing permission.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import date, datetime, timedelta
from typing import Final
from urllib.parse import quote

import httpx

from rotator.core.facts import KeyFacts
from rotator.core.names import ExchangeName, SigningKey
from rotator.core.outcome import ExchangeError, Failure, Meaning
from rotator.core.scopes import Scope
from rotator.exchanges import reading
from rotator.exchanges.budget import Rate
from rotator.exchanges.errors import Answer, ErrorTable, Row, field_of, unusable
from rotator.exchanges.port import (
    Capabilities,
    ExpiryKind,
    Operation,
    SecretOrigin,
    SignatureTime,
    Status,
    Trading,
)
from rotator.exchanges.signing import Signer, signer, unix_millis
from rotator.exchanges.transport import RECEIVE_WINDOW, Doors, Profile, Route, Transport

NAME: Final = ExchangeName("binance")
SAFE: Final = "!$&'()*+,-./:;=?@_~[]%"  # the ASCII that a query may hold as it is

INSPECT: Final = Route(
    Operation.INSPECT, "GET", "/sapi/v1/account/apiRestrictions", (("apiRestrictions", 1),)
)
PROBE: Final = Route(Operation.INSPECT, "GET", "/api/v3/account", (("api", 20),))
ROUTES: Final = {Operation.INSPECT: INSPECT}

SCOPES: Final[dict[str, frozenset[Scope]]] = {
    "enableReading": frozenset({Scope.READ}),
    "enableFixReadOnly": frozenset({Scope.READ}),
    "enableSpotAndMarginTrading": frozenset({Scope.TRADE_SPOT, Scope.TRADE_MARGIN}),
    "enableFixApiTrade": frozenset({Scope.TRADE_SPOT}),
    "enableMargin": frozenset({Scope.TRADE_MARGIN}),
    "enableFutures": frozenset({Scope.TRADE_DERIVATIVES}),
    "enableVanillaOptions": frozenset({Scope.TRADE_DERIVATIVES}),
    "enablePortfolioMarginTrading": frozenset({Scope.TRADE_MARGIN, Scope.TRADE_DERIVATIVES}),
    "enableInternalTransfer": frozenset({Scope.TRANSFER}),
    "permitsUniversalTransfer": frozenset({Scope.TRANSFER}),
    "enableWithdrawals": frozenset({Scope.WITHDRAW}),
}
KNOWN: Final = {name.casefold(): name for name in SCOPES}
FLAGS: Final = ("enable", "permits", "can")
"""How the name of a permission begins."""

NEEDED: Final = ("enableReading", "enableWithdrawals", "enableSpotAndMarginTrading")
"""Without these flags an answer does not tell what a key may do."""

ERRORS: Final = ErrorTable(
    "Binance",
    codes={
        -1000: Row(Meaning.UNKNOWN_OUTCOME, "an unknown error"),
        -1001: Row(Meaning.UNKNOWN_OUTCOME, "internal error"),
        -1002: Row(Meaning.PERMISSION_DENIED, "not authorized to execute this request"),
        -1003: Row(Meaning.RATE_LIMITED, "too much request weight used"),
        -1004: Row(Meaning.MAINTENANCE, "server is busy"),
        -1006: Row(Meaning.UNKNOWN_OUTCOME, "execution status unknown"),
        -1007: Row(Meaning.UNKNOWN_OUTCOME, "timeout of the backend, execution status unknown"),
        -1008: Row(Meaning.MAINTENANCE, "server is overloaded"),
        -1011: Row(Meaning.IP_BLOCKED, "our address cannot access this route"),
        -1016: Row(Meaning.MAINTENANCE, "this service is no longer available"),
        -1020: Row(Meaning.BAD_REQUEST, "this operation is not supported"),
        -1021: Row(Meaning.CLOCK_SKEW, "the timestamp is outside the receive window"),
        -1022: Row(Meaning.BAD_SIGNATURE, "the signature is not valid"),
        -1099: Row(
            Meaning.PERMISSION_DENIED,
            "not found, authenticated, or authorized",
            (Meaning.INVALID_KEY, Meaning.NOT_FOUND),
        ),
        -1131: Row(Meaning.BAD_REQUEST, "recvWindow must be less than 60000"),
        -2008: Row(Meaning.INVALID_KEY, "invalid API key id"),
        -2014: Row(Meaning.INVALID_KEY, "the format of the API key is invalid"),
        -2015: Row(
            Meaning.INVALID_KEY,
            "invalid API key, IP, or permissions for action",
            (Meaning.IP_BLOCKED, Meaning.PERMISSION_DENIED, Meaning.EXPIRED),
        ),
        -3001: Row(Meaning.NEEDS_2FA, "enable 2FA first"),
        -3999: Row(Meaning.PERMISSION_DENIED, "for invited users only"),
        -4006: Row(Meaning.PERMISSION_DENIED, "main account only"),
        -4041: Row(Meaning.RATE_LIMITED, "try again in one minute"),
        -4057: Row(Meaning.PERMISSION_DENIED, "RSA key or read-only key not allowed"),
        -4087: Row(Meaning.PERMISSION_DENIED, "RSA key or read-only key not allowed"),
        -4088: Row(Meaning.PERMISSION_DENIED, "RSA key or read-only key not allowed"),
        -5021: Row(Meaning.BAD_REQUEST, "no relation between parent and sub-account"),
        -9000: Row(Meaning.BAD_REQUEST, "unsupported operation"),
    },
    statuses={
        403: Row(Meaning.BANNED, "the web application firewall refuses us"),
        418: Row(Meaning.BANNED, "our address is banned"),
        429: Row(Meaning.RATE_LIMITED, "a request rate limit is broken"),
    },
    stops={
        403: timedelta(minutes=5),
        418: timedelta(minutes=2),
        429: timedelta(minutes=1),
    },
)


def failure_of(answer: Answer) -> Failure | None:
    """Return why an answer is no success; Binance says so in a negative `code`."""
    code = reading.number(field_of(answer, "code"))
    refused = code if code is not None and code < 0 else None
    return ERRORS.failure(answer, refused, field_of(answer, "msg"))


PROFILE: Final = Profile(
    NAME,
    Capabilities(
        lists_keys=False,
        creates_keys=False,
        deletes_keys=False,
        label_length=None,
        max_keys=None,
        overlap=True,
        secret_origin=SecretOrigin.WEB_PAGE,
        expiry=ExpiryKind.IDLE,
        expiry_without_addresses=timedelta(days=30),
        activation_delay=None,
        revocation_delay=None,
        receive_window=RECEIVE_WINDOW,
        needs_parent=False,
        binds_addresses=True,
        shows=frozenset({"created", "scopes"}),
        creatable=None,
        documentation=("https://developers.binance.com/docs/wallet/account/api-key-permission"),
        keys_page="https://www.binance.com/en/my/settings/api-management",
        checked=date(2026, 8, 21),
        status=Status(Trading.OPEN, None, "documents and SDK of 2026-07/08"),
    ),
    hosts={
        "prod": "https://api.binance.com",
        "testnet": "https://testnet.binance.vision",
        "demo": "https://demo-api.binance.com",
    },
    rates={
        "api": Rate(6000, 60, per_account=False),
        "apiRestrictions": Rate(12000, 60, per_account=False),
    },
    doors=Doors(
        reading=frozenset({("GET", "/sapi/v1/account/apiRestrictions"), ("GET", "/api/v3/account")})
    ),
    failure_of=failure_of,
    stops=frozenset(ERRORS.stops),
)


def signed_query(query: str, body: bytes, sign: Signer, at: datetime) -> str:
    """Return `query` with window, time and, last, the signature over query and body.

    Non-ASCII characters are percent-encoded before they are signed.
    """
    window = RECEIVE_WINDOW // timedelta(milliseconds=1)
    timed = f"recvWindow={window}&timestamp={unix_millis(at)}"
    plain = quote(query, safe=SAFE)
    covered = f"{plain}&{timed}" if plain else timed
    return f"{covered}&signature={quote(sign.sign(covered.encode('ascii') + body), safe='')}"


class BinanceAuth(httpx.Auth):
    """Signs one request with a key at time `at`; a pure function of the three."""

    requires_request_body = True

    def __init__(self, key: SigningKey, at: datetime) -> None:
        self._key_id = key.key_id
        self.signer = signer(key)
        self._at = at

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the key's header and put the signature at the end of the query."""
        query = request.url.query.decode("ascii")
        signed = signed_query(query, request.content, self.signer, self._at)
        request.headers["X-MBX-APIKEY"] = self._key_id
        request.url = request.url.copy_with(query=signed.encode("ascii"))
        yield request


class Binance:
    """Inspector.  `now` gives the time that calls are signed with."""

    name = NAME
    capabilities = PROFILE.capabilities

    def __init__(self, transport: Transport, now: SignatureTime) -> None:
        self._transport = transport
        self._now = now

    async def inspect(self, key: SigningKey) -> KeyFacts:
        """Return what Binance says of the key that signs."""
        auth = BinanceAuth(key, self._now())
        try:
            answer = await self._transport.ask(INSPECT, auth, key.key_id)
        except ExchangeError as error:
            if not error.failure.candidates:
                raise
            raise ExchangeError(await self._narrowed(key, error.failure)) from None
        if not isinstance(answer.document, dict) or "code" in answer.document:
            raise ExchangeError(unusable("Binance", "without the key's flags"))
        return facts_of(answer.document, key, auth.signer.kind)

    async def _narrowed(self, key: SigningKey, ambiguous: Failure) -> Failure:
        """Return what an ambiguous refusal means once a second call has been tried."""
        auth = BinanceAuth(key, self._now())
        try:
            await self._transport.ask(PROBE, auth, key.key_id)
        except ExchangeError:
            return ambiguous
        return Failure.of(
            Meaning.PERMISSION_DENIED,
            "Binance lets the key sign in, but not read its own flags",
            code=ambiguous.code,
        )


def facts_of(told: Mapping[str, object], key: SigningKey, key_type: str) -> KeyFacts:
    """Return the facts of the key that signed, from `apiRestrictions`."""
    flags = {name: value for name, value in told.items() if name.startswith(FLAGS)}
    states = {name: reading.switch(value) for name, value in flags.items()}
    readable = None not in states.values() and all(name in states for name in NEEDED)
    on = [name for name, state in states.items() if state]
    restricted = reading.switch(told.get("ipRestrict"))
    lapses = reading.number(told.get("tradingAuthorityExpirationTime"))
    return KeyFacts(
        key_id=key.key_id,
        scopes=frozenset(s for n in on for s in scopes_of(n)) if readable else None,
        native=reading.in_order(reading.printable(n) for n in on) if readable else None,
        native_flags=(("tradingAuthorityExpirationTime", str(lapses)),) if lapses else (),
        unknown_native=reading.in_order(
            reading.printable(n) for n in on if n.casefold() not in KNOWN
        ),
        ip_restricted=restricted,
        ip_allowlist=() if restricted is False else None,
        created_at=reading.millis(told.get("createTime")),
        enabled=True,
        key_type=key_type,
    )


def scopes_of(native: str) -> frozenset[Scope]:
    """Return the scopes of a flag, compared without case; an unknown one is `other`."""
    known = KNOWN.get(native.casefold())
    return SCOPES[known] if known else frozenset({Scope.OTHER})
