"""Signatures as pure functions of key and message.

A secret is unwrapped here and nowhere else in `exchanges/`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from rotator.core.liveness import MALFORMED
from rotator.core.names import Sensitive, SigningKey
from rotator.core.outcome import ExchangeError, Failure, Meaning

SENDABLE = re.compile(r"[\x21-\x7e]{1,512}")


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs messages with one key.

    `kind` is hmac, ed25519 or rsa; `sign` gives lower-case hex for hmac and
    base64 for the others.
    """

    kind: str
    sign: Callable[[bytes], str]


def signer(key: SigningKey) -> Signer:
    """Return what signs for `key`; raise ExchangeError if the key cannot sign at all."""
    if not SENDABLE.fullmatch(key.key_id):
        raise malformed("the API key holds spaces, control or foreign characters, or nothing")
    if key.secrets.private_key:
        return _private(key.secrets.private_key)
    if key.secrets.api_secret:
        return _shared(key.secrets.api_secret)
    raise malformed("the credential has neither an API secret nor a private key")


def hmac_hex(secret: bytes, message: bytes) -> str:
    """Return HMAC-SHA256 in lower-case hex."""
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def unix_millis(at: datetime) -> int:
    """Return an aware time as Unix milliseconds, rounded down."""
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def malformed(message: str) -> ExchangeError:
    """Return the error of a credential that cannot sign: nothing was sent."""
    return ExchangeError(Failure.of(Meaning.INVALID_KEY, message, code=MALFORMED))


def _shared(secret: Sensitive) -> Signer:
    return Signer(
        "hmac",
        lambda message: hmac_hex(secret.reveal().encode("utf-8", "surrogatepass"), message),
    )


def _private(pem: Sensitive) -> Signer:
    try:
        key = serialization.load_pem_private_key(pem.reveal().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The cause may quote the key: it is not chained.
        raise malformed("the private key is no unencrypted PKCS#8 PEM") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Signer("ed25519", lambda message: _base64(key.sign(message)))
    if isinstance(key, rsa.RSAPrivateKey):
        return Signer(
            "rsa",
            lambda message: _base64(key.sign(message, padding.PKCS1v15(), hashes.SHA256())),
        )
    raise malformed("the private key is neither Ed25519 nor RSA")


def _base64(signature: bytes) -> str:
    return base64.b64encode(signature).decode("ascii")
