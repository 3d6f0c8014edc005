"""What the checks look at: one credential, its key, and what stands around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from rotator.core.due import Due, Why, born, due_of, expiry, violates
from rotator.core.facts import Credential, KeyFacts, Look, Never, StoredKey, Validity
from rotator.core.findings import Code
from rotator.core.names import AccountId, CredentialName, ExchangeName, KeyId, RotationId
from rotator.core.policy import PROGRAM, ExchangeTraits, Policy, Strategy, resolve_strategy

DEAD = frozenset({Validity.INVALID, Validity.EXPIRED})


class Standing(StrEnum):
    """What is known of a credential's parent."""

    WORKS = "works"
    MISSING = "missing"
    INVALID = "invalid"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key that a listing shows and that no credential has.

    `code` is FOREIGN_KEY, UNSERVED_KEY or STRAY_KEY.
    """

    code: Code
    key_id: KeyId
    label: str | None = None
    account: AccountId | None = None
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OpenRotation:
    """An open record in short.

    `question` with `answers` is set in quarantine; `owed` says why a deletion was
    refused.
    """

    rotation: RotationId
    phase: str
    started_at: datetime
    deadline: datetime | None = None
    question: str | None = None
    answers: tuple[str, ...] = ()
    owed: str | None = None


@dataclass(frozen=True, slots=True)
class Slots:
    """How many keys an account holds, of how many that it may hold."""

    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class Incident:
    """Many keys of one exchange that died at about the same time."""

    exchange: ExchangeName
    credentials: frozenset[CredentialName]
    inspected: int


@dataclass(frozen=True, slots=True)
class Context:
    """What stands around a credential.  The defaults say that nothing is wrong.

    `last_facts` are those of the key now at the path, from an earlier look.
    `known_policy` is False where the credential names a policy that is not
    configured.  `listed` are the keys of a listing that hang on this credential.
    `same_key` names the other places that hold this key.  `cannot_reproduce`
    says why a create call could not make what the key has.  `egress` are our own
    addresses as configured.  `serves_as_parent` is True where another credential
    names this one.
    """

    traits: ExchangeTraits | None = None
    last_facts: KeyFacts | None = None
    known_policy: bool = True
    armed: bool = False
    parent: Standing = Standing.WORKS
    parent_reason: str = ""
    serves_as_parent: bool = False
    listed: tuple[ListedKey, ...] = ()
    rotation: OpenRotation | None = None
    incident: Incident | None = None
    same_key: tuple[str, ...] = ()
    slots: Slots | None = None
    cannot_reproduce: str | None = None
    egress: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckInput:
    """One credential at one instant: what store and exchange say, and the policy over it."""

    credential: Credential
    stored: StoredKey | None
    look: Look | None
    policy: Policy
    now: datetime
    context: Context = field(default_factory=Context)


@dataclass(frozen=True, slots=True)
class Case:
    """A check's input with what follows from it, computed once.

    `known` are the newest facts, from this look or an earlier one; `powers` the
    same for a key that is not dead.
    """

    input: CheckInput
    strategy: Strategy
    known: KeyFacts | None
    created: datetime | None
    expires: datetime | Never | None
    due: Due | None

    @classmethod
    def of(cls, given: CheckInput) -> Case:
        """Work out strategy, age, expiry and due time."""
        context = given.context
        strategy = resolve_strategy(
            given.credential,
            given.policy,
            context.traits,
            serves_as_parent=context.serves_as_parent,
        )
        known = (given.look.facts if given.look else None) or context.last_facts
        created = born(given.stored, known, given.now)
        expires = expiry(known, context.traits, created)
        due = due_of(
            given.credential.name,
            given.policy,
            known,
            created,
            expires,
            jitter=strategy in PROGRAM,
        )
        if violates(given.policy, given.look.facts if given.look else None, context.last_facts):
            due = Due(given.now, given.now, Why.VIOLATION)
        return cls(given, strategy, known, created, expires, due)

    @property
    def credential(self) -> Credential:
        """The credential."""
        return self.input.credential

    @property
    def name(self) -> CredentialName:
        """The credential's name."""
        return self.input.credential.name

    @property
    def policy(self) -> Policy:
        """The policy over it."""
        return self.input.policy

    @property
    def now(self) -> datetime:
        """The instant of the judgement."""
        return self.input.now

    @property
    def context(self) -> Context:
        """What stands around it."""
        return self.input.context

    @property
    def validity(self) -> Validity | None:
        """What the look came to; None if there was none."""
        return self.input.look.validity if self.input.look else None

    @property
    def facts(self) -> KeyFacts | None:
        """The facts of this very look."""
        return self.input.look.facts if self.input.look else None

    @property
    def last(self) -> KeyFacts | None:
        """Earlier facts of the same key, if this look has facts to compare them with."""
        facts, last = self.facts, self.context.last_facts
        if facts is None or last is None or facts.key_id != last.key_id:
            return None
        return last

    @property
    def powers(self) -> KeyFacts | None:
        """The newest facts of a key that is not dead."""
        return None if self.validity in DEAD else self.known

    @property
    def key_id(self) -> str | None:
        """The public key id, from the store or the facts."""
        stored = self.input.stored
        return (stored.key_id if stored else None) or (self.known.key_id if self.known else None)

    @property
    def by_program(self) -> bool:
        """Say whether a program carries out this credential's strategy."""
        return self.strategy in PROGRAM

    @property
    def is_due(self) -> bool:
        """Say whether a rotation is due now."""
        return self.due is not None and self.due.at <= self.now

    @property
    def closed(self) -> bool:
        """Say whether the credential's exchange is closed."""
        traits = self.context.traits
        return traits is not None and traits.closed(self.now)

    @property
    def lacks_parent(self) -> bool:
        """Say whether the strategy wants a parent and none is named or found."""
        traits = self.context.traits
        if not self.by_program or traits is None or not traits.needs_parent:
            return False
        return self.credential.parent is None or self.context.parent is Standing.MISSING
