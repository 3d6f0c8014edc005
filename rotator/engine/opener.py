"""Opens a rotation: look again at everything, then write the CREATING record.

The order is the contract: the journal's version first, then the path, then the
key just read (facts of another key do not count), then the judgement again, then
the budget, then the clock, then the record by compare-and-set on that version.
Whatever changed in between makes the write fail or the judgement say no.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rotator.core.checks.inputs import DEAD
from rotator.core.facts import Credential, KeyFacts, Look, Validity
from rotator.core.issue import KeySpec
from rotator.core.names import AccountId, CredentialName, RotationId, SigningKey
from rotator.core.outcome import Failure, StoreConflict, StoreError
from rotator.core.policy import Policy
from rotator.core.record import Phase, Pins, Record, Step, Terms, Trigger, Verify
from rotator.core.saga.words import Moment
from rotator.engine.clock import moment
from rotator.engine.tools import Tools
from rotator.exchanges.exchange import Exchange
from rotator.exchanges.port import Operation
from rotator.stores.preflight import Preflight
from rotator.stores.publisher import PathState

Entropy = Callable[[int], bytes]
Rejudge = Callable[[Credential, PathState, Look], str | None]
"""Judges a credential by a new look at the key just read; returns what blocks it."""

Known = Callable[[Credential, PathState], KeyFacts | None]
"""What was known of the very key that a path holds, from an earlier look."""

ROTATION_BYTES = 5


Owner = Callable[[CredentialName], AccountId | None]
"""The account of a credential's key, as the exchange told it; None if it is not known."""


def nobody_known(_name: CredentialName) -> None:
    """Say that no account is known."""


def nothing_known(_credential: Credential, _state: PathState) -> KeyFacts | None:
    """Say that no earlier look told anything."""
    return None


@dataclass(frozen=True, slots=True)
class Wish:
    """A rotation that the schedule lets open."""

    credential: Credential
    policy: Policy
    trigger: Trigger


@dataclass(frozen=True, slots=True)
class Opened:
    """A CREATING record that is ours: its version, and the clocks before it was written."""

    record: Record
    version: int
    at: Moment
    state: PathState


@dataclass(frozen=True, slots=True)
class NotOpened:
    """Why nothing was opened; nothing was changed anywhere."""

    reason: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a rotation stands on, as just read and judged."""

    exchange: Exchange
    state: PathState
    key: SigningKey
    spec: KeySpec
    path_created: datetime


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens rotations one by one."""

    tools: Tools
    preflight: Preflight
    rejudge: Rejudge
    entropy: Entropy
    known: Known = nothing_known
    owner: Owner = nobody_known

    async def open(self, wish: Wish) -> Opened | NotOpened:
        """Open one rotation; a store without an answer is a reason, not an error."""
        try:
            return await self._open(wish)
        except StoreConflict:
            return NotOpened("somebody else opened a rotation of this path")
        except StoreError as error:
            return NotOpened(f"the store gives no answer: {error}")

    async def _open(self, wish: Wish) -> Opened | NotOpened:
        name, path = wish.credential.name, wish.credential.path
        problems = await self.preflight.problems(name, path)
        if problems:
            return NotOpened(problems[0].message, problems[0].cure)
        journaled = await self.tools.journal.read(path)
        if journaled.counts_as_open:
            return NotOpened("a rotation of this path is open")
        state = await self.tools.publisher.read(path, wish.credential.fields)
        metadata = await self.tools.publisher.glance(path)
        if state.key is None or metadata is None or metadata.current != state.version:
            return NotOpened("the path holds no whole key, or is being written")
        exchange = self._exchange(wish)
        if exchange is None:
            return NotOpened("the exchange has no adapter")
        look = await self._look(wish, exchange, state.key)
        blocked = self.rejudge(wish.credential, state, look)
        if blocked is not None:
            return NotOpened(blocked)
        facts = look.facts
        if facts is None and look.validity in DEAD:
            facts = self.known(wish.credential, state)
        spec = self._spec(wish, exchange, facts)
        if not isinstance(spec, KeySpec):
            return spec
        ground = Ground(exchange, state, state.key, spec, metadata.created_at)
        return await self._announce(self._record(wish, ground), ground, journaled.version)

    def _exchange(self, wish: Wish) -> Exchange | None:
        name = wish.credential.exchange
        if name is None:
            return None
        return self.tools.exchanges.get(name, wish.credential.environment)

    async def _look(self, wish: Wish, exchange: Exchange, key: SigningKey) -> Look:
        """Look at the key just read; its parent's list may stand in for a refused address."""
        look = await exchange.inspect(key)
        parent = self.tools.signing_key(wish.credential.parent)
        listable = wish.policy.verify is Verify.LIST and parent is not None
        if look.validity is not Validity.IP_BLOCKED or not listable or parent is None:
            return look
        listing = await exchange.list_keys(parent, wish.credential.account)
        if isinstance(listing, Failure):
            return look
        facts = next((k for k in listing.keys if k.key_id == key.key_id), None)
        return look if facts is None else Look(look.validity, facts, look.failure)

    def _spec(self, wish: Wish, exchange: Exchange, facts: KeyFacts | None) -> KeySpec | NotOpened:
        if facts is None:
            return NotOpened("what the key may do is not known, so it cannot be made again")
        spec = exchange.respec(facts, wish.policy.scopes.forbid)
        return NotOpened(f"cannot reproduce: {spec}") if isinstance(spec, str) else spec

    def _record(self, wish: Wish, ground: Ground) -> Record:
        now, credential = self.tools.clock.now(), wish.credential
        return Record(
            rotation=new_rotation(self.entropy),
            credential=credential.name,
            path=credential.path,
            strategy="overlap",
            trigger=wish.trigger,
            phase=Phase.CREATING,
            pins=self._pins(wish, ground),
            terms=_terms(wish, ground.exchange),
            spec=ground.spec,
            old_key_id=ground.key.key_id,
            old_fingerprint=self.tools.mark(ground.key),
            old_fields=ground.key.secrets,
            started_at=now,
            phase_since=now,
            written_at=now,
            v0=ground.state.version,
            steps=(Step(now, Phase.CREATING, f"opened: {wish.trigger}"),),
        )

    def _pins(self, wish: Wish, ground: Ground) -> Pins:
        credential = wish.credential
        parent = credential.parent
        return Pins(
            exchange=ground.exchange.name,
            environment=credential.environment,
            host=ground.exchange.origin.url,
            account=ground.spec.account_id,
            parent=parent,
            parent_account=None if parent is None else self.owner(parent),
            fields=tuple(sorted(credential.fields.items())),
            path_created=ground.path_created,
        )

    async def _announce(self, record: Record, ground: Ground, version: int) -> Opened | NotOpened:
        """Obtain the budget, read the clock, write the record: in this order."""
        parent = self.tools.signing_key(record.pins.parent)
        if parent is None:
            return NotOpened("the parent's key is not in the store")
        refused = await ground.exchange.take(Operation.CREATE, parent)
        if refused is not None:
            return NotOpened(f"no budget for a create: {refused.message}")
        at = moment(self.tools.clock)
        # Its settle time counts from the clock value that signs the create.
        record = replace(record, written_at=at.at)
        landed = await self.tools.journal.write(record, version)
        return Opened(record, landed, at, ground.state)


def _terms(wish: Wish, exchange: Exchange) -> Terms:
    policy, can = wish.policy, exchange.capabilities
    return Terms(
        verify=policy.verify,
        revoke=policy.revoke,
        drain=policy.drain,
        consumers=wish.credential.consumers or policy.consumers,
        lists_keys=can.lists_keys,
        activation=can.activation_delay or timedelta(0),
        revocation=can.revocation_delay or timedelta(0),
    )


def new_rotation(entropy: Entropy) -> RotationId:
    """Return 8 random characters of base32."""
    return RotationId(base64.b32encode(entropy(ROTATION_BYTES)).decode("ascii").lower())
