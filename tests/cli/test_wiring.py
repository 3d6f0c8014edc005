"""What the configuration says is what the parts are built with."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rotator.cli.failures import store_sentence
from rotator.config import Config, ConfigProblem, load_bytes
from rotator.core.outcome import Happened, StoreConflict, StoreDenied, StoreError
from rotator.engine.clock import SystemClock
from rotator.stores.local import LocalKv
from rotator.stores.vault import settings as vault
from rotator.stores.vault.kv import VaultKv
from rotator.wiring import SetupError
from rotator.wiring.exchanges import exchange_settings, open_exchange_for, open_exchange_with
from rotator.wiring.settings import read_config, with_token_file
from rotator.wiring.stores import open_store, vault_auth, vault_settings

ADDRESS = "https://vault.example:8200"
PROXY = "http://me:mallard@p.example:3128"


def config_of(text: str) -> Config:
    """Read a configuration that must be right."""
    config = load_bytes(text.encode(), {})
    assert not isinstance(config, ConfigProblem), config
    return config


def vault_config(auth: str, **more: str) -> Config:
    """Return a configuration with a Vault and an auth method."""
    rest = "".join(f", {name}: {value}" for name, value in more.items())
    return config_of(f"store: {{vault: {{address: '{ADDRESS}', auth: {auth}{rest}}}}}")


@pytest.mark.parametrize(
    ("auth", "built"),
    [
        ("{method: token, token_file: t}", vault.TokenFileAuth(Path("t"))),
        (
            "{method: approle, role_id_file: r, secret_id_file: s}",
            vault.ApproleAuth(Path("r"), Path("s")),
        ),
        (
            "{method: kubernetes, role: x, token_file: t, mount: k8s}",
            vault.KubernetesAuth("x", Path("t"), "k8s"),
        ),
        ("{method: jwt, role: x, token_file: t}", vault.JwtAuth("x", Path("t"))),
        ("{method: cert, cert_file: c, key_file: k}", vault.CertAuth(Path("c"), Path("k"))),
    ],
)
def test_every_auth_method(auth: str, built: vault.Auth) -> None:
    """Each auth method of the configuration becomes that of the Vault client."""
    section = vault_config(auth).store.vault
    assert section is not None
    assert vault_auth(section.auth) == built


def test_vault_settings() -> None:
    """Address, namespace and CA file reach the client."""
    config = vault_config("{method: token, token_file: t}", namespace="desk", ca_file="ca.pem")
    section = config.store.vault
    assert section is not None
    settings = vault_settings(section)
    assert (settings.address, settings.namespace) == (ADDRESS, "desk")
    assert settings.ca_file == Path("ca.pem")


def test_the_store_is_the_configured_one(tmp_path: Path) -> None:
    """`store.vault` opens a Vault, `store.local` the embedded store, the key from a variable."""
    away = vault_config("{method: token, token_file: t}")
    here = config_of(f"store: {{local: {{file: {tmp_path}/a.db, key_file: {tmp_path}/a.key}}}}")

    async def main() -> None:
        far = open_store(away, {}, SystemClock())
        near = open_store(here, {"ROTATOR_STORE_KEY": "ab" * 32}, SystemClock())
        assert isinstance(far, VaultKv)
        assert isinstance(near, LocalKv)
        await far.close()
        await near.close()

    asyncio.run(main())
    assert not (tmp_path / "a.key").exists()


def test_file_names_are_settled(tmp_path: Path) -> None:
    """Relative names are meant from the configuration's folder; absolute ones stay."""
    folder = tmp_path / "etc"
    folder.mkdir()
    file = folder / "rotator.yaml"
    file.write_text(
        f"store: {{vault: {{address: '{ADDRESS}', ca_file: /ca.pem,"
        " auth: {method: token, token_file: t}}, anchor: {file: ../anchor}}\n"
        "lease: {file: lock}\naudit: {file: audit.jsonl}\n"
    )
    config = read_config(file, {})
    section = config.store.vault
    assert section is not None
    assert section.ca_file == "/ca.pem"
    assert vault_auth(section.auth) == vault.TokenFileAuth(folder / "t")
    assert config.store.anchor.file == f"{folder}/../anchor"
    assert (config.lease.file, config.audit.file) == (f"{folder}/lock", f"{folder}/audit.jsonl")


def test_a_persons_own_token() -> None:
    """A token file takes the place of the configured login and changes nothing else."""
    config = vault_config("{method: jwt, role: x, token_file: t}")
    own = with_token_file(config, Path("/home/ana/.vault-token"))
    section = own.store.vault
    assert section is not None
    assert vault_auth(section.auth) == vault.TokenFileAuth(Path("/home/ana/.vault-token"))
    assert section.address == ADDRESS
    local = config_of("store: {local: {}}")
    assert with_token_file(local, Path("t")) == local


@pytest.mark.parametrize(
    ("options", "base_url", "proxy"),
    [
        ({}, None, PROXY),
        ({"base_url": "http://127.0.0.1:9"}, "http://127.0.0.1:9", None),
        ({"base_url": "https://api.example"}, "https://api.example", PROXY),
        ({"proxy": "http://q.example:1"}, None, "http://q.example:1"),
    ],
)
def test_how_an_exchange_is_reached(
    options: dict[str, Any], base_url: str | None, proxy: str | None
) -> None:
    """Options win over the configuration; its proxy is not asked for this machine itself."""
    config = config_of(f"store: {{local: {{}}}}\nexchanges: {{bybit: {{proxy: '{PROXY}'}}}}")
    settings = exchange_settings(config, "bybit", "testnet", **options)
    assert (settings.base_url, settings.proxy) == (base_url, proxy)
    assert settings.environment == "testnet"
    assert "mallard" not in repr(settings)


def test_an_exchange_that_cannot_be_opened() -> None:
    """An environment or a host that cannot be is an error that names the setting."""
    config = config_of("store: {local: {}}")
    with pytest.raises(SetupError, match="moon"):
        open_exchange_for(config, "bybit", "moon", SystemClock())
    settings = exchange_settings(config, "bybit", base_url="http://api.example")
    with pytest.raises(SetupError, match=r"exchanges\.bybit\.base_url"):
        open_exchange_with("bybit", settings, SystemClock())


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (StoreError("Vault is sealed", sealed=True), "Unseal it"),
        (StoreConflict("cas 3"), "Somebody else"),
        (StoreDenied("no"), "policy"),
        (StoreError("lost", happened=Happened.UNKNOWN), "look before"),
    ],
)
def test_store_errors_come_with_advice(error: StoreError, advice: str) -> None:
    """What a person can do about a store's error stands beside it."""
    assert advice in store_sentence(error)
