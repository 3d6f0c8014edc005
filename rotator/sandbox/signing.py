"""Checks signatures, and makes key pairs for seeds."""

from __future__ import annotations

import base64
import binascii
import hmac
from functools import lru_cache
from typing import Literal, assert_never

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from rotator.core.names import Sensitive
from rotator.sandbox.ledger import HmacSecret, Material, PublicKey

RSA_BITS = 2048


def signed_by(material: Material, payload: bytes, signature: str) -> bool:
    """Say whether the signature of `payload` is the key's.

    HMAC-SHA256 as lower-case hex; RSA PKCS#1 v1.5 with SHA-256 and Ed25519 as base64.
    """
    match material:
        case HmacSecret(secret):
            expected = hmac.digest(secret.reveal().encode(), payload, "sha256").hex()
            return hmac.compare_digest(expected.encode(), signature.encode())
        case PublicKey():
            return _verified(material.pem, payload, signature)
        case _:
            assert_never(material)


def key_pair(algorithm: Literal["RSA", "ED25519"]) -> tuple[PublicKey, Sensitive]:
    """Make a key pair: the public key and the private one as PKCS#8 PEM."""
    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    if algorithm == "RSA":
        private = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    else:
        private = ed25519.Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(algorithm, public.decode()), Sensitive(pem.decode())


def read_public_key(text: str) -> PublicKey | None:
    """Read an RSA or Ed25519 public key in PEM, or as the base64 of its DER form."""
    try:
        if "BEGIN" in text:
            public = load_pem_public_key(text.encode())
        else:
            public = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return None
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    if isinstance(public, rsa.RSAPublicKey):
        return PublicKey("RSA", pem)
    if isinstance(public, ed25519.Ed25519PublicKey):
        return PublicKey("ED25519", pem)
    return None


@lru_cache(maxsize=256)
def _loaded(pem: str) -> rsa.RSAPublicKey | ed25519.Ed25519PublicKey:
    public = load_pem_public_key(pem.encode())
    if isinstance(public, rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        return public
    raise TypeError("a ledger holds RSA and Ed25519 public keys only")


def _verified(pem: str, payload: bytes, signature: str) -> bool:
    public = _loaded(pem)
    try:
        raw = base64.b64decode(signature.encode(), validate=True)
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(raw, payload, padding.PKCS1v15(), SHA256())
        else:
            public.verify(raw, payload)
    except (binascii.Error, InvalidSignature):
        return False
    return True
