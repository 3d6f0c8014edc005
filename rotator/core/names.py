"""Ids as distinct types, and `Sensitive`, the only carrier of a secret.

A secret is wrapped where it enters (an exchange's answer, a store's document,
standard input) and unwrapped by `reveal()` where it leaves (a signature, a
store's request).  Between the two nothing can print, format, pickle or compare
it by accident.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import NewType, NoReturn

CredentialName = NewType("CredentialName", str)
"""A credential as people write it: `secret/trading/bybit/desk0`, or `path#name`."""

StorePath = NewType("StorePath", str)
"""A path in the store, mount first, no leading or trailing slash."""

ExchangeName = NewType("ExchangeName", str)
AccountId = NewType("AccountId", str)
KeyId = NewType("KeyId", str)
RotationId = NewType("RotationId", str)
Fingerprint = NewType("Fingerprint", str)
"""A keyed hash (hex) of a key id or secret; says "the same" and nothing else."""

SHOWN_OF_KEY_ID = 4


class Sensitive:
    """A text that refuses to be printed, formatted, pickled or hashed."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret text; call it only where the secret leaves."""
        return self._value

    def __repr__(self) -> str:
        return "Sensitive(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sensitive):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash would invite use as a key

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Sensitive is never pickled")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What signs for one key, by the field words of the store contract.

    `api_secret` serves HMAC keys, `private_key` (PEM, PKCS#8) Ed25519 and RSA
    keys; exactly one of the two is needed to sign.
    """

    api_secret: Sensitive | None = None
    private_key: Sensitive | None = None
    passphrase: Sensitive | None = None

    def values(self) -> tuple[Sensitive, ...]:
        """Return the secrets that are set."""
        fields = (self.api_secret, self.private_key, self.passphrase)
        return tuple(f for f in fields if f)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One API key as it signs: the public id and its secrets."""

    key_id: KeyId
    secrets: Secrets


def shown(key_id: str) -> str:
    """Return a key id as it may be shown: its last four characters."""
    if len(key_id) <= 2 * SHOWN_OF_KEY_ID:
        return "…"
    return "…" + key_id[-SHOWN_OF_KEY_ID:]
