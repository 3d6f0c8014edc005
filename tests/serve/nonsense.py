"""Bytes that are no request, or a request that nobody should make."""

from __future__ import annotations

from collections.abc import Iterator

PATHS = (
    "/",
    "/metrics",
    "/healthz",
    "/-/healthy",
    "/readyz",
    "/-/ready",
    "/-/reload",
    "/api/v1/credentials",
    "/nothing",
)

FIRST_LINES = (
    "",
    "GET",
    "GET {path}",
    "GET  {path}  HTTP/1.1",
    "GET {path} HTTP/9.9",
    "GET {path}\0 HTTP/1.1",
    "GET {path} {path} HTTP/1.1",
    "GET * HTTP/1.1",
    "GET http://elsewhere.example{path} HTTP/1.1",
    "GET {path}?a=%00%ff%zz&&==;; HTTP/1.1",
    "GET {path}%2e%2e/%2e%2e/etc/passwd HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "CONNECT elsewhere.example:443 HTTP/1.1",
    "TRACE {path} HTTP/1.1",
    "PRI * HTTP/2.0",
    "\x00\x01\x02{path}",
)

HEADERS = (
    "",
    "Host: x\r\nHost: y",
    "Host: x\r\nX",
    "Host: x\r\n X: folded",
    "Host: x\r\nX: a\r\n b",
    "Host: x\r\nX: \0",
    "Host: x\r\nX\0: a",
    "Host: x\r\n: a",
    "Host: x\r\nX: {long}",
    "Host: x\r\n{many}",
    "Host: x\r\nContent-Length: -1",
    "Host: x\r\nContent-Length: 1, 2",
    "Host: x\r\nContent-Length: 1\r\nContent-Length: 2",
    "Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
    "Host: x\r\nContent-Length: 60000",
    "Host: x\r\nTransfer-Encoding: identity, mallard",
    "Host: x\r\nExpect: 100-continue\r\nContent-Length: 5",
    "Host: x\r\nExpect: mallard",
    "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13",
    "Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA",
    "Host: x\r\nAuthorization: Basic \0\r\nAccept-Encoding: ;;q=,gzip;q=x",
    "Host: x\r\nOrigin: null\r\nCookie: {long}",
)

BODIES = (
    "zz\r\n",
    "5\r\nabc",
    "-5\r\nabcde\r\n0\r\n\r\n",
    "ffffffffffffffffffff\r\nabc",
    "5;" + "x" * 20_000 + "\r\nabcde\r\n0\r\n\r\n",
    "0\r\nX: " + "y" * 20_000 + "\r\n\r\n",
    "0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n\0\0\0",
    "\0" * 70_000,
)

GOOD = "{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n"


def requests(path: str) -> Iterator[bytes]:
    """Give every piece of nonsense for a path."""
    method = "POST" if path == "/-/reload" else "GET"
    words = {"path": path, "method": method, "long": "a" * 20_000}
    words["many"] = "\r\n".join(f"X-{n}: {n}" for n in range(5_000))
    good = GOOD.format(**words)
    for line in FIRST_LINES:
        yield (line.format(**words) + "\r\nHost: x\r\n\r\n").encode("latin-1")
    for header in HEADERS:
        yield f"{method} {path} HTTP/1.1\r\n{header.format(**words)}\r\n\r\n".encode("latin-1")
    for body in BODIES:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        yield (head + body).encode("latin-1")
    yield (good * 15).encode()
    yield (good + "\0" * 100).encode()
    yield good.replace("\r\n", "\n").encode()
    yield good.replace("HTTP/1.1", "HTTP/1.0").encode() + b"more"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(400)
    yield b"\r\n" * 500 + good.encode()
