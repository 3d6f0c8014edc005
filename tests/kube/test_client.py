"""What the client makes of answers that a sound API server does not give, and of its own files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import pytest

from rotator.core.outcome import StoreError
from rotator.kube.anchor import ANNOTATION, LeaseAnchor
from rotator.kube.client import Absent, Answer, Away, Conflict, Found, LeaseClient, Refused
from rotator.kube.cluster import (
    TOKEN_SECONDS,
    Cluster,
    NotInCluster,
    ServiceAccount,
    in_cluster,
)
from rotator.kube.objects import Lease
from tests.servers.certificates import Authority
from tests.servers.scripted import Asked, Reply, ScriptedServer

T = TypeVar("T")

NAME, NAMESPACE = "rotator", "trading"
PATH = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"


def body(version: str = "7", **changes: Any) -> bytes:
    """Return a Lease as the API server sends it."""
    document = {
        "kind": "Lease",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "resourceVersion": version},
        "spec": {"holderIdentity": "one", "leaseDurationSeconds": 15},
    }
    return json.dumps(document | changes).encode()


def status(code: int, reason: str = "", message: str = "") -> Reply:
    """Return an error as the API server sends it."""
    document = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return Reply(code, json.dumps(document).encode())


@dataclass
class Place:
    """A scripted API server, and a client of it."""

    server: ScriptedServer
    cluster: Cluster
    time: float = 0.0

    def client(self) -> LeaseClient:
        """Return a new client."""
        return LeaseClient(self.cluster, NAME, lambda: self.time)

    def ask(self, use: Callable[[LeaseClient], Awaitable[T]]) -> T:
        """Use a client once."""

        async def run() -> T:
            client = self.client()
            try:
                return await use(client)
            finally:
                await client.aclose()

        return asyncio.run(run())

    def get(self, reply: Reply, seconds: float = 5) -> Answer:
        """Return what the client makes of an answer to `get`."""
        self.server.script = lambda asked: reply
        return self.ask(lambda client: client.get(seconds))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A scripted API server and the files of a service account."""
    (tmp_path / "token").write_text("token-1\n")
    (tmp_path / "namespace").write_text(NAMESPACE)
    Authority(tmp_path).ca_file.rename(tmp_path / "ca.crt")
    with ScriptedServer(lambda asked: Reply(body=body())) as server:
        yield Place(server, Cluster(server.address, tmp_path, NAMESPACE))


def test_a_lease_is_read_with_our_token(place: Place) -> None:
    """The request names the Lease and carries the token; the answer is the Lease."""
    found = place.get(Reply(body=body()))
    assert isinstance(found, Found)
    assert (found.lease.holder, found.lease.seconds, found.lease.version) == ("one", 15.0, "7")
    (asked,) = place.server.asked
    assert asked.path == f"{PATH}/{NAME}"
    assert asked.headers["authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        (status(404, "NotFound"), Absent),
        (status(409, "Conflict"), Conflict),
        (status(401, "Unauthorized"), Refused),
        (status(403, "Forbidden"), Refused),
        (status(422, "Invalid", "spec.leaseDurationSeconds"), Refused),
        (Reply(404, b"404 page not found"), Refused),
        (Reply(301, headers={"Location": "http://127.0.0.1:9/"}), Refused),
        (status(429, "TooManyRequests"), Away),
        (status(500, "InternalError"), Away),
        (Reply(503, b"<html>"), Away),
        (Reply(200, b"null"), Away),
        (Reply(200, b"[" * 2000), Away),
        (Reply(200, b"{" + b" " * (2 << 20) + b"}"), Away),
        (Reply(200, body(metadata={"name": "another", "resourceVersion": "1"})), Away),
        (Reply(200, body(metadata={"name": NAME})), Away),
        (Reply(200, body(spec=[])), Found),
        (Reply(200, body(spec="x")), Away),
        (Reply(200, body(), {"Content-Encoding": "gzip"}), Found),
    ],
)
def test_every_answer_has_a_meaning(place: Place, reply: Reply, meaning: type) -> None:
    """Whatever is answered comes back as one of five values, and nothing is followed."""
    assert isinstance(place.get(reply), meaning)


def test_what_is_forbidden_is_said_in_one_sentence(place: Place) -> None:
    """A refusal names the verb, the Lease and what to bind."""
    refused = place.get(status(403, "Forbidden"))
    assert isinstance(refused, Refused)
    assert "refuses to get the Lease trading/rotator (403)" in refused.why
    assert "get, create, update and watch on leases" in refused.why


def test_an_answer_that_does_not_come_is_not_waited_for(place: Place) -> None:
    """A call ends at its limit."""
    held = Event()

    def hang(asked: Asked) -> Reply:
        held.wait(10)
        return Reply()

    place.server.script = hang
    away = place.ask(lambda client: client.get(0.3))
    held.set()
    assert away == Away("the API server gave no answer within 0.3 s")


def test_an_address_where_nobody_listens(place: Place) -> None:
    """A refused connection, and an address that is none, are no usable answer."""
    for url in ("http://127.0.0.1:9", "http://[::1", "https://127.0.0.1:9"):
        client = LeaseClient(Cluster(url, place.cluster.folder, NAMESPACE), NAME, lambda: 0.0)
        answer = asyncio.run(client.get(2))
        assert isinstance(answer, Away)


def test_a_refused_token_is_read_again(place: Place) -> None:
    """On 401 the file is read at once, and the call is sent again with a new token only."""

    def script(asked: Asked) -> Reply:
        (place.cluster.folder / "token").write_text("token-2")
        new = asked.headers["authorization"] == "Bearer token-2"
        return Reply(body=body()) if new else status(401)

    place.server.script = script
    assert isinstance(place.ask(lambda client: client.get(5)), Found)
    assert len(place.server.asked) == 2
    assert isinstance(place.get(status(401)), Refused)
    assert len(place.server.asked) == 3


def test_a_token_is_used_for_a_minute(tmp_path: Path) -> None:
    """The file that kubelet replaces is read again within a minute."""
    time = 0.0
    account = ServiceAccount(tmp_path, lambda: time)
    (tmp_path / "token").write_text("one")
    assert account.token() == "one"
    (tmp_path / "token").write_text("two")
    time = TOKEN_SECONDS - 1
    assert account.token() == "one"
    time = TOKEN_SECONDS
    assert account.token() == "two"
    assert "two" not in repr(account)


def test_files_that_are_missing(place: Place) -> None:
    """Without token or CA there is a sentence that names the file, not a crash."""
    for name in ("token", "ca.crt"):
        file = place.cluster.folder / name
        kept = file.read_bytes()
        file.unlink()
        away = place.ask(lambda client: client.get(2))
        assert isinstance(away, Away)
        assert str(file) in away.why
        file.write_text("-----BEGIN NOTHING-----")
        if name == "ca.crt":
            assert isinstance(place.ask(lambda client: client.get(2)), Away)
        file.write_bytes(kept)


def test_where_a_pod_is(tmp_path: Path) -> None:
    """Address and namespace come from the pod; without its variables there is a sentence."""
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    assert in_cluster(environ, tmp_path, "own").url == "https://[fd00::1]:443"
    with pytest.raises(NotInCluster, match="namespace cannot be read"):
        in_cluster(environ, tmp_path, None)
    (tmp_path / "namespace").write_text("trading\n")
    assert in_cluster(environ, tmp_path, None).namespace == "trading"
    with pytest.raises(NotInCluster, match="this is no pod"):
        in_cluster({}, tmp_path, None)


def test_a_write_names_the_version_that_was_seen(place: Place) -> None:
    """A write is a PUT of the whole object; fields that we do not know stay in it."""
    metadata = {"name": NAME, "resourceVersion": "7", "labels": {"team": "desk"}}
    spec = {"holderIdentity": "one", "strategy": "OldestEmulationVersion"}
    found = place.get(Reply(body=body(metadata=metadata, spec=spec)))
    assert isinstance(found, Found)
    place.ask(lambda client: client.replace(found.lease.annotated("a", "1"), 5))
    sent = json.loads(place.server.asked[-1].body)
    assert place.server.asked[-1].method == "PUT"
    assert sent["metadata"]["resourceVersion"] == "7"
    assert sent["metadata"]["labels"] == {"team": "desk"}
    assert sent["metadata"]["annotations"] == {"a": "1"}
    assert sent["spec"] == spec


def test_the_watch_ends_with_anything_or_at_its_limit(place: Place) -> None:
    """Any event ends the wait; an end without one, a refusal or silence is no change."""
    place.server.script = lambda asked: Reply(body=b'{"type":"MODIFIED"}\n')
    assert place.ask(lambda client: client.changed("7", 2))
    assert "fieldSelector=metadata.name%3Drotator&resourceVersion=7" in place.server.asked[0].path
    place.server.script = lambda asked: Reply(body=b"")
    assert not place.ask(lambda client: client.changed("7", 2))
    place.server.script = lambda asked: status(403)
    assert not place.ask(lambda client: client.changed("7", 2))
    held = Event()

    def hang(asked: Asked) -> Reply:
        held.wait(5)
        return Reply()

    place.server.script = hang
    assert not place.ask(lambda client: client.changed("7", 0.2))
    held.set()


def test_a_lease_says_nothing_that_it_does_not_know() -> None:
    """Fields of other types are as if they were absent."""
    odd = {"holderIdentity": 5, "leaseDurationSeconds": True, "leaseTransitions": "x"}
    lease = Lease(NAME, NAMESPACE, "1", odd, {"annotations": []})
    assert (lease.holder, lease.seconds, lease.annotations) == ("", None, {})


# ---------------------------------------------------------------- the anchor


def anchored(number: str, version: str = "7") -> bytes:
    """Return a Lease that carries an epoch."""
    metadata = {"name": NAME, "resourceVersion": version, "annotations": {ANNOTATION: number}}
    return body(metadata=metadata)


@pytest.mark.parametrize(
    ("reply", "number"),
    [(Reply(body=anchored("41")), 41), (Reply(body=body()), None), (status(404, "NotFound"), None)],
)
def test_the_anchor_is_read(place: Place, reply: Reply, number: int | None) -> None:
    """The number of the annotation; None without it, or without a Lease."""
    place.server.script = lambda asked: reply
    assert asyncio.run(LeaseAnchor(place.client).read()) == number


@pytest.mark.parametrize(
    "reply", [Reply(body=anchored("4x")), Reply(body=anchored("9" * 40)), status(403), status(500)]
)
def test_an_anchor_that_cannot_be_told_is_an_error(place: Place, reply: Reply) -> None:
    """Nothing is guessed: then nothing is known of the store."""
    place.server.script = lambda asked: reply
    with pytest.raises(StoreError, match=r"anchor|annotation"):
        asyncio.run(LeaseAnchor(place.client).read())
    with pytest.raises(StoreError, match=r"anchor|annotation"):
        asyncio.run(LeaseAnchor(place.client).raise_to(5))


def test_the_anchor_is_never_lowered(place: Place) -> None:
    """Where it holds as much nothing is written; a conflict means to read again."""
    numbers = iter(["3", "9"])

    def script(asked: Asked) -> Reply:
        return Reply(body=anchored(next(numbers))) if asked.method == "GET" else status(409)

    place.server.script = script
    asyncio.run(LeaseAnchor(place.client).raise_to(5))
    assert [asked.method for asked in place.server.asked] == ["GET", "PUT", "GET"]
    written = json.loads(place.server.asked[1].body)
    assert written["metadata"]["annotations"] == {ANNOTATION: "5"}
    assert written["spec"]["holderIdentity"] == "one"


def test_an_anchor_without_a_lease_makes_one(place: Place) -> None:
    """The first anchor may come before the first leader."""

    def script(asked: Asked) -> Reply:
        return status(404, "NotFound") if asked.method == "GET" else Reply(201, anchored("0"))

    place.server.script = script
    asyncio.run(LeaseAnchor(place.client).raise_to(0))
    made = json.loads(place.server.asked[1].body)
    assert (place.server.asked[1].method, made["spec"]) == ("POST", {})


def test_an_anchor_that_changes_each_time_is_given_up(place: Place) -> None:
    """After some conflicts it is an error, not an endless loop."""
    place.server.script = lambda asked: (
        Reply(body=anchored("1")) if asked.method == "GET" else status(409)
    )
    with pytest.raises(StoreError, match="changed each time"):
        asyncio.run(LeaseAnchor(place.client).raise_to(5))
