"""The TLS side of a web config: its PEM files, and what OpenSSL is told of them."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rotator.core.names import Sensitive
from rotator.serve.webconfig import ClientAuth, Tls
from rotator.serve.webconfig_values import wrong

MAX_PEM_BYTES: Final = 1 << 20

VERIFY: Final = {
    ClientAuth.NONE: ssl.CERT_NONE,
    ClientAuth.IF_GIVEN: ssl.CERT_OPTIONAL,
    ClientAuth.REQUIRED: ssl.CERT_REQUIRED,
}


@dataclass(frozen=True, slots=True)
class Material:
    """The bytes of one certificate chain, its key, and the CA of the clients."""

    cert: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None = None


def material(tls: Tls) -> Material:
    """Read the PEM texts of a web config.  Raises Wrong."""
    ca = None if tls.client_ca is None else _bytes(tls.client_ca, "client_ca")
    return Material(_bytes(tls.cert, "cert"), _bytes(tls.key, "key"), ca)


def context(tls: Tls, pems: Material) -> ssl.SSLContext:
    """Return what new connections are secured with.  Raises Wrong."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load_pair(made, pems)
    _load_clients(made, tls, pems)
    made.minimum_version, made.maximum_version = tls.min_version, tls.max_version
    if tls.ciphers:
        made.set_ciphers(":".join(tls.ciphers))
    elif tls.ciphers is not None:  # suites of TLS 1.3 alone were named
        made.minimum_version = ssl.TLSVersion.TLSv1_3
    if not tls.prefer_server_ciphers:
        made.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if tls.curve is not None:
        made.set_ecdh_curve(tls.curve)
    # A resumed session would outlive the certificate or CA that began it.
    made.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    made.num_tickets = 0
    made.set_alpn_protocols(["http/1.1"])
    return made


def allowed(tls: Tls | None, peer: dict[str, Any] | None) -> bool:
    """Say whether a client's verified certificate bears one of the allowed names."""
    if tls is None or not tls.allowed_sans:
        return True
    names = (peer or {}).get("subjectAltName", ())
    return any(_name(kind, value) in tls.allowed_sans for kind, value in names)


def _name(kind: str, value: str) -> str:
    """Return a name as it is written in a web config; addresses have one form."""
    if kind != "IP Address":
        return value if kind in ("DNS", "email", "URI") else ""
    try:
        return str(ipaddress.ip_address(value.strip()))
    except ValueError:
        return ""


def _bytes(source: Path | Sensitive, name: str) -> bytes:
    if isinstance(source, Sensitive):
        return source.reveal().encode()
    where = f"tls_server_config.{name}_file"
    try:
        with source.open("rb") as file:
            content = file.read(MAX_PEM_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        cure = "Name a file that the daemon may read; it is meant from the web config's folder."
        wrong(where, f"cannot be read ({reason})", cure)
    if len(content) > MAX_PEM_BYTES:
        wrong(where, "is larger than 1 MiB", "Name a PEM file.")
    return content


def _load_pair(made: ssl.SSLContext, pems: Material) -> None:
    where = "tls_server_config.cert_file"
    try:
        with _in_memory(pems.cert) as cert, _in_memory(pems.key) as key:
            made.load_cert_chain(cert, key, password=_no_password)
    except _Encrypted:
        what = "is encrypted, and nobody is there to type its password"
        wrong("tls_server_config.key_file", what, "Write the key without a password, mode 0600.")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            cure = "Write the certificate that belongs to the key; the server's own comes first."
            wrong(where, "does not belong to `key_file`", cure)
        wrong(where, "and `key_file` are no PEM certificate and key", "Name two PEM files.")


def _load_clients(made: ssl.SSLContext, tls: Tls, pems: Material) -> None:
    where = "tls_server_config.client_ca_file"
    made.check_hostname = False
    made.verify_mode = VERIFY[tls.client_auth]
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # what is named is trusted, as in Go
    if pems.client_ca is None:
        return
    try:
        made.load_verify_locations(cadata=pems.client_ca.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        wrong(where, "is no PEM certificate", "Name the file of the CA that signs your clients.")


class _Encrypted(Exception):
    """OpenSSL asked for the password of a key."""


def _no_password() -> str:
    raise _Encrypted


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Give a path to bytes that lie on no disk, since OpenSSL reads keys from paths alone."""
    number = os.memfd_create("rotator", os.MFD_CLOEXEC)
    try:
        os.write(number, content)
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)
