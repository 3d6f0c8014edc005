"""Makes the demo's keys at the sandbox and writes them to the store."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from rotator.core.names import StorePath
from rotator.stores.port import KvStore
from rotator.wiring.demo.estate import ESTATE, FOREIGN, Invented, Made, Planted, Seeded
from rotator.wiring.demo.processes import DemoFailed

PATIENCE: Final = 10.0
"""Seconds that the sandbox may take for an answer."""

FIELDS: Final = ("api_key", "api_secret", "private_key")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Control:
    """The sandbox's control port; asked without any proxy."""

    url: str

    async def get(self, path: str) -> Json:
        """Return what a path shows; raises DemoFailed."""
        return await asyncio.to_thread(self._ask, "GET", path, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> Json:
        """Order something; raises DemoFailed."""
        return await asyncio.to_thread(self._ask, "POST", path, json.dumps(body))

    def _ask(self, method: str, path: str, body: str | None) -> Json:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            told = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DemoFailed(f"the sandbox gives no answer at {self.url} ({error})") from None
        finally:
            connection.close()
        if answer.status != http.client.OK or not isinstance(told, dict):
            raise DemoFailed(f"the sandbox refused {method} {path} ({answer.status})")
        return told


@dataclass(slots=True)
class Planter:
    """Plants the estate below a folder of the store; `now` is the sandbox's time."""

    control: Control
    announced: Json
    store: KvStore
    folder: str
    now: datetime
    _made: dict[Made, Json] = field(default_factory=dict)

    async def plant(self) -> None:
        """Make and write every key; raises DemoFailed and StoreError."""
        for planted in ESTATE:
            await self._write(planted)
        for made in FOREIGN:
            await self._key(made)

    async def _write(self, planted: Planted) -> None:
        key = await self._key(planted.key)
        path = StorePath(f"{self.folder}{planted.path}")
        await self.store.write(path, {n: key[n] for n in FIELDS if n in key}, 0)
        if planted.custom:
            await self.store.patch_metadata(path, planted.custom)
        if planted.dead:
            order = {"exchange": planted.key.exchange, "key_id": key["api_key"]}
            await self.control.post("/kill", order)

    async def _key(self, key: Seeded | Made | Invented) -> Json:
        if isinstance(key, Seeded):
            seeds: list[Json] = self.announced["exchanges"][key.exchange][key.part]
            return seeds[key.number]
        if isinstance(key, Invented):
            return dict(key.fields)
        if key not in self._made:
            self._made[key] = await self._make(key)
        return self._made[key]

    async def _make(self, key: Made) -> Json:
        wish = {
            "exchange": key.exchange,
            "account": key.account,
            "label": key.label,
            "scopes": list(key.scopes),
            "addresses": list(key.addresses) or None,
            "created_at": (self.now - timedelta(days=key.age)).isoformat(),
        }
        return await self.control.post("/keys", wish)
