"""Builds one running instance from the configuration."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from rotator import __version__
from rotator.config import Config, limits, policies, rules
from rotator.core.credentials import RuleBook
from rotator.core.facts import Credential
from rotator.core.liveness import Liveness
from rotator.core.names import (
    CredentialName,
    ExchangeName,
    Fingerprint,
    SigningKey,
    StorePath,
)
from rotator.core.outcome import StoreDenied
from rotator.core.schedule import Paths
from rotator.engine.clock import Clock
from rotator.engine.contexts import Settings
from rotator.engine.desk import Desk
from rotator.engine.effects import Effects
from rotator.engine.facts_memory import FactsMemory
from rotator.engine.houses import Houses
from rotator.engine.hub import InventoryHub
from rotator.engine.listings import Listings
from rotator.engine.looks import Looks
from rotator.engine.opener import Opener
from rotator.engine.pass_ import PassRunner
from rotator.engine.prober import Prober, Witness
from rotator.engine.removal import Remover
from rotator.engine.rotations import Rotations
from rotator.engine.sightings import Sightings
from rotator.engine.telling import Telling
from rotator.engine.tidy import Tidy
from rotator.engine.tools import Tools
from rotator.engine.watch import Watch
from rotator.exchanges.exchange import Exchange
from rotator.exchanges.registry import capabilities_of, exchange_names
from rotator.observe import log
from rotator.observe.audit import AuditLog
from rotator.observe.metrics import Metrics
from rotator.observe.redact import Redactor
from rotator.observe.render import PerCredential
from rotator.observe.wrap import exchange_answers, store_requests
from rotator.stores.cipher import KEY_BYTES
from rotator.stores.documents import Documents
from rotator.stores.epoch import Anchor, Epoch
from rotator.stores.fingerprints import Fingerprints
from rotator.stores.inventory import Inventory
from rotator.stores.journal import Journal
from rotator.stores.port import KvStore, Metadata
from rotator.stores.preflight import Preflight
from rotator.stores.publisher import Publisher
from rotator.stores.sealing import Sealer, load_fingerprints, load_sealer
from rotator.stores.shelf import Shelf
from rotator.wiring import SetupError
from rotator.wiring.exchanges import open_exchange_for
from rotator.wiring.leading import Elsewhere, anchor_of
from rotator.wiring.stores import open_store

BLIND: Final = (
    "this login may not read the keys' values: validity and facts are as the daemon last saw "
    "them, and unknown for a path written since"
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an instance gets from its process.

    `looks_only` changes nothing anywhere, not even its own state documents.
    `recalls` takes what the store remembers of a key for a look at it, and then
    does without values where the login may not read them.
    """

    config: Config
    environ: Mapping[str, str]
    clock: Clock
    redactor: Redactor
    metrics: Metrics
    armed_since: datetime | None = None
    looks_only: bool = False
    recalls: bool = False


def new_metrics(config: Config) -> Metrics:
    """Return the metrics of this process."""
    metrics = Metrics(
        per_credential=PerCredential(config.metrics.per_credential), version=__version__
    )
    metrics.expect(exchange_names(), ("overlap",))
    return metrics


async def open_desk(around: Surroundings) -> Desk:
    """Return an instance over the configured store.  Raises SetupError and StoreError."""
    config, clock = around.config, around.clock
    kv = open_store(config, around.environ, clock, store_requests(around.metrics))
    try:
        return await _Builder(around, kv).build()
    except asyncio.CancelledError:
        raise  # closing waits for answers that nobody wants any more
    except BaseException:
        await kv.close()
        raise


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is built first, and everything else shares."""

    documents: Documents
    hub: InventoryHub
    houses: Houses
    journal: Journal
    watch: Watch
    marks: Fingerprints
    facts: FactsMemory
    blind: bool


@dataclass(slots=True)
class _Builder:
    around: Surroundings
    kv: KvStore

    async def build(self) -> Desk:
        config, clock = self.around.config, self.around.clock
        state = StorePath(config.store.state.strip("/"))
        documents = Documents(self.kv, state)
        await self.kv.mount_limits(state)
        marks, blind = await self._marks(documents)
        facts = FactsMemory(documents, clock, self._breathe, writes=not self.around.looks_only)
        sealer = await self._sealer(documents)
        journal = Journal(documents, sealer)
        inventory = self._shelf(facts, state) if blind else self._inventory(marks, state)
        hub = InventoryHub(inventory, clock)
        houses = Houses(self._open_exchange)
        watch = Watch(documents, clock)
        telling = self._telling()
        parts = _Parts(documents, hub, houses, journal, watch, marks, facts, blind)
        passes = self._passes(parts)
        publisher = Publisher(self.kv, marks)
        desk: Desk | None = None

        def skew() -> float | None:
            return desk.skew if desk is not None else None

        tools = Tools(
            clock=clock,
            hub=hub,
            journal=journal,
            publisher=publisher,
            watch=watch,
            exchanges=houses,
            marks=marks,
            standstill=passes.standstill,
            skew=skew,
            audit_head=lambda: f"{telling.audit.head.seq}:{telling.audit.head.hash}",
            remember=self.around.redactor.remember_all,
        )
        opener = Opener(
            tools,
            Preflight(self.kv, documents),
            passes.rejudge,
            secrets.token_bytes,
            passes.known,
            passes.owner,
        )
        rotations = Rotations(
            tools,
            Effects.over(tools),
            opener,
            telling,
            asyncio.Event(),
            lambda record: desk.pins_problem(record) if desk is not None else None,
        )
        remover = Remover(
            hub,
            passes.listings,
            journal,
            publisher,
            watch,
            houses,
            clock,
            Paths(config.rotation.armed),
            _Probing(tools, houses),
            passes.standstill,
        )
        tidy = Tidy(hub, passes.listings, journal, Sightings(documents), remover, clock)
        desk = Desk(
            kv=self.kv,
            clock=clock,
            passes=passes,
            rotations=rotations,
            tidy=tidy,
            watch=watch,
            journal=journal,
            houses=houses,
            telling=telling,
            metrics=self.around.metrics,
            limits=limits(config),
            policies=policies(config),
            rotates=sealer is not None and not self.around.looks_only,
        )
        passes.owed = desk.owes
        return desk

    async def _sealer(self, documents: Documents) -> Sealer | None:
        """The sealing key is the rotate role's alone: without it nothing is rotated."""
        if self.around.looks_only:
            return None
        try:
            return await load_sealer(documents)
        except StoreDenied:
            return None

    async def _marks(self, documents: Documents) -> tuple[Fingerprints, bool]:
        """Return the fingerprints, and whether this login must do without values."""
        if not self.around.looks_only:
            return await load_fingerprints(documents), False
        try:
            made = (await documents.read(documents.pepper)).exists
        except StoreDenied as denied:
            if not self.around.recalls:
                raise SetupError(
                    f"{denied}: this command must read the keys, and this login may not. "
                    "Use the daemon's login, or: rotator status"
                ) from None
            return Fingerprints(secrets.token_bytes(KEY_BYTES)), True
        if made:
            return await load_fingerprints(documents), False
        return Fingerprints(secrets.token_bytes(KEY_BYTES)), False

    def _shelf(self, facts: FactsMemory, state: StorePath) -> Shelf:
        config = self.around.config
        return Shelf(
            self.kv,
            [StorePath(p.strip("/")) for p in config.store.paths],
            state,
            RuleBook(rules(config)),
            self.around.clock.now,
            lambda credential, metadata: _remembered_mark(facts, credential, metadata),
        )

    def _inventory(self, marks: Fingerprints, state: StorePath) -> Inventory:
        config = self.around.config
        return Inventory(
            self.kv,
            [StorePath(p.strip("/")) for p in config.store.paths],
            state,
            RuleBook(rules(config)),
            marks,
            clock=self.around.clock.now,
            breathe=self._breathe,
            needs_age=_age_is_ours,
        )

    async def _breathe(self) -> None:
        await self.around.clock.sleep(0)

    def _open_exchange(self, name: ExchangeName, environment: str) -> Exchange:
        metrics, clock = self.around.metrics, self.around.clock
        answers = exchange_answers(metrics, name, clock.now)
        return open_exchange_for(self.around.config, name, environment, clock, answers)

    def _telling(self) -> Telling:
        around, metrics = self.around, self.around.metrics
        file = around.config.audit.file
        audit = AuditLog(
            Path(file) if file and not around.looks_only else None,
            around.clock.now,
            around.redactor,
            written=metrics.audit_written,
            failed=metrics.audit_failed,
        )
        if not around.looks_only:
            audit.open()
        return Telling(log.logger(), metrics, audit, around.clock)

    def _passes(self, parts: _Parts) -> PassRunner:
        clock, every = self.around.clock, self.around.config.every
        facts = parts.facts
        keys = _SigningKeys(parts.hub, self.around.redactor)
        return PassRunner(
            epoch=Epoch(parts.documents, self._anchor(parts)),
            hub=parts.hub,
            looks=Looks(
                parts.houses,
                keys,
                facts,
                clock,
                self._breathe,
                every.inspect,
                recalls=self.around.recalls,
            ),
            listings=Listings(
                parts.houses, keys, parts.journal, parts.marks, clock, self._breathe, every.tidy
            ),
            facts=facts,
            journal=parts.journal,
            watch=parts.watch,
            houses=parts.houses,
            settings=self._settings(parts.documents.prefix),
            clock=clock,
            breathe=self._breathe,
            raises=not self.around.looks_only,
            notes=(BLIND,) if parts.blind else (),
        )

    def _settings(self, state: StorePath) -> Settings:
        config = self.around.config
        return Settings(
            policies=policies(config),
            limits=limits(config),
            paths=tuple(StorePath(p.strip("/")) for p in config.store.paths),
            state=state,
            egress={ExchangeName(n): e.egress for n, e in config.exchanges.items()},
            armed_since=self.around.armed_since,
        )

    def _anchor(self, parts: _Parts) -> Anchor:
        if parts.blind:
            return Elsewhere()
        return anchor_of(self.around.config, self.around.environ, self.around.clock)


@dataclass(frozen=True, slots=True)
class _SigningKeys:
    """Hands out stored keys, their secrets known to the redactor from then on."""

    hub: InventoryHub
    redactor: Redactor

    def __call__(self, name: CredentialName) -> SigningKey | None:
        key = self.hub.signing_key(name)
        if key is not None:
            self.redactor.remember_all(key.secrets)
        return key


@dataclass(frozen=True, slots=True)
class _Probing:
    """Says whether the key that a credential's path serves is alive (the tidy's rule 5)."""

    tools: Tools
    houses: Houses

    async def __call__(self, credential: Credential) -> Liveness:
        house = self.houses.get(credential.exchange, credential.environment)
        state = await self.tools.publisher.read(credential.path, credential.fields)
        if house is None or state.key is None:
            return Liveness.UNKNOWN
        parent = self.tools.signing_key(credential.parent)
        witness = Witness(parent, credential.account, may_list=parent is not None)
        return (await Prober(house, self.tools.clock).probe(state.key, witness)).liveness


def _remembered_mark(
    facts: FactsMemory, credential: Credential, metadata: Metadata
) -> Fingerprint | None:
    """Return the key that the daemon has seen at a path since it was last written."""
    told, current = facts.remembered(credential.name), metadata.version(metadata.current)
    if told is None or told.seen_at is None or current is None:
        return None
    return told.key_fp if told.seen_at >= current.created_at else None


def _age_is_ours(credential: Credential) -> bool:
    """Say whether older versions must tell a key's age, because its exchange does not."""
    can = capabilities_of(credential.exchange) if credential.exchange else None
    return can is None or "created" not in can.shows
