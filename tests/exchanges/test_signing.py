"""Signatures, byte for byte."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from rotator.core.liveness import MALFORMED
from rotator.core.names import KeyId, Secrets, Sensitive, SigningKey
from rotator.core.outcome import ExchangeError, Happened, Meaning
from rotator.exchanges.binance import BinanceAuth, signed_query
from rotator.exchanges.bybit.adapter import auth_of, payload
from rotator.exchanges.signing import hmac_hex, signer, unix_millis
from tests.exchanges.fakes import NOW, hmac_key

BINANCE_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
BINANCE_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
ORDER = (
    "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
    "&recvWindow=5000&timestamp=1499827319559"
)
SOCKET_ORDER = (
    f"apiKey={BINANCE_KEY}&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL"
    "&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT"
)
BINANCE_VECTORS = [
    (
        ORDER,
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        SOCKET_ORDER,
        "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
    ),
    (
        "timestamp=1578963600000",
        "d84e6641b1e328e7b418fff030caed655c266299c9355e36ce801ed14631eed4",
    ),
]


def at_millis(millis: int) -> datetime:
    """Return Unix milliseconds as a time."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=millis)


def pem(key: PrivateKeyTypes) -> str:
    """Return a private key as unencrypted PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def private(key: PrivateKeyTypes) -> SigningKey:
    """Return a signing key that signs with a private key."""
    return SigningKey(KeyId("key-id-000000000001"), Secrets(private_key=Sensitive(pem(key))))


def signed(auth: httpx.Auth, request: httpx.Request) -> httpx.Request:
    """Return a request as its auth sends it."""
    return next(auth.sync_auth_flow(request))


@pytest.mark.parametrize(("message", "signature"), BINANCE_VECTORS)
def test_binance_vectors(message: str, signature: str) -> None:
    """Each published Binance vector gives the published signature."""
    sign = signer(hmac_key(BINANCE_KEY, BINANCE_SECRET)).sign
    assert sign(message.encode()) == signature
    assert hmac_hex(BINANCE_SECRET.encode(), message.encode()) == signature


def test_binance_signs_the_published_order_as_sent() -> None:
    """A request with the vector's parameters leaves with the vector's query and signature."""
    message, signature = BINANCE_VECTORS[0]
    query = message.partition("&recvWindow")[0]
    auth = BinanceAuth(hmac_key(BINANCE_KEY, BINANCE_SECRET), at_millis(1499827319559))
    request = signed(auth, httpx.Request("GET", f"https://api.binance.com/api/v3/order?{query}"))
    assert request.url.query.decode() == f"{message}&signature={signature}"
    assert request.headers["X-MBX-APIKEY"] == BINANCE_KEY


def test_binance_signature_covers_query_and_body_joined() -> None:
    """The body follows the query without a separator under the signature."""
    sign = signer(hmac_key())
    query = signed_query("a=1", b"b=2", sign, NOW)
    covered, _, signature = query.rpartition("&signature=")
    assert signature == sign.sign(f"{covered}b=2".encode())


def test_binance_percent_encodes_before_signing() -> None:
    """Characters beyond ASCII are percent-encoded first, and what is encoded stays."""
    sign = signer(hmac_key())
    query = signed_query("name=Zürich%20ü", b"", sign, NOW)
    covered, _, signature = query.rpartition("&signature=")
    assert covered.startswith("name=Z%C3%BCrich%20%C3%BC&recvWindow=5000&timestamp=")
    assert signature == sign.sign(covered.encode())


def test_binance_ed25519_signature_is_encoded_base64() -> None:
    """An Ed25519 signature verifies, and its base64 is percent-encoded in the query."""
    key = ed25519.Ed25519PrivateKey.generate()
    request = signed(
        BinanceAuth(private(key), NOW), httpx.Request("GET", "https://api.binance.com/x")
    )
    covered, _, encoded = request.url.query.decode().rpartition("&signature=")
    assert not set("+/=") & set(encoded)
    key.public_key().verify(base64.b64decode(unquote(encoded)), covered.encode())


@pytest.mark.parametrize("size", [2048])
def test_rsa_signatures_verify(size: int) -> None:
    """An RSA signature is PKCS#1 v1.5 with SHA-256 in base64, for both exchanges."""
    key = rsa.generate_private_key(65537, size)
    request = signed(
        BinanceAuth(private(key), NOW), httpx.Request("GET", "https://api.binance.com/x")
    )
    covered, _, encoded = request.url.query.decode().rpartition("&signature=")
    verify = key.public_key().verify
    verify(
        base64.b64decode(unquote(encoded)), covered.encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    told = signed(
        auth_of(private(key), NOW), httpx.Request("GET", "https://api.bybit.com/x?a=1")
    ).headers
    verify(
        base64.b64decode(told["X-BAPI-SIGN"]),
        payload(KeyId("key-id-000000000001"), NOW, b"a=1"),
        padding.PKCS1v15(),
        hashes.SHA256(),
    )


@pytest.mark.parametrize(
    ("method", "millis", "target", "body", "expected"),
    [
        (
            "GET",
            1658384314791,
            "/v5/order/realtime?category=option&symbol=BTC-29JUL22-25000-C",
            b"",
            "XXXXXXXXXX5000category=option&symbol=BTC-29JUL22-25000-C",
        ),
        (
            "POST",
            1658385579423,
            "/v5/order/create",
            json.dumps({"category": "option"}).encode(),
            'XXXXXXXXXX5000{"category": "option"}',
        ),
    ],
)
def test_bybit_payload_of_the_guide(
    method: str, millis: int, target: str, body: bytes, expected: str
) -> None:
    """Bybit's two published payloads are what is signed, and the headers say the same."""
    key = hmac_key("XXXXXXXXXX")
    at = at_millis(millis)
    request = signed(
        auth_of(key, at), httpx.Request(method, f"https://api.bybit.com{target}", content=body)
    )
    covered = request.url.query if method == "GET" else body
    whole = f"{millis}{expected}"
    assert payload(key.key_id, at, covered).decode() == whole
    assert request.headers["X-BAPI-SIGN"] == hmac_hex(b"canary-secret", whole.encode())
    assert request.headers["X-BAPI-TIMESTAMP"] == str(millis)
    assert request.headers["X-BAPI-API-KEY"] == "XXXXXXXXXX"
    assert request.headers["X-BAPI-RECV-WINDOW"] == "5000"


def test_milliseconds_are_whole_and_round_down() -> None:
    """A time is sent as whole Unix milliseconds, rounded down, without float error."""
    at = datetime(2026, 1, 1, 0, 0, 0, 999_999, tzinfo=UTC)
    assert unix_millis(at) == 1767225600999


def pkcs8(curve: ec.EllipticCurve) -> str:
    """Return a key of a kind that no exchange here takes."""
    return pem(ec.generate_private_key(curve))


@pytest.mark.parametrize(
    "key",
    [
        hmac_key(""),
        hmac_key("with space"),
        hmac_key("line\nbreak"),
        hmac_key("schlüssel"),
        hmac_key("x" * 513),
        SigningKey(KeyId("key"), Secrets()),
        SigningKey(KeyId("key"), Secrets(api_secret=Sensitive(""))),
        SigningKey(KeyId("key"), Secrets(private_key=Sensitive("no PEM"))),
        SigningKey(KeyId("key"), Secrets(private_key=Sensitive("\udcff"))),
        SigningKey(KeyId("key"), Secrets(private_key=Sensitive(pkcs8(ec.SECP256R1())))),
    ],
)
def test_a_key_that_cannot_sign_is_one_clear_failure(key: SigningKey) -> None:
    """A credential that cannot sign is an invalid key that was never sent, without its text."""
    with pytest.raises(ExchangeError) as raised:
        signer(key)
    failure = raised.value.failure
    assert (failure.meaning, failure.happened) == (Meaning.INVALID_KEY, Happened.REFUSED)
    assert failure.code == MALFORMED
    assert raised.value.__cause__ is None
