"""The net over the suite finds a secret in each form and each place, and nothing else."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.net.needles import told
from tests.net.plugin import ANNOUNCED, Net, judge
from tests.sandbox.desk import PAIRS, Desk

TOKEN = "hvs." + "CAESI" * 8
MADE: dict[str, Callable[[], str]] = {
    "bybit's hmac": lambda: str(Desk().key("bybit")["api_secret"]),
    "binance's hmac": lambda: str(Desk().key("binance")["api_secret"]),
    "a fixture's": lambda: "canary-secret-of-desk0",
    "vault's token": lambda: TOKEN,
    "ed25519": lambda: str(PAIRS("ED25519")[1].reveal()),
    "rsa": lambda: str(PAIRS("RSA")[1].reveal()),
}
ENCODERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 after one byte": lambda s: base64.b64encode(b":" + s.encode()).decode(),
    "base64 after two bytes": lambda s: base64.b64encode(b"u:" + s.encode()).decode(),
    "url-safe base64": lambda s: base64.urlsafe_b64encode(b"~\xff" + s.encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "upper hex": lambda s: s.encode().hex().upper(),
    "url": lambda s: quote(s, safe=""),
    "url, every byte": lambda s: "".join(f"%{b:02x}" for b in s.encode()),
    "json": json.dumps,
    "json, every letter": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "repr": repr,
}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("secret", MADE)
def test_a_secret_is_known_in_every_form(secret: str, encoder: str) -> None:
    """Whatever makes it and whatever encodes it, it is found in the midst of a text."""
    text = ENCODERS[encoder](MADE[secret]())
    assert told(f'{{"a": "{text}", "b": 1}}\n')


@pytest.mark.parametrize(
    "text",
    [
        "a sandbox only, a canary, a secret, hvs. and canary_secret",
        "hvs.[redacted] -----BEGIN PRIVATE KEY-----[redacted]",
        "0123456789abcdef" * 16,
        PAIRS("RSA")[0].pem + PAIRS("ED25519")[0].pem,
    ],
)
def test_what_is_no_secret_is_not_taken_for_one(text: str) -> None:
    """Words, blanks, digests and public keys pass."""
    assert told(text) is None


def test_every_secret_of_the_sandbox_bears_its_mark_and_is_another() -> None:
    """Length and letters stay those of the exchange."""
    desk = Desk()
    made = [str(desk.new_key("bybit")["api_secret"]) for _ in range(50)]
    assert all(told(secret) and secret.isalnum() and len(secret) == 36 for secret in made)
    assert len(set(made)) == 50


def report(when: str = "teardown", **changes: object) -> pytest.TestReport:
    """Return the report of a test that passed, with changes."""
    fields: dict[str, object] = {
        "nodeid": "x",
        "location": ("x", 1, "x"),
        "keywords": {},
        "outcome": "passed",
        "longrepr": None,
        "when": when,
    }
    return pytest.TestReport(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "title", ["Captured stdout call", "Captured stderr setup", "Captured log call"]
)
def test_what_a_test_printed_or_logged_is_searched(title: str) -> None:
    """A test that printed a secret fails, and says where."""
    shown = report(sections=[(title, f"x {TOKEN}")])
    judge(shown, Net())
    assert shown.failed
    assert title in str(shown.longrepr)
    clean = report(sections=[(title, "x")])
    judge(clean, Net())
    assert clean.passed


def test_a_test_that_logs_secrets_itself_is_spared_only_there() -> None:
    """The mark spares the captured log, which no redaction has seen yet, and nothing else."""
    for title, outcome in (("Captured log call", "passed"), ("Captured stderr call", "failed")):
        shown = report(sections=[(title, TOKEN)], keywords={"feeds_secrets": 1})
        judge(shown, Net())
        assert shown.outcome == outcome


def test_how_a_test_fails_is_searched() -> None:
    """A failure that shows a secret says so, and what failed still stands there."""
    shown = report("call", outcome="failed", longrepr=f"assert {TOKEN!r} == 1")
    judge(shown, Net())
    assert "the failure tells a secret" in str(shown.longrepr)
    assert "== 1" in str(shown.longrepr)


def test_a_find_fails_its_test_once() -> None:
    """What a harness found is told by the next report, and by no later one."""
    net = Net()
    net.look("the output of status", TOKEN)
    first, second = report("call"), report()
    judge(first, net)
    judge(second, net)
    assert (first.outcome, second.outcome) == ("failed", "passed")


@pytest.mark.parametrize(
    "name", ["audit.jsonl", "deep/daemon.log", "once0.out", "metrics.prom", "page.html"]
)
def test_files_below_a_test_s_folder_are_searched(tmp_path: Path, name: str) -> None:
    """Trails, logs and outputs are; a second search of the folder tells nothing twice."""
    net, file = Net(), tmp_path / "own" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\xff\n" + base64.b64encode(TOKEN.encode()))
    net.files(tmp_path / "own")
    assert len(net.found()) == 1
    net.files(tmp_path / "own")
    assert net.found() == []
    file.unlink()


@pytest.mark.parametrize("name", ["store.db", "store.key", "token", "secret_id_file", ANNOUNCED])
def test_places_of_secrets_are_left_alone(tmp_path: Path, name: str) -> None:
    """Stores, keys, logins and a sandbox's announcement hold secrets by right."""
    (tmp_path / name).write_text(TOKEN)
    net = Net()
    net.files(tmp_path)
    assert net.found() == []


def test_a_watched_file_is_searched_as_it_grows(tmp_path: Path) -> None:
    """What stood there before is not told again."""
    net, file = Net(), tmp_path / "stream"
    net.watch(file)
    net.watched()
    file.write_text(f"{TOKEN}\n")
    net.watched()
    assert len(net.found()) == 1
    with file.open("a") as stream:
        stream.write("more\n")
    net.watched()
    assert net.found() == []
    with file.open("a") as stream:
        stream.write(f"{TOKEN}\n")
    net.watched()
    assert len(net.found()) == 1


def test_the_arguments_of_a_process_are_searched() -> None:
    """As /proc shows them."""
    net = Net()
    line = [sys.executable, "-c", "input()", f"--token={TOKEN}"]
    with subprocess.Popen(line, stdin=subprocess.PIPE) as child:
        net.process(child.pid)
    assert len(net.found()) == 1


INNER = """
import pytest
from tests.net.plugin import NET

def test_prints():
    print("canary" + "-secret")

def test_writes(tmp_path):
    (tmp_path / "daemon.log").write_text(("canary" + "-secret").encode().hex())

@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    yield folder
    (folder / "late.log").write_text("canary" + "-secret")

def test_clean(tmp_path):
    (tmp_path / "daemon.log").write_text("nothing")

def test_shares(shared):
    pass
"""


@pytest.fixture
def inner() -> Iterator[Path]:
    """A folder out of the net's sight."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_the_plugin_fails_the_tests_that_told(inner: Path) -> None:
    """In a run of its own: what is printed, written, and left in a shared folder."""
    (inner / "test_inner.py").write_text(INNER)
    root = Path(__file__).resolve().parents[2]
    line = [sys.executable, "-m", "pytest", "-q", "-p", "tests.net.plugin", "--rootdir", str(inner)]
    options = ["-c", "/dev/null", "-o", "pythonpath=" + str(root), "--basetemp", str(inner / "t")]
    done = subprocess.run(
        [*line, *options, str(inner)], cwd=root, capture_output=True, text=True, check=False
    )
    summary = done.stdout.rpartition("short test summary")[2]
    told_by = set(re.findall(r"test_inner\.py::(\w+)", summary))
    assert (told_by, done.returncode) == ({"test_prints", "test_writes", "test_shares"}, 1)
