"""A whole small estate in one process: an embedded store, a sandbox, and the parts of a pass."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from rotator.core.credentials import Rule, RuleBook
from rotator.core.facts import Credential, Validity
from rotator.core.findings import Code
from rotator.core.issue import KeySpec
from rotator.core.liveness import Liveness
from rotator.core.names import (
    AccountId,
    CredentialName,
    ExchangeName,
    Fingerprint,
    KeyId,
    RotationId,
    Secrets,
    SigningKey,
    StorePath,
)
from rotator.core.policy import Policy
from rotator.core.record import Phase, Pins, Record, Step, Terms, Trigger
from rotator.core.schedule import Limits, Paths, Planned
from rotator.engine.contexts import Settings
from rotator.engine.facts_memory import FactsMemory
from rotator.engine.houses import Houses
from rotator.engine.hub import InventoryHub
from rotator.engine.listings import Listings
from rotator.engine.looks import Looks
from rotator.engine.pass_ import PassRunner
from rotator.engine.removal import Remover
from rotator.engine.sightings import Sightings
from rotator.engine.snapshot import Snapshot
from rotator.engine.tidy import Tidy
from rotator.engine.watch import Watch
from rotator.exchanges.registry import Exchange, ExchangeSettings, open_exchange
from rotator.sandbox.app import build
from rotator.sandbox.ledger import Key, Origin
from rotator.sandbox.seeds import Wish, make_key
from rotator.sandbox.world import new_world
from rotator.stores.documents import Documents
from rotator.stores.epoch import Epoch, FileAnchor
from rotator.stores.fingerprints import Fingerprints
from rotator.stores.inventory import Inventory
from rotator.stores.journal import Journal
from rotator.stores.local import LocalKv, open_local
from rotator.stores.publisher import Publisher
from rotator.stores.sealing import Sealer
from tests.fakes.clock import FakeClock
from tests.sandbox.inprocess import InProcess
from tests.stores.kit import KEY, Watched, put

STATE = StorePath("secret/rotator/")
ROOT = StorePath("secret/trading")
MASTER = CredentialName("secret/trading/bybit/master")
MASTER_ID = "10000001"
SUBS = ("10000002", "10000003", "10000004", "10000005")
HERE = "127.0.0.1"
TRADES = frozenset({"Spot.SpotTrade", "ContractTrade.Order"})
TRANSFERS = frozenset({"Wallet.AccountTransfer", "Wallet.SubMemberTransfer"})
BYBIT = ExchangeName("bybit")


class Street(httpx.AsyncBaseTransport):
    """Carries requests to the sandbox, notes them, and fails while the exchange is down."""

    def __init__(self, inner: httpx.AsyncBaseTransport, clock: FakeClock) -> None:
        self._inner = inner
        self._clock = clock
        self.down = False
        self.paths: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        self._clock.later(milliseconds=10)
        if self.down:
            raise httpx.ConnectError("refused", request=request)
        response = await self._inner.handle_async_request(request)
        response.headers["date"] = self._clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        return response


@dataclass
class Estate:
    """The parts, made once; `again` builds a second daemon over the same store."""

    folder: Path
    kv: LocalKv
    clock: FakeClock = field(default_factory=FakeClock)
    rules: tuple[Rule, ...] = ()
    policies: Mapping[str, Policy] = field(default_factory=dict)
    limits: Limits = field(default_factory=lambda: Limits(armed=("secret/trading/**",)))
    every: timedelta = timedelta(hours=1)
    raises: bool = True
    anchor: str = "anchor"

    def __post_init__(self) -> None:
        self.world = new_world(self.clock.now, limits=False, entropy=random.Random(1).randbytes)
        ledger = self.world.exchanges["bybit"].ledger
        ledger.open_account(MASTER_ID, None)
        for sub in SUBS:
            ledger.open_account(sub, MASTER_ID)
        self.ledger = ledger
        self.streets = {
            name: Street(InProcess(build(self.world, name, lambda *_: None)), self.clock)
            for name in self.world.exchanges
        }
        self.front = Watched(self.kv)
        self.marks = Fingerprints(b"pepper")
        self.probed: list[str] = []
        self.alive = Liveness.ALIVE
        self.before_probe: Callable[[], Awaitable[None]] | None = None
        self.build()

    def build(self) -> None:
        """Make a daemon that remembers nothing."""
        self.documents = Documents(self.front.kv, STATE)
        inventory = Inventory(
            self.front.kv,
            (ROOT,),
            STATE,
            RuleBook(self.rules),
            self.marks,
            clock=self.clock.now,
            breathe=self.clock.breathe,
        )
        self.hub = InventoryHub(inventory, self.clock)
        self.houses = Houses(self._open)
        self.facts = FactsMemory(self.documents, self.clock, self.clock.breathe)
        self.looks = Looks(
            self.houses,
            self.hub.signing_key,
            self.facts,
            self.clock,
            self.clock.breathe,
            every=self.every,
        )
        self.journal = Journal(self.documents, Sealer(KEY))
        self.listings = Listings(
            self.houses,
            self.hub.signing_key,
            self.journal,
            self.marks,
            self.clock,
            self.clock.breathe,
            every=timedelta(minutes=15),
        )
        self.watch = Watch(self.documents, self.clock)
        self.runner = PassRunner(
            epoch=Epoch(self.documents, FileAnchor(self.folder / self.anchor)),
            hub=self.hub,
            looks=self.looks,
            listings=self.listings,
            facts=self.facts,
            journal=self.journal,
            watch=self.watch,
            houses=self.houses,
            settings=Settings(self.policies, self.limits, (ROOT,), STATE),
            clock=self.clock,
            breathe=self.clock.breathe,
            raises=self.raises,
        )
        remover = Remover(
            hub=self.hub,
            listings=self.listings,
            journal=self.journal,
            publisher=Publisher(self.front.kv, self.marks),
            watch=self.watch,
            houses=self.houses,
            clock=self.clock,
            armed=Paths(self.limits.armed),
            probe=self._probe,
            standstill=self.runner.standstill,
        )
        self.tidy = Tidy(
            hub=self.hub,
            listings=self.listings,
            journal=self.journal,
            sightings=Sightings(self.documents),
            remover=remover,
            clock=self.clock,
        )

    def _open(self, name: ExchangeName, environment: str) -> Exchange:
        base = "http://127.0.0.1:9" if name in self.streets else None
        settings = ExchangeSettings(
            base_url=base, environment=environment, share=None if base else 0.2
        )
        wire = self.streets.get(name)
        return open_exchange(name, settings, self.clock.clocks(), wire=wire)

    async def _probe(self, credential: Credential) -> Liveness:
        self.probed.append(credential.name)
        if self.before_probe is not None:
            await self.before_probe()
        return self.alive

    def key(
        self,
        account: str = SUBS[0],
        label: str = "desk",
        native: frozenset[str] = TRADES,
        age: timedelta = timedelta(days=10),
        addresses: tuple[str, ...] = (HERE,),
    ) -> dict[str, Any]:
        """Make a key at the exchange, as its web page would."""
        wish = Wish(
            account=account,
            label=label,
            native=native,
            origin=Origin.CONTROL,
            kind="hmac",
            addresses=addresses,
            read_only=False,
            created_at=self.clock.now() - age,
        )
        return make_key(self.world.exchanges["bybit"], wish)

    def books(self, key_id: str) -> Key:
        found = self.ledger.key(key_id)
        assert found is not None
        return found

    def kill(self, *keys: Mapping[str, Any]) -> None:
        for key in keys:
            self.ledger.kill(self.books(key["api_key"]))

    async def store(self, path: str, key: Mapping[str, Any], **custom: str) -> int:
        """Put a key at a path, as a person would."""
        data = {"api_key": key["api_key"], "api_secret": key["api_secret"]}
        return await put(self.kv, path, data, **custom)

    async def master(self) -> dict[str, Any]:
        """Store the master account's key, which is not judged."""
        key = self.key(MASTER_ID, "master", TRANSFERS)
        await self.store(MASTER, key, exchange="bybit", managed="false")
        return key

    async def desk(self, number: int, **how: Any) -> dict[str, Any]:
        """Make and store the key of one desk on its own sub-account."""
        key = self.key(how.pop("account", SUBS[number]), f"desk{number}", **how)
        path = f"secret/trading/bybit/desk{number}"
        custom = {"exchange": "bybit", "parent": MASTER, "account": SUBS[number]}
        await self.store(path, key, **custom)
        return key

    async def run(self, *, force: bool = False) -> Snapshot:
        await self.watch.read()
        return await self.runner.run(force=force)


def desk_path(number: int) -> StorePath:
    """Return the path of a desk."""
    return StorePath(f"secret/trading/bybit/desk{number}")


def name(number: int) -> CredentialName:
    """Return the name of a desk's credential."""
    return CredentialName(desk_path(number))


def codes(snapshot: Snapshot, of: str | None = None) -> set[Code]:
    """Return the codes told, of all or of one credential."""
    return {f.code for f in snapshot.findings if of is None or f.credential == of}


def validity(snapshot: Snapshot, of: CredentialName) -> Validity | None:
    """Return what the last look at a credential came to."""
    return snapshot.by_name[of].judgement.validity


def record(
    at: datetime,
    number: int = 0,
    rotation: str = "abcdefgh",
    phase: Phase = Phase.ABORTED,
    **more: Any,
) -> Record:
    """Return a record of a desk's rotation."""
    account = AccountId(more.pop("account", SUBS[number]))
    trigger = more.pop("trigger", Trigger.DUE)
    new = more.pop("new", None)
    return Record(
        rotation=RotationId(rotation),
        credential=name(number),
        path=desk_path(number),
        strategy="overlap",
        trigger=trigger,
        phase=phase,
        pins=Pins(
            exchange=BYBIT,
            environment="prod",
            host="http://127.0.0.1:9",
            account=account,
            parent=MASTER,
            parent_account=None,
            fields=(("api_key", "api_key"), ("api_secret", "api_secret")),
            path_created=at,
        ),
        terms=Terms(),
        spec=KeySpec(account, ("Spot.SpotTrade",)),
        old_key_id=KeyId("old-key"),
        old_fingerprint=Fingerprint("f"),
        started_at=at,
        phase_since=at,
        written_at=at,
        v0=1,
        new=None if new is None else SigningKey(KeyId(new), Secrets()),
        steps=(Step(at, Phase.CREATING, "opened"),),
        **more,
    )


Play = Callable[[Estate], Awaitable[None]]


def play(tmp_path: Path, scenario: Play, **settings: Any) -> None:
    """Run a scenario over a fresh estate."""
    clock = FakeClock()

    async def run() -> None:
        kv = open_local(tmp_path / "store.db", KEY, clock.now, "ana")
        estate = Estate(tmp_path, kv, clock, **settings)
        try:
            await scenario(estate)
        finally:
            await estate.houses.aclose()
            await kv.close()

    asyncio.run(run())


OLD = timedelta(days=200)


def planned(snapshot: Snapshot, number: int = 0) -> Planned:
    """Return the plan of a desk."""
    found = snapshot.by_name[name(number)].planned
    assert found is not None
    return found


async def ask(estate: Estate, version: int, number: int = 0) -> int:
    """Ask for a rotation, as `rotator rotate` does."""
    place = estate.documents.command(name(number))
    before = await estate.documents.read(place)
    said = {"command": "rotate", "version": version}
    return await estate.kv.write(place, said, before.version)
