"""Made-up secrets, and every form in which they must not be found."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

from rotator.core.names import Sensitive

API = "canary-secret" + "Kd83Jq0zXv7LmT2b" * 3
"""An HMAC secret as exchanges give them."""

ODD = 'ca/na+ry "pass"\\wörd% 7&x=1'
"""A passphrase that every encoder changes."""

PEM = (
    "-----BEGIN PRIV" + "ATE KEY-----\n"
    "canaryMC4CAQAwBQYDK2Vw" + "BCIEIHx0aGlzIGlz\n"
    "canaryIG5vdCBhIGtleSBh" + "dCBhbGwgcmVhbGx5\n"
    "-----END PRIV" + "ATE KEY-----\n"
)

ALL = tuple(Sensitive(value) for value in (API, ODD, PEM))


def lines(secret: str) -> list[str]:
    """Return the telling lines of a secret."""
    return [line for line in secret.splitlines() if not line.startswith("-----")]


def encoded(secret: str) -> list[str]:
    """Return the whole secret in the encodings that could carry it out."""
    raw = secret.encode()
    return [
        secret,
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        base64.b64encode(b"user:" + raw).decode(),
        base64.b64encode(b"users:" + raw + b"tail").decode(),
        raw.hex(),
        raw.hex().upper(),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret),
        repr(secret),
    ]


def told(output: str) -> list[str]:
    """Return which canaries an output gives away, in whatever form."""
    found = []
    for secret in (API, ODD, PEM):
        for line in lines(secret):
            raw = line.encode()
            middle = base64.b64encode(raw[2:-2]).decode()[4:-8]
            forms = [
                line,
                json.dumps(line)[1:-1],
                base64.b64encode(raw).decode()[:-4],
                middle,
                raw.hex(),
                raw.hex().upper(),
                quote(line, safe=""),
                quote_plus(line),
            ]
            found += [form for form in forms if form in output]
    return found
