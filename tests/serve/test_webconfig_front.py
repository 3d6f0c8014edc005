"""The web config before every page: passwords, headers, rate, size."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from rotator.serve.app import HEADERS
from tests.serve.server import World, client, running
from tests.serve.web import PASSWORD, Folder, hashed, with_tls

PATHS = ["/", "/metrics", "/healthz", "/readyz", "/-/healthy", "/-/ready", "/nothing"]
USERS = f'basic_auth_users: {{ann: "{hashed()}"}}\n'


def test_every_path_asks_for_the_password(folder: Folder) -> None:
    """Health endpoints too, as exporters have it; the challenge says how."""
    live = folder.live(USERS)
    world = World()

    async def run() -> None:
        async with running(world.state(), in_force=lambda: live.in_force) as server:
            async with client(server) as web, client(server, ("ann", "wrong")) as guessing:
                for path in PATHS:
                    for answer in (await web.get(path), await guessing.get(path)):
                        assert answer.status_code == 401
                        assert answer.headers["www-authenticate"].startswith("Basic ")
                        assert answer.headers["cache-control"] == "no-store"
                        assert "rotator_leader" not in answer.text
                assert (await web.post("/-/reload")).status_code == 401
            assert world.reloaded == 0
            async with client(server, ("ann", PASSWORD)) as web:
                assert [(await web.get(path)).status_code for path in PATHS] == [200] * 6 + [404]
                assert (await web.post("/-/reload")).status_code == 200

    asyncio.run(run())


def test_users_change_without_a_restart_and_connections_stay(folder: Folder) -> None:
    """A user who is taken out is refused on the connection that was open."""
    live = folder.live(USERS)

    async def run() -> None:
        async with (
            running(World().state(), in_force=lambda: live.in_force) as server,
            client(server, ("ann", PASSWORD)) as web,
        ):
            assert (await web.get("/metrics")).status_code == 200
            (held,) = web._transport._pool.connections  # type: ignore[attr-defined]
            folder.write("basic_auth_users: {ann: nonsense}\n")
            assert live.again() is None
            assert str(live.again()).startswith("basic_auth_users.ann: ")
            assert live.again() is None
            assert (await web.get("/metrics")).status_code == 200
            folder.write(f'basic_auth_users: {{bob: "{hashed()}"}}\n')
            live.again()
            assert (await web.get("/metrics")).status_code == 401
            assert web._transport._pool.connections == [held]  # type: ignore[attr-defined]

    asyncio.run(run())


def test_headers_of_the_web_config_stand_in_the_place_of_the_pages_own(folder: Folder) -> None:
    """Each once, on refusals too; the others of the page stay."""
    policy = "default-src 'self'"
    headers = f'Content-Security-Policy: "{policy}", X-Frame-Options: deny, X-XSS-Protection: ""'
    live = folder.live(f"http_server_config: {{headers: {{{headers}}}}}\n{USERS}")

    async def run() -> list[httpx.Response]:
        async with (
            running(World().state(), in_force=lambda: live.in_force) as server,
            client(server) as web,
            client(server, ("ann", PASSWORD)) as known,
        ):
            return [await web.get("/"), await known.get("/"), await known.get("/nothing")]

    refused, *answers = asyncio.run(run())
    assert refused.headers["x-frame-options"] == "deny"
    for answer in answers:
        assert answer.headers.get_list("content-security-policy") == [policy]
        assert "x-xss-protection" not in answer.headers
        for name, _ in HEADERS:
            assert len(answer.headers.get_list(name.decode())) == 1


def test_more_requests_than_the_rate_are_told_to_wait(folder: Folder) -> None:
    """A limit that is taken out again lets all in."""
    live = folder.live("rate_limit: {interval: 1h, burst: 2}\n")

    async def run() -> None:
        async with (
            running(World().state(), in_force=lambda: live.in_force) as server,
            client(server) as web,
        ):
            told = [await web.get("/metrics") for _ in range(3)]
            assert [answer.status_code for answer in told] == [200, 200, 429]
            assert told[2].headers["retry-after"] == "1"
            folder.write("")
            live.again()
            assert (await web.get("/metrics")).status_code == 200

    asyncio.run(run())


@pytest.mark.parametrize("length", ["65537", "99999999999999999999"])
def test_a_body_larger_than_any_page_takes_is_refused_unread(length: str) -> None:
    """At its announcement."""

    async def run() -> bytes:
        async with running(World().state()) as server:
            head = f"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
            return await server.said(head.encode())

    assert asyncio.run(run()).startswith(b"HTTP/1.1 413 ")


def test_tls_and_passwords_together(folder: Folder) -> None:
    """As a Prometheus with tls_config and basic_auth scrapes."""
    live = folder.live(with_tls() + USERS)

    async def run() -> int:
        async with (
            running(World().state(), in_force=lambda: live.in_force) as server,
            client(server, ("ann", PASSWORD), folder.trusting()) as web,
        ):
            return (await web.get("/metrics")).status_code

    assert asyncio.run(run()) == 200
