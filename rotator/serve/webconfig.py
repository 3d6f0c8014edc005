"""The web config that Prometheus exporters take: TLS, client certificates, passwords.

The form is the one of the exporter-toolkit, field by field.  What this server
cannot do is refused or told in a notice, never left out in silence.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from rotator.core.names import Sensitive
from rotator.serve.webconfig_values import (
    Reader,
    WebProblem,
    Wrong,
    bcrypt_hash,
    flag,
    mapping,
    one_of,
    pem,
    section,
    shown,
    span,
    text,
    whole,
    words,
    wrong,
)


class ClientAuth(Enum):
    """What a client must show in the handshake."""

    NONE = "nothing"
    IF_GIVEN = "a certificate that holds, if any"
    REQUIRED = "a certificate that holds"


@dataclass(frozen=True, slots=True)
class Tls:
    """How connections are secured; a PEM is a file or its text."""

    cert: Path | Sensitive
    key: Path | Sensitive
    client_ca: Path | Sensitive | None = None
    client_auth: ClientAuth = ClientAuth.NONE
    allowed_sans: frozenset[str] = frozenset()
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    max_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: tuple[str, ...] | None = None
    prefer_server_ciphers: bool = True
    curve: str | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """One request every `interval`, and `burst` at once."""

    interval: timedelta
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """A web config; the default is a port without TLS, without passwords."""

    tls: Tls | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    users: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    rate: Rate | None = None
    notices: tuple[str, ...] = ()


TLS_1_3_CIPHERS: Final = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)
"""Named but not chosen, as in Go: every TLS 1.3 connection may use them."""

CIPHERS: Final[Mapping[str, str | None]] = {
    **dict.fromkeys(TLS_1_3_CIPHERS),
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
"""Go's names of the suites that it calls secure, with OpenSSL's names."""

CURVES: Final = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}

VERSIONS: Final = {
    "TLS10": None,
    "TLS11": None,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}

CLIENT_AUTH: Final = {
    "NoClientCert": ClientAuth.NONE,
    "RequestClientCert": ClientAuth.NONE,
    "RequireAnyClientCert": None,
    "RequireClientCert": None,
    "VerifyClientCertIfGiven": ClientAuth.IF_GIVEN,
    "RequireAndVerifyClientCert": ClientAuth.REQUIRED,
}

NOT_ASKED: Final = (
    "tls_server_config.client_auth_type: RequestClientCert lets everybody in; "
    "no certificate is asked for, because none would be checked"
)
IN_CLEAR: Final = (
    "basic_auth_users: passwords travel unencrypted, because there is no tls_server_config"
)
NO_HTTP2: Final = (
    "http_server_config.http2: this port speaks HTTP/1.1 alone; clients agree to it by themselves"
)


def _version(value: Any, where: str) -> ssl.TLSVersion:
    version: ssl.TLSVersion | None = one_of(VERSIONS)(value, where)
    if version is None:
        wrong(where, "is a version that is no longer secure", "Write TLS12 or TLS13.")
    return version


def _client_auth(value: Any, where: str) -> tuple[str, ClientAuth]:
    auth: ClientAuth | None = one_of(CLIENT_AUTH)(value, where)
    if auth is None:
        what = "asks for a certificate that nobody verifies, which keeps nobody out"
        wrong(where, what, "Write RequireAndVerifyClientCert and `client_ca_file`.")
    return str(value), auth


def _ciphers(value: Any, where: str) -> tuple[str, ...] | None:
    named = words(value, where)
    known = [one_of(CIPHERS)(name, f"{where}[{n}]") for n, name in enumerate(named)]
    return tuple(name for name in known if name is not None) if named else None


def _allowed(value: Any, where: str) -> tuple[str, ...]:
    names = words(value, where)
    if not names:
        wrong(where, "is empty, with which nobody is let in", "Name your clients, or remove it.")
    return names


def _curve(value: Any, where: str) -> str | None:
    named = [one_of(CURVES)(name, f"{where}[{n}]") for n, name in enumerate(words(value, where))]
    if len(named) > 1:
        what = "names several curves, and this server can only be told one"
        wrong(where, what, "Name one, or leave it out: then the client's best is taken.")
    return named[0] if named else None


def _users(value: Any, where: str) -> dict[str, bytes]:
    users: dict[str, bytes] = {}
    for name, hashed in mapping(value, where).items():
        place = f"{where}.{shown(name)}"
        if not name or ":" in name or not name.isprintable():
            wrong(place, "is a name that no client can send", "Write it without `:`.")
        users[name] = bcrypt_hash(hashed, place).encode()
    return users


TLS_FIELDS: Final[Mapping[str, Reader]] = {
    "cert": pem,
    "key": pem,
    "client_ca": pem,
    "cert_file": text,
    "key_file": text,
    "client_ca_file": text,
    "client_auth_type": _client_auth,
    "client_allowed_sans": _allowed,
    "min_version": _version,
    "max_version": _version,
    "cipher_suites": _ciphers,
    "prefer_server_cipher_suites": flag,
    "curve_preferences": _curve,
}

HEADERS: Final[Mapping[str, Reader]] = {
    "Content-Security-Policy": text,
    "X-Frame-Options": one_of({"deny": "deny", "sameorigin": "sameorigin"}),
    "X-Content-Type-Options": one_of({"nosniff": "nosniff"}),
    "X-XSS-Protection": text,
    "Strict-Transport-Security": text,
}

FIELDS: Final[Mapping[str, Reader]] = {
    "tls_server_config": lambda value, where: section(value, where, TLS_FIELDS),
    "http_server_config": lambda value, where: section(
        value, where, {"http2": flag, "headers": lambda v, w: section(v, w, HEADERS)}
    ),
    "basic_auth_users": _users,
    "rate_limit": lambda value, where: section(value, where, {"interval": span, "burst": whole}),
}


def read_web_config(values: Mapping[str, Any], folder: Path) -> WebConfig | WebProblem:
    """Return a web config, or the first thing wrong with it.

    `values` are the file's plain values; file names in it are meant from `folder`.
    No file is opened.
    """
    try:
        read = section(dict(values), "", FIELDS)
        tls, word = _tls(read.get("tls_server_config", {}), folder)
        http = read.get("http_server_config", {})
        users = read.get("basic_auth_users", {})
        notices = {
            NOT_ASKED: word == "RequestClientCert",
            IN_CLEAR: bool(users) and tls is None,
            NO_HTTP2: bool(http.get("http2")),
        }
        return WebConfig(
            tls=tls,
            headers=_headers(http.get("headers", {})),
            users=MappingProxyType(users),
            rate=_rate(read.get("rate_limit", {})),
            notices=tuple(notice for notice, holds in notices.items() if holds),
        )
    except Wrong as error:
        return error.problem


def _tls(read: dict[str, Any], folder: Path) -> tuple[Tls | None, str]:
    where = "tls_server_config"
    if not read:
        return None, ""
    word, auth = read.get("client_auth_type", ("NoClientCert", ClientAuth.NONE))
    tls = Tls(
        cert=_required(read, "cert", folder),
        key=_required(read, "key", folder),
        client_ca=_source(read, "client_ca", folder),
        client_auth=auth,
        allowed_sans=frozenset(read.get("client_allowed_sans", ())),
        min_version=read.get("min_version", ssl.TLSVersion.TLSv1_2),
        max_version=read.get("max_version", ssl.TLSVersion.TLSv1_3),
        ciphers=read.get("cipher_suites"),
        prefer_server_ciphers=read.get("prefer_server_cipher_suites", True),
        curve=read.get("curve_preferences"),
    )
    if auth is not ClientAuth.NONE and tls.client_ca is None:
        what = "is missing, so no client certificate could be verified"
        wrong(f"{where}.client_ca_file", what, "Name the file of the CA that signs your clients.")
    if auth is ClientAuth.NONE and tls.client_ca is not None:
        what = f"does nothing while `client_auth_type` is {word}"
        wrong(f"{where}.client_ca_file", what, "Set RequireAndVerifyClientCert, or remove it.")
    if "client_allowed_sans" in read and auth is not ClientAuth.REQUIRED:
        what = "needs a client certificate that is required and verified"
        cure = "Set `client_auth_type: RequireAndVerifyClientCert`, or remove it."
        wrong(f"{where}.client_allowed_sans", what, cure)
    _versions_fit(tls)
    return tls, word


def _versions_fit(tls: Tls) -> None:
    where = "tls_server_config"
    if tls.max_version < tls.min_version:
        wrong(f"{where}.max_version", "is below `min_version`", "Write TLS13, or leave it out.")
    if tls.ciphers == () and tls.max_version is ssl.TLSVersion.TLSv1_2:
        what = "leaves no suite for TLS 1.2, which `max_version` asks for"
        cure = "Add TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 and its like."
        wrong(f"{where}.cipher_suites", what, cure)


def _required(read: Mapping[str, Any], name: str, folder: Path) -> Path | Sensitive:
    source = _source(read, name, folder)
    if source is None:
        cure = f"Set `{name}_file`, or remove `tls_server_config` for a port without TLS."
        wrong(f"tls_server_config.{name}_file", "is missing", cure)
    return source


def _source(read: Mapping[str, Any], name: str, folder: Path) -> Path | Sensitive | None:
    file, written = read.get(f"{name}_file") or None, read.get(name)
    if file is not None and written is not None:
        what = f"stands beside `{name}_file`"
        wrong(f"tls_server_config.{name}", what, "Keep one of the two.")
    if written is not None:
        return Sensitive(str(written))
    return None if file is None else folder / str(file)


def _headers(read: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    headers = []
    for name, value in read.items():
        if not value.isascii():
            where = f"http_server_config.headers.{name}"
            wrong(where, "has letters that no header can carry", "Write it in ASCII.")
        if value:
            headers.append((name.lower().encode(), value.encode()))
    return tuple(headers)


def _rate(read: Mapping[str, Any]) -> Rate | None:
    interval: timedelta = read.get("interval", timedelta(0))
    if not interval:
        return None
    burst: int = read.get("burst", 0)
    if burst < 1:
        what = "is 0, with which nobody is ever let in"
        wrong("rate_limit.burst", what, "Write how many requests may come at once, such as 20.")
    return Rate(interval, burst)
