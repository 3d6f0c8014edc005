"""Notes every request that a rotation sends to Vault and to the exchange."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx

from rotator.exchanges.transport import CONNECTIONS
from rotator.stores.vault.adapter import Answer, VaultHttp
from rotator.stores.vault.settings import VaultSettings

SWEEPS: Final = "vault-sweep"
KEY_HEADER: Final = "X-BAPI-API-KEY"


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as it was sent; `signed_by` is the exchange key's id, None for Vault.

    `task` names the rotation that sent it, where that is known; `inventory` says
    that it was part of a sweep over the credentials.
    """

    method: str
    target: str
    body: bytes | None
    signed_by: str | None = None
    task: str = ""
    inventory: bool = False
    content_type: str | None = None

    @property
    def to_exchange(self) -> bool:
        """Say whether it went to the exchange."""
        return self.signed_by is not None


@dataclass(slots=True)
class Tape:
    """Everything sent, in order; `mount` is where the credentials lie."""

    mount: str
    sent: list[Sent] = field(default_factory=list)

    def cut(self) -> list[Sent]:
        """Return what is on the tape, and begin a new one."""
        self.sent, kept = [], self.sent
        return kept

    def is_credential(self, target: str) -> bool:
        """Say whether a target is a credential's own path, or a folder of them."""
        return target.startswith(
            tuple(f"/v1/{self.mount}/{kind}/trading/" for kind in ("metadata", "data"))
        )


class TapedHttp(VaultHttp):
    """The product's Vault connection, with a tape."""

    def __init__(self, settings: VaultSettings, tape: Tape) -> None:
        super().__init__(settings)
        self.tape = tape

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Note the request and send it."""
        sweeps = threading.current_thread().name.startswith(SWEEPS)
        inventory = sweeps and self.tape.is_credential(path)
        kind = headers.get("Content-Type")
        self.tape.sent.append(Sent(method, path, body, inventory=inventory, content_type=kind))
        return super().send(method, path, headers, body)


class TapedWire(httpx.AsyncBaseTransport):
    """The product's way to an exchange, with a tape."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._inner = httpx.AsyncHTTPTransport(trust_env=False, limits=CONNECTIONS, retries=0)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Note the request and send it."""
        task = asyncio.current_task()
        self.tape.sent.append(
            Sent(
                request.method,
                request.url.raw_path.decode(),
                await request.aread() or None,
                signed_by=request.headers[KEY_HEADER],
                task=task.get_name() if task else "",
            )
        )
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
