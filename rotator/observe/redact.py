"""Keeps secrets out of everything that is written.

Three nets, one below the other: values under telling names are dropped, texts
that look like a credential (a store token, a PEM key, `signature=...`) are
blanked by pattern, and every secret that this process has met is looked for by
value, in the forms of `forms.py`.

The secrets themselves are not kept.  Of each form the first characters' hash is
an anchor, and a keyed digest proves the rest, so a text is scanned in one pass
whatever the number of secrets.
"""

from __future__ import annotations

import hashlib
import re
import string
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from enum import Enum
from itertools import islice
from struct import Struct

from rotator.core.names import Secrets, Sensitive
from rotator.observe.forms import LONGEST, SHORTEST, forms

BLANK = "[redacted]"
ANCHOR = 8
MAX_TEXT = 16_384
"""Longest text that is written; more is cut."""

MAX_ITEMS = 500
MAX_DEPTH = 8
MAX_DIGITS = 40
LOWEST, HIGHEST = -(2**63), 2**63 - 1
CAPACITY = 4096
"""How many secrets are remembered; the one not met for longest goes first."""

NAMES = frozenset(
    {
        "access_token",
        "api_key",
        "api_secret",
        "apikey",
        "apisecret",
        "authorization",
        "client_token",
        "cookie",
        "encryption_key",
        "passphrase",
        "passwd",
        "password",
        "private_key",
        "privatekey",
        "secret",
        "secret_id",
        "secret_key",
        "secretkey",
        "set_cookie",
        "sign",
        "signature",
        "token",
        "x_mbx_apikey",
        "x_vault_token",
    }
)
ENDINGS = ("_secret", "_password", "_passphrase", "_private_key", "_api_key", "_token")

PATTERN = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\bhv[sbr]\.[\w-]{20,}"
    r"|\b[sbr]\.[A-Za-z0-9]{24,}\b"
    r"|\b(?:Bearer|Basic)\s+[\w\-.+/=~]{8,}"
    r"|\b(?:api[-_]?key|api[-_]?secret|secret(?:[-_]?(?:key|id))?|signature|sign|passphrase|password"
    r"|(?:client[-_]?|access[-_]?)?token)[\"']?\s*[=:]\s*[\"']?[^\s\"'&,;}\]]{6,}",
    re.IGNORECASE | re.DOTALL,
)
TOKEN = frozenset(string.ascii_letters + string.digits + "+/=_%-")

Plain = str | int | float | bool | None | dict[str, "Plain"] | list["Plain"]
"""What JSON can say."""

PIECE = Struct("<H12s")
"""One form of a secret behind its anchor: its length and its digest."""

MARK = Struct("<qH12s")
"""The same with the anchor before it.  Packed, thousands of secrets take little memory."""


class Redactor:
    """Blanks secrets in texts and values; safe to use from any thread."""

    def __init__(self, key: bytes = b"", capacity: int = CAPACITY) -> None:
        """`key` (up to 64 bytes, random, never stored) keys the digests."""
        self._key = key[:64]
        self._capacity = capacity
        self._lock = threading.Lock()
        self._secrets: OrderedDict[bytes, bytes] = OrderedDict()
        self._anchors: dict[int, dict[int, bytes]] = {}

    def remember(self, *secrets: Sensitive) -> None:
        """Blank these secrets from now on, in every form."""
        for secret in secrets:
            value = secret.reveal()
            name = self._digest(value)
            with self._lock:
                if name in self._secrets:
                    self._secrets.move_to_end(name)
                else:
                    self._add(name, b"".join(self._mark(form) for form in forms(value)))

    def remember_all(self, secrets: Secrets) -> None:
        """Blank each secret of a key."""
        self.remember(*secrets.values())

    def text(self, value: str) -> str:
        """Return a text without secrets, bounded, fit for UTF-8."""
        cut = len(value) > MAX_TEXT
        value = value[: MAX_TEXT + 2 * LONGEST]
        if not value.isascii():
            value = value.encode("utf-8", "replace").decode()
        if len(value) >= SHORTEST:
            value = self._blank_known(PATTERN.sub(BLANK, value))
        return value[:MAX_TEXT] + "…" if cut else value

    def plain(self, value: object, depth: int = 0) -> Plain:
        """Return any value as JSON without secrets, bounded in depth and size."""
        if isinstance(value, Enum):
            value = value.value
        if value is None or isinstance(value, bool | int | float):
            return _number(value)
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            return self._several(value, depth) if depth < MAX_DEPTH else "…"
        return self.text(value if isinstance(value, str) else _described(value))

    def _several(self, value: Mapping[object, object] | Collection[object], depth: int) -> Plain:
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        return [self.plain(item, depth + 1) for item in islice(value, MAX_ITEMS)]

    def _mapping(self, value: Mapping[object, object], depth: int) -> dict[str, Plain]:
        found: dict[str, Plain] = {}
        for key, item in islice(value.items(), MAX_ITEMS):
            name = self.text(str(key))
            found[name] = BLANK if _telling(str(key)) else self.plain(item, depth + 1)
        return found

    def _digest(self, text: str) -> bytes:
        raw = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(raw, key=self._key, digest_size=12).digest()

    def _mark(self, form: str) -> bytes:
        return MARK.pack(hash(form[:ANCHOR]), len(form), self._digest(form))

    def _add(self, name: bytes, marks: bytes) -> None:
        self._secrets[name] = marks
        for anchor, length, digest in MARK.iter_unpack(marks):
            table = self._anchors.setdefault(min(length, ANCHOR), {})
            table[anchor] = table.get(anchor, b"") + PIECE.pack(length, digest)
        while len(self._secrets) > self._capacity:
            _, old = self._secrets.popitem(last=False)
            self._drop(old)

    def _drop(self, marks: bytes) -> None:
        for anchor, length, digest in MARK.iter_unpack(marks):
            table = self._anchors[min(length, ANCHOR)]
            kept = list(PIECE.iter_unpack(table[anchor]))
            kept.remove((length, digest))
            if kept:
                table[anchor] = b"".join(PIECE.pack(*piece) for piece in kept)
            else:
                del table[anchor]

    def _blank_known(self, text: str) -> str:
        spans: list[tuple[int, int]] = []
        for width, table in tuple(self._anchors.items()):
            get = table.get
            for start in range(len(text) - width + 1):
                pieces = get(hash(text[start : start + width]))
                if pieces:
                    spans.extend(self._proved(text, start, pieces))
        return _blanked(text, spans) if spans else text

    def _proved(self, text: str, start: int, pieces: bytes) -> list[tuple[int, int]]:
        return [
            (start, start + length)
            for length, digest in PIECE.iter_unpack(pieces)
            if start + length <= len(text) and self._digest(text[start : start + length]) == digest
        ]


def _blanked(text: str, spans: list[tuple[int, int]]) -> str:
    """Blank the spans, each widened over the run of token characters around it."""
    parts: list[str] = []
    end = 0
    for span in sorted(spans):
        start, stop = _widened(text, *span)
        if stop <= end:
            continue
        if start >= end:
            parts += [text[end:start], BLANK]
        end = stop
    return "".join([*parts, text[end:]])


def _widened(text: str, start: int, stop: int) -> tuple[int, int]:
    while start > 0 and text[start - 1] in TOKEN:
        start -= 1
    while stop < len(text) and text[stop] in TOKEN:
        stop += 1
    return start, stop


def _telling(key: str) -> bool:
    name = key.lower().replace("-", "_")
    return name in NAMES or name.endswith(ENDINGS)


def _number(value: float | None) -> Plain:
    if isinstance(value, int) and not LOWEST <= value <= HIGHEST:
        return hex(value)[:MAX_DIGITS]
    return value


def _described(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value[: MAX_TEXT + 2 * LONGEST]).decode("utf-8", "replace")
    return str(value)
