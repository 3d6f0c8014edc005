"""What a secret looks like in the tests, and the search for it in every form.

Nothing is registered: secrets come from other processes too, so each is made such
that it is known by sight.

- The sandbox puts `MARK` into each HMAC secret that it makes.
- A fixture's own secret, an approle's secret id too, holds `CANARY`.
- Vault's tokens begin with `hvs.`, `hvb.` or `hvr.`.
- A private key's PEM begins with what says its algorithm.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from rotator.sandbox.ledger import MARK

CANARY = "canary-secret"
PEM_BEGINNINGS = ("MC4CAQAwBQYDK2VwBCIEI", "ADANBgkqhkiG9w0BAQEFAASC")
"""PKCS#8 of Ed25519 and of RSA as base64, up to where the secret begins."""

LITERALS = (MARK, CANARY, *PEM_BEGINNINGS)
TOKENS = ("hvs.", "hvb.", "hvr.")
TOKEN_REST = {
    "plain": r"[\w-]{20}",
    "base64": r"[\w+/-]{26}",
    "hex": r"[0-9a-fA-F]{40}",
    "percent": r"(?:%[0-9a-fA-F]{2}){20}",
    "unicode": r"(?:\\u00[0-9a-fA-F]{2}){20}",
}
SHOWN_AROUND = 60


def forms(text: str) -> Iterator[tuple[str, str]]:
    """Yield (encoding, text as a regular expression) for each form of an ASCII text."""
    raw = text.encode()
    yield "plain", re.escape(text)
    for shift in range(3):
        middle = aligned(raw, shift)
        yield "base64", re.escape(middle)
        yield "base64", re.escape(middle.translate(str.maketrans("+/", "-_")))
    for digits in (raw.hex(), raw.hex().upper()):
        pairs = [digits[n : n + 2] for n in range(0, len(digits), 2)]
        yield "hex", digits
        yield "percent", "".join(f"%{pair}" for pair in pairs)
        yield "unicode", "".join(rf"\\u00{pair}" for pair in pairs)


def aligned(raw: bytes, shift: int) -> str:
    """Return what of `raw` shows in base64 if `shift` bytes (modulo 3) stand before it."""
    whole = base64.b64encode(b"\0" * shift + raw).decode()
    return whole[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6]


def _expressions() -> Iterator[str]:
    for literal in LITERALS:
        yield from (expression for _, expression in forms(literal))
    for token in TOKENS:
        yield from (expression + TOKEN_REST[kind] for kind, expression in forms(token))


PATTERN = re.compile("|".join(dict.fromkeys(_expressions())).encode())


def told(content: bytes | str) -> str | None:
    """Return the surroundings of the first secret in a content; None if it tells none."""
    raw = content.encode(errors="replace") if isinstance(content, str) else content
    found = PATTERN.search(raw)
    if found is None:
        return None
    around = raw[max(found.start() - SHOWN_AROUND, 0) : found.end() + SHOWN_AROUND]
    return around.decode(errors="replace")
