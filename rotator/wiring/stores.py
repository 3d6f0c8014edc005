"""Opens the store that the configuration names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import assert_never

from rotator.config import (
    ApproleAuth,
    Auth,
    CertAuth,
    Config,
    JwtAuth,
    KubernetesAuth,
    LocalStore,
    TokenAuth,
    VaultStore,
)
from rotator.core.outcome import StoreError
from rotator.engine.clock import Clock
from rotator.stores.local import Observer, load_key, open_local
from rotator.stores.port import KvStore, OnRequest
from rotator.stores.vault import settings as vault
from rotator.stores.vault.adapter import NoAnswer, VaultAway
from rotator.stores.vault.kv import open_vault
from rotator.wiring import SetupError


def open_store(
    config: Config,
    environ: Mapping[str, str],
    clock: Clock,
    on_request: OnRequest | None = None,
) -> KvStore:
    """Return the configured store; a Vault is not asked before the first call.

    `environ` may hold the local store's key; `on_request` is told of every request
    to the store.  Raises SetupError, and StoreError for a local file that cannot be
    used.
    """
    if config.store.local is not None:
        return open_file(config.store.local, environ, clock, on_request)
    if config.store.vault is not None:
        return _open_vault(config.store.vault, clock, on_request)
    raise SetupError("store: names no store. Set `store.vault` or `store.local`.")


def open_file(
    section: LocalStore,
    environ: Mapping[str, str],
    clock: Clock,
    on_request: OnRequest | None = None,
) -> KvStore:
    """Return the embedded store, made at first use.  Raises StoreError."""
    key = load_key(Path(section.key_file), environ)
    observer = None if on_request is None else Observer(on_request, clock.monotonic)
    return open_local(Path(section.file), key, clock.now, observer=observer)


def check_login_files(config: Config) -> None:
    """Raise SetupError for a file of the Vault login that cannot be read now.

    For a person's command: the daemon waits for its files instead.
    """
    vault_section = config.store.vault
    if vault_section is None:
        return
    for name, value in vault_section.auth:
        if not name.endswith("_file") or value is None:
            continue
        try:
            Path(value).open("rb").close()
        except OSError as error:
            raise SetupError(
                f"store.vault.auth.{name}: {value} cannot be read ({error.strerror}). "
                "Use a token of your own: --token-file ~/.vault-token"
            ) from None


def explained(error: StoreError) -> str:
    """Return a store's error with the field of the configuration that it is about."""
    if isinstance(error, NoAnswer):
        return f"store.vault.address: {error}. Is Vault there, and is this its address?"
    if isinstance(error, VaultAway) and not error.sealed and error.status is not None:
        return f"store.vault.auth: {error}"
    return str(error)


def vault_settings(section: VaultStore) -> vault.VaultSettings:
    """Return what the Vault client needs to know of `store.vault`."""
    return vault.VaultSettings(
        address=section.address,
        auth=vault_auth(section.auth),
        namespace=section.namespace,
        ca_file=Path(section.ca_file) if section.ca_file else None,
    )


def vault_auth(section: Auth) -> vault.Auth:
    """Return the auth method of `store.vault.auth`."""
    match section:
        case TokenAuth():
            return vault.TokenFileAuth(Path(section.token_file))
        case ApproleAuth():
            ids = (Path(section.role_id_file), Path(section.secret_id_file))
            return vault.ApproleAuth(*ids, section.mount)
        case KubernetesAuth():
            return vault.KubernetesAuth(section.role, Path(section.token_file), section.mount)
        case JwtAuth():
            return vault.JwtAuth(section.role, Path(section.token_file), section.mount)
        case CertAuth():
            files = (Path(section.cert_file), Path(section.key_file))
            return vault.CertAuth(*files, section.role or "", section.mount)
        case _:
            assert_never(section)


def _open_vault(section: VaultStore, clock: Clock, on_request: OnRequest | None) -> KvStore:
    return open_vault(
        vault_settings(section),
        clock=clock.now,
        monotonic=clock.monotonic,
        sleep=_waiting(),
        on_request=on_request,
    )


def _waiting() -> Callable[[float], None]:
    """Return a wait for the store's own threads."""
    never = threading.Event()

    def wait(seconds: float) -> None:
        never.wait(seconds)

    return wait
