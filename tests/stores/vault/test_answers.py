"""What odd answers become: a scripted server in Vault's place."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from rotator.core.names import StorePath
from rotator.core.outcome import Happened, StoreConflict, StoreDenied, StoreError
from rotator.stores.vault import answers, parse
from rotator.stores.vault.adapter import Answer
from rotator.stores.vault.kv import VaultKv
from rotator.stores.vault.settings import CertAuth, JwtAuth
from tests.servers.scripted import Asked, Reply, ScriptedServer
from tests.servers.stores import open_store, token_auth

PATH = StorePath("secret/app/a")
MOUNT = b'{"data":{"type":"kv","options":{"version":"2"},"path":"secret/"}}'
METADATA = {
    "current_version": 1,
    "created_time": "2026-01-02T03:04:05.123456789Z",
    "versions": {"1": {"created_time": "2026-01-02T03:04:05.123456789Z", "deletion_time": ""}},
}


def with_mount(script: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
    """Answer the look-up of the mount, leave the rest to the script."""

    def whole(asked: Asked) -> Reply:
        if asked.path.startswith("/v1/sys/internal/ui/mounts/"):
            return Reply(body=MOUNT)
        return script(asked)

    return whole


class Bench:
    """A store on a scripted server, with the sleeps that it asked for."""

    def __init__(self, folder: Path, script: Callable[[Asked], Reply], **settings: Any) -> None:
        self.slept: list[float] = []
        self.server = ScriptedServer(with_mount(script))
        auth = token_auth(folder, "the-token")
        self.settings = settings
        self.store = open_store(
            self.server.address, auth, sleep=self.slept.append, workers=2, **settings
        )

    @property
    def asked(self) -> list[Asked]:
        """Return the requests after the look-up of the mount."""
        return [a for a in self.server.asked if "/ui/mounts/" not in a.path]

    def run(self, scenario: Callable[[VaultKv], Awaitable[Any]]) -> Any:
        """Run a scenario and close everything."""

        async def whole() -> Any:
            try:
                return await scenario(self.store)
            finally:
                await self.store.close()

        try:
            return asyncio.run(whole())
        finally:
            self.server.close()

    def fault(self, scenario: Callable[[VaultKv], Awaitable[Any]]) -> StoreError:
        """Run a scenario that must fail and return its error."""
        with pytest.raises(StoreError) as caught:
            self.run(scenario)
        return caught.value


def read(store: VaultKv) -> Awaitable[Any]:
    """Read the path's metadata."""
    return store.read_metadata(PATH)


def write(store: VaultKv) -> Awaitable[Any]:
    """Write the path."""
    return store.write(PATH, {"api_secret": "canary-secret"}, 1)


@pytest.mark.parametrize("status", [412, 429, 500, 502, 503])
def test_reads_are_tried_again(tmp_path: Path, status: int) -> None:
    """A read is sent again after a passing fault, a bounded number of times."""
    replies = [Reply(status), Reply(status), Reply(body=json.dumps({"data": METADATA}).encode())]
    bench = Bench(tmp_path, lambda asked: replies[len(bench.asked) - 1])
    assert bench.run(read).current == 1
    assert bench.slept == [0.1, 0.3]


def test_the_tries_end(tmp_path: Path) -> None:
    """After the last try the answer's error is raised with its status."""
    bench = Bench(tmp_path, lambda asked: Reply(502), tries=3)
    assert bench.fault(read).status == 502
    assert len(bench.asked) == 3


def test_retry_after_is_honoured(tmp_path: Path) -> None:
    """A short Retry-After is waited for; a long one is handed to the caller at once."""
    waits = iter(["3", "90"])
    bench = Bench(tmp_path, lambda asked: Reply(429, headers={"Retry-After": next(waits)}))
    error = bench.fault(read)
    assert (error.status, error.retry_after) == (429, timedelta(seconds=90))
    assert bench.slept == [3.0]


@pytest.mark.parametrize(
    ("status", "body", "happened"),
    [
        (500, b"", Happened.UNKNOWN),
        (502, b"<html>", Happened.UNKNOWN),
        (503, b"", Happened.UNKNOWN),
        (503, b'{"errors":["Vault is sealed"]}', Happened.NOT_APPLIED),
        (400, b'{"errors":["no"]}', Happened.REFUSED),
        (404, b'{"errors":["no handler for route"]}', Happened.REFUSED),
        (413, b"", Happened.REFUSED),
        (200, b"<html>welcome</html>", Happened.UNKNOWN),
        (200, b"[]", Happened.UNKNOWN),
        (200, b'{"data":null}', Happened.UNKNOWN),
        (200, b'{"data":{"version":"2"}}', Happened.UNKNOWN),
    ],
)
def test_a_writes_fate(tmp_path: Path, status: int, body: bytes, happened: Happened) -> None:
    """A write is sent once, and its error says whether it may have been applied."""
    bench = Bench(tmp_path, lambda asked: Reply(status, body))
    error = bench.fault(write)
    assert error.happened is happened
    assert len(bench.asked) == 1
    assert "canary" not in str(error)


def test_a_throttled_write_is_sent_again(tmp_path: Path) -> None:
    """A write that was throttled was surely not applied, so it is sent again."""
    replies = [Reply(429), Reply(body=b'{"data":{"version":2}}')]
    bench = Bench(tmp_path, lambda asked: replies[len(bench.asked) - 1])
    assert bench.run(write) == 2


def test_a_conflict_is_told_by_its_text(tmp_path: Path) -> None:
    """Vault's 400 for a stale version is a conflict; any other 400 is not."""
    text = b'{"errors":["check-and-set parameter did not match the current version"]}'
    assert isinstance(Bench(tmp_path, lambda a: Reply(400, text)).fault(write), StoreConflict)
    other = Bench(tmp_path, lambda a: Reply(400, b'{"errors":["bad"]}')).fault(write)
    assert not isinstance(other, StoreConflict)


@pytest.mark.parametrize(
    "body", [b'{"errors":["namespace not found"]}', b"", b"<html>", b"{}", b'{"errors":null}']
)
def test_a_404_that_is_no_absence(tmp_path: Path, body: bytes) -> None:
    """Only a 404 with an empty list of errors is an absence; any other is a fault."""
    error = Bench(tmp_path, lambda asked: Reply(404, body)).fault(read)
    assert error.status == 404


def test_a_404_that_is_absence(tmp_path: Path) -> None:
    """A 404 with an empty list of errors is an absence."""
    assert Bench(tmp_path, lambda asked: Reply(404, b'{"errors":[]}')).run(read) is None


def test_a_page_instead_of_json(tmp_path: Path) -> None:
    """A 200 that is no JSON is an error of that read, never an absence."""
    assert Bench(tmp_path, lambda asked: Reply(200, b"<html>")).fault(read).status == 200
    secret = Bench(tmp_path, lambda asked: Reply(200, b"<html>"))
    assert secret.fault(lambda store: store.read(PATH)).status == 200


def test_a_refusal_is_tried_once_more_only_with_another_token(tmp_path: Path) -> None:
    """A 403 with a token that stays the same is a refusal, sent once."""
    bench = Bench(tmp_path, lambda asked: Reply(403, b'{"errors":["permission denied"]}'))
    assert isinstance(bench.fault(read), StoreDenied)
    assert len(bench.asked) == 1


def test_errors_are_short_and_printable(tmp_path: Path) -> None:
    """Vault's error text is shown on one short line without control characters."""
    body = json.dumps({"errors": ["\x1b[31mred\n" + "x" * 5000]}).encode()
    text = str(Bench(tmp_path, lambda asked: Reply(400, body)).fault(read))
    assert text.isprintable()
    assert len(text) < 250


def test_a_redirect_to_an_allowed_host(tmp_path: Path) -> None:
    """A 307 to an allowed host is followed with the token and the body."""
    leader = ScriptedServer(lambda asked: Reply(body=b'{"data":{"version":2}}'))
    location = f"{leader.address}/v1/secret/data/app/a"
    bench = Bench(
        tmp_path,
        lambda asked: Reply(307, headers={"Location": location}),
        redirect_hosts=(f"127.0.0.1:{leader.port}",),
    )
    try:
        assert bench.run(write) == 2
        (asked,) = leader.asked
        assert asked.headers["x-vault-token"] == "the-token"
        assert json.loads(asked.body)["options"] == {"cas": 1}
    finally:
        leader.close()


@pytest.mark.parametrize("way", ["http://127.0.0.1:1/v1/x", "https://127.0.0.1/v1/x", "/v1/x", ""])
def test_a_redirect_elsewhere(tmp_path: Path, way: str) -> None:
    """A redirect to a host that is not allowed is not followed, and nothing was applied."""
    error = Bench(tmp_path, lambda asked: Reply(307, headers={"Location": way})).fault(write)
    assert error.happened is Happened.NOT_APPLIED


def test_redirects_in_a_circle(tmp_path: Path) -> None:
    """After two hops a redirection is an error."""
    bench = Bench(
        tmp_path,
        lambda asked: Reply(
            307, headers={"Location": f"{bench.server.address}/v1/secret/data/app/a"}
        ),
    )
    bench.fault(write)
    assert len(bench.asked) == 3


def test_an_endless_body_is_cut(tmp_path: Path) -> None:
    """A body larger than the limit is an error, whatever length it claims."""
    size = 33 * 1024 * 1024
    bench = Bench(tmp_path, lambda asked: Reply(200, b" " * size), tries=1)
    assert "too large" in str(bench.fault(read))


def test_the_observer_hears_of_every_request(tmp_path: Path) -> None:
    """The observer gets each request's operation, code and time, retries and losses too."""
    heard: list[tuple[str, str]] = []
    replies = [Reply(500), Reply(404, b'{"errors":[]}')]
    bench = Bench(
        tmp_path,
        lambda asked: replies[len(bench.asked) - 1],
        on_request=lambda operation, code, seconds: heard.append((operation, code)),
    )
    bench.run(read)
    assert heard == [("mount", "200"), ("metadata", "500"), ("metadata", "404")]


@pytest.mark.parametrize(
    "told",
    [
        {"type": "kv", "options": {"version": "2"}, "path": "other/"},
        {"type": "kv", "options": {"version": "2"}, "path": ""},
        {"type": "kv", "options": None, "path": "secret/"},
        {"type": "transit", "options": {"version": "2"}, "path": "secret/"},
        {},
    ],
)
def test_a_mount_that_cannot_hold_the_path(tmp_path: Path, told: dict[str, Any]) -> None:
    """An answer that names no KV v2 mount of the path is refused before anything is read."""
    with ScriptedServer(lambda asked: Reply(body=json.dumps({"data": told}).encode())) as server:
        store = open_store(server.address, token_auth(tmp_path, "t"))

        async def scenario() -> None:
            with pytest.raises(StoreError):
                await store.read(PATH)
            await store.close()

        asyncio.run(scenario())
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "auth",
    [
        None,
        {},
        {"client_token": "", "lease_duration": 1},
        {"client_token": "a\nb", "lease_duration": 1},
        {"client_token": "t", "lease_duration": "1h"},
        {"client_token": "t", "lease_duration": -1},
    ],
)
def test_a_login_that_gives_nothing(tmp_path: Path, auth: Any) -> None:
    """A login answer without a usable token or TTL is a lost login."""
    (tmp_path / "jwt").write_text("projected")
    with ScriptedServer(lambda asked: Reply(body=json.dumps({"auth": auth}).encode())) as server:
        store = open_store(server.address, JwtAuth("r", tmp_path / "jwt"))

        async def scenario() -> None:
            with pytest.raises(StoreError, match="login at Vault is lost"):
                await store.read(PATH)
            await store.close()

        asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "body", "up", "sealed", "timed"),
    [
        (200, b'{"server_time_utc": 1750000000}', True, False, True),
        (429, b'{"server_time_utc": "x"}', True, False, False),
        (473, b'{"server_time_utc": 99999999999999}', True, False, False),
        (501, b'{"server_time_utc": 1750000000}', False, False, True),
        (503, b'{"sealed": true, "server_time_utc": 1750000000}', False, True, True),
        (503, b"<html>", False, False, False),
        (200, b"<html>", False, False, False),
    ],
)
def test_health_of_each_kind(  # noqa: PLR0917
    tmp_path: Path, status: int, body: bytes, up: bool, sealed: bool, timed: bool
) -> None:
    """Health tells up, sealed and the server's time from whatever is answered."""
    health = Bench(tmp_path, lambda asked: Reply(status, body)).run(lambda s: s.health())
    assert (health.up, health.sealed, health.server_time is not None) == (up, sealed, timed)
    assert bool(health.message) is not up


@pytest.mark.parametrize("address", ["", "vault:8200", "ftp://vault", "https://"])
def test_an_address_that_is_none(tmp_path: Path, address: str) -> None:
    """An address that is no http URL is refused when the store is opened."""
    with pytest.raises(StoreError, match="address"):
        open_store(address, token_auth(tmp_path, "t"))


def test_tls_files_that_cannot_be_used(tmp_path: Path) -> None:
    """A CA file or a client certificate that is missing is refused when the store is opened."""
    missing = tmp_path / "missing.pem"
    with pytest.raises(StoreError, match="TLS file"):
        open_store("https://127.0.0.1:1", token_auth(tmp_path, "t"), ca_file=missing)
    with pytest.raises(StoreError, match="TLS file"):
        open_store("https://127.0.0.1:1", CertAuth(missing, missing))


def test_hostile_names_in_a_folder(tmp_path: Path) -> None:
    """Names that cannot be addressed are faults of a walk, and the others are found."""
    names = ["good", "..", "", "a/b/c", "x\u001b", "/"]
    body = json.dumps({"data": {"keys": names}}).encode()
    walk = Bench(tmp_path, lambda asked: Reply(body=body)).run(
        lambda store: store.walk(StorePath("secret/app"), [])
    )
    assert walk.paths == ("secret/app/good",)
    assert len(walk.faults) == 5
    assert all(fault.path.isprintable() for fault in walk.faults)


def test_a_skipped_prefix_is_never_listed(tmp_path: Path) -> None:
    """No request is sent for a folder below a skipped prefix."""
    body = json.dumps({"data": {"keys": ["a", "state/"]}}).encode()
    bench = Bench(tmp_path, lambda asked: Reply(body=body))
    walk = bench.run(
        lambda store: store.walk(StorePath("secret/app"), [StorePath("secret/app/state")])
    )
    assert walk.paths == ("secret/app/a",)
    assert [a.path for a in bench.asked] == ["/v1/secret/metadata/app/?list=true"]


def test_a_cancelled_sweep_stops(tmp_path: Path) -> None:
    """When the caller goes away, a sweep stops asking instead of reading on for nobody."""
    began = threading.Event()

    def script(asked: Asked) -> Reply:
        began.set()
        return Reply(404, b'{"errors":[]}')

    bench = Bench(tmp_path, script)

    async def scenario(store: VaultKv) -> None:
        await store.read_metadata(PATH)
        began.clear()
        paths = [StorePath(f"secret/app/{n}") for n in range(20_000)]
        sweep = asyncio.create_task(store.read_many_metadata(paths))
        await asyncio.to_thread(began.wait)
        sweep.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sweep

    bench.run(scenario)
    assert len(bench.asked) < 10_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from([*METADATA, "custom_metadata", "max_versions", "delete_version_after"])


@given(st.dictionaries(FIELDS, JSON, max_size=6))
def test_metadata_parses_or_is_an_error(data: dict[str, Any]) -> None:
    """Whatever JSON stands in the fields of metadata gives Metadata or a StoreError."""
    for given_data in (data, METADATA | data):
        try:
            metadata = parse.metadata(PATH, given_data)
        except StoreError:
            continue
        assert metadata.current >= 0
        assert metadata.created_at.utcoffset() == timedelta(0)


@given(JSON, JSON)
def test_a_secret_parses_or_is_an_error(told: Any, content: Any) -> None:
    """Whatever JSON stands in the answer of a read gives a Secret or a StoreError."""
    try:
        secret = parse.secret(PATH, {"metadata": told, "data": content})
    except StoreError:
        return
    assert secret.data is None or isinstance(secret.data, dict)


@given(st.integers(100, 599), st.binary(max_size=200), st.booleans())
def test_every_answer_has_a_meaning(status: int, body: bytes, write: bool) -> None:
    """Any status with any body is a value or a StoreError; a write's 5xx is never called safe."""
    error = None
    try:
        answers.parsed(Answer(status, body), write=write)
    except StoreError as raised:
        error = raised
    if write and status >= 500 and b"sealed" not in body:
        assert error is not None
        assert error.happened is Happened.UNKNOWN


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("1h30m0s", 5400), ("2562047h47m16.854775807s", 9223372036.854775), (90, 90)],
)
def test_go_durations(text: Any, seconds: float) -> None:
    """Go's duration texts and plain seconds are read."""
    assert parse.duration(text).total_seconds() == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", None])
def test_no_duration_is_zero(text: Any) -> None:
    """A missing duration is none."""
    assert parse.duration(text) == timedelta(0)


@pytest.mark.parametrize("text", ["h", "5", "1h-", "-5s", "soon", True, [], "9" * 400 + "h"])
def test_what_is_no_duration(text: Any) -> None:
    """A text that is no duration is an error, never zero."""
    with pytest.raises(StoreError):
        parse.duration(text)
