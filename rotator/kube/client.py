"""Gets, creates, replaces and watches one Lease; every end of a call is a value.

No redirect, no environment, no cookie; a bounded body; a time limit for each call.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote

import httpx
import orjson

from rotator.core.words import told
from rotator.kube.cluster import Cluster, NotInCluster, ServiceAccount, trusting
from rotator.kube.objects import API_VERSION, Lease, lease_from

MAX_BODY: Final = 1 << 20
CONNECTIONS: Final = httpx.Limits(max_connections=4, max_keepalive_connections=2)
VERBS: Final = {"GET": "get", "POST": "create", "PUT": "update"}
TRY_AGAIN: Final = frozenset({408, 429})
FAULTS: Final = (httpx.HTTPError, httpx.InvalidURL)


@dataclass(frozen=True, slots=True)
class Found:
    """The Lease as it is now; after a write, as we have written it."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such Lease."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else wrote first, or created it: surely not applied."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The API server will not, and says why; a person must change something."""

    why: str


@dataclass(frozen=True, slots=True)
class Away:
    """No usable answer: a write may have been applied."""

    why: str


Answer = Found | Absent | Conflict | Refused | Away


class Leases(Protocol):
    """One Lease, as the lock and the anchor use it; no call raises or outlasts `seconds`."""

    async def get(self, seconds: float) -> Answer:
        """Read it."""
        ...

    async def create(self, lease: Lease, seconds: float) -> Answer:
        """Create it; Conflict if it is there."""
        ...

    async def replace(self, lease: Lease, seconds: float) -> Answer:
        """Write it over the very version that `lease` names."""
        ...

    async def changed(self, version: str, seconds: float) -> bool:
        """Wait until it is another than this version; False if that cannot be told."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...

    def blank(self) -> Lease:
        """Return the Lease that is to be created."""
        ...


class LeaseClient:
    """Speaks with the API server about the Lease `name` in the cluster's namespace."""

    def __init__(self, cluster: Cluster, name: str, monotonic: Callable[[], float]) -> None:
        self._account = ServiceAccount(cluster.folder, monotonic)
        self._cluster = cluster
        self._name = name
        self._base = f"/apis/{API_VERSION}/namespaces/{quote(cluster.namespace, safe='')}/leases"
        self._client: httpx.AsyncClient | None = None
        self._ca = b""

    def blank(self) -> Lease:
        """Return the Lease that is to be created."""
        return Lease(self._name, self._cluster.namespace)

    async def get(self, seconds: float) -> Answer:
        """Read it."""
        return await self._call("GET", self._object, None, seconds)

    async def create(self, lease: Lease, seconds: float, *, dry: bool = False) -> Answer:
        """Create it; `dry` only asks whether we might."""
        return await self._call("POST", self._base, lease.document(), seconds, dry=dry)

    async def replace(self, lease: Lease, seconds: float, *, dry: bool = False) -> Answer:
        """Write it over the very version that `lease` names; `dry` only asks."""
        return await self._call("PUT", self._object, lease.document(), seconds, dry=dry)

    async def changed(self, version: str, seconds: float) -> bool:
        """Wait until it is another than this version; False if that cannot be told."""
        query = (
            f"?watch=true&fieldSelector=metadata.name%3D{quote(self._name, safe='')}"
            f"&resourceVersion={quote(version, safe='')}&timeoutSeconds={math.ceil(seconds) + 1}"
        )
        try:
            async with asyncio.timeout(seconds):
                request = self._request("GET", self._base + query, None, seconds)
                response = await self._opened().send(request, stream=True)
                try:
                    return response.status_code == 200 and await _any_byte(response)
                finally:
                    await response.aclose()
        except (*FAULTS, NotInCluster, TimeoutError):
            return False

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @property
    def _object(self) -> str:
        return f"{self._base}/{quote(self._name, safe='')}"

    async def _call(
        self, method: str, path: str, body: Any, seconds: float, *, dry: bool = False
    ) -> Answer:
        path += "?dryRun=All" if dry else ""
        try:
            async with asyncio.timeout(seconds):
                answer = await self._sent(method, path, body, seconds)
                if answer.status == 401 and self._account.forget() != self._account.token():
                    answer = await self._sent(method, path, body, seconds)
        except NotInCluster as missing:
            return Away(str(missing))
        except TimeoutError:
            return Away(f"the API server gave no answer within {seconds:.1f} s")
        except FAULTS as error:
            await self._renewed()
            return Away(f"the API server cannot be reached ({type(error).__name__})")
        if dry and answer.status in (200, 201):
            return Found(self.blank())  # what was not made has no version
        return self._meaning(method, answer)

    async def _sent(self, method: str, path: str, body: Any, seconds: float) -> _Raw:
        request = self._request(method, path, body, seconds)
        response = await self._opened().send(request, stream=True)
        try:
            return _Raw(response.status_code, await _read(response))
        finally:
            await response.aclose()

    def _request(self, method: str, path: str, body: Any, seconds: float) -> httpx.Request:
        headers = {"Authorization": f"Bearer {self._account.token()}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self._opened().build_request(
            method,
            self._cluster.url + path,
            content=None if body is None else orjson.dumps(body),
            headers=headers,
            timeout=seconds,
        )

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._ca = self._account.ca()
            self._client = httpx.AsyncClient(
                verify=trusting(self._ca),
                trust_env=False,
                follow_redirects=False,
                limits=CONNECTIONS,
                headers={
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                    "User-Agent": "rotator",
                },
            )
        return self._client

    async def _renewed(self) -> None:
        """After a failure, begin anew if the CA has been replaced."""
        try:
            same = self._account.ca() == self._ca
        except NotInCluster:
            return
        if not same:
            await self.aclose()

    def _meaning(self, method: str, answer: _Raw) -> Answer:
        match answer.status:
            case 200 | 201:
                lease = lease_from(answer.document, self._name, self._cluster.namespace)
                return (
                    Away("the API server's answer is no Lease") if lease is None else Found(lease)
                )
            case 404:
                return Absent() if _reason(answer.document) == "NotFound" else self._strange(answer)
            case 409:
                return Conflict()
            case 401:
                return Refused("the API server refuses our service account's token (401)")
            case 403:
                return Refused(self._forbidden(VERBS[method]))
            case _:
                return self._strange(answer)

    def _strange(self, answer: _Raw) -> Answer:
        sentence = f"the API server answered {answer.status} {_message(answer.document)}".strip()
        if answer.status >= 500 or answer.status in TRY_AGAIN:
            return Away(sentence)
        return Refused(sentence)

    def _forbidden(self, verb: str) -> str:
        return (
            f"the API server refuses to {verb} the Lease "
            f"{self._cluster.namespace}/{self._name} (403): bind a Role to our service account "
            "that allows get, create, update and watch on leases in coordination.k8s.io"
        )


@dataclass(frozen=True, slots=True)
class _Raw:
    status: int
    document: Any


async def _any_byte(response: httpx.Response) -> bool:
    """Say whether anything comes: each event, and each error, means to look anew."""
    async for chunk in response.aiter_raw():
        if chunk:
            return True
    return False


async def _read(response: httpx.Response) -> Any:
    """Read a body within its bound; None for what is no JSON."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BODY:
            return None
    try:
        return orjson.loads(bytes(body))
    except orjson.JSONDecodeError:
        return None


def _reason(document: Any) -> str:
    return str(document.get("reason", "")) if isinstance(document, dict) else ""


def _message(document: Any) -> str:
    return told(str(document.get("message", "")), 200) if isinstance(document, dict) else ""
