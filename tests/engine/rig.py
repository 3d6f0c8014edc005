"""One path's rotation over the real embedded store and the sandbox, under a clock of ours."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from rotator.core.credentials import Rule, RuleBook
from rotator.core.facts import Credential, Look
from rotator.core.names import CredentialName, ExchangeName, StorePath
from rotator.core.policy import Policy, Revoke
from rotator.core.record import Record, Trigger
from rotator.core.saga.words import Event, Stay
from rotator.engine.driver import Driver, Stand
from rotator.engine.effects import Effects
from rotator.engine.houses import Houses
from rotator.engine.hub import InventoryHub
from rotator.engine.opener import NotOpened, Opened, Opener, Wish
from rotator.engine.tools import Tools
from rotator.engine.watch import Watch
from rotator.exchanges.registry import ExchangeSettings, open_exchange
from rotator.stores.documents import Documents
from rotator.stores.inventory import Inventory
from rotator.stores.journal import Journal
from rotator.stores.local import open_local
from rotator.stores.port import KvStore
from rotator.stores.preflight import Preflight
from rotator.stores.publisher import PathState, Publisher
from rotator.stores.sealing import load_fingerprints, load_sealer
from tests.fakes.clock import FakeClock
from tests.sandbox.desk import Desk
from tests.sandbox.inprocess import InProcess

PATH = StorePath("secret/trading/desk0")
PARENT = StorePath("secret/trading/master")
STATE = StorePath("secret/rotator")
DRAIN = timedelta(hours=2)


class DeskClock(FakeClock):
    """The sandbox's clock is ours: who sleeps moves both."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.time.real)
        self.desk = desk

    def now(self) -> datetime:
        return self.desk.time.real

    async def sleep(self, seconds: float) -> None:
        self.desk.time.pass_(seconds=seconds)
        await super().sleep(seconds)


@dataclass
class Heard:
    """What a driver told, in words."""

    events: list[tuple[str, str]] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    async def opened(self, record: Record) -> None:
        self.events.append((record.phase.value, "opened"))

    async def wrote(self, before: Record | None, after: Record, event: Event) -> None:
        self.events.append((after.phase.value, event.value))

    def stays(self, record: Record, stay: Stay) -> None:
        self.waits.append(stay.sentence)

    def trouble(self, record: Record | None, path: StorePath, message: str) -> None:
        self.troubles.append(message)

    def crashed(self, path: StorePath, error: Exception) -> None:
        self.troubles.append(repr(error))


@dataclass
class Rig:
    """A desk's sub key with its parent, ready to be rotated."""

    desk: Desk
    clock: FakeClock
    kv: KvStore
    tools: Tools
    effects: Effects
    opener: Opener
    heard: Heard
    credential: Credential
    stop: asyncio.Event
    stand: Stand

    async def open(self, **policy: object) -> Opened | NotOpened:
        """Open the rotation."""
        wished = Policy(**{"revoke": Revoke.DRAIN, "drain": DRAIN, **policy})
        return await self.opener.open(Wish(self.credential, wished, Trigger.DUE))

    def driver(self, opened: Opened | None = None) -> Driver:
        """A driver of the path; with no memory unless it has just opened."""
        driver = Driver(
            self.tools, self.effects, self.heard, self.stand, self.stop, lambda _record: None
        )
        if opened is not None:
            self.effects.path.remember(opened.record, opened.state)
            driver.begin(opened.record, opened.version, opened.at)
        return driver

    async def served(self) -> PathState:
        """What the path hands out."""
        return await self.tools.publisher.read(PATH, self.credential.fields)


async def build(folder: Path, wrap: object = None) -> Rig:
    """Make a rig; `wrap` may put something in front of the store."""
    desk = Desk()
    clock = DeskClock(desk)
    kv: KvStore = open_local(folder / "store.db", bytes(32), clock.now, "tests")
    if callable(wrap):
        kv = wrap(kv)
    sub, parent = desk.key("bybit"), desk.parent("bybit")
    for path, key in ((PATH, sub), (PARENT, parent)):
        await kv.write(path, {"api_key": key["api_key"], "api_secret": key["api_secret"], "note": "kept"}, 0)
    documents = Documents(kv, STATE)
    marks = await load_fingerprints(documents)
    rules = RuleBook((Rule("secret/trading/**", exchange="bybit", parent=PARENT),))
    inventory = Inventory(
        kv, [StorePath("secret/trading")], STATE, rules, marks,
        clock=clock.now, breathe=clock.breathe,
    )
    hub = InventoryHub(inventory, clock)
    app = InProcess(desk.apps["bybit"])
    houses = Houses(
        lambda name, environment: open_exchange(
            name,
            ExchangeSettings(base_url="http://127.0.0.1:1", share=None, environment=environment),
            clock.clocks(),
            wire=app,
        )
    )
    watch = Watch(documents, clock)
    tools = Tools(
        clock=clock,
        hub=hub,
        journal=Journal(documents, await load_sealer(documents)),
        publisher=Publisher(kv, marks),
        watch=watch,
        exchanges=houses,
        marks=marks,
        incident=lambda _exchange: None,
        skew=lambda: None,
        audit_head=lambda: "",
    )
    taken = await hub.take()
    await watch.read()
    credential = next(e.credential for e in taken.result.entries if e.credential.path == PATH)
    opener = Opener(tools, Preflight(kv, documents), _nothing_blocks, lambda n: bytes(range(n)))
    return Rig(
        desk, clock, kv, tools, Effects.over(tools), opener, Heard(), credential,
        asyncio.Event(), Stand(PATH),
    )


def _nothing_blocks(_credential: Credential, _state: PathState, _look: Look) -> str | None:
    return None


__all__ = ["DRAIN", "PARENT", "PATH", "CredentialName", "ExchangeName", "Heard", "Rig", "build"]
