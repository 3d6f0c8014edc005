"""Did it happen, and may it be tried again?  The one taxonomy of errors.

Every exchange answer, every transport fault and every store answer is mapped to
one of these values before it leaves its adapter; nothing above an adapter looks
at a status code or an exception.

    Failure
      meaning      what the other side said, one word of `Meaning`
      happened     NOT_APPLIED | UNKNOWN | REFUSED | GONE
      candidates   meanings that the answer covers, when it covers several

`NOT_APPLIED`  the request surely changed nothing and may be sent again
`UNKNOWN`      it may have been applied: ask before acting again
`REFUSED`      surely changed nothing, and the same request will be refused again
`GONE`         the key addressed does not exist: nothing is left to do
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Happened(StrEnum):
    """Whether a request was applied."""

    NOT_APPLIED = "not_applied"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    GONE = "gone"


class Meaning(StrEnum):
    """What an exchange says when it does not say yes."""

    INVALID_KEY = "invalid_key"
    BAD_SIGNATURE = "bad_signature"
    CLOCK_SKEW = "clock_skew"
    IP_BLOCKED = "ip_blocked"
    PERMISSION_DENIED = "permission_denied"
    EXPIRED = "expired"
    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    MAINTENANCE = "maintenance"
    UNKNOWN_OUTCOME = "unknown_outcome"
    NOT_FOUND = "not_found"
    QUOTA_EXCEEDED = "quota_exceeded"
    BAD_REQUEST = "bad_request"
    NEEDS_2FA = "needs_2fa"
    OTHER = "other"


HAPPENED: dict[Meaning, Happened] = {
    Meaning.INVALID_KEY: Happened.REFUSED,
    Meaning.BAD_SIGNATURE: Happened.REFUSED,
    Meaning.CLOCK_SKEW: Happened.NOT_APPLIED,
    Meaning.IP_BLOCKED: Happened.REFUSED,
    Meaning.PERMISSION_DENIED: Happened.REFUSED,
    Meaning.EXPIRED: Happened.REFUSED,
    Meaning.RATE_LIMITED: Happened.NOT_APPLIED,
    Meaning.BANNED: Happened.NOT_APPLIED,
    Meaning.MAINTENANCE: Happened.NOT_APPLIED,
    Meaning.UNKNOWN_OUTCOME: Happened.UNKNOWN,
    Meaning.NOT_FOUND: Happened.GONE,
    Meaning.QUOTA_EXCEEDED: Happened.REFUSED,
    Meaning.BAD_REQUEST: Happened.REFUSED,
    Meaning.NEEDS_2FA: Happened.REFUSED,
    Meaning.OTHER: Happened.UNKNOWN,
}
"""The column "a mutation that gets it" of the error meanings."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call gave no result.

    `message` is fit to be shown (bounded, escaped, no secret); `code` is the
    exchange's own code or the exception's name; `retry_after` is how long the
    other side asks us to stay away.
    """

    meaning: Meaning
    happened: Happened
    message: str = ""
    code: str = ""
    candidates: tuple[Meaning, ...] = ()
    retry_after: timedelta | None = None

    @classmethod
    def of(
        cls,
        meaning: Meaning,
        message: str = "",
        *,
        code: str = "",
        candidates: tuple[Meaning, ...] = (),
        retry_after: timedelta | None = None,
        happened: Happened | None = None,
    ) -> Failure:
        """Build a failure whose `happened` follows from its meaning unless given."""
        verdict = HAPPENED[meaning] if happened is None else happened
        return cls(meaning, verdict, message, code, candidates, retry_after)


class ExchangeError(Exception):
    """Carries a `Failure` out of an exchange adapter; the only error that leaves one."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.meaning}: {failure.message}")
        self.failure = failure


class StoreError(Exception):
    """The store gave no usable answer.

    `happened` tells a write's fate; `status` is the HTTP status where there was
    one; `sealed` is set by a Vault that says it is sealed.
    """

    def __init__(
        self,
        message: str,
        *,
        happened: Happened = Happened.NOT_APPLIED,
        status: int | None = None,
        sealed: bool = False,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.happened = happened
        self.status = status
        self.sealed = sealed
        self.retry_after = retry_after


class StoreDenied(StoreError):
    """The store's policy refuses this path (after one fresh login)."""


class StoreConflict(StoreError):
    """Compare-and-set refused: somebody else wrote first.  Surely not applied."""
