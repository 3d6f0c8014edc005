"""The journal record of one rotation, and its codec.

A record is everything that a driver must know to go on after it has forgotten
all else.  It lives in one document per path, under compare-and-set; its secrets
are sealed by the codec's caller, and a closed record (a tombstone) holds none.

Version 1 is the only version.  `decode` refuses what it does not know: a record
that does not decode is treated as open and quarantined, never as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from rotator.core.issue import KeySpec
from rotator.core.names import (
    AccountId,
    CredentialName,
    ExchangeName,
    Fingerprint,
    KeyId,
    RotationId,
    Secrets,
    Sensitive,
    SigningKey,
    StorePath,
)

RECORD_VERSION = 1
LABEL_PREFIX = "rk"
ROTATION_LENGTH = 8
MAX_STEPS = 200


class Phase(StrEnum):
    """Where a rotation stands; DONE and ABORTED are tombstones."""

    CREATING = "CREATING"
    STAGED = "STAGED"
    VERIFIED = "VERIFIED"
    DRAINING = "DRAINING"
    ROLLING_BACK = "ROLLING_BACK"
    DRAINING_BACK = "DRAINING_BACK"
    REVOKING = "REVOKING"
    PROVING = "PROVING"
    ABORTING = "ABORTING"
    CLOSING = "CLOSING"
    QUARANTINED = "QUARANTINED"
    DONE = "DONE"
    ABORTED = "ABORTED"


class Revoke(StrEnum):
    """By which proof the old key may be deleted."""

    MANUAL = "manual"
    ACKED = "acked"
    DRAIN = "drain"


class Verify(StrEnum):
    """How a new key is verified: by its own sign-in, or by its parent's list."""

    SELF = "self"
    LIST = "list"


class Trigger(StrEnum):
    """Why a rotation was begun."""

    DUE = "due"
    EXPIRY = "expiry"
    MANUAL = "manual"
    COMPROMISE = "compromise"


@dataclass(frozen=True, slots=True)
class Pins:
    """What must not change under a running rotation (rule 8)."""

    exchange: ExchangeName
    environment: str
    host: str
    account: AccountId
    parent: CredentialName | None
    parent_account: AccountId | None
    fields: tuple[tuple[str, str], ...]
    path_created: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """What the policy and the exchange said when the rotation was opened."""

    verify: Verify = Verify.SELF
    revoke: Revoke = Revoke.MANUAL
    drain: timedelta = timedelta(hours=2)
    consumers: tuple[str, ...] = ()
    lists_keys: bool = True
    activation: timedelta = timedelta(0)
    revocation: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Step:
    """One audit step: when, where the record went, and why."""

    at: datetime
    phase: Phase
    why: str


@dataclass(frozen=True, slots=True)
class Record:
    """One rotation.  Which fields are set follows from the phase; see the table.

    `permits` are the path versions over which a Publish was ever permitted;
    `old_fields` the old key's secrets, kept from VERIFIED until the record
    closes; `retire` the versions with the old key that are hidden before it is
    deleted, `withdraw` those with a new key that goes; `left` the phase that a
    quarantined record left, `answers` what its question takes, `refused` why the
    last answer was not obeyed.
    """

    rotation: RotationId
    credential: CredentialName
    path: StorePath
    strategy: str
    trigger: Trigger
    phase: Phase
    pins: Pins
    terms: Terms
    spec: KeySpec
    old_key_id: KeyId
    old_fingerprint: Fingerprint
    started_at: datetime
    phase_since: datetime
    written_at: datetime
    v0: int
    attempt: int = 1
    counted: int = 1
    passphrase: Sensitive | None = None
    new: SigningKey | None = None
    old_fields: Secrets | None = None
    permits: tuple[int, ...] = ()
    publish_over: int | None = None
    overwrite: bool = False
    v1: int | None = None
    drain_since: datetime | None = None
    drain_until: datetime | None = None
    path_version: int | None = None
    retire: tuple[int, ...] = ()
    proof: str = ""
    looks: str = ""
    outcome: Phase | None = None
    rolled_back: bool = False
    why: str = ""
    alarm: str = ""
    question: str = ""
    left: Phase | None = None
    obeyed: int = 0
    deleted_at: datetime | None = None
    steps: tuple[Step, ...] = ()
    withdraw: tuple[int, ...] = ()
    answers: tuple[str, ...] = ()
    refused: str = ""

    @property
    def label(self) -> str:
        """The label of the current attempt's key (at most 16 characters)."""
        return label_of(self.rotation, self.attempt)

    @property
    def closed(self) -> bool:
        """True for a tombstone."""
        return self.phase in (Phase.DONE, Phase.ABORTED)

    @property
    def end(self) -> Phase:
        """How the rotation ended, or how it ends once it is at CLOSING."""
        return self.phase if self.closed else self.outcome or Phase.ABORTED

    @property
    def asks(self) -> str:
        """The question that a person must answer, after what became of the last answer."""
        return f"{self.refused}. {self.question}" if self.refused else self.question

    @property
    def ever_verified(self) -> bool:
        """True if a Publish was ever permitted."""
        return bool(self.permits)

    @property
    def highest_permit(self) -> int:
        """The highest path version over which a Publish was permitted; 0 = none."""
        return max(self.permits, default=0)


def label_of(rotation: str, attempt: int) -> str:
    """Return the label of one attempt's key: `rk<rotation><attempt>`."""
    return f"{LABEL_PREFIX}{rotation}{attempt}"


def read_label(label: str | None) -> tuple[RotationId, int] | None:
    """Return the rotation and attempt that a label names; None if it is not ours."""
    if not label or not label.startswith(LABEL_PREFIX):
        return None
    rest = label[len(LABEL_PREFIX) :]
    rotation, attempt = rest[:ROTATION_LENGTH], rest[ROTATION_LENGTH:]
    if len(rotation) != ROTATION_LENGTH or not (attempt.isascii() and attempt.isdigit()):
        return None
    if not set(rotation) <= set("abcdefghijklmnopqrstuvwxyz234567"):
        return None
    return RotationId(rotation), int(attempt)


def without_secrets(record: Record) -> Record:
    """Return the record as people, the history and a tombstone may hold it."""
    new = record.new and SigningKey(record.new.key_id, Secrets())
    return replace(record, passphrase=None, new=new, old_fields=None)


def ended(record: Record) -> Record:
    """Return a record as the history keeps it: without secrets, and closed.

    The history is written at CLOSING, before the tombstone; it says how the rotation
    ends, because strays are judged by it.
    """
    return replace(without_secrets(record), phase=record.end)


def bears_secret(record: Record) -> bool:
    """Say whether any secret is in this record."""
    new = record.new is not None and bool(record.new.secrets.values())
    return bool(new or record.old_fields or record.passphrase)


class RecordProblem(Exception):
    """The document is no record that this version can read."""


# --- codec --------------------------------------------------------------------------

Seal = Callable[[Sensitive], str]
Unseal = Callable[[str], Sensitive]


def encode(record: Record, seal: Seal) -> dict[str, Any]:
    """Return the record as JSON data; every secret passed through `seal`."""
    data: dict[str, Any] = {"record_version": RECORD_VERSION}
    for f in fields(record):
        data[f.name] = _plain(getattr(record, f.name), seal)
    return data


def _plain(value: Any, seal: Seal) -> Any:
    if isinstance(value, Sensitive):
        return {"sealed": seal(value)}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, tuple):
        return [_plain(v, seal) for v in value]
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name), seal) for f in fields(value)}
    return value


def decode(data: Mapping[str, Any], unseal: Unseal) -> Record:
    """Return the record that `encode` wrote; raise RecordProblem otherwise."""
    try:
        version = data["record_version"]
        if version is True or version != RECORD_VERSION:
            raise RecordProblem(f"record version {str(version)[:20]!r} is not known")
        return _decode(data, unseal)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as e:
        raise RecordProblem(f"the record does not decode ({type(e).__name__})") from None


def _decode(d: Mapping[str, Any], unseal: Unseal) -> Record:
    new = d["new"]
    return Record(
        rotation=RotationId(_text(d["rotation"])),
        credential=CredentialName(_text(d["credential"])),
        path=StorePath(_text(d["path"])),
        strategy=_text(d["strategy"]),
        trigger=Trigger(d["trigger"]),
        phase=Phase(d["phase"]),
        pins=_pins(d["pins"]),
        terms=_terms(d["terms"]),
        spec=_spec(d["spec"]),
        old_key_id=KeyId(_text(d["old_key_id"])),
        old_fingerprint=Fingerprint(_text(d["old_fingerprint"])),
        started_at=_time(d["started_at"]),
        phase_since=_time(d["phase_since"]),
        written_at=_time(d["written_at"]),
        v0=_number(d["v0"]),
        attempt=_number(d["attempt"]),
        counted=_number(d["counted"]),
        passphrase=_secret(d["passphrase"], unseal),
        new=None if new is None else _signing_key(new, unseal),
        old_fields=None if d["old_fields"] is None else _secrets(d["old_fields"], unseal),
        permits=_numbers(d["permits"]),
        publish_over=_opt_number(d["publish_over"]),
        overwrite=_flag(d["overwrite"]),
        v1=_opt_number(d["v1"]),
        drain_since=_opt_time(d["drain_since"]),
        drain_until=_opt_time(d["drain_until"]),
        path_version=_opt_number(d["path_version"]),
        retire=_numbers(d["retire"]),
        proof=_text(d["proof"]),
        looks=_text(d["looks"]),
        outcome=None if d["outcome"] is None else Phase(d["outcome"]),
        rolled_back=_flag(d["rolled_back"]),
        why=_text(d["why"]),
        alarm=_text(d["alarm"]),
        question=_text(d["question"]),
        left=None if d["left"] is None else Phase(d["left"]),
        obeyed=_number(d["obeyed"]),
        deleted_at=_opt_time(d["deleted_at"]),
        steps=tuple(Step(_time(s["at"]), Phase(s["phase"]), _text(s["why"])) for s in d["steps"]),
        # Records of earlier releases have none of these.
        withdraw=_numbers(d.get("withdraw", ())),
        answers=tuple(_text(a) for a in d.get("answers", ())),
        refused=_text(d.get("refused", "")),
    )


def _pins(d: Mapping[str, Any]) -> Pins:
    parent, parent_account = d["parent"], d["parent_account"]
    return Pins(
        exchange=ExchangeName(_text(d["exchange"])),
        environment=_text(d["environment"]),
        host=_text(d["host"]),
        account=AccountId(_text(d["account"])),
        parent=None if parent is None else CredentialName(_text(parent)),
        parent_account=None if parent_account is None else AccountId(_text(parent_account)),
        fields=_pairs(d["fields"]),
        path_created=_time(d["path_created"]),
    )


def _terms(d: Mapping[str, Any]) -> Terms:
    return Terms(
        verify=Verify(d["verify"]),
        revoke=Revoke(d["revoke"]),
        drain=timedelta(seconds=d["drain"]),
        consumers=tuple(_text(c) for c in d["consumers"]),
        lists_keys=_flag(d["lists_keys"]),
        activation=timedelta(seconds=d["activation"]),
        revocation=timedelta(seconds=d["revocation"]),
    )


def _spec(d: Mapping[str, Any]) -> KeySpec:
    return KeySpec(
        account_id=AccountId(_text(d["account_id"])),
        native=tuple(_text(n) for n in d["native"]),
        flags=_pairs(d["flags"]),
        addresses=tuple(_text(a) for a in d["addresses"]),
    )


def _signing_key(d: Mapping[str, Any], unseal: Unseal) -> SigningKey:
    return SigningKey(KeyId(_text(d["key_id"])), _secrets(d["secrets"], unseal))


def _secrets(d: Mapping[str, Any], unseal: Unseal) -> Secrets:
    return Secrets(
        api_secret=_secret(d["api_secret"], unseal),
        private_key=_secret(d["private_key"], unseal),
        passphrase=_secret(d["passphrase"], unseal),
    )


def _secret(value: Any, unseal: Unseal) -> Sensitive | None:
    return None if value is None else unseal(_text(value["sealed"]))


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((_text(a), _text(b)) for a, b in value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false expected")
    return value


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("number expected")
    return value


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(_number(v) for v in value)


def _opt_number(value: Any) -> int | None:
    return None if value is None else _number(value)


def _time(value: Any) -> datetime:
    at = datetime.fromisoformat(_text(value))
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(UTC)


def _opt_time(value: Any) -> datetime | None:
    return None if value is None else _time(value)
