"""Bybit's vocabulary: permission names, error words, limits, canned public answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from rotator.core.scopes import Scope
from rotator.sandbox.ledger import House, Key, Ledger
from rotator.sandbox.wire import cover

HOUSE = House(
    name="bybit",
    key_length=18,
    secret_length=36,
    slots=20,
    lifetime=timedelta(days=90),
    trading=None,
    lapsing=frozenset(),
)

GROUPS: dict[str, tuple[str, ...]] = {
    "ContractTrade": ("Order", "Position"),
    "Spot": ("SpotTrade",),
    "Wallet": ("AccountTransfer", "SubMemberTransfer", "SubMemberTransferList", "Withdraw"),
    "Options": ("OptionsTrade",),
    "Derivatives": ("DerivativesTrade",),
    "CopyTrading": ("CopyTrading",),
    "BlockTrade": ("BlockTrade",),
    "Exchange": ("ExchangeHistory",),
    "NFT": ("NFTQueryProductList",),
    "Affiliate": ("Affiliate",),
    "Earn": ("Earn",),
    "FiatP2P": ("FiatP2POrder", "Advertising"),
    "FiatConvertBroker": ("FiatConvertBrokerOrder",),
    "FiatGlobalPay": ("FiatGlobalPay",),
    "FiatBitPay": ("FaitPayOrder",),
    "BitCard": ("BitCard",),
    "ByXPost": ("ByXPost",),
}
"""Every permission group and its names, in the order of the inspect answer."""

CREATED_GROUPS = (
    "ContractTrade",
    "Spot",
    "Wallet",
    "Options",
    "CopyTrading",
    "BlockTrade",
    "Exchange",
    "NFT",
    "Earn",
)
"""The groups that the answer to a create call shows."""

CREATABLE: dict[str, tuple[str, ...]] = {
    "ContractTrade": ("Order", "Position"),
    "Spot": ("SpotTrade",),
    "Options": ("OptionsTrade",),
    "Wallet": ("AccountTransfer", "SubMemberTransferList"),
    "Exchange": ("ExchangeHistory",),
    "Earn": ("Earn",),
}
"""What a sub-account's key may be created with."""

ASSIGNABLE: dict[str, tuple[str, ...]] = {
    **CREATABLE,
    "Wallet": ("AccountTransfer", "SubMemberTransfer", "SubMemberTransferList"),
    "Derivatives": ("DerivativesTrade",),
    "CopyTrading": ("CopyTrading",),
    "NFT": ("NFTQueryProductList",),
}
"""What a sub-account's key may be changed to."""

FIAT_GROUPS = ("FiatP2P", "FiatBitPay", "FiatConvertBroker")
"""Groups that a read-write master key can neither gain nor lose by API."""

MANAGING = frozenset({"Wallet.AccountTransfer", "Wallet.SubMemberTransfer", "Wallet.Withdraw"})
"""One of these lets a master's key make, change and delete its sub-accounts' keys."""

SELF_MANAGING = frozenset({"Wallet.AccountTransfer", "Wallet.SubMemberTransfer"})
"""One of these lets a sub-account's key change or delete itself."""

SCOPES: dict[str, Scope] = {
    "Spot.SpotTrade": Scope.TRADE_SPOT,
    "ContractTrade.Order": Scope.TRADE_DERIVATIVES,
    "ContractTrade.Position": Scope.TRADE_DERIVATIVES,
    "Derivatives.DerivativesTrade": Scope.TRADE_DERIVATIVES,
    "Options.OptionsTrade": Scope.TRADE_DERIVATIVES,
    "Wallet.AccountTransfer": Scope.TRANSFER,
    "Wallet.SubMemberTransfer": Scope.TRANSFER,
    "Wallet.SubMemberTransferList": Scope.TRANSFER,
    "Wallet.Withdraw": Scope.WITHDRAW,
    "Earn.Earn": Scope.EARN,
}
"""Permissions that are not `other`."""

GRANTS = (
    (frozenset({"ContractTrade.Order", "ContractTrade.Position"}), {Scope.TRADE_DERIVATIVES}),
    (frozenset({"Spot.SpotTrade"}), {Scope.TRADE_SPOT}),
    (frozenset({"Wallet.AccountTransfer"}), {Scope.TRANSFER}),
    (frozenset({"Wallet.Withdraw"}), {Scope.WITHDRAW}),
    (frozenset({"Earn.Earn"}), {Scope.EARN}),
    (frozenset({"Exchange.ExchangeHistory"}), {Scope.OTHER}),
)

SHOWN_OF_READ_ONLY = frozenset({"ContractTrade.Order", "ContractTrade.Position", "Spot.SpotTrade"})
"""What a read-only key shows as permissions although it may only read."""

ERRORS: dict[int, str] = {
    10000: "Server Timeout",
    10001: "Request parameter error",
    10002: "The request time exceeds the time window range.",
    10003: "API key is invalid.",
    10004: "Error sign, please check your signature generation algorithm.",
    10005: "Permission denied, please check your API key permissions.",
    10006: "Too many visits. Exceeded the API Rate Limit.",
    10010: "Unmatched IP, please check your API key's bound IP addresses.",
    33004: "Your api key has expired",
    141019: "To add or update the IP whitelist, go to API management and select Edit",
    141020: (
        "To change read and write permissions for sensitive actions, "
        "go to API management and select Edit"
    ),
    500010: "The subaccount specified does not belong to the parent account",
}

PER_ADDRESS = 600
PER_ADDRESS_EVERY = timedelta(seconds=5)
BAN = timedelta(minutes=10)
EVERY = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class BybitPowers:
    """Bybit's permissions as scopes; a name is `Group.Name`."""

    house: House = HOUSE

    def scopes(self, ledger: Ledger, key: Key) -> frozenset[Scope]:
        """Return the scopes; every key reads, and a read-only key does nothing else."""
        if key.read_only:
            return frozenset({Scope.READ})
        return frozenset({Scope.READ, *(SCOPES.get(n, Scope.OTHER) for n in ledger.powers(key))})

    def grant(self, scopes: frozenset[Scope]) -> tuple[frozenset[str], bool]:
        """Return the permissions for `scopes`; reading alone is a read-only key."""
        wanted = scopes - {Scope.READ}
        if not wanted:
            return SHOWN_OF_READ_ONLY, True
        grants = tuple((native, frozenset(granted)) for native, granted in GRANTS)
        return cover(wanted, grants, HOUSE.name), False

    def check_account(self, account_id: str) -> None:
        """Refuse what is not a user number."""
        usable = account_id.isascii() and account_id.isdigit() and len(account_id) <= 15
        if not usable or account_id.startswith("0"):
            raise ValueError("a bybit account id is a number without leading zero")


def permissions(native: frozenset[str], groups: tuple[str, ...]) -> dict[str, list[str]]:
    """Return permissions in Bybit's form: every group with the names granted."""
    return {g: [n for n in GROUPS[g] if f"{g}.{n}" in native] for g in groups}


def read_permissions(value: object, allowed: dict[str, tuple[str, ...]]) -> frozenset[str] | None:
    """Read a request's `permissions`; None if it is malformed or names what is not allowed."""
    if not isinstance(value, dict):
        return None
    native: set[str] = set()
    for group, names in value.items():
        if not isinstance(names, list) or group not in GROUPS:
            return None
        if any(not isinstance(n, str) or n not in allowed.get(group, ()) for n in names):
            return None
        native.update(f"{group}.{n}" for n in names)
    return frozenset(native)


SPOT_MARKET = {
    "symbol": "BTCUSDT",
    "baseCoin": "BTC",
    "quoteCoin": "USDT",
    "innovation": "0",
    "status": "Trading",
    "marginTrading": "utaOnly",
    "lotSizeFilter": {
        "basePrecision": "0.000001",
        "quotePrecision": "0.0000001",
        "minOrderQty": "0.000011",
        "maxOrderQty": "83",
        "minOrderAmt": "5",
        "maxOrderAmt": "8000000",
    },
    "priceFilter": {"tickSize": "0.1"},
    "riskParameters": {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"},
}

WALLET = {
    "accountType": "UNIFIED",
    "accountIMRate": "0",
    "accountMMRate": "0",
    "accountLTV": "0",
    "totalEquity": "1000",
    "totalWalletBalance": "1000",
    "totalMarginBalance": "1000",
    "totalAvailableBalance": "1000",
    "totalPerpUPL": "0",
    "totalInitialMargin": "0",
    "totalMaintenanceMargin": "0",
    "coin": [
        {
            "coin": "USDT",
            "equity": "1000",
            "usdValue": "1000",
            "walletBalance": "1000",
            "locked": "0",
            "borrowAmount": "0",
            "accruedInterest": "0",
            "totalOrderIM": "0",
            "totalPositionIM": "0",
            "totalPositionMM": "0",
            "unrealisedPnl": "0",
            "cumRealisedPnl": "0",
            "bonus": "0",
        }
    ],
}

ACCOUNT_INFO = {
    "unifiedMarginStatus": 6,
    "marginMode": "REGULAR_MARGIN",
    "dcpStatus": "OFF",
    "timeWindow": 10,
    "smpGroup": 0,
    "isMasterTrader": False,
    "spotHedgingStatus": "OFF",
    "updatedTime": "1697078946000",
}
