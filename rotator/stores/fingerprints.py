"""Keyed hashes of key ids and secrets: they say "the same" and nothing else."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from rotator.core.names import Fingerprint

FINGERPRINT_BYTES: Final = 16
MAX_TOKENS: Final = 256
MAX_DEPTH: Final = 8
TOKENS: Final = (
    re.compile(r"[A-Za-z0-9_\-]{8,}"),
    re.compile(r"[A-Za-z0-9_\-+/]{8,}={0,2}"),
)
"""Words, and base64 with its slashes and padding."""


class Fingerprints:
    """HMAC-SHA256 under the pepper, cut to 128 bits, as hex."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper

    def of(self, value: str) -> Fingerprint:
        """Return a value's fingerprint; white space around it does not count."""
        digest = hmac.digest(self._pepper, value.strip().encode(errors="surrogatepass"), "sha256")
        return Fingerprint(digest[:FINGERPRINT_BYTES].hex())

    def within(self, value: Any) -> tuple[Fingerprint, ...]:
        """Return the fingerprints of a field's value and of what it may contain.

        The whole text comes first, then the tokens of at least 8 characters
        (a key pasted into an address or a JSON text); at most 256.
        """
        texts = dict.fromkeys(islice(_texts(value, MAX_DEPTH), MAX_TOKENS))
        return tuple(dict.fromkeys(self.of(text) for text in texts))


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        for tokens in TOKENS:
            yield from (found.group() for found in tokens.finditer(value))
    elif depth and isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner, depth - 1)
    elif depth and isinstance(value, list):
        for inner in value:
            yield from _texts(inner, depth - 1)
