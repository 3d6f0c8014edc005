"""AES-256-GCM over small texts, each bound to the place where it lies."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


class CipherBroken(Exception):
    """A sealed value was changed, moved, or sealed with another key."""


class Cipher:
    """Seals and opens bytes with one key of 32 bytes."""

    def __init__(self, key: bytes, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._aes = AESGCM(key)
        self._entropy = entropy

    def seal(self, plain: bytes, place: str) -> bytes:
        """Return nonce and ciphertext."""
        nonce = self._entropy(NONCE_BYTES)
        return nonce + self._aes.encrypt(nonce, plain, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Return the plain bytes; raises CipherBroken."""
        try:
            nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
            return self._aes.decrypt(nonce, text, place.encode())
        except (InvalidTag, ValueError) as error:
            raise CipherBroken from error
