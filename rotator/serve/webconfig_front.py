"""What stands before every page: the web config's passwords, headers and rate limit.

    413  a body larger than any page takes
    429  more requests than `rate_limit` lets in, or too many passwords to check
    401  no or a wrong name and password

It wraps the whole application, so no endpoint is exempt.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rotator.serve.webconfig import Rate, WebConfig
from rotator.serve.webconfig_live import InForce
from rotator.serve.webconfig_logins import Login, Logins

MAX_BODY_BYTES: Final = 65_536
MAX_LENGTH_DIGITS: Final = 15

CHALLENGE: Final = (b"www-authenticate", b'Basic realm="rotator", charset="UTF-8"')
RETRY: Final = (b"retry-after", b"1")
CLOSE: Final = (b"connection", b"close")
PLAIN: Final = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)

Refusal = tuple[int, bytes, tuple[bytes, bytes]]
TOO_LARGE: Final[Refusal] = (413, b"the request is too large\n", CLOSE)
TOO_MANY: Final[Refusal] = (429, b"too many requests\n", RETRY)
TOO_MANY_LOGINS: Final[Refusal] = (429, b"too many passwords wait to be checked\n", RETRY)
UNAUTHORIZED: Final[Refusal] = (401, b"unauthorized\n", CHALLENGE)


class Bucket:
    """A token bucket: `burst` at once, then one every interval."""

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._tokens = float(rate.burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Take one token at a time in seconds; False if there is none."""
        earned = (now - self._at) / self.rate.interval.total_seconds()
        self._tokens = min(self._tokens + earned, float(self.rate.burst))
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Front:
    """The application behind the web config in force."""

    def __init__(self, app: ASGIApp, in_force: Callable[[], InForce], logins: Logins) -> None:
        self._app = app
        self._in_force = in_force
        self._logins = logins
        self._bucket: Bucket | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal, or let the application answer."""
        config = self._in_force().config

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _over(message.get("headers", ()), config)
            await send(message)

        refusal = await self._refusal(scope, config)
        if refusal is None:
            await self._app(scope, receive, sending)
            return
        status, body, header = refusal
        length = (b"content-length", str(len(body)).encode())
        headers = [*PLAIN, length, header]
        await sending({"type": "http.response.start", "status": status, "headers": headers})
        await sending({"type": "http.response.body", "body": body})

    async def _refusal(self, scope: Scope, config: WebConfig) -> Refusal | None:
        if not self._in_rate(config.rate):
            return TOO_MANY
        if any(_too_large(value) for value in _values(scope, b"content-length")):
            return TOO_LARGE
        if not config.users:
            return None
        given = credentials(_values(scope, b"authorization"))
        if given is None:
            return UNAUTHORIZED
        address = str((scope.get("client") or ("",))[0])
        match await self._logins.check(config.users, *given, address):
            case Login.GOOD:
                return None
            case Login.BAD:
                return UNAUTHORIZED
            case Login.LATER:
                return TOO_MANY_LOGINS

    def _in_rate(self, rate: Rate | None) -> bool:
        if rate is None:
            self._bucket = None
            return True
        now = asyncio.get_running_loop().time()
        if self._bucket is None or self._bucket.rate != rate:
            self._bucket = Bucket(rate, now)
        return self._bucket.take(now)


def credentials(headers: list[bytes]) -> tuple[str, bytes] | None:
    """Return the name and password of one Basic header, None for anything else."""
    scheme, _, coded = headers[0].partition(b" ") if len(headers) == 1 else (b"", b"", b"")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(coded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]


def _too_large(length: bytes) -> bool:
    digits = length.strip().lstrip(b"0")
    return len(digits) > MAX_LENGTH_DIGITS or (digits.isdigit() and int(digits) > MAX_BODY_BYTES)


def _over(headers: object, config: WebConfig) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers with the web config's own in the place of the page's."""
    own = {name for name, _ in config.headers}
    kept = [(name, value) for name, value in headers if name.lower() not in own]  # type: ignore[attr-defined]
    return [*kept, *config.headers]
