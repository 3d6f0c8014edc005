"""The hash chain of the audit trail: what an entry is and how it is checked.

One entry is one line of JSON.  `hash` is the SHA-256 of the entry without it, in
canonical form (keys sorted, UTF-8, no spaces); `prev` is the hash of the entry
before, so nothing can be changed, left out or put in without a trace as long as
the newest hash is known from elsewhere (each pass logs it).

    {"at": "2026-11-24T06:48:01.123Z", "by": "rotator", "credential": "...",
     "detail": {...}, "hash": "...", "prev": "...", "rotation": "...",
     "seq": 7, "step": "publish"}
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

GENESIS = "0" * 64
"""The `prev` of the first entry."""

TORN = "audit.torn"
"""A marker: the bytes before it are a line that a crash cut short."""

LOST = "audit.lost"
"""A marker: so many entries before it could not be written."""

MAX_LINE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Step:
    """What happened: to be written as one entry.

    `by` is who did it (`rotator`, or a person's name as the store tells it);
    `detail` is anything that JSON can say.
    """

    step: str
    credential: str = ""
    rotation: str = ""
    by: str = "rotator"
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry's number and hash; 0 and `GENESIS` for an empty chain."""

    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it stands in the chain; `body` is the whole line as a mapping."""

    seq: int
    prev: str
    hash: str
    body: Mapping[str, Any]

    @property
    def head(self) -> Head:
        """The chain's head once this entry is its newest."""
        return Head(self.seq, self.hash)

    @property
    def line(self) -> bytes:
        """The entry as it is written, newline included."""
        return orjson.dumps(self.body, option=orjson.OPT_SORT_KEYS) + b"\n"

    @property
    def intact(self) -> bool:
        """True if the hash is that of the content."""
        return digest(self.body) == self.hash


def digest(body: Mapping[str, Any]) -> str:
    """Return the hash of an entry's content, whatever `hash` it bears."""
    content = {key: value for key, value in body.items() if key != "hash"}
    raw = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(raw).hexdigest()


def entry(after: Head, at: datetime, step: Step, detail: Mapping[str, Any]) -> Entry:
    """Build the entry that follows `after`; `detail` is already free of secrets."""
    body: dict[str, Any] = {
        "seq": after.seq + 1,
        "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "prev": after.hash,
        "rotation": step.rotation,
        "credential": step.credential,
        "step": step.step,
        "by": step.by,
        "detail": dict(detail),
    }
    body["hash"] = digest(body)
    return Entry(after.seq + 1, after.hash, body["hash"], body)


def parse(line: bytes) -> Entry | None:
    """Read one line; None if it is no entry (torn, too long, not JSON, wrong types)."""
    if len(line) > MAX_LINE:
        return None
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(body, dict):
        return None
    seq, prev, own = body.get("seq"), body.get("prev"), body.get("hash")
    if type(seq) is not int or not isinstance(prev, str) or not isinstance(own, str):
        return None
    return Entry(seq, prev, own, body)


def torn_detail(debris: bytes) -> dict[str, Any]:
    """Return the detail of the marker that stands after torn bytes."""
    return {"bytes": len(debris), "sha256": hashlib.sha256(debris).hexdigest()}
