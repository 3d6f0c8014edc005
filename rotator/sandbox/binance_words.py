"""Binance's vocabulary: permission flags, error words, limits, canned answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from rotator.core.scopes import Scope
from rotator.sandbox.ledger import House, Key, Ledger
from rotator.sandbox.wire import cover

TRADING = frozenset({"enableSpotAndMarginTrading", "enableMargin", "enableFixApiTrade"})

HOUSE = House(
    name="binance",
    key_length=64,
    secret_length=64,
    slots=30,
    lifetime=None,
    trading=timedelta(days=30),
    lapsing=TRADING,
)

FLAGS: dict[str, frozenset[Scope]] = {
    "enableReading": frozenset({Scope.READ}),
    "enableWithdrawals": frozenset({Scope.WITHDRAW}),
    "enableInternalTransfer": frozenset({Scope.TRANSFER}),
    "enableMargin": frozenset({Scope.TRADE_MARGIN}),
    "enableFutures": frozenset({Scope.TRADE_DERIVATIVES}),
    "permitsUniversalTransfer": frozenset({Scope.TRANSFER}),
    "enableVanillaOptions": frozenset({Scope.TRADE_DERIVATIVES}),
    "enableFixApiTrade": frozenset({Scope.TRADE_SPOT}),
    "enableFixReadOnly": frozenset({Scope.READ}),
    "enableSpotAndMarginTrading": frozenset({Scope.TRADE_SPOT, Scope.TRADE_MARGIN}),
    "enablePortfolioMarginTrading": frozenset({Scope.TRADE_MARGIN, Scope.TRADE_DERIVATIVES}),
}
"""The flags of a key and what each grants, in the order of the inspect answer."""

GRANT_ORDER = (
    "enableReading",
    "enableSpotAndMarginTrading",
    "enableFutures",
    "enableMargin",
    "enableFixApiTrade",
    "permitsUniversalTransfer",
    "enableWithdrawals",
)

SUB_FLAGS: dict[str, str] = {
    "canTrade": "enableSpotAndMarginTrading",
    "canMarginLoanRepay": "enableMargin",
    "canFuturesTrade": "enableFutures",
    "canUniversalTransfer": "permitsUniversalTransfer",
    "canVanillaOptions": "enableVanillaOptions",
}
"""A sub-account key's flags in the master's calls, and the key's own flags."""

FIX_FLAGS: dict[str, str] = {
    "canFixApiTrading": "enableFixApiTrade",
    "canFixApiReading": "enableFixReadOnly",
}
"""Further flags of create v2, for Ed25519 keys only."""

NO_ACCESS = -2015

ERRORS: dict[int, tuple[int, str]] = {
    -1004: (400, "Server is busy, please wait and try again"),
    -1007: (
        504,
        (
            "Timeout waiting for response from backend server. "
            "Send status unknown; execution status unknown."
        ),
    ),
    -1021: (400, "Timestamp for this request is outside of the recvWindow."),
    -1022: (400, "Signature for this request is not valid."),
    -1099: (401, "Not found, authenticated, or authorized"),
    -1102: (
        400,
        "A mandatory parameter was not sent, was empty/null, or malformed.",
    ),
    -1131: (400, "recvWindow must be less than 60000"),
    -2014: (401, "API-key format invalid."),
    NO_ACCESS: (401, "Invalid API-key, IP, or permissions for action."),
    -4006: (400, "Support main account only."),
    -5021: (400, "This parent sub have no relation"),
    -9000: (400, "Unsupported operation"),
}
"""`code` to HTTP status (ours, where the sheet states none) and text."""

AHEAD_TEXT = "Timestamp for this request was 1000ms ahead of the server's time."

THROTTLED_TEXT = (
    "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
    "Please use WebSocket Streams for live updates to avoid polling the API."
)
BANNED_TEXT = (
    "Way too much request weight used; IP banned until {until}. "
    "Please use WebSocket Streams for live updates to avoid bans."
)

API_LIMIT = 6000
SAPI_ADDRESS_LIMIT = 12_000
SAPI_UID_LIMIT = 180_000
EVERY = timedelta(minutes=1)
WARNINGS_BEFORE_BAN = 20
FIRST_BAN = timedelta(minutes=2)
LONGEST_BAN = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class BinancePowers:
    """Binance's flags as scopes."""

    house: House = HOUSE

    def scopes(self, ledger: Ledger, key: Key) -> frozenset[Scope]:
        """Return the scopes of the flags that are set; there is no read-only switch."""
        return frozenset(scope for flag in ledger.powers(key) for scope in FLAGS[flag])

    def grant(self, scopes: frozenset[Scope]) -> tuple[frozenset[str], bool]:
        """Return the flags for exactly `scopes`."""
        grants = tuple((frozenset({f}), FLAGS[f]) for f in GRANT_ORDER)
        return cover(scopes, grants, HOUSE.name), False

    def check_account(self, account_id: str) -> None:
        """Take any short printable text, as an email address is one."""
        if not account_id.isprintable() or not 1 <= len(account_id) <= 128:
            raise ValueError("a binance account id is an email address")


SYMBOL = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "baseAssetPrecision": 8,
    "quoteAsset": "USDT",
    "quotePrecision": 8,
    "quoteAssetPrecision": 8,
    "baseCommissionPrecision": 8,
    "quoteCommissionPrecision": 8,
    "orderTypes": ["LIMIT", "MARKET"],
    "icebergAllowed": True,
    "ocoAllowed": True,
    "quoteOrderQtyMarketAllowed": True,
    "allowTrailingStop": True,
    "isSpotTradingAllowed": True,
    "isMarginTradingAllowed": True,
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01000000",
            "maxPrice": "1000000.00000000",
            "tickSize": "0.01000000",
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": "0.00001000",
            "maxQty": "9000.00000000",
            "stepSize": "0.00001000",
        },
    ],
    "permissions": [],
    "permissionSets": [["SPOT", "MARGIN"]],
}

RATE_LIMITS = [
    {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": API_LIMIT,
    }
]

BALANCES = [{"asset": "USDT", "free": "1000.00000000", "locked": "0.00000000"}]

TRADING_STATUS = {
    "data": {
        "isLocked": False,
        "plannedRecoverTime": 0,
        "triggerCondition": {"GCR": 150, "IFER": 150, "UFR": 300},
        "updateTime": 1547630471725,
    }
}

ACCOUNT_INFO = {
    "vipLevel": 0,
    "isMarginEnabled": True,
    "isFutureEnabled": True,
    "isOptionsEnabled": True,
    "isPortfolioMarginRetailEnabled": False,
}
