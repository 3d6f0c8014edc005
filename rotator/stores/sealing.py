"""The two keys that Rotator makes for itself: `seal` for secrets in records, `pepper`.

Each is a state document, made at first use by compare-and-set with 0; whoever
comes second reads what the first wrote.  A key document that is deleted or
damaged is an error and never made anew: what it sealed would be lost.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable
from typing import Final

from rotator.core.names import Sensitive, StorePath
from rotator.core.outcome import Happened, StoreConflict, StoreError
from rotator.stores.cipher import KEY_BYTES, Cipher, CipherBroken
from rotator.stores.documents import Document, Documents
from rotator.stores.fingerprints import Fingerprints

Entropy = Callable[[int], bytes]

FORMAT: Final = "s1."


class Sealer:
    """Seals a secret into a text that may stand in a document, and opens it again."""

    def __init__(self, key: bytes, entropy: Entropy = os.urandom) -> None:
        self._cipher = Cipher(key, entropy)

    def seal(self, text: Sensitive, aad: str) -> str:
        """Return the sealed text; it opens only with the same `aad` (its place)."""
        sealed = self._cipher.seal(text.reveal().encode(), aad)
        return FORMAT + base64.urlsafe_b64encode(sealed).decode("ascii")

    def open(self, sealed: str, aad: str) -> Sensitive:
        """Return the secret; raises StoreError (REFUSED) if it was changed or moved."""
        try:
            raw = base64.urlsafe_b64decode(sealed.removeprefix(FORMAT).encode("ascii"))
            return Sensitive(self._cipher.open(raw, aad).decode())
        except (CipherBroken, binascii.Error, UnicodeError):
            raise StoreError(
                "a sealed value does not open: it was changed, moved, or sealed with another key",
                happened=Happened.REFUSED,
            ) from None


async def load_sealer(documents: Documents, entropy: Entropy = os.urandom) -> Sealer:
    """Return the sealer of this state prefix; needs the rotate role."""
    return Sealer(await _load_key(documents, documents.seal, entropy), entropy)


async def load_fingerprints(documents: Documents, entropy: Entropy = os.urandom) -> Fingerprints:
    """Return the fingerprints under this state prefix's pepper."""
    return Fingerprints(await _load_key(documents, documents.pepper, entropy))


async def _load_key(documents: Documents, path: StorePath, entropy: Entropy) -> bytes:
    found = await documents.read(path)
    if found.exists:
        return _key_in(found)
    try:
        key = entropy(KEY_BYTES)
        await documents.put(path, {"key": key.hex()}, cas=0)
    except StoreConflict:
        return _key_in(await documents.read(path))
    except StoreError as error:
        if error.happened is not Happened.UNKNOWN:
            raise
        return _key_in(await documents.read(path))
    return key


def _key_in(document: Document) -> bytes:
    if document.data is None:
        raise StoreError(
            f"{document.path} was deleted; bring it back with: vault kv undelete "
            f"-versions={document.version} {document.path}",
            happened=Happened.REFUSED,
        )
    text = document.data.get("key")
    try:
        key = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise StoreError(
            f"{document.path} does not hold a key of {KEY_BYTES} bytes; "
            "roll it back to the version that Rotator wrote",
            happened=Happened.REFUSED,
        )
    return key
