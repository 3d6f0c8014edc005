"""The epoch's anchor in an annotation of the Lease: outside the store, seen by every replica."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rotator.core.outcome import Happened, StoreError
from rotator.kube.client import Absent, Answer, Away, Conflict, Found, Leases, Refused

ANNOTATION: Final = "rotator/epoch"
CALL_SECONDS: Final = 5.0
RAISES: Final = 8
MAX_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class LeaseAnchor:
    """A number in an annotation, never lowered; `opened` connects to the API server.

    The Lease is written under its resourceVersion, so a number that another process
    has raised meanwhile is seen before ours replaces it.
    """

    opened: Callable[[], Leases]

    async def read(self) -> int | None:
        """Return the number, None if there is none yet.  Raises StoreError."""
        leases = self.opened()
        try:
            return _number(await leases.get(CALL_SECONDS))
        finally:
            await leases.aclose()

    async def raise_to(self, number: int) -> None:
        """Keep at least this number.  Raises StoreError."""
        leases = self.opened()
        try:
            why = "it changed each time"
            for _ in range(RAISES):
                answer = await _raised(leases, number)
                match answer:
                    case Found():
                        return
                    case Refused():
                        break
                    case Away(said):
                        why = said
            raise _not_written(why if not isinstance(answer, Refused) else answer.why)
        finally:
            await leases.aclose()


async def _raised(leases: Leases, number: int) -> Answer:
    """Read, and write unless it holds as much; Found if that is so now."""
    answer = await leases.get(CALL_SECONDS)
    present = None
    lease = leases.blank()
    match answer:
        case Found(found):
            present, lease = _number(answer), found
        case Absent():
            pass
        case _:
            return answer
    if present is not None and present >= number:
        return answer
    changed = lease.annotated(ANNOTATION, str(number))
    if changed.version:
        return await leases.replace(changed, CALL_SECONDS)
    return await leases.create(changed, CALL_SECONDS)


def _number(answer: Answer) -> int | None:
    match answer:
        case Found(lease):
            text = lease.annotations.get(ANNOTATION)
        case Absent():
            return None
        case Refused(why) | Away(why):
            raise StoreError(f"the anchor cannot be read: {why}")
        case Conflict():  # pragma: no cover  # no answer to a reading
            raise StoreError("the anchor cannot be read: a conflict")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise StoreError(
            f"the annotation {ANNOTATION} of the Lease does not hold a number; if the store was "
            "not restored from a backup, remove it and run: rotator resume",
            happened=Happened.REFUSED,
        )
    return int(text)


def _not_written(why: str) -> StoreError:
    return StoreError(f"the anchor cannot be written: {why}")
