"""TLS on the port, over real sockets: certificates, versions, clients, renewal."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from pathlib import Path

import httpx
import pytest

from rotator.serve.webconfig_live import InForce
from tests.serve.server import World, client, running
from tests.serve.web import TLS, Folder, with_tls
from tests.servers.certificates import Authority, Pair

REFUSED = (httpx.TransportError, ssl.SSLError)
REQUIRED = ("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: ca.pem")


def status(folder: Folder, text: str, context: ssl.SSLContext) -> int | str:
    """Return the status of one scrape, or "refused" if no answer comes."""
    live = folder.live(text)

    async def ask() -> int | str:
        async with (
            running(World().state(), in_force=lambda: live.in_force) as server,
            client(server, tls=context) as web,
        ):
            try:
                return (await web.get("/metrics")).status_code
            except REFUSED:
                return "refused"

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Give a client's certificate from a CA that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger")).pair("stranger")


@pytest.fixture(scope="module")
def desk(folder: Folder) -> Pair:
    """Give a client's certificate from our CA."""
    return folder.authority.pair("desk")


def test_a_client_that_trusts_the_ca_is_answered_and_plain_http_is_not(folder: Folder) -> None:
    """The port speaks TLS alone."""
    live = folder.live(TLS)

    async def ask() -> bytes:
        async with (
            running(World().state(), in_force=lambda: live.in_force) as server,
            client(server, tls=folder.trusting()) as web,
        ):
            assert (await web.get("/metrics")).status_code == 200
            assert (await web.get("/healthz")).status_code == 200
            return await server.said(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")

    assert b"HTTP" not in asyncio.run(ask())


@pytest.mark.parametrize(
    ("fields", "let_in"),
    [
        (("client_auth_type: NoClientCert",), {"without", "ours", "strangers"}),
        (("client_auth_type: RequestClientCert",), {"without", "ours", "strangers"}),
        (
            ("client_auth_type: VerifyClientCertIfGiven", "client_ca_file: ca.pem"),
            {"without", "ours"},
        ),
        (REQUIRED, {"ours"}),
        ((*REQUIRED, "client_allowed_sans: [other, desk]"), {"ours"}),
        ((*REQUIRED, "client_allowed_sans: [127.0.0.1]"), {"ours"}),
        ((*REQUIRED, "client_allowed_sans: [other]"), set()),
    ],
)
def test_who_gets_in(
    folder: Folder, desk: Pair, stranger: Pair, fields: tuple[str, ...], let_in: set[str]
) -> None:
    """By what client certificates are asked for, and who signed the client's."""
    clients = {"without": None, "ours": desk, "strangers": stranger}
    text = with_tls(*fields)
    told = {name: status(folder, text, folder.trusting(pair)) for name, pair in clients.items()}
    assert told == {name: 200 if name in let_in else "refused" for name in clients}


@pytest.mark.parametrize(
    ("field", "low", "high", "expected"),
    [
        ("min_version: TLS12", "TLSv1_2", "TLSv1_2", 200),
        ("min_version: TLS13", "TLSv1_2", "TLSv1_2", "refused"),
        ("min_version: TLS13", "TLSv1_2", "TLSv1_3", 200),
        ("max_version: TLS12", "TLSv1_2", "TLSv1_3", 200),
        ("max_version: TLS12", "TLSv1_3", "TLSv1_3", "refused"),
        ("cipher_suites: [TLS_AES_128_GCM_SHA256]", "TLSv1_2", "TLSv1_2", "refused"),
        (
            "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]",
            "TLSv1_2",
            "TLSv1_2",
            200,
        ),
    ],
)
def test_versions(folder: Folder, field: str, low: str, high: str, expected: int | str) -> None:
    """A client outside the versions is refused in the handshake."""
    context = folder.trusting()
    context.minimum_version, context.maximum_version = ssl.TLSVersion[low], ssl.TLSVersion[high]
    assert status(folder, with_tls(field), context) == expected


@pytest.mark.parametrize(
    ("server", "theirs", "expected"),
    [
        ("CurveP384", "secp384r1", 200),
        ("CurveP384", "prime256v1", "refused"),
        ("X25519", "X25519", 200),
    ],
)
def test_a_curve_that_is_named_is_the_only_one(
    folder: Folder, server: str, theirs: str, expected: int | str
) -> None:
    """A client without it is refused."""
    context = folder.trusting()
    context.set_ecdh_curve(theirs)
    assert status(folder, with_tls(f"curve_preferences: [{server}]"), context) == expected


def test_the_cipher_that_is_named_is_the_one_used(folder: Folder) -> None:
    """TLS 1.2 with one suite left."""
    live = folder.live(
        with_tls("max_version: TLS12", "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA]")
    )

    trusting = folder.trusting()
    trusting.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA")

    async def ask() -> str:
        async with running(World().state(), in_force=lambda: live.in_force) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusting)
            try:
                return str(writer.get_extra_info("cipher")[0])
            finally:
                writer.transport.abort()

    assert asyncio.run(ask()) == "ECDHE-ECDSA-AES128-SHA"


async def serial(port: int, context: ssl.SSLContext) -> str:
    """Return the serial number of the certificate that a new connection is shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        return str(writer.get_extra_info("peercert")["serialNumber"])
    finally:
        writer.transport.abort()


def test_a_renewed_certificate_serves_new_connections_and_leaves_the_old_ones(
    tmp_path: Path,
) -> None:
    """A certificate that is broken in between changes nothing."""
    folder = Folder(tmp_path)
    live = folder.live(TLS)
    before = folder.pair.cert_file.read_bytes()

    async def run() -> None:
        trusting = folder.trusting()
        async with (
            running(World().state(), in_force=lambda: live.in_force) as server,
            client(server, tls=trusting) as web,
        ):
            assert (await web.get("/healthz")).status_code == 200
            first = await serial(server.port, trusting)
            folder.pair.cert_file.write_bytes(b"half a certif")
            live.again()
            live.again()
            assert await serial(server.port, trusting) == first
            folder.authority.pair("server")
            assert isinstance(live.again(), InForce)
            assert await serial(server.port, trusting) != first
            assert (await web.get("/healthz")).status_code == 200
            folder.pair.cert_file.write_bytes(before)

    asyncio.run(run())


def test_a_client_ca_that_is_taken_away_closes_the_port_to_its_clients(tmp_path: Path) -> None:
    """A session of before does not help: none is resumed."""
    folder = Folder(tmp_path)
    mine = folder.trusting(folder.authority.pair("desk"))
    shutil.copy(tmp_path / "ca.pem", tmp_path / "clients.pem")
    live = folder.live(with_tls(REQUIRED[0], "client_ca_file: clients.pem"))

    async def run() -> None:
        async with running(World().state(), in_force=lambda: live.in_force) as server:
            async with client(server, tls=mine) as web:
                assert (await web.get("/healthz")).status_code == 200
            (tmp_path / "other").mkdir()
            shutil.copy(Authority(tmp_path / "other").ca_file, tmp_path / "clients.pem")
            assert isinstance(live.again(), InForce)
            async with client(server, tls=mine) as web:
                with pytest.raises(REFUSED):
                    await web.get("/healthz")

    asyncio.run(run())


def test_tls_can_be_turned_on_while_the_port_is_open(tmp_path: Path) -> None:
    """Each connection goes by the web config of its moment."""
    folder = Folder(tmp_path)
    live = folder.live("")

    async def run() -> None:
        async with running(World().state(), in_force=lambda: live.in_force) as server:
            async with client(server) as web:
                assert (await web.get("/healthz")).status_code == 200
                folder.write(TLS)
                live.again()
                assert (await web.get("/healthz")).status_code == 200
            url = f"https://127.0.0.1:{server.port}/healthz"
            async with client(server, tls=folder.trusting()) as web:
                assert (await web.get(url)).status_code == 200

    asyncio.run(run())


def test_a_request_that_comes_with_the_handshake_is_answered(folder: Folder) -> None:
    """TLS 1.3 lets a client send its request in the packet that ends its handshake."""
    live = folder.live(TLS)
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    async def run() -> bytes:
        async with running(World().state(), in_force=lambda: live.in_force) as server:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            mine = folder.trusting().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
            async with server.connect() as (reader, writer):
                while True:
                    try:
                        mine.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        writer.write(outgoing.read())
                        incoming.write(await reader.read(65536))
                mine.write(request)
                writer.write(outgoing.read())
                while True:
                    try:
                        return mine.read(65536)
                    except ssl.SSLWantReadError:
                        incoming.write(await reader.read(65536))

    assert asyncio.run(run()).startswith(b"HTTP/1.1 200 ")
