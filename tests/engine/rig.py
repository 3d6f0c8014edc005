"""One path's rotation over the real embedded store and the sandbox, under a clock of ours.

A `World` is what outlives a process: the store's file, the exchange, the clock.
A `Rig` is one process in it, with no memory of those before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from rotator.core.credentials import Rule, RuleBook
from rotator.core.facts import Credential, Look
from rotator.core.names import AccountId, CredentialName, ExchangeName, KeyId, StorePath
from rotator.core.policy import Policy, Revoke
from rotator.core.record import Phase, Record, Trigger
from rotator.core.saga.words import Event, Stay
from rotator.engine.driver import Driver, Stand
from rotator.engine.effects import Effects
from rotator.engine.houses import Houses
from rotator.engine.hub import InventoryHub
from rotator.engine.opener import NotOpened, Opened, Opener, Rejudge, Wish
from rotator.engine.rotations import Rotations
from rotator.engine.tools import Tools
from rotator.engine.watch import Watch
from rotator.exchanges.exchange import Exchange
from rotator.exchanges.registry import ExchangeSettings, open_exchange
from rotator.sandbox.ledger import Draft, Key, Origin
from rotator.sandbox.wire import Request
from rotator.stores.documents import Documents
from rotator.stores.inventory import Inventory
from rotator.stores.journal import Journal
from rotator.stores.local import LocalKv, open_local
from rotator.stores.port import KvStore, Metadata, Secret
from rotator.stores.preflight import Preflight
from rotator.stores.publisher import PathState, Publisher
from rotator.stores.sealing import load_fingerprints, load_sealer
from tests.fakes.clock import FakeClock
from tests.sandbox.desk import HOME, Desk, hmac_hex
from tests.sandbox.inprocess import InProcess

PATH = StorePath("secret/trading/desk0")
PARENT = StorePath("secret/trading/master")
STATE = StorePath("secret/rotator")
RECORD = StorePath("secret/rotator/rotations/secret/trading/desk0")
ACCOUNT = AccountId("10000002")
DRAIN = timedelta(minutes=6)
LONGEST_LIFE = timedelta(hours=12)
KEY = bytes(32)

T = TypeVar("T")
SendVia = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]
StoreVia = Callable[[KvStore], KvStore]


class DirectKv(LocalKv):
    """The embedded store without its worker thread: what happens, happens in order."""

    async def _run(self, operation: str, work: Callable[[], T]) -> T:
        return work()

    async def close(self) -> None:
        self._tables.close()


def open_direct(file: Path, clock: Callable[[], datetime], user: str = "tests") -> DirectKv:
    """Open a store file; it need not survive a power cut."""
    tables = open_local(file, KEY, clock, user)._tables
    tables._connection.execute("PRAGMA synchronous=OFF")
    return DirectKv(tables, clock)


class DeskClock(FakeClock):
    """The sandbox's clock is ours: who sleeps moves both, and what was put off happens."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.time.real)
        self.desk = desk
        self.ends = desk.time.real + LONGEST_LIFE
        self.tick: Callable[[], Awaitable[None]] | None = None
        self.sleeping: Callable[[float], Awaitable[None]] | None = None
        self._put_off: list[tuple[datetime, Callable[[], object]]] = []

    def now(self) -> datetime:
        return self.desk.time.real

    async def sleep(self, seconds: float) -> None:
        if self.sleeping is not None:
            await self.sleeping(seconds)
            return
        self.pass_(seconds)
        assert self.now() < self.ends, "the rotation does not come to an end"
        if self.tick is not None:
            await self.tick()
        await super().sleep(0)

    def pass_(self, seconds: float) -> None:
        """Let time pass; a late call of the sandbox takes effect at its time."""
        now = self.now()
        self._put_off += [(now + timedelta(seconds=d), act) for d, act in self.desk.late]
        self.desk.late.clear()
        end = now + timedelta(seconds=seconds)
        due = sorted((e for e in self._put_off if e[0] <= end), key=lambda e: e[0])
        self._put_off = [e for e in self._put_off if e[0] > end]
        for at, act in due:
            self.desk.time.real = max(at, self.desk.time.real)
            act()
        self.desk.time.real = end
        self.seconds += seconds


@dataclass
class Heard:
    """What a driver told, in words; `on_stay` is called at each wait."""

    events: list[tuple[str, str]] = field(default_factory=list)
    waits: list[Stay] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    crashes: list[Exception] = field(default_factory=list)
    on_stay: Callable[[Record, Stay], None] = lambda _record, _stay: None

    async def opened(self, record: Record) -> None:
        self.events.append((record.phase.value, "opened"))

    async def wrote(self, before: Record | None, after: Record, event: Event) -> None:
        self.events.append((after.phase.value, event.value))

    def stays(self, record: Record, stay: Stay) -> None:
        self.waits.append(stay)
        self.on_stay(record, stay)

    def trouble(self, record: Record | None, path: StorePath, message: str) -> None:
        self.troubles.append(message)

    def crashed(self, path: StorePath, error: Exception) -> None:
        self.crashes.append(error)

    def phases(self) -> list[str]:
        """Return the phases that were entered, in turn."""
        names = [phase for phase, _ in self.events]
        return [n for i, n in enumerate(names) if i == 0 or n != names[i - 1]]


@dataclass
class World:
    """What outlives a process."""

    desk: Desk
    clock: DeskClock
    kv: DirectKv
    people: DirectKv
    address: str = HOME
    consumer: str = HOME
    share: float | None = None
    rotations: int = 0
    credential: Credential | None = None
    excused: set[str] = field(default_factory=set)

    @classmethod
    def make(cls, folder: Path, **wishes: object) -> World:
        """Make a desk's sub key and its parent, each at its path; `wishes` shape the sub key."""
        desk = Desk()
        clock = DeskClock(desk)
        file = folder / "store.db"
        world = cls(desk, clock, open_direct(file, clock.now), open_direct(file, clock.now, "ana"))
        sub = desk.new_key("bybit", **wishes) if wishes else desk.key("bybit")
        world.put(PATH, fields_of(sub), 0)
        world.put(PARENT, fields_of(desk.parent("bybit")), 0)
        return world

    async def close(self) -> None:
        await self.people.close()
        await self.kv.close()

    # the store, behind everybody's back

    def put(self, path: StorePath, data: dict[str, str], cas: int | None = None) -> int:
        """Write as a person does; over whatever there is if `cas` is None."""
        tables = self.people._tables
        if cas is None:
            cas = self.metadata(path).current if self.peek(path) else 0
        return tables.write(path, data, cas)

    def peek(self, path: StorePath, version: int | None = None) -> Secret | None:
        return self.people._tables.secret(path, version)

    def metadata(self, path: StorePath) -> Metadata:
        found = self.people._tables.metadata([path])[path]
        assert found is not None
        return found

    def erase(self, path: StorePath) -> None:
        """Remove a path with all its versions, as `vault kv metadata delete` does."""
        connection = self.people._tables._connection
        for table in ("contents", "versions", "paths"):
            connection.execute(f"DELETE FROM {table} WHERE path = ?", (path,))  # noqa: S608

    def content(self, path: StorePath = PATH, version: int | None = None) -> dict[str, Any]:
        found = self.peek(path, version)
        assert found is not None
        assert found.data is not None
        return dict(found.data)

    def record(self) -> dict[str, Any]:
        """Return the record's plain fields; empty if there is none to read."""
        found = self.peek(RECORD)
        return dict(found.data) if found is not None and found.data is not None else {}

    @property
    def phase(self) -> str:
        return str(self.record().get("phase", ""))

    def order(self, command: str, **words: object) -> None:
        """Write a command about the present record and path version."""
        record = self.record()
        data = {
            "command": command,
            "rotation": record.get("rotation"),
            "version": self.metadata(PATH).current,
            **words,
        }
        self.put(StorePath(f"{STATE}/commands/{PATH}"), data)  # type: ignore[arg-type]

    def hold(self, name: str = "all", match: str = "**") -> None:
        self.put(StorePath(f"{STATE}/holds/{name}"), {"match": match, "reason": "careful"})

    def release(self, name: str = "all") -> None:
        path = StorePath(f"{STATE}/holds/{name}")
        self.people._tables.delete(path, [self.metadata(path).current])

    # the exchange, behind everybody's back

    def key(self, key_id: str) -> Key:
        found = self.desk.ledger("bybit").key(key_id)
        assert found is not None
        return found

    def made(self) -> list[Key]:
        """Return the keys that were created by the exchange's API, dead ones too."""
        return [k for k in self.desk.ledger("bybit").every_key() if k.origin is Origin.API]

    def kill(self, key_id: str) -> None:
        self.desk.ledger("bybit").kill(self.key(key_id))
        self.excused.add(key_id)

    def alive(self, key_id: str) -> bool:
        return self.desk.ledger("bybit").alive(self.key(key_id))

    def another_key(self, label: str = "third") -> dict[str, str]:
        """Return the fields of a fresh key of the same account."""
        return fields_of(
            self.desk.new_key("bybit", account=ACCOUNT, label=label, scopes=["read", "trade:spot"])
        )

    def fill_slots(self) -> None:
        """Take every slot that the account has left."""
        ledger = self.desk.ledger("bybit")
        while ledger.has_slot(ACCOUNT):
            ledger.create(
                Draft(ACCOUNT, "filler", frozenset(), ledger.new_secret(), Origin.CONTROL)
            )

    def signs_in(self, fields: dict[str, str]) -> bool:
        """Say whether a key signs in, from our address, past all faults."""
        stamp, window = str(self.desk.time.ms()), "5000"
        payload = f"{stamp}{fields['api_key']}{window}".encode()
        headers = {
            b"x-bapi-api-key": fields["api_key"].encode(),
            b"x-bapi-timestamp": stamp.encode(),
            b"x-bapi-recv-window": window.encode(),
            b"x-bapi-sign": hmac_hex(dict(fields), payload).encode(),
        }
        request = Request(
            "GET", "/v5/user/query-api", b"", headers, b"", self.consumer, self.desk.time.real
        )
        return b'"retCode":0,' in self.desk.world.exchanges["bybit"].costume.answer(request).body

    async def process(
        self,
        *,
        store: StoreVia = lambda kv: kv,
        wire: SendVia = lambda inner: inner,
        rejudge: Rejudge | None = None,
    ) -> Rig:
        """Start a process: everything in it is new."""
        kv = store(self.kv)
        documents = Documents(kv, STATE)
        marks = await load_fingerprints(documents)
        rules = RuleBook((Rule("secret/trading/**", exchange="bybit", parent=PARENT),))
        inventory = Inventory(
            kv,
            [StorePath("secret/trading")],
            STATE,
            rules,
            marks,
            clock=self.clock.now,
            breathe=self.clock.breathe,
        )
        hub = InventoryHub(inventory, self.clock)
        houses = Houses(lambda name, env: self._open_exchange(name, env, wire))
        tools = Tools(
            clock=self.clock,
            hub=hub,
            journal=Journal(documents, await load_sealer(documents)),
            publisher=Publisher(kv, marks),
            watch=Watch(documents, self.clock),
            exchanges=houses,
            marks=marks,
            standstill=lambda: None,
            skew=lambda: None,
            audit_head=lambda: "",
            remember=lambda _secrets: None,
        )
        taken = await hub.take()
        here = (e.credential for e in taken.result.entries if e.credential.path == PATH)
        credential = self.credential = next(here, self.credential)
        assert credential is not None
        opener = Opener(tools, Preflight(kv, documents), rejudge or nothing_blocks, self._entropy)
        return Rig(self, tools, Effects.over(tools), opener, Heard(), credential)

    def _open_exchange(self, name: ExchangeName, environment: str, wire: SendVia) -> Exchange:
        app = InProcess(self.desk.apps["bybit"], self.address)
        settings = ExchangeSettings(
            base_url="http://127.0.0.1:1", share=self.share, environment=environment
        )
        return open_exchange(name, settings, self.clock.clocks(), wire=wire(app))

    def _entropy(self, count: int) -> bytes:
        self.rotations += 1
        return self.rotations.to_bytes(count, "big")


@dataclass
class Rig:
    """One process."""

    world: World
    tools: Tools
    effects: Effects
    opener: Opener
    heard: Heard
    credential: Credential
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    stand: Stand = field(default_factory=lambda: Stand(PATH))
    pins_problem: Callable[[Record], str | None] = lambda _record: None

    def wish(self, **policy: Any) -> Wish:
        wished: dict[str, Any] = {"revoke": Revoke.DRAIN, "drain": DRAIN, **policy}
        return Wish(self.credential, Policy(**wished), Trigger.DUE)

    async def open(self, **policy: Any) -> Opened | NotOpened:
        """Open the rotation."""
        return await self.opener.open(self.wish(**policy))

    def driver(self, opened: Opened | None = None) -> Driver:
        """Return a driver of the path, with no memory unless it has just opened."""
        driver = Driver(
            self.tools, self.effects, self.heard, self.stand, self.stop, self.pins_problem
        )
        if opened is not None:
            self.effects.path.remember(opened.record, opened.state)
            driver.begin(opened.record, opened.version, opened.at)
        return driver

    def rotations(self) -> Rotations:
        """Return all drivers of this process."""
        return Rotations(
            self.tools, self.effects, self.opener, self.heard, self.stop, self.pins_problem
        )

    async def served(self) -> PathState:
        """Return what the path hands out."""
        return await self.tools.publisher.read(PATH, self.credential.fields)

    async def record(self) -> Record:
        """Return the record as it stands in the journal."""
        found = (await self.tools.journal.read(PATH)).record
        assert found is not None
        return found


def fields_of(key: dict[str, Any]) -> dict[str, str]:
    """Return a key's object as the fields of a path, with one field that is not ours."""
    return {"api_key": key["api_key"], "api_secret": key["api_secret"], "note": "kept"}


def nothing_blocks(_credential: Credential, _state: PathState, _look: Look) -> str | None:
    """Judge that nothing is against a rotation."""
    return None


def key_id_of(fields: dict[str, Any]) -> KeyId:
    """Return the key id in a path's fields."""
    return KeyId(fields["api_key"])


__all__ = [
    "ACCOUNT",
    "DRAIN",
    "PARENT",
    "PATH",
    "RECORD",
    "STATE",
    "CredentialName",
    "DeskClock",
    "DirectKv",
    "Heard",
    "Phase",
    "Rig",
    "World",
    "key_id_of",
    "nothing_blocks",
    "open_direct",
]
