"""The shapes in which a secret could turn up in a text.

A secret that went through an encoder is still a secret.  `forms(text)` gives the
pieces to look for: plain, base64 at each of its three alignments, hex in both
cases, URL-encoded, and escaped as JSON.  Long and multi-line secrets (PEM) are
cut into lines, so that a part of one is found as well.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 6
"""Shorter secrets are not looked for: they would blank out ordinary words."""

LONGEST = 96
"""Pieces are cut to this length; the rest of a long secret is further pieces."""

MAX_SECRET = 16_384


def forms(secret: str) -> frozenset[str]:
    """Return every piece that stands for `secret`; none if it is too short."""
    found: set[str] = set()
    for piece in _pieces(secret[:MAX_SECRET]):
        found.update(f for f in _encoded(piece) if len(f) >= SHORTEST)
    return frozenset(found)


def _pieces(secret: str) -> Iterator[str]:
    for line in map(str.strip, secret.splitlines()):
        if len(line) < SHORTEST or line.startswith("-----"):
            continue
        last = max(len(line) - LONGEST, 0)
        for start in range(0, last + LONGEST // 2, LONGEST // 2):
            yield line[min(start, last) :][:LONGEST]
            if start >= last:
                break


def _encoded(piece: str) -> Iterator[str]:
    raw = piece.encode("utf-8", "replace")
    yield piece
    yield raw.hex()
    yield raw.hex().upper()
    yield quote(piece, safe="", errors="replace")
    yield quote_plus(piece, errors="replace")
    yield json.dumps(piece)[1:-1]
    yield repr(piece)[1:-1]
    for skipped in range(3):
        # What stands before the secret shifts it; only whole groups are certain.
        aligned = raw[skipped:]
        aligned = aligned[: len(aligned) - len(aligned) % 3]
        yield base64.b64encode(aligned).decode()
        yield base64.urlsafe_b64encode(aligned).decode()
