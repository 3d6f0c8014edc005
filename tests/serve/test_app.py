"""What each endpoint answers."""

from __future__ import annotations

import asyncio
from html.parser import HTMLParser

import httpx
import pytest
from hypothesis import given, settings, strategies as st

from rotator.serve.app import takes_gzip
from rotator.serve.markup import VOID
from tests.serve.server import TYPE, World, asked, client, ended, running


def test_metrics_are_served_with_their_type_and_compressed_for_those_who_ask() -> None:
    """The same text comes plain or as gzip."""

    async def ask() -> tuple[httpx.Response, httpx.Response]:
        async with running(World().state()) as server, client(server) as web:
            plain = await web.get("/metrics", headers={"accept-encoding": "identity"})
            return plain, await web.get("/metrics", headers={"accept-encoding": "gzip"})

    plain, packed = asyncio.run(ask())
    assert plain.content == packed.content == b"rotator_leader 1\n"
    assert plain.headers["content-type"] == packed.headers["content-type"] == TYPE
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("br", False),
        (";;,=,gzip;", True),
    ],
)
def test_gzip_is_sent_only_to_those_who_take_it(header: str, takes: bool) -> None:
    """The header is read as HTTP says."""
    assert takes_gzip(header) is takes


@pytest.mark.parametrize("path", ["/healthz", "/-/healthy"])
def test_liveness_is_the_heartbeat_alone(path: str) -> None:
    """A store that is down does not kill the process; a loop that hangs does."""
    assert asked(World(reason="the store is sealed"), "GET", path).status_code == 200
    late = asked(World(age=60), "GET", path)
    assert late.status_code == 503
    assert "60s" in late.text


@pytest.mark.parametrize("path", ["/readyz", "/-/ready"])
def test_readiness_tells_why_not(path: str) -> None:
    """A reason is one sentence."""
    assert asked(World(), "GET", path).status_code == 200
    waiting = asked(World(reason="no login at the store yet"), "GET", path)
    assert waiting.status_code == 503
    assert waiting.text == "not ready: no login at the store yet\n"


def test_reload_is_a_post_and_calls_back() -> None:
    """GET changes nothing."""
    world = World()
    assert asked(world, "GET", "/-/reload").status_code == 405
    assert world.reloaded == 0
    assert asked(world, "POST", "/-/reload").status_code == 200
    assert world.reloaded == 1


def test_a_refused_configuration_is_a_failed_reload() -> None:
    """The answer says where to look, and nothing of the configuration."""
    answer = asked(World(reloads=False), "POST", "/-/reload")
    assert answer.status_code == 500
    assert "see the log" in answer.text


def test_a_web_page_cannot_reload() -> None:
    """A browser's cross-site POST bears its origin."""
    world = World()
    answer = asked(world, "POST", "/-/reload", {"origin": "https://elsewhere.example"})
    assert (answer.status_code, world.reloaded) == (403, 0)


def test_one_reload_at_a_time() -> None:
    """A second one is told to come back."""

    async def ask() -> tuple[int, int]:
        world = World(waits_for=asyncio.Event())
        assert world.waits_for is not None
        async with running(world.state()) as server, client(server) as web:
            first = asyncio.create_task(web.post("/-/reload"))
            while not world.reloaded:
                await web.get("/healthz")
            second = await web.post("/-/reload")
            world.waits_for.set()
            return (await first).status_code, second.status_code

    assert asyncio.run(ask()) == (200, 409)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_valid_and_each_link_works() -> None:
    """Tags close in order, the version is escaped, and no script may run."""

    async def ask() -> None:
        async with running(World().state()) as server, client(server) as web:
            page = await web.get("/")
            assert page.status_code == 200
            assert page.text.startswith("<!DOCTYPE html>")
            assert "1.0 &lt;b&gt;" in page.text
            links = _Links()
            links.feed(page.text)
            assert links.open == []
            places = {link.partition("#")[0] for link in links.links}
            assert {"metrics", "healthz", "readyz", "api/v1/openapi.json"} <= places
            for place in sorted(places):
                assert (await web.get(f"/{place}")).status_code == 200, place

    asyncio.run(ask())


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/nothing", "/-/reload"])
def test_every_answer_bears_the_safety_headers(path: str) -> None:
    """Errors too."""
    headers = asked(World(), "GET", path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers.get_list("content-security-policy") == [headers["content-security-policy"]]
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"


def test_head_is_allowed_wherever_get_is() -> None:
    """The same status and headers, and no body."""

    async def ask() -> None:
        async with running(World().state()) as server, client(server) as web:
            for path in ("/", "/metrics", "/healthz", "/-/healthy", "/readyz", "/-/ready"):
                full, answer = await web.get(path), await web.head(path)
                assert (answer.status_code, answer.content) == (200, b"")
                assert answer.headers["content-length"] == full.headers["content-length"]
                assert "server" not in answer.headers

    asyncio.run(ask())


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/api/v1", "/%00", "/../etc/passwd"])
def test_an_unknown_path_is_a_short_404(path: str) -> None:
    """It says nothing of itself."""
    answer = asked(World(), "GET", path)
    assert (answer.status_code, answer.text) == (404, "Not Found")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_written(method: str) -> None:
    """The pages only tell."""
    assert asked(World(), method, "/metrics").status_code == 405


@settings(max_examples=10, deadline=None)
@given(noise=st.lists(st.binary(min_size=1, max_size=200), min_size=10, max_size=20))
def test_malformed_requests_never_make_a_500(noise: list[bytes]) -> None:
    """Whatever arrives, the answer is a refusal or none, and the server lives on."""

    async def ask() -> None:
        async with running(World().state()) as server, client(server) as web:
            for part in noise:
                for request in (part, b"GET /" + part + b" HTTP/1.1\r\nHost: x\r\n\r\n"):
                    async with server.connect() as (reader, writer):
                        writer.write(request)
                        writer.write_eof()
                        assert b" 500 " not in (await ended(reader))[:64]
            assert (await web.get("/healthz")).status_code == 200

    asyncio.run(ask())


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/nine\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: zwei\r\n\r\n",
    ],
    ids=["tls", "version", "no-host", "long-header", "length"],
)
def test_what_is_no_http_is_refused(request_: bytes) -> None:
    """A 400, or the connection is closed."""

    async def ask() -> bytes:
        async with running(World().state()) as server:
            return await server.said(request_)

    answer = asyncio.run(ask())
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
