"""Every auth method against the real server; kubernetes by the shape of its request."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from rotator.core.names import StorePath
from rotator.core.outcome import StoreDenied, StoreError
from rotator.stores.vault.kv import VaultKv
from rotator.stores.vault.settings import (
    ApproleAuth,
    CertAuth,
    JwtAuth,
    KubernetesAuth,
    TokenFileAuth,
)
from tests.servers.build import VAULT
from tests.servers.certificates import Authority
from tests.servers.scripted import Asked, Reply, ScriptedServer
from tests.servers.stores import open_store, utc_now
from tests.servers.vault_server import Tls, VaultServer

PATH = StorePath("secret/app/a")
POLICY = """
path "secret/data/app/*" { capabilities = ["create", "read", "update"] }
"""


@pytest.fixture(scope="module")
def server(own_vault: VaultServer) -> VaultServer:
    """A Vault with the policy that the logins get."""
    own_vault.policy("app", POLICY)
    own_vault.write(f"secret/data/{PATH[7:]}", {"data": {"a": "b"}})
    return own_vault


async def _read_and_close(store: VaultKv, path: StorePath = PATH) -> Any:
    try:
        secret = await store.read(path)
        return secret and secret.data, await store.health()
    finally:
        await store.close()


def approle_files(server: VaultServer, folder: Path, name: str, **role: Any) -> ApproleAuth:
    """Make an approle and the two files of its ids."""
    role_id, secret_id = server.approle(name, **{"token_policies": ["app"], **role})
    (folder / "role_id").write_text(role_id)
    (folder / "secret_id").write_text(secret_id)
    return ApproleAuth(folder / "role_id", folder / "secret_id")


@pytest.fixture(scope="module", autouse=True)
def _methods(server: VaultServer) -> None:
    server.enable_auth("approle")
    server.enable_auth("jwt", "jwt")


@pytest.mark.real
def test_approle(server: VaultServer, tmp_path: Path) -> None:
    """An approle's two files give a token whose expiry is told."""
    auth = approle_files(server, tmp_path, "one", token_ttl="1h")
    data, health = asyncio.run(_read_and_close(open_store(server, auth)))
    assert data == {"a": "b"}
    left = health.token_expires_at - utc_now()
    assert timedelta(minutes=58) < left <= timedelta(hours=1)


@pytest.mark.real
@pytest.mark.parametrize("kind", ["service", "batch"])
def test_an_expired_token_is_replaced(server: VaultServer, tmp_path: Path, kind: str) -> None:
    """After its token has died the store logs in again and the read succeeds."""
    seconds = 1000.0
    role = {"token_ttl": "1s", "token_max_ttl": "1s", "token_type": kind}
    auth = approle_files(server, tmp_path, f"short-{kind}", **role)
    logins: list[str] = []

    async def scenario() -> None:
        nonlocal seconds
        store = open_store(
            server,
            auth,
            monotonic=lambda: seconds,
            on_request=lambda operation, code, s: logins.append(operation),
        )
        try:
            assert await store.read(PATH)
            server.wait_for_clock(1)
            seconds += 60
            assert await store.read(PATH)
        finally:
            await store.close()

    asyncio.run(scenario())
    assert logins.count("login") == 2


@pytest.mark.real
def test_a_renewable_token_is_renewed(server: VaultServer, tmp_path: Path) -> None:
    """At 70 % of its life the token is renewed at the server, without a second login."""
    seconds = 1000.0
    auth = approle_files(server, tmp_path, "renew", token_ttl="1h", token_period="1h")
    seen: list[tuple[str, str]] = []

    async def scenario() -> None:
        nonlocal seconds
        store = open_store(
            server,
            auth,
            monotonic=lambda: seconds,
            on_request=lambda operation, code, s: seen.append((operation, code)),
        )
        try:
            await store.read(PATH)
            seconds += 2600
            await store.health()
            await store.read(PATH)
        finally:
            await store.close()

    asyncio.run(scenario())
    assert seen.count(("renew", "200")) == 1
    assert seen.count(("login", "200")) == 1


@pytest.mark.real
def test_a_lost_login_is_an_error(server: VaultServer, tmp_path: Path) -> None:
    """A secret id that is used up makes calls StoreErrors that say so, and health says it too."""
    auth = approle_files(server, tmp_path, "gone", secret_id_num_uses=1)

    async def scenario() -> None:
        first = open_store(server, auth)
        assert await first.read(PATH)
        await first.close()
        second = open_store(server, auth)
        try:
            with pytest.raises(StoreError, match="login at Vault is lost") as caught:
                await second.read(PATH)
            assert caught.value.status == 400
            health = await second.health()
            assert not health.up
            assert "login" in health.message
        finally:
            await second.close()

    asyncio.run(scenario())


@pytest.mark.real
def test_token_file(server: VaultServer, tmp_path: Path) -> None:
    """A revoked token of a file is a refusal until the file holds another one."""
    file = tmp_path / "token"
    one, two = server.token(["app"]), server.token(["app"])
    file.write_text(one)

    async def scenario() -> None:
        store = open_store(server, TokenFileAuth(file))
        try:
            assert await store.read(PATH)
            server.revoke(one)
            with pytest.raises(StoreDenied):
                await store.read(PATH)
            file.write_text(two)
            assert await store.read(PATH)
        finally:
            await store.close()

    asyncio.run(scenario())


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def signed_jwt(key: rsa.RSAPrivateKey, claims: dict[str, Any]) -> str:
    """Return an RS256 token."""
    head = _encoded(json.dumps({"alg": "RS256", "typ": "JWT"}).encode())
    text = f"{head}.{_encoded(json.dumps(claims).encode())}"
    return f"{text}.{_encoded(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@pytest.mark.real
def test_jwt(server: VaultServer, tmp_path: Path) -> None:
    """A token signed by a key that Vault knows logs in; the file is read at every login."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    server.write("auth/jwt/config", {"jwt_validation_pubkeys": [public.decode()]})
    server.write(
        "auth/jwt/role/rotator",
        {
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_audiences": ["vault"],
            "token_policies": ["app"],
        },
    )
    now = int(utc_now().timestamp())
    times = {"iat": now - 60, "nbf": now - 60, "exp": now + 300}
    file = tmp_path / "jwt"
    auth = JwtAuth("rotator", file)
    file.write_text(signed_jwt(key, {"sub": "me", "aud": "other", **times}))
    with pytest.raises(StoreError, match="login"):
        asyncio.run(_read_and_close(open_store(server, auth)))
    file.write_text(signed_jwt(key, {"sub": "me", "aud": "vault", **times}))
    data, _ = asyncio.run(_read_and_close(open_store(server, auth)))
    assert data == {"a": "b"}


@pytest.fixture(scope="module")
def tls(
    vault: VaultServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[VaultServer, Authority]]:
    """A Vault whose listener speaks TLS under an own CA, with cert auth."""
    authority = Authority(tmp_path_factory.mktemp("ca"))
    pair = authority.pair("server")
    server = VaultServer(VAULT.ensured(), tls=Tls(pair.cert_file, pair.key_file, authority.ca_file))
    server.start()
    server.mount("secret")
    server.policy("app", POLICY)
    server.write(f"secret/data/{PATH[7:]}", {"data": {"a": "b"}})
    server.enable_auth("cert")
    server.write(
        "auth/cert/certs/rotator",
        {
            "certificate": authority.ca_file.read_text(),
            "allowed_common_names": ["client", "other"],
            "token_policies": ["app"],
        },
    )
    yield server, authority
    server.close()


@pytest.mark.real
@pytest.mark.parametrize("role", ["", "rotator"])
def test_cert(tls: tuple[VaultServer, Authority], role: str) -> None:
    """A client certificate logs in over TLS with the CA file given."""
    server, authority = tls
    pair = authority.pair("client")
    auth = CertAuth(pair.cert_file, pair.key_file, role)
    store = open_store(server, auth, ca_file=authority.ca_file)
    assert asyncio.run(_read_and_close(store))[0] == {"a": "b"}


@pytest.mark.real
def test_a_changed_certificate_is_taken_up(
    tls: tuple[VaultServer, Authority], tmp_path: Path
) -> None:
    """A login after the certificate's files changed uses the new one."""
    server, authority = tls
    bad, good = authority.pair("stranger"), authority.pair("other")
    cert, key = tmp_path / "c.pem", tmp_path / "c.key"

    def use(pair: Any, stamp: int) -> None:
        cert.write_bytes(pair.cert_file.read_bytes())
        key.write_bytes(pair.key_file.read_bytes())
        os.utime(cert, ns=(stamp, stamp))

    async def scenario() -> None:
        seconds = 1000.0
        use(bad, 1)
        store = open_store(
            server,
            CertAuth(cert, key),
            ca_file=authority.ca_file,
            monotonic=lambda: seconds,
        )
        try:
            with pytest.raises(StoreError, match="login"):
                await store.read(PATH)
            use(good, 2)
            seconds += 60
            assert await store.read(PATH)
        finally:
            await store.close()

    asyncio.run(scenario())


@pytest.mark.real
def test_an_unknown_ca_is_surely_not_applied(
    tls: tuple[VaultServer, Authority], tmp_path: Path
) -> None:
    """Against a server whose certificate we do not trust nothing is sent, and we say so."""
    server, _ = tls
    stranger = Authority(tmp_path)
    (tmp_path / "token").write_text(server.root_token)
    store = open_store(
        server,
        TokenFileAuth(tmp_path / "token"),
        ca_file=stranger.ca_file,
        tries=1,
    )

    async def scenario() -> None:
        try:
            with pytest.raises(StoreError) as caught:
                await store.write(PATH, {"x": "y"}, 0)
            assert caught.value.happened == "not_applied"
            assert not (await store.health()).up
        finally:
            await store.close()

    asyncio.run(scenario())


def test_kubernetes_request(tmp_path: Path) -> None:
    """A kubernetes login posts role and token at its mount, with the namespace's header."""
    grant = {"client_token": "given", "lease_duration": 3600, "renewable": True}

    def script(asked: Asked) -> Reply:
        if asked.path == "/v1/auth/k8s/login":
            return Reply(body=json.dumps({"auth": grant}).encode())
        return Reply(body=b'{"data":{"type":"kv","options":{"version":"2"},"path":"secret/"}}')

    (tmp_path / "jwt").write_text("projected\n")
    auth = KubernetesAuth("rotator", tmp_path / "jwt", mount="k8s")
    with ScriptedServer(script) as server:
        store = open_store(server.address, auth, namespace="desk/a")

        async def scenario() -> None:
            with pytest.raises(StoreError):
                await store.read(PATH)
            await store.close()

        asyncio.run(scenario())
        login, mounts = server.asked[0], server.asked[1]
    assert (login.method, json.loads(login.body)) == (
        "POST",
        {"role": "rotator", "jwt": "projected"},
    )
    assert "x-vault-token" not in login.headers
    assert mounts.headers["x-vault-token"] == "given"
    assert {login.headers["x-vault-namespace"], mounts.headers["x-vault-namespace"]} == {"desk/a"}
