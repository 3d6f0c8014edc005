"""Reading the audit trail: verify the chain, export an evidence pack.

Both read line by line, with bounded memory for what is not exported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rotator.observe import chain
from rotator.observe.chain import GENESIS, Entry, Head

KIND = "rotator-audit-evidence"


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check of a whole file came to.

    `broken_line` is the first line (from 1) that does not fit and `problem` says
    why; both None if the chain holds.  `first` is the number of the first entry:
    above 1, or with another `prev` than `GENESIS`, the file is the continuation
    of an older one.  `torn` lines were cut short by a crash and are accounted for
    by a marker; `lost` entries could not be written.
    """

    entries: int
    first: int
    head: Head
    torn: int = 0
    lost: int = 0
    broken_line: int | None = None
    problem: str | None = None

    @property
    def ok(self) -> bool:
        """True if every line fits."""
        return self.broken_line is None


class _Check:
    """The state of one walk along the chain."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.first = 0
        self.entries = self.torn = self.lost = 0
        self.debris: list[bytes] = []
        self.debris_line = 0

    def line(self, number: int, raw: bytes) -> tuple[int, str] | None:
        """Take one line; return the broken line and what is wrong with it."""
        found = chain.parse(raw)
        if found is None:
            self.debris_line = self.debris_line or number
            self.debris.append(raw)
            return None
        if self.debris and (wrong := self._debris_wrong(found)):
            return self.debris_line, wrong
        if wrong := self._wrong(found):
            return number, wrong
        self._count(found)
        return None

    def end(self) -> tuple[int, str] | None:
        """Say whether the file ends in a line that is no entry."""
        return (self.debris_line, "the last line is no entry") if self.debris else None

    def result(self, broken: tuple[int, str] | None) -> Verified:
        """Return the outcome."""
        number, problem = broken or (None, None)
        head = self.head or Head()
        return Verified(self.entries, self.first, head, self.torn, self.lost, number, problem)

    def _debris_wrong(self, found: Entry) -> str | None:
        marker = chain.torn_detail(b"\n".join(self.debris))
        if found.body.get("step") != chain.TORN or found.body.get("detail") != marker:
            return "the line is no entry, and no marker accounts for it"
        self.torn += len(self.debris)
        self.debris, self.debris_line = [], 0
        return None

    def _wrong(self, found: Entry) -> str | None:
        if not found.intact:
            return f"the content of entry {found.seq} does not match its hash"
        if self.head is None:
            starts = found.seq == 1
            return None if starts == (found.prev == GENESIS) else "the first entry is not the first"
        if found.seq <= self.head.seq:
            return f"entry {found.seq} comes a second time: two writers, or a copied line"
        if found.seq != self.head.seq + 1:
            return f"entries are missing between {self.head.seq} and {found.seq}"
        if found.prev != self.head.hash:
            return f"entry {found.seq} does not follow the entry before it"
        return None

    def _count(self, found: Entry) -> None:
        self.first = self.first or found.seq
        self.head = found.head
        self.entries += 1
        detail = found.body.get("detail")
        if found.body.get("step") == chain.LOST and isinstance(detail, dict):
            missing = detail.get("entries")
            self.lost += missing if isinstance(missing, int) else 0


def verify(file: Path) -> Verified:
    """Check every line of a file; raises OSError if it cannot be read."""
    check = _Check()
    for number, raw in _lines(file):
        if broken := check.line(number, raw):
            return check.result(broken)
    return check.result(check.end())


def export(
    file: Path,
    *,
    rotation: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> dict[str, Any]:
    """Return an evidence pack: the entries asked for, and the state of the whole chain.

    `since` is included, `until` is not.  Each entry is given whole, so its hash
    can be computed again; `chain.head` is what the daemon logged last.
    """
    wanted = _filter(rotation, since, until)
    entries = [
        dict(found.body)
        for _, raw in _lines(file)
        if (found := chain.parse(raw)) is not None and wanted(found)
    ]
    verified = verify(file)
    return {
        "kind": KIND,
        "asked": {
            "rotation": rotation,
            "since": since.isoformat() if since else None,
            "until": until.isoformat() if until else None,
        },
        "chain": {**asdict(verified), "ok": verified.ok},
        "entries": entries,
    }


def _filter(
    rotation: str | None, since: datetime | None, until: datetime | None
) -> Callable[[Entry], bool]:
    def wanted(found: Entry) -> bool:
        if rotation is not None and found.body.get("rotation") != rotation:
            return False
        if since is None and until is None:
            return True
        at = _time(found.body.get("at"))
        if at is None:
            return False
        return (since is None or at >= since) and (until is None or at < until)

    return wanted


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo else None


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield numbered lines without their newline; a huge one is cut and no entry."""
    with file.open("rb") as stream:
        number = 0
        while raw := stream.readline(chain.MAX_LINE + 2):
            number += 1
            while not raw.endswith(b"\n") and (more := stream.readline(chain.MAX_LINE)):
                raw = raw[: chain.MAX_LINE + 2] + more[-1:]
            yield number, raw.removesuffix(b"\n")
