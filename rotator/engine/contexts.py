"""What stands around one credential: from all that a pass gathered to a check's input.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from rotator.core.checks import (
    CheckInput,
    Context,
    Judgement,
    ListedKey,
    OpenRotation,
    Slots,
    Standing,
    Watched,
)
from rotator.core.checks.inputs import DEAD
from rotator.core.facts import Credential, KeyFacts, Validity
from rotator.core.names import AccountId, CredentialName, ExchangeName, RotationId, StorePath
from rotator.core.policy import DEFAULT_POLICY, Policy
from rotator.core.saga.words import Order
from rotator.core.schedule import Candidate, Limits, Paths
from rotator.engine.derived import Derived, asked, open_rotation
from rotator.engine.houses import Houses
from rotator.engine.incidents import Incidents
from rotator.engine.looks import Kept, Looks
from rotator.engine.watch import Watch
from rotator.stores.held import KEY_FP, Entry
from rotator.stores.publisher import ROTATED_AT

UNREAD: Final = "unread"
"""The hold that everything is under while the holds cannot be read."""

Owed = Callable[[RotationId], str | None]
"""Says why a rotation's deletion was refused, None if it was not."""


def nothing_owed(_rotation: str) -> str | None:
    """Say that no deletion was refused."""
    return None


def account_of(credential: Credential, known: KeyFacts | None) -> AccountId | None:
    """Return the account of a credential, by its metadata or else by the exchange's word."""
    return credential.account or (known.account_id if known else None)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says of judging.

    `paths` and `state` as in `store:`; `egress` are our own addresses by
    exchange; `armed_since` is since when this process has seen the paths armed,
    None for a single run.
    """

    policies: Mapping[str, Policy]
    limits: Limits
    paths: tuple[StorePath, ...]
    state: StorePath
    egress: Mapping[ExchangeName, tuple[str, ...]] = field(default_factory=dict)
    armed_since: datetime | None = None

    def policy(self, name: str) -> Policy | None:
        """Return a policy that is configured, or the built-in one by its name."""
        built_in = DEFAULT_POLICY if name == DEFAULT_POLICY.name else None
        return self.policies.get(name, built_in)


@dataclass(frozen=True, slots=True)
class HoldBook:
    """The holds of one instant, their globs compiled once."""

    fault: bool
    holds: tuple[tuple[str, Paths], ...]

    @classmethod
    def of(cls, watch: Watch) -> HoldBook:
        """Take the holds that have not ended."""
        compiled = tuple((h.name, Paths([h.match])) for h in watch.holds)
        return cls(watch.fault is not None, compiled)

    def on(self, credential: Credential) -> tuple[str, ...]:
        """Return the names of the holds that cover a credential."""
        if self.fault:
            return (UNREAD,)
        if not self.holds:
            return ()
        return tuple(n for n, p in self.holds if p.cover(credential.path, credential.name))


@dataclass(frozen=True, slots=True)
class Around:
    """All that one pass gathered, as far as one credential's judgement needs it."""

    now: datetime
    settings: Settings
    armed: Paths
    houses: Houses
    looks: Looks
    entries: Mapping[CredentialName, Entry]
    complete: bool
    parents: frozenset[CredentialName]
    derived: Derived
    incidents: Incidents
    twins: Mapping[CredentialName, tuple[str, ...]]
    told: Mapping[CredentialName, tuple[ListedKey, ...]]
    slots: Callable[[Credential, KeyFacts | None], Slots | None]
    owed: Owed
    holds: HoldBook
    orders: Mapping[CredentialName, Order]

    def given(self, entry: Entry) -> CheckInput:
        """Return what the checks look at."""
        credential = entry.credential
        policy = self.settings.policy(credential.policy)
        kept = self.looks.kept(entry)
        return CheckInput(
            credential=self._with_problems(entry),
            stored=entry.stored,
            look=kept.look if kept else None,
            policy=policy or DEFAULT_POLICY,
            now=self.now,
            context=self._context(entry, kept, policy),
        )

    def _context(self, entry: Entry, kept: Kept | None, policy: Policy | None) -> Context:
        credential = entry.credential
        name, exchange = credential.name, credential.exchange
        known = self.looks.known(entry)
        parent, reason = self._parent(credential)
        return Context(
            traits=self.houses.traits(exchange),
            last_facts=kept.before if kept else known,
            known_policy=policy is not None,
            armed=self.armed.cover(credential.path, name),
            parent=parent,
            parent_reason=reason,
            serves_as_parent=name in self.parents,
            listed=self.told.get(name, ()),
            rotation=self._rotation(credential),
            incident=self.incidents.of(exchange) if exchange else None,
            same_key=self.twins.get(name, ()),
            slots=self.slots(credential, known),
            cannot_reproduce=self._irreproducible(credential, known, policy or DEFAULT_POLICY),
            egress=self.settings.egress.get(exchange, ()) if exchange else (),
        )

    def _with_problems(self, entry: Entry) -> Credential:
        """Tell a secret that cannot be used, or a host that is not there, as malformed."""
        credential = entry.credential
        wrong: list[tuple[str, str]] = []
        if entry.problem is not None:
            wrong.append(("secret", entry.problem))
        no_host = self.houses.problem(credential.exchange, credential.environment)
        if no_host is not None:
            wrong.append(("environment", no_host))
        if not wrong:
            return credential
        return replace(credential, malformed=(*credential.malformed, *wrong))

    def _parent(self, credential: Credential) -> tuple[Standing, str]:
        """Return how the parent stands; without a named one, the checks say what is missing."""
        if credential.parent is None:
            return Standing.WORKS, ""
        entry = self.entries.get(credential.parent)
        if entry is None:
            return (Standing.MISSING if self.complete else Standing.UNKNOWN), ""
        if entry.credential.exchange != credential.exchange:
            return Standing.INVALID, "it is a key of another exchange"
        kept = self.looks.kept(entry)
        if entry.problem is not None and kept is None:
            return Standing.INVALID, entry.problem
        if kept is None:
            return Standing.UNKNOWN, ""
        if kept.look.validity is Validity.VALID:
            return Standing.WORKS, ""
        failure = kept.look.failure
        reason = failure.message if failure else kept.look.validity.value
        return (Standing.INVALID if kept.look.validity in DEAD else Standing.UNKNOWN), reason

    def _rotation(self, credential: Credential) -> OpenRotation | None:
        journaled = self.derived.open.get(credential.path)
        if journaled is None:
            return None
        record = journaled.record
        if record is not None and record.credential != credential.name:
            return None
        return open_rotation(journaled, self.now, self.owed(record.rotation) if record else None)

    def _irreproducible(
        self, credential: Credential, known: KeyFacts | None, policy: Policy
    ) -> str | None:
        """Ask the adapter, once the key's facts are known, whether create can make them."""
        traits = self.houses.traits(credential.exchange)
        if known is None or traits is None or not traits.rotates:
            return None
        house = self.houses.get(credential.exchange, credential.environment)
        return house.reproducible(known, policy.scopes.forbid) if house else None

    def candidate(self, entry: Entry, judgement: Judgement) -> Candidate:
        """Return a judged credential with what people and earlier rotations say of it."""
        credential = entry.credential
        path, name = credential.path, credential.name
        record = self.derived.record_at(path)
        if record is not None and record.credential != name:
            record = None
        return Candidate(
            judgement=judgement,
            holds=self.holds.on(credential),
            asked=asked(self.orders.get(name), entry.stored.version, record),
            rotated_before=self._rotated_before(entry),
            cooling_until=self.derived.cooling_until(path),
        )

    def _rotated_before(self, entry: Entry) -> bool:
        custom = entry.metadata.custom if entry.metadata else {}
        ours = ROTATED_AT in custom and custom.get(KEY_FP) == entry.stored.key_fp
        return ours or self.derived.rotated_before(entry.credential.path)

    def watched(self, entry: Entry) -> Watched | None:
        """Return what counts for a mass death; None for a key that was never looked at."""
        kept = self.looks.kept(entry)
        exchange = entry.credential.exchange
        if kept is None or exchange is None:
            return None
        return Watched(
            entry.credential.name, exchange, kept.look.validity, kept.dead_looks, kept.was_alive
        )
