"""Bybit V5 as its documents of 2026-07-24 tell it: calls, scopes, errors, limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from rotator.core.names import ExchangeName
from rotator.core.outcome import Failure, Meaning
from rotator.core.scopes import Scope
from rotator.exchanges import reading
from rotator.exchanges.budget import Rate
from rotator.exchanges.errors import Answer, ErrorTable, Row, field_of, unusable
from rotator.exchanges.port import (
    Capabilities,
    ExpiryKind,
    Operation,
    SecretOrigin,
    Status,
    Trading,
)
from rotator.exchanges.transport import RECEIVE_WINDOW, Doors, Profile, Route

NAME: Final = ExchangeName("bybit")
NO_EXPIRY: Final = datetime(1970, 1, 1, tzinfo=UTC)
WINDOW: Final = str(RECEIVE_WINDOW // timedelta(milliseconds=1))
"""The receive window as it is sent and signed, in milliseconds."""

INSPECT: Final = Route(
    Operation.INSPECT, "GET", "/v5/user/query-api", (("address", 1), ("query-api", 1))
)
LIST: Final = Route(
    Operation.LIST, "GET", "/v5/user/sub-apikeys", (("address", 1), ("sub-apikeys", 1))
)
ACCOUNTS: Final = Route(
    Operation.LIST, "GET", "/v5/user/submembers", (("address", 1), ("submembers", 1))
)
CREATE: Final = Route(
    Operation.CREATE, "POST", "/v5/user/create-sub-api", (("address", 1), ("create", 1))
)
DELETE: Final = Route(
    Operation.DELETE, "POST", "/v5/user/delete-sub-api", (("address", 1), ("delete", 1))
)
ROUTES: Final = {r.operation: r for r in (INSPECT, LIST, CREATE, DELETE)}

SCOPES: Final[dict[str, Scope]] = {
    "spot.spottrade": Scope.TRADE_SPOT,
    "contracttrade.order": Scope.TRADE_DERIVATIVES,
    "contracttrade.position": Scope.TRADE_DERIVATIVES,
    "derivatives.derivativestrade": Scope.TRADE_DERIVATIVES,
    "options.optionstrade": Scope.TRADE_DERIVATIVES,
    "wallet.accounttransfer": Scope.TRANSFER,
    "wallet.submembertransfer": Scope.TRANSFER,
    "wallet.submembertransferlist": Scope.TRANSFER,
    "wallet.withdraw": Scope.WITHDRAW,
    "earn.earn": Scope.EARN,
    "exchange.exchangehistory": Scope.OTHER,
    "copytrading.copytrading": Scope.OTHER,
    "nft.nftqueryproductlist": Scope.OTHER,
    "fiatp2p.fiatp2porder": Scope.OTHER,
    "fiatp2p.advertising": Scope.OTHER,
    "fiatconvertbroker.fiatconvertbrokerorder": Scope.OTHER,
    "fiatbitpay.faitpayorder": Scope.OTHER,
    "bitcard.bitcard": Scope.OTHER,
    "byxpost.byxpost": Scope.OTHER,
}
"""Native permission, lower case, to scope; a read-only key has `read` alone."""

OTHER_GROUPS: Final = frozenset({"blocktrade", "affiliate", "fiatglobalpay"})
"""Groups that the documents name without their permissions."""

CREATABLE: Final = frozenset(
    {
        "ContractTrade.Order",
        "ContractTrade.Position",
        "Spot.SpotTrade",
        "Options.OptionsTrade",
        "Wallet.AccountTransfer",
        "Wallet.SubMemberTransferList",
        "Exchange.ExchangeHistory",
        "Earn.Earn",
    }
)

ERRORS: Final = ErrorTable(
    "Bybit",
    codes={
        -1: Row(Meaning.CLOCK_SKEW, "request expired"),
        10000: Row(Meaning.UNKNOWN_OUTCOME, "server timeout"),
        10001: Row(Meaning.BAD_REQUEST, "request parameter error"),
        10002: Row(Meaning.CLOCK_SKEW, "the request time is outside the time window"),
        10003: Row(Meaning.INVALID_KEY, "API key is invalid, or of another environment"),
        10004: Row(Meaning.BAD_SIGNATURE, "wrong signature"),
        10005: Row(Meaning.PERMISSION_DENIED, "permission denied"),
        10006: Row(Meaning.RATE_LIMITED, "too many visits"),
        10007: Row(Meaning.INVALID_KEY, "user authentication failed"),
        10008: Row(Meaning.BANNED, "banned, check the account mode"),
        10009: Row(Meaning.OTHER, "not available in our region"),
        10010: Row(Meaning.IP_BLOCKED, "our address is not on the key's list"),
        10016: Row(Meaning.UNKNOWN_OUTCOME, "server error"),
        10017: Row(Meaning.BAD_REQUEST, "route not found"),
        10024: Row(Meaning.OTHER, "compliance rules triggered"),
        10027: Row(Meaning.BANNED, "transactions are banned"),
        33004: Row(Meaning.EXPIRED, "the API key has expired"),
        -2015: Row(Meaning.EXPIRED, "the API key has expired"),
        81007: Row(Meaning.PERMISSION_DENIED, "Bybit Europe creates no keys by API"),
        141004: Row(Meaning.BANNED, "the sub-account is not normal"),
        141019: Row(Meaning.PERMISSION_DENIED, "addresses are changed on the web page only"),
        141020: Row(Meaning.PERMISSION_DENIED, "this is changed on the web page only"),
        500010: Row(Meaning.BAD_REQUEST, "the sub-account does not belong to the parent"),
    },
    statuses={
        400: Row(Meaning.BAD_REQUEST, "bad request"),
        401: Row(Meaning.INVALID_KEY, "key or authentication parameters not accepted"),
        403: Row(Meaning.BANNED, "rate limit of our address, or an address of a barred region"),
        404: Row(Meaning.BAD_REQUEST, "no such path"),
        429: Row(Meaning.RATE_LIMITED, "system-level frequency protection"),
    },
    stops={403: timedelta(minutes=10), 429: timedelta(seconds=5)},
)
TOO_MANY_VISITS: Final = 10006
LONGEST_WINDOW: Final = timedelta(minutes=1)
ABSENT: Final = frozenset({"10001", "10003"})
"""Codes with which a deletion of a key that does not exist may be refused."""


def failure_of(answer: Answer) -> Failure | None:
    """Return why an answer is no success; Bybit says so in `retCode`, mostly under HTTP 200."""
    code = reading.number(field_of(answer, "retCode"))
    failure = ERRORS.failure(answer, code or None, field_of(answer, "retMsg"))
    if failure is None:
        return unusable("Bybit", "without a retCode") if code is None else None
    return replace(failure, retry_after=failure.retry_after or _window_left(answer))


def _window_left(answer: Answer) -> timedelta | None:
    """Return the time until the limit's window ends, by Bybit's own clock."""
    ends = reading.millis(answer.headers.get("x-bapi-limit-reset-timestamp"))
    told_at = reading.millis(field_of(answer, "time"))
    if ends is None or told_at is None or field_of(answer, "retCode") != TOO_MANY_VISITS:
        return None
    return max(timedelta(0), min(ends - told_at, LONGEST_WINDOW))


PROFILE: Final = Profile(
    NAME,
    Capabilities(
        lists_keys=True,
        creates_keys=True,
        deletes_keys=True,
        label_length=None,
        max_keys=None,
        overlap=True,
        secret_origin=SecretOrigin.EXCHANGE,
        expiry=ExpiryKind.EXTENDABLE,
        expiry_without_addresses=timedelta(days=90),
        activation_delay=None,
        revocation_delay=timedelta(0),
        receive_window=RECEIVE_WINDOW,
        needs_parent=True,
        binds_addresses=True,
        shows=frozenset({"created", "expires", "scopes", "addresses"}),
        creatable=CREATABLE,
        documentation="https://bybit-exchange.github.io/docs/v5/user/apikey-info",
        keys_page="https://www.bybit.com/app/user/api-management",
        checked=date(2026, 7, 24),
        status=Status(Trading.OPEN, None, "v5 documents of 2026-07-24"),
    ),
    hosts={
        "prod": "https://api.bybit.com",
        "testnet": "https://api-testnet.bybit.com",
        "demo": "https://api-demo.bybit.com",
    },
    rates={
        "address": Rate(600, 5, per_account=False),
        "query-api": Rate(10, 1),
        "sub-apikeys": Rate(10, 1),
        "submembers": Rate(10, 1),
        "create": Rate(1, 1),
        "delete": Rate(5, 1),
    },
    doors=Doors(
        reading=frozenset(
            {
                ("GET", "/v5/user/query-api"),
                ("GET", "/v5/user/sub-apikeys"),
                ("GET", "/v5/user/submembers"),
            }
        ),
        acting=frozenset(
            {("POST", "/v5/user/create-sub-api"), ("POST", "/v5/user/delete-sub-api")}
        ),
    ),
    failure_of=failure_of,
    stops=frozenset(ERRORS.stops),
)
