"""Sends the requests of recorded rotations again, for twins, as fast as the clients can."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from rotator.core.names import KeyId, Secrets, Sensitive, SigningKey
from rotator.exchanges.bybit.adapter import auth_of
from rotator.exchanges.transport import CONNECTIONS
from rotator.stores.vault.adapter import VaultHttp
from rotator.wiring.stores import vault_settings
from tests.bench.estate import Place
from tests.bench.tape import Sent

GOOD = (200, 204)
CREATE = "create-sub-api"


@dataclass(frozen=True, slots=True)
class Twin:
    """A recorded credential (name, account, old key id) and the other that stands for it."""

    name: str
    account: str
    key_id: str
    twin_name: str
    twin_account: str
    twin_key: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """The requests of one rotation, in order, and its twin."""

    twin: Twin
    sent: tuple[Sent, ...]


def pairs_of(sent: Sequence[Sent], twins: Sequence[Twin]) -> list[Part]:
    """Deal every request to the rotation that sent it; what all share is dealt in turns."""
    marks = {mark: t for t in twins for mark in (t.name, t.account, t.key_id)}
    dealt: dict[str, list[Sent]] = {t.name: [] for t in twins}
    turns = _around([t.name for t in twins])
    for one in sent:
        owner = None if one.inventory else _owner(one, marks)
        dealt[owner.name if owner else next(turns)].append(one)
    return [Part(t, tuple(dealt[t.name])) for t in twins]


def _owner(one: Sent, marks: Mapping[str, Twin]) -> Twin | None:
    if one.signed_by is not None and one.signed_by in marks:
        return marks[one.signed_by]
    text = f"{one.target} {(one.body or b'').decode()} {one.task}"
    return next((twin for mark, twin in marks.items() if mark in text), None)


def _around(names: Sequence[str]) -> Iterator[str]:
    while True:
        yield from names


class Replay:
    """The product's clients without the product: its Vault connection, its exchange client."""

    def __init__(self, place: Place, parents: Sequence[Mapping[str, Any]]) -> None:
        config = place.config()
        assert config.store.vault is not None
        settings = vault_settings(config.store.vault)
        self._http = VaultHttp(settings)
        self._threads = ThreadPoolExecutor(settings.workers)
        token = (place.folder / "token").read_text().strip()
        self._headers = {"X-Vault-Request": "true", "X-Vault-Token": token}
        self._parents = {str(p["api_key"]): signing_key(p) for p in parents}
        self._url = place.sandbox.urls["bybit"]
        wire = httpx.AsyncHTTPTransport(trust_env=False, limits=CONNECTIONS, retries=0)
        self._client = httpx.AsyncClient(transport=wire, trust_env=False)

    async def run(self, parts: Sequence[Part], at_once: int) -> float:
        """Send everything; return the seconds."""
        todo = iter(parts)

        async def lane() -> None:
            for part in todo:
                await self._one(part)

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(lane())
        return time.perf_counter() - began

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        self._threads.shutdown()
        self._http.close()

    async def _one(self, part: Part) -> None:
        twin = part.twin
        old, new = signing_key(twin.twin_key), None
        for one in part.sent:
            if one.signed_by is None:
                await self._store(one, twin)
                continue
            key = self._parents.get(one.signed_by)
            if key is None:
                key = old if one.signed_by == twin.key_id else new
            assert key is not None
            told = await self._exchange(one, twin, key)
            if CREATE in one.target:
                new = signing_key({"api_key": told["apiKey"], "api_secret": told["secret"]})

    async def _store(self, one: Sent, twin: Twin) -> None:
        headers = self._headers
        if one.content_type:
            headers = {**headers, "Content-Type": one.content_type}
        target = one.target.replace(twin.name, twin.twin_name)
        body = one.body and one.body.replace(twin.name.encode(), twin.twin_name.encode())
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(
            self._threads, self._http.send, one.method, target, headers, body
        )
        if answer.status not in GOOD and not (answer.status == 404 and one.method == "GET"):
            raise RuntimeError(f"Vault answered {answer.status} to {one.method} {target}")

    async def _exchange(self, one: Sent, twin: Twin, key: SigningKey) -> dict[str, Any]:
        target = one.target.replace(twin.account, twin.twin_account)
        body = (one.body or b"").replace(twin.account.encode(), twin.twin_account.encode())
        body = body.replace(twin.key_id.encode(), str(twin.twin_key["api_key"]).encode())
        answer = await self._client.request(
            one.method,
            self._url + target,
            content=body or None,
            headers={"Content-Type": "application/json"} if body else None,
            auth=auth_of(key, datetime.now(UTC)),
        )
        told = answer.json()
        if one.method == "POST" and told["retCode"] != 0:
            raise RuntimeError(f"the sandbox answered {told['retCode']} to {target}")
        return dict(told.get("result") or {})


def signing_key(key: Mapping[str, Any]) -> SigningKey:
    """Return a key in the sandbox's form as it signs."""
    secrets = Secrets(api_secret=Sensitive(str(key["api_secret"])))
    return SigningKey(KeyId(str(key["api_key"])), secrets)
