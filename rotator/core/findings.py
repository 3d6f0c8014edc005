"""Findings, verdicts and reason codes: what the checks report.

A reason code is a constant with one severity and one cure; the sentence is
written by the check that found it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rotator.core.names import CredentialName


class Severity(StrEnum):
    """How much a finding matters: critical pages, warning is a ticket, info is told."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Verdict(StrEnum):
    """The sum of a credential's findings."""

    HEALTHY = "healthy"
    DUE = "due"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


class Code(StrEnum):
    """Every reason code that a check can give."""

    WITHDRAW_ENABLED = "WithdrawEnabled"
    FOREIGN_KEY = "ForeignKey"
    UNSERVED_KEY = "UnservedKey"
    INVALID = "Invalid"
    EXPIRED = "Expired"
    WRONG_ACCOUNT = "WrongAccount"
    EXPIRY_IMMINENT = "ExpiryImminent"
    ROTATION_STUCK = "RotationStuck"
    REVOCATION_OWED = "RevocationOwed"
    MASS_INVALIDATION = "MassInvalidation"
    STORE_RESTORED = "StoreRestored"
    OVERDUE = "Overdue"
    EXPIRES_SOON = "ExpiresSoon"
    EXPIRY_PULLED_IN = "ExpiryPulledIn"
    OVERSCOPED = "Overscoped"
    UNDERSCOPED = "Underscoped"
    NO_ADDRESS_LIST = "NoAddressList"
    ADDRESS_DRIFT = "AddressDrift"
    SCOPE_DRIFT = "ScopeDrift"
    IP_BLOCKED = "IpBlocked"
    PERMISSION_DENIED = "PermissionDenied"
    UNREACHABLE = "Unreachable"
    WRONG_ENVIRONMENT = "WrongEnvironment"
    SAME_KEY_TWICE = "SameKeyTwice"
    METADATA_MALFORMED = "MetadataMalformed"
    AGE_UNKNOWN = "AgeUnknown"
    STRAY_KEY = "StrayKey"
    WILL_SELF_DELETE = "WillSelfDelete"
    WEAK_KEY_TYPE = "WeakKeyType"
    PARENT_MISSING = "ParentMissing"
    PARENT_INVALID = "ParentInvalid"
    PARENT_OVERSCOPED = "ParentOverscoped"
    SLOTS_FULL = "SlotsFull"
    CANNOT_REPRODUCE = "CannotReproduce"
    VANTAGE_BLOCKED = "VantageBlocked"
    EXCHANGE_CLOSING = "ExchangeClosing"
    EXCHANGE_CLOSED = "ExchangeClosed"
    DUE_SOON = "DueSoon"
    NO_CONSUMERS = "NoConsumers"
    DORMANT = "Dormant"
    ADDRESS_UNKNOWN = "AddressUnknown"
    NOT_ARMED = "NotArmed"
    PATHS_INCOMPLETE = "PathsIncomplete"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person should know: what, how bad, and what to do."""

    credential: CredentialName
    code: Code
    severity: Severity
    message: str
    cure: str
