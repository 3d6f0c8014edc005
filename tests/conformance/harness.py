"""One exchange's adapter over its sandbox, in one process and on a clock of its own.

An exchange joins the suite with one `House`: its name, accounts and permissions.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import httpx

from rotator.core.issue import KeySpec
from rotator.core.names import AccountId, KeyId, Secrets, Sensitive, SigningKey
from rotator.exchanges.registry import Exchange, ExchangeSettings, open_exchange
from rotator.sandbox.app import HungUp, build
from rotator.sandbox.faults import Fault, Operation, Order
from rotator.sandbox.ledger import Key, Origin
from rotator.sandbox.seeds import KeyType, Wish, make_key
from rotator.sandbox.world import new_world
from tests.exchanges.fakes import Chunks, Ticks

HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class House:
    """What the suite must know of one exchange: the ten lines of its harness."""

    name: str
    master: str
    subs: tuple[str, str]
    managing: frozenset[str]
    ordinary: frozenset[str]
    kinds: tuple[KeyType, ...]
    issues: bool


BYBIT = House(
    name="bybit",
    master="10000001",
    subs=("10000002", "10000003"),
    managing=frozenset({"Wallet.AccountTransfer", "Wallet.SubMemberTransfer"}),
    ordinary=frozenset({"Spot.SpotTrade", "ContractTrade.Order", "ContractTrade.Position"}),
    kinds=("hmac", "rsa"),
    issues=True,
)
BINANCE = House(
    name="binance",
    master="main@sandbox.test",
    subs=("desk0@sandbox.test", "desk1@sandbox.test"),
    managing=frozenset({"enableReading", "enableSpotAndMarginTrading"}),
    ordinary=frozenset({"enableReading", "enableSpotAndMarginTrading"}),
    kinds=("hmac", "rsa", "ed25519"),
    issues=False,
)
HOUSES = (BYBIT, BINANCE)
ISSUERS = tuple(h for h in HOUSES if h.issues)

Change = Callable[[httpx.Request], None]


def _unchanged(request: httpx.Request) -> None:
    del request


@dataclass
class Town:
    """A sandbox world with one exchange in it, and the adapter that speaks to it."""

    house: House
    seed: int = 1
    limits: bool = False
    change: Change = _unchanged
    share: float | None = None
    activation: timedelta = timedelta()
    revocation: timedelta = timedelta()
    ticks: Ticks = field(default_factory=Ticks)
    requests: list[httpx.Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)
        self.world = new_world(
            self.ticks.now,
            limits=self.limits,
            entropy=chance.randbytes,
            activation=self.activation,
            revocation=self.revocation,
        )
        self.inside = self.world.exchanges[self.house.name]
        self.ledger = self.inside.ledger
        self.late: list[Callable[[], object]] = []
        self.ledger.open_account(self.house.master, None)
        for sub in self.house.subs:
            self.ledger.open_account(sub, self.house.master)
        self.parent = self.key(account=self.house.master, native=self.house.managing)
        self.wire = Street(self)
        self.exchange = self.opened()

    def opened(self, wire: httpx.AsyncBaseTransport | None = None) -> Exchange:
        """Open the adapter over the sandbox, or over a wire around it."""
        settings = ExchangeSettings(base_url="http://127.0.0.1:9", share=self.share)
        return open_exchange(self.house.name, settings, self.ticks.clocks(), wire=wire or self.wire)

    def key(
        self,
        account: str = "",
        label: str = "",
        native: frozenset[str] | None = None,
        addresses: tuple[str, ...] = (HERE,),
        *,
        age: timedelta = timedelta(),
        kind: KeyType = "hmac",
        read_only: bool = False,
    ) -> SigningKey:
        """Make a key at the exchange, as its web page would."""
        wish = Wish(
            account=account or self.house.subs[0],
            label=label,
            native=self.house.ordinary if native is None else native,
            origin=Origin.CONTROL,
            kind=kind,
            addresses=addresses,
            read_only=read_only,
            created_at=self.world.calendar.now() - age,
        )
        made = make_key(self.inside, wish)
        return SigningKey(
            KeyId(str(made["api_key"])),
            Secrets(_sensitive(made.get("api_secret")), _sensitive(made.get("private_key"))),
        )

    def books(self, key_id: str) -> Key:
        """Return a key as the exchange's books have it."""
        key = self.ledger.key(key_id)
        assert key is not None
        return key

    def alive(self) -> set[str]:
        """Return the keys of all sub-accounts that live, by the books."""
        return {
            k.id
            for k in self.ledger.every_key()
            if self.ledger.alive(k) and k.account_id != self.house.master
        }

    def fault(self, operation: str, fault: str, times: int | None = 1) -> None:
        """Let something go wrong on the exchange's side."""
        self.inside.faults.add(Order(Operation(operation), Fault(fault), times))

    def catch_up(self) -> None:
        """Let what was to be applied late be applied now."""
        while self.late:
            self.late.pop(0)()

    def spec(self, addresses: tuple[str, ...] = (HERE,), account: str = "") -> KeySpec:
        """Return the spec of an ordinary key."""
        return KeySpec(
            AccountId(account or self.house.subs[0]),
            tuple(sorted(self.house.ordinary)),
            (("readOnly", "0"),),
            addresses,
        )


class Street(httpx.AsyncBaseTransport):
    """Carries requests to the sandbox; a closed connection is what httpx makes of one."""

    def __init__(self, town: Town) -> None:
        self._town = town
        app = build(town.world, town.house.name, lambda _, work: town.late.append(work))
        self._inner = httpx.ASGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._town.change(request)
        self._town.requests.append(request)
        try:
            response = await self._inner.handle_async_request(request)
        except HungUp:
            raise httpx.RemoteProtocolError("Server disconnected") from None
        date = self._town.ticks.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        response.headers["date"] = date
        return response


class Stopping(httpx.AsyncBaseTransport):
    """Reports when a call reaches a point, and stays there for ever.

    Points: `before` the request leaves, `after` it was applied, `inside` the body
    of its answer.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, point: str) -> None:
        self._inner = inner
        self._point = point
        self.reached = asyncio.Event()
        self._never = asyncio.Event()
        self.body: Hanging | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._point == "before":
            await self.hang()
        response = await self._inner.handle_async_request(request)
        if self._point == "after":
            await self.hang()
        self.body = Hanging(self)
        return httpx.Response(response.status_code, stream=self.body)

    async def hang(self) -> None:
        self.reached.set()
        await self._never.wait()


class Hanging(Chunks):
    """A body of which the first piece came and the second never does."""

    def __init__(self, stop: Stopping) -> None:
        super().__init__([b"{"])
        self._stop = stop

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{"
        await self._stop.hang()


def _sensitive(value: object) -> Sensitive | None:
    return Sensitive(value) if isinstance(value, str) else None
