"""Which web configs are taken, and what is said of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given, settings, strategies as st

from rotator.serve.webconfig import WebConfig, read_web_config
from rotator.serve.webconfig_values import WebProblem
from rotator.wiring.web import parse
from tests.serve.web import TLS, Folder, hashed, with_tls

USER = f'basic_auth_users: {{mallory: "{hashed()}"}}\n'

REFUSED = [
    ("tls_server_confg: {}\n", "tls_server_confg", "`tls_server_config`"),
    ("- a\n", "web.yaml", ""),
    ("a: &x b\n", "web.yaml", "line"),
    ("tls_server_config: [a]\n", "tls_server_config", "key: value"),
    (
        "tls_server_config: {key_file: server.key}\n",
        "tls_server_config.cert_file",
        "Set `cert_file`",
    ),
    (
        "tls_server_config: {cert_file: server.pem}\n",
        "tls_server_config.key_file",
        "Set `key_file`",
    ),
    (
        'tls_server_config: {cert_file: "", key_file: server.key}\n',
        "tls_server_config.cert_file",
        "",
    ),
    ("tls_server_config: {min_version: TLS13}\n", "tls_server_config.cert_file", "without TLS"),
    (
        "tls_server_config: {cert_file: gone.pem, key_file: server.key}\n",
        "tls_server_config.cert_file",
        "may read",
    ),
    (
        "tls_server_config: {cert_file: server.pem, key_file: ca.pem}\n",
        "tls_server_config.cert_file",
        "PEM",
    ),
    (
        "tls_server_config: {cert_file: ca.pem, key_file: server.key}\n",
        "tls_server_config.cert_file",
        "belongs to the key",
    ),
    (
        "tls_server_config: {cert_file: server.pem, key_file: locked.key}\n",
        "tls_server_config.key_file",
        "without a password",
    ),
    (with_tls("cert: mallard"), "tls_server_config.cert", "_file"),
    (
        with_tls('cert: "-----BEGIN CERTIFICATE-----"'),
        "tls_server_config.cert",
        "Keep one",
    ),
    (with_tls("client_auth_type: Mallard"), "tls_server_config.client_auth_type", "Known here"),
    (
        with_tls("client_auth_type: RequireAnyClientCert"),
        "tls_server_config.client_auth_type",
        "RequireAndVerifyClientCert",
    ),
    (
        with_tls("client_auth_type: RequireAndVerifyClientCert"),
        "tls_server_config.client_ca_file",
        "CA",
    ),
    (with_tls("client_ca_file: ca.pem"), "tls_server_config.client_ca_file", "RequireAndVerify"),
    (
        with_tls("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: /dev/null"),
        "tls_server_config.client_ca_file",
        "CA",
    ),
    (
        with_tls(
            "client_auth_type: VerifyClientCertIfGiven",
            "client_ca_file: ca.pem",
            "client_allowed_sans: [desk]",
        ),
        "tls_server_config.client_allowed_sans",
        "RequireAndVerifyClientCert",
    ),
    (
        with_tls(
            "client_auth_type: RequireAndVerifyClientCert",
            "client_ca_file: ca.pem",
            "client_allowed_sans: []",
        ),
        "tls_server_config.client_allowed_sans",
        "Name",
    ),
    (with_tls("min_version: TLS111"), "tls_server_config.min_version", "TLS1"),
    (with_tls("min_version: TLS10"), "tls_server_config.min_version", "TLS12"),
    (
        with_tls("min_version: TLS13", "max_version: TLS12"),
        "tls_server_config.max_version",
        "TLS13",
    ),
    (
        with_tls("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA2048]"),
        "tls_server_config.cipher_suites[0]",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    ),
    (
        with_tls("max_version: TLS12", "cipher_suites: [TLS_AES_128_GCM_SHA256]"),
        "tls_server_config.cipher_suites",
        "Add",
    ),
    (
        with_tls("curve_preferences: [CurveP257]"),
        "tls_server_config.curve_preferences[0]",
        "CurveP",
    ),
    (
        with_tls("curve_preferences: [X25519, CurveP256]"),
        "tls_server_config.curve_preferences",
        "Name one",
    ),
    (
        with_tls("prefer_server_cipher_suites: perhaps"),
        "tls_server_config.prefer_server_cipher_suites",
        "true or false",
    ),
    ("http_server_config: {http3: true}\n", "http_server_config.http3", "`http2`"),
    (
        "http_server_config: {headers: {Content-Type: mallard}}\n",
        "http_server_config.headers.Content-Type",
        "X-Content-Type-Options",
    ),
    (
        "http_server_config: {headers: {X-Frame-Options: mallard}}\n",
        "http_server_config.headers.X-Frame-Options",
        "deny",
    ),
    (
        'http_server_config: {headers: {X-XSS-Protection: "1\\r\\nSet-Cookie: mallard"}}\n',
        "http_server_config.headers.X-XSS-Protection",
        "one line",
    ),
    (
        'http_server_config: {headers: {X-XSS-Protection: "entchen \u00fc"}}\n',
        "http_server_config.headers.X-XSS-Protection",
        "ASCII",
    ),
    ("basic_auth_users: {john: mallard}\n", "basic_auth_users.john", "htpasswd"),
    (
        f'basic_auth_users: {{"jo:hn": "{hashed()}"}}\n',
        "basic_auth_users.jo:hn",
        "without `:`",
    ),
    (
        f'basic_auth_users: {{john: "{hashed().replace("$04$", "$17$")}"}}\n',
        "basic_auth_users.john",
        "cost",
    ),
    ("rate_limit: {interval: 1s}\n", "rate_limit.burst", "20"),
    ("rate_limit: {interval: mallard, burst: 1}\n", "rate_limit.interval", "100ms"),
    ("rate_limit: {interval: 1s, burst: -1}\n", "rate_limit.burst", "20"),
]


TAKEN = [
    "",
    "tls_server_config: {}\nhttp_server_config:\nbasic_auth_users: {}\n",
    TLS,
    USER,
    with_tls("client_auth_type: RequestClientCert"),
    with_tls("client_auth_type: NoClientCert", "min_version: TLS13", "max_version: TLS13"),
    with_tls("cipher_suites: [TLS_AES_128_GCM_SHA256]"),
    with_tls("cipher_suites: []", "curve_preferences: []"),
    with_tls("curve_preferences: [X25519]", "prefer_server_cipher_suites: false"),
    with_tls(
        "client_auth_type: RequireAndVerifyClientCert",
        "client_ca_file: ca.pem",
        "client_allowed_sans: [desk, 127.0.0.1]",
    ),
    "http_server_config: {http2: false, headers: {X-XSS-Protection: 1}}\n",
    "rate_limit: {interval: 0, burst: 0}\n",
    'rate_limit: {interval: "1m0.5s", burst: 3}\n',
]


@pytest.fixture(scope="module", autouse=True)
def _locked_key(folder: Folder) -> None:
    """A key that asks for a password."""
    key = load_pem_private_key(folder.pair.key_file.read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pond"))
    (folder.path / "locked.key").write_bytes(locked)


@pytest.mark.parametrize(
    ("text", "field", "cure"), REFUSED, ids=[f"{r[1]}-{n}" for n, r in enumerate(REFUSED)]
)
def test_what_cannot_be_used_is_one_sentence_with_field_and_cure(
    folder: Folder, text: str, field: str, cure: str
) -> None:
    """No value of the file stands in it."""
    problem = folder.problem(text)
    assert problem.field == field
    assert cure in f"{problem.what} {problem.cure}"
    assert "mallard" not in str(problem)
    assert "\n" not in str(problem)


@pytest.mark.parametrize("text", TAKEN)
def test_what_exporters_take_is_taken(folder: Folder, text: str) -> None:
    """Every field, alone and with others."""
    folder.live(text)


def test_certificate_and_key_may_stand_in_the_file(folder: Folder) -> None:
    """Newer exporters take the PEM texts themselves; the key shows nowhere."""

    def block(name: str, file: Path) -> str:
        lines = "".join(f"    {line}\n" for line in file.read_text().splitlines())
        return f"  {name}: |\n{lines}"

    text = "tls_server_config:\n" + block("cert", folder.pair.cert_file)
    config = folder.live(text + block("key", folder.pair.key_file)).in_force.config
    assert config.tls is not None
    assert "PRIVATE" not in repr(config)


def test_files_are_meant_from_the_folder_of_the_web_config(folder: Folder) -> None:
    """As exporters do it; the working directory does not matter."""
    config = folder.live(TLS).in_force.config
    assert config.tls is not None
    assert config.tls.cert == folder.path / "server.pem"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("http_server_config: {http2: true}\n", "HTTP/1.1"),
        (USER, "unencrypted"),
        (with_tls("client_auth_type: RequestClientCert"), "RequestClientCert"),
    ],
)
def test_what_is_taken_and_has_no_effect_is_told(folder: Folder, text: str, word: str) -> None:
    """A notice for the log and for `config check`."""
    (notice,) = folder.live(text).in_force.config.notices
    assert word in notice


def test_hashes_do_not_show(folder: Folder) -> None:
    """Neither in the text of a web config nor in that of what is in force."""
    shown = repr(folder.live(USER).in_force)
    assert "$2b$" not in shown


def test_a_user_may_be_listed_once_only(folder: Folder) -> None:
    """A second line would silently replace the first."""
    text = f'basic_auth_users:\n  mallory: "{hashed()}"\n  mallory: "{hashed()}"\n'
    assert "twice" in folder.problem(text).what


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=3,
)
FIELDS = st.sampled_from(
    [
        "tls_server_config",
        "http_server_config",
        "basic_auth_users",
        "rate_limit",
        "headers",
        "cert_file",
        "key",
        "client_allowed_sans",
        "cipher_suites",
        "X-Frame-Options",
        "interval",
        "burst",
    ]
)
NESTED = st.dictionaries(
    FIELDS, PLAIN | st.dictionaries(FIELDS, PLAIN | st.dictionaries(FIELDS, PLAIN))
)


@settings(max_examples=60, deadline=None)
@given(values=NESTED)
def test_hostile_values_are_a_web_config_or_a_problem(values: dict[str, Any]) -> None:
    """Whatever stands in the file, nothing is raised, and the problem is one line."""
    read = read_web_config(values, Path("/nowhere"))
    assert isinstance(read, WebConfig | WebProblem)
    assert "\n" not in str(read)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=300))
def test_hostile_bytes_are_a_web_config_or_a_problem(content: bytes, folder: Folder) -> None:
    """A file of any bytes raises nothing."""
    values = parse(content, "web.yaml")
    if not isinstance(values, WebProblem):
        values = read_web_config(values, folder.path)  # type: ignore[assignment]
    assert "\n" not in str(values)
