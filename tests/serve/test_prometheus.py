"""A real Prometheus scrapes the port with its own TLS, client certificate and password."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from tests.serve.server import World, running
from tests.serve.web import PASSWORD, Folder, hashed, with_tls
from tests.servers.build import ServerMissing, packaged

pytestmark = pytest.mark.real

SCRAPING = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: rotator
    scheme: https
    tls_config: {{ca_file: ca.pem, cert_file: desk.pem, key_file: desk.key}}
    basic_auth: {{username: ann, password: {password}}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@pytest.fixture(scope="module")
def prometheus() -> Path:
    """Give the program, or skip and say what to install."""
    try:
        return packaged("prometheus")
    except ServerMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


class Scraped(World):
    """Notes that its metrics were read."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.get_running_loop()
        self.times = asyncio.Semaphore(0)

    def metrics(self, *, gzip: bool) -> bytes:
        """Return the text, from a worker thread."""
        self.loop.call_soon_threadsafe(self.times.release)
        return super().metrics(gzip=gzip)


def test_prometheus_scrapes_through_all_of_it(prometheus: Path, folder: Folder) -> None:
    """And goes on when the password's hash changes for another of the same password."""
    folder.authority.pair("desk")
    secured = with_tls(
        "client_auth_type: RequireAndVerifyClientCert",
        "client_ca_file: ca.pem",
        "client_allowed_sans: [desk]",
    )
    live = folder.live(f'{secured}basic_auth_users: {{ann: "{hashed()}"}}\n')

    async def run() -> None:
        world = Scraped()
        async with running(world.state(), in_force=lambda: live.in_force) as server:
            config = folder.path / "prometheus.yml"
            config.write_text(SCRAPING.format(password=PASSWORD, port=server.port))
            process = await asyncio.create_subprocess_exec(
                prometheus,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder.path / 'data'}",
                "--web.listen-address=127.0.0.1:0",
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                await asyncio.wait_for(world.times.acquire(), 30)
                folder.write(f'{secured}basic_auth_users: {{ann: "{hashed(cost=5)}"}}\n')
                assert live.again() is not None
                for _ in range(2):
                    await asyncio.wait_for(world.times.acquire(), 30)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                await process.wait()

    asyncio.run(run())
