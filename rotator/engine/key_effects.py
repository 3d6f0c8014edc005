"""Effects at the exchange: create, look, delete."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from rotator.core.facts import KeyFacts
from rotator.core.findings import Code
from rotator.core.issue import IssuedKey
from rotator.core.liveness import Liveness
from rotator.core.names import ExchangeName, KeyId, SigningKey
from rotator.core.outcome import Failure, Happened, Meaning
from rotator.core.record import Phase, Record, Verify, read_label
from rotator.core.saga.words import (
    CreateKey,
    DeleteKey,
    DeleteOlder,
    Done,
    Inspect,
    Moment,
    Sight,
    Standstill,
    Which,
)
from rotator.engine.clock import moment
from rotator.engine.path_effects import STEP_LIMIT, PathEffects, old_key
from rotator.engine.prober import APART, Probe, Prober, Witness, used_at
from rotator.engine.tools import Tools
from rotator.exchanges.exchange import Exchange
from rotator.exchanges.port import Operation

NO_PARENT: Final = Failure(
    Meaning.OTHER, Happened.NOT_APPLIED, "the parent's key is not in the store"
)
NO_EXCHANGE: Final = Failure(Meaning.OTHER, Happened.NOT_APPLIED, "the exchange has no adapter")
DELETING: Final = frozenset({Phase.REVOKING, Phase.ABORTING})
SLEPT: Final = Failure.of(
    Meaning.CLOCK_SKEW,
    "not sent: more than 5 s had passed since the key that stays was looked at",
)


@dataclass(slots=True)
class KeyEffects:
    """Carries out one rotation's effects at its exchange."""

    tools: Tools
    path: PathEffects
    _probers: dict[tuple[ExchangeName, str], Prober] = field(default_factory=dict)

    def exchange(self, record: Record) -> Exchange | None:
        """Return the record's exchange in the record's environment."""
        return self.tools.exchanges.get(record.pins.exchange, record.pins.environment)

    def parent(self, record: Record) -> SigningKey | None:
        """Return the key that creates and deletes for this rotation."""
        return self.tools.signing_key(record.pins.parent)

    def no_parent(self, record: Record) -> Standstill | None:
        """Say why no key can be created for this rotation now; None if one can."""
        parent = record.pins.parent
        look = f"look with: rotator explain {record.credential}"
        if self.exchange(record) is None:
            sentence = f"the exchange {record.pins.exchange} is not set up here; {look}"
            return Standstill(sentence, Code.ROTATION_STUCK)
        if self.parent(record) is not None:
            return None
        if self.tools.hub.latest is None:
            return Standstill("waits for the first inventory, which reads the parent's key")
        sentence = f"no key of the parent {parent} could be read; put one there, then {look}"
        return Standstill(sentence, Code.PARENT_MISSING)

    async def create(self, record: Record, effect: CreateKey) -> IssuedKey | Failure:
        """Create the announced key; its budget was obtained before the record."""
        exchange, parent = self.exchange(record), self.parent(record)
        if exchange is None or parent is None:
            return NO_EXCHANGE if exchange is None else NO_PARENT
        if self._late(exchange, effect.signed_at):
            return SLEPT
        issued = await exchange.create_key(
            parent, record.spec, record.label, effect.signed_at.at, budgeted=True
        )
        if isinstance(issued, IssuedKey):
            self.tools.remember(issued.secrets)
        return issued

    async def inspect(self, record: Record, effect: Inspect) -> Sight:
        """Look whether a key lives, and whether the new one is what was asked for."""
        at = moment(self.tools.clock)
        if effect.again:
            await self.tools.clock.sleep(APART)
        exchange = self.exchange(record)
        key = await self._key(record, effect.which)
        if exchange is None or key is None:
            return Sight(Liveness.UNKNOWN, at, detail="there is no key that could be asked")
        await self._budget_deletion(record, exchange)
        probe = await self._prober(record, exchange).probe(key, self._witness(record, key.key_id))
        matches, difference = None, ""
        if effect.which is Which.NEW and probe.facts is not None:
            difference = differs(record, probe.facts)
            matches = not difference
        detail = difference or _looked(probe)
        return Sight(probe.liveness, probe.at, matches, used_at(probe), detail)

    async def _budget_deletion(self, record: Record, exchange: Exchange) -> None:
        """Obtain the budget of a deletion before the look that it will be signed with.

        If there is none now, the deletion is refused for being late, and tried again.
        """
        parent = self.parent(record)
        if record.phase in DELETING and parent is not None:
            await exchange.take(Operation.DELETE, parent)

    async def _key(self, record: Record, which: Which) -> SigningKey | None:
        match which:
            case Which.NEW:
                return record.new
            case Which.OLD:
                return old_key(record)
            case Which.SERVED:
                return await self.path.served_key(record)

    def _prober(self, record: Record, exchange: Exchange) -> Prober:
        place = (record.pins.exchange, record.pins.environment)
        if place not in self._probers:
            self._probers[place] = Prober(exchange, self.tools.clock)
        return self._probers[place]

    def _witness(self, record: Record, key_id: KeyId) -> Witness:
        known = record.new.key_id if record.new and record.new.key_id != key_id else None
        return Witness(
            parent=self.parent(record),
            account=record.pins.account,
            may_list=record.terms.verify is Verify.LIST,
            known_alive=known or (record.old_key_id if record.old_key_id != key_id else None),
        )

    async def delete(self, record: Record, effect: DeleteKey) -> Done | Failure:
        """Delete one key; absent is success."""
        key_id = record.old_key_id if effect.which is Which.OLD else None
        if effect.which is Which.NEW and record.new is not None:
            key_id = record.new.key_id
        if key_id is None:
            return Done()
        return await self._delete(record, key_id, effect.signed_at)

    async def delete_older(self, record: Record, effect: DeleteOlder) -> Done | Failure:
        """List the account's keys, then delete those of this rotation's older attempts."""
        exchange, parent = self.exchange(record), self.parent(record)
        if exchange is None or parent is None:
            return NO_EXCHANGE if exchange is None else NO_PARENT
        listing = await exchange.list_keys(parent, record.pins.account)
        if isinstance(listing, Failure):
            return listing
        for key in listing.keys:
            if key.key_id is None or not _older(record, key, effect.before):
                continue
            await exchange.take(Operation.DELETE, parent)
            answer = await self._delete(record, key.key_id, effect.signed_at)
            if isinstance(answer, Failure):
                return answer
        if not listing.complete:
            return Failure.of(Meaning.OTHER, "the list of keys is not complete")
        return Done()

    async def _delete(self, record: Record, key_id: KeyId, signed_at: Moment) -> Done | Failure:
        exchange, parent = self.exchange(record), self.parent(record)
        if exchange is None or parent is None:
            return NO_EXCHANGE if exchange is None else NO_PARENT
        if self._late(exchange, signed_at):
            return SLEPT
        failed = await exchange.delete_key(
            parent, record.pins.account, key_id, signed_at.at, budgeted=True
        )
        if failed is None or failed.happened is Happened.GONE:
            return Done()
        return failed

    def _late(self, exchange: Exchange, since: Moment) -> bool:
        """Say whether a request signed then must not be sent any more."""
        window = exchange.capabilities.receive_window
        limit = min(STEP_LIMIT, (window or timedelta(seconds=STEP_LIMIT)).total_seconds())
        return self.tools.clock.monotonic() - since.mono > limit


def differs(record: Record, facts: KeyFacts) -> str:
    """Say how a new key differs from what was asked for; empty if it does not.

    What the exchange does not tell cannot differ.
    """
    spec = record.spec
    told = (
        ("label", facts.label, record.label),
        ("account", facts.account_id, record.pins.account),
        ("permissions", _sorted(facts.native), _sorted(spec.native)),
        ("addresses", _sorted(facts.ip_allowlist), _sorted(spec.addresses)),
    )
    wrong = [name for name, has, wants in told if has is not None and has != wants]
    flags = dict(facts.native_flags)
    wrong += [name for name, value in spec.flags if flags.get(name, value) != value]
    return f"the new key's {', '.join(wrong)} differ" if wrong else ""


def _sorted(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(sorted(values))


def _older(record: Record, key: KeyFacts, before: int) -> bool:
    named = read_label(key.label)
    return named is not None and named[0] == record.rotation and named[1] < before


def _looked(probe: Probe) -> str:
    return f"signed in; {probe.detail}" if probe.liveness is Liveness.ALIVE else probe.detail
