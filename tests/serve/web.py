"""Web configs for tests: a folder with a certificate, and what is made of a text."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import bcrypt

from rotator.serve.webconfig_live import LiveWebConfig
from rotator.serve.webconfig_values import WebProblem
from rotator.wiring.web import parse
from tests.servers.certificates import Authority, Pair

PASSWORD = "mallard-on-the-pond"
COST = 4


SALT = b"saltsaltsaltsaltsaltsO"
"""The same in each run, because hashes are in the names of tests."""


def hashed(password: str = PASSWORD, cost: int = COST) -> str:
    """Return a cheap bcrypt hash."""
    return bcrypt.hashpw(password.encode(), b"$2b$%02d$" % cost + SALT).decode()


@dataclass
class Folder:
    """A folder with a CA, the server's pair in `server.pem` and `server.key`, and a web config."""

    path: Path

    def __post_init__(self) -> None:
        self.authority = Authority(self.path)
        self.pair = self.authority.pair("server")

    @property
    def file(self) -> Path:
        """The web config."""
        return self.path / "web.yaml"

    def write(self, text: str) -> Path:
        """Write the web config."""
        self.file.write_text(text)
        return self.file

    def live(self, text: str) -> LiveWebConfig:
        """Return the web config of a text, which must be sound."""
        live = LiveWebConfig(self.write(text), parse)
        problem = live.first()
        assert problem is None, problem
        return live

    def problem(self, text: str) -> WebProblem:
        """Return what is wrong with a text."""
        problem = LiveWebConfig(self.write(text), parse).first()
        assert problem is not None
        return problem

    def trusting(self, pair: Pair | None = None) -> ssl.SSLContext:
        """Return a client's context that trusts our CA, with a certificate of its own or none."""
        made = ssl.create_default_context(cafile=str(self.authority.ca_file))
        if pair is not None:
            made.load_cert_chain(pair.cert_file, pair.key_file)
        return made


TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"


def with_tls(*fields: str) -> str:
    """Return a web config with TLS and further fields of it."""
    lines = ["cert_file: server.pem", "key_file: server.key", *fields]
    return "tls_server_config:\n" + "".join(f"  {line}\n" for line in lines)
