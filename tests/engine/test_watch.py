"""Holds and commands as documents: read whole or everything is held, whatever they contain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from rotator.core.names import CredentialName, StorePath
from rotator.core.outcome import StoreError
from rotator.engine.watch import Watch, hold_from, order_from
from rotator.stores.documents import Document, Documents
from tests.engine.rig import DirectKv, open_direct
from tests.fakes.clock import START, FakeClock
from tests.stores.kit import Watched

STATE = StorePath("secret/rotator")
DESK = CredentialName("secret/trading/desk0")
PATH = StorePath(DESK)

Scenario = Callable[["Scene"], Awaitable[None]]


class Scene:
    """A watch over a store that people write to."""

    def __init__(self, kv: DirectKv) -> None:
        self.clock = FakeClock()
        self.kv = kv
        self.watched = Watched(kv)
        self.watch = Watch(Documents(self.watched.kv, STATE), self.clock)

    async def put(self, place: str, data: dict[str, Any]) -> None:
        path = StorePath(f"{STATE}/{place}")
        metadata = await self.kv.read_metadata(path)
        await self.kv.write(path, data, metadata.current if metadata else 0)

    async def delete(self, place: str) -> None:
        path = StorePath(f"{STATE}/{place}")
        metadata = await self.kv.read_metadata(path)
        assert metadata is not None
        await self.kv.delete_versions(path, [metadata.current])

    def held(self, path: str = DESK) -> str | None:
        return self.watch.held(CredentialName(path), StorePath(path))


def scene(tmp_path: Path, scenario: Scenario) -> None:
    """Run a scenario."""

    async def run() -> None:
        kv = open_direct(tmp_path / "store.db", lambda: START, "ana")
        await scenario(Scene(kv))
        await kv.close()

    asyncio.run(run())


def test_everything_is_held_before_the_first_reading(tmp_path: Path) -> None:
    """A hold that was not read yet may be there."""

    async def scenario(s: Scene) -> None:
        assert "not read yet" in (s.held() or "")
        await s.watch.read()
        assert s.held() is None

    scene(tmp_path, scenario)


def test_a_hold_covers_what_it_matches_until_it_ends(tmp_path: Path) -> None:
    """A hold counts for the paths of its pattern, until its end, and is told with its reason."""

    async def scenario(s: Scene) -> None:
        until = (START + timedelta(hours=1)).isoformat()
        await s.put("holds/desk", {"match": "secret/trading/*", "reason": "audit", "until": until})
        await s.watch.read()
        assert s.held() == "desk: audit"
        assert s.held("secret/other/desk0") is None
        assert s.watch.holds_on(DESK, PATH) == ("desk",)
        assert [h.name for h in s.watch.holds] == ["desk"]
        s.clock.later(hours=1)
        assert s.held() is None
        assert s.watch.holds == ()

    scene(tmp_path, scenario)


def test_a_hold_matches_the_credential_or_its_path(tmp_path: Path) -> None:
    """One of several credentials of a secret can be held alone, or all by their path."""

    async def scenario(s: Scene) -> None:
        await s.put("holds/one", {"match": "secret/shared#a"})
        await s.watch.read()
        shared = StorePath("secret/shared")
        assert s.watch.held(CredentialName("secret/shared#a"), shared)
        assert s.watch.held(CredentialName("secret/shared#b"), shared) is None
        await s.put("holds/one", {"match": "secret/shared"})
        await s.watch.read()
        assert s.watch.held(CredentialName("secret/shared#b"), shared)

    scene(tmp_path, scenario)


def test_a_released_hold_counts_no_more(tmp_path: Path) -> None:
    """A hold ends when its document is deleted, or gone with its metadata."""

    async def scenario(s: Scene) -> None:
        for name in ("a", "b"):
            await s.put(f"holds/{name}", {"match": "**", "reason": name})
        await s.watch.read()
        assert s.held() == "a: a; b: b"
        await s.delete("holds/a")
        await s.watch.read()
        assert s.held() == "b: b"
        for table in ("contents", "versions", "paths"):
            s.kv._tables._connection.execute(f"DELETE FROM {table} WHERE path LIKE '%/b'")  # noqa: S608
        await s.watch.read()
        assert s.held() is None

    scene(tmp_path, scenario)


def test_an_unread_hold_holds_everything(tmp_path: Path) -> None:
    """While the holds cannot be read everything is held; one good reading ends that."""

    async def scenario(s: Scene) -> None:
        await s.watch.read()
        for name in ("walk", "read_many_metadata"):
            s.watched.refuse = lambda asked, _args, name=name: (  # type: ignore[misc]
                StoreError("sealed") if asked == name else None
            )
            await s.watch.read()
            assert "sealed" in (s.held() or "")
            with pytest.raises(StoreError):
                await s.watch.read_holds()
        s.watched.refuse = lambda _name, _args: None
        await s.watch.read()
        assert s.held() is None

    scene(tmp_path, scenario)


def test_one_hold_that_cannot_be_read_holds_everything(tmp_path: Path) -> None:
    """A folder of which one document gives no answer is not read whole."""

    async def scenario(s: Scene) -> None:
        s.watched.bulk = False
        await s.watch.read()
        await s.put("holds/one", {"match": "secret/other"})
        s.watched.refuse = lambda name, _args: StoreError("denied") if name == "read" else None
        await s.watch.read()
        assert "holds/ could not be read whole" in (s.held() or "")
        s.watched.refuse = lambda _name, _args: None
        await s.watch.read()
        assert s.held() is None
        assert s.held("secret/other") is not None

    scene(tmp_path, scenario)


HOSTILE_NAMES = ["händel", "日本", "~ff", "~zz", "a b", "~e2~80~ae"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hold_of_any_name_holds(tmp_path: Path, name: str) -> None:
    """A hold counts whatever it is called, and hinders no other document."""

    async def scenario(s: Scene) -> None:
        await s.put(f"holds/{name}", {"match": "secret/trading/**", "reason": "x"})
        await s.put(f"commands/{name}", {"command": "rotate", "version": 1})
        await s.put("commands/secret/trading/desk0", {"command": "rotate", "version": 1})
        await s.watch.read()
        assert s.held()
        assert s.watch.order(DESK) is not None
        await s.delete(f"holds/{name}")
        await s.delete(f"commands/{name}")
        await s.watch.read()
        assert s.held() is None

    scene(tmp_path, scenario)


def test_a_command_is_read_with_its_author_and_time(tmp_path: Path) -> None:
    """A command says what, for which rotation and version, by whom and when."""

    async def scenario(s: Scene) -> None:
        words = {"command": "resolve", "rotation": "aaaaaaaa", "version": "3", "answer": "adopt"}
        await s.put("commands/secret/trading/desk0", words)
        await s.watch.read()
        order = s.watch.order(DESK)
        assert order is not None
        assert (order.command, order.rotation, order.version) == ("resolve", "aaaaaaaa", 3)
        assert (order.answer, order.number, order.by) == ("adopt", 1, "ana")
        assert order.given_at == START
        assert s.watch.orders == {DESK: order}
        await s.put("commands/secret/trading/desk0", {**words, "answer": 3})
        await s.watch.read()
        again = s.watch.order(DESK)
        assert again is not None
        assert (again.answer, again.number) == (None, 2)

    scene(tmp_path, scenario)


def test_a_command_that_is_taken_back_is_gone(tmp_path: Path) -> None:
    """A command ends when it is deleted, becomes none, or its document is gone."""

    async def scenario(s: Scene) -> None:
        good = {"command": "rotate", "version": 1}
        place = "commands/secret/trading/desk0"
        await s.put(place, good)
        await s.watch.read()
        assert s.watch.order(DESK)
        await s.put(place, {"command": "dance", "version": 1})
        await s.watch.read()
        assert s.watch.order(DESK) is None
        await s.put(place, good)
        await s.watch.read()
        await s.delete(place)
        await s.watch.read()
        assert s.watch.order(DESK) is None
        await s.put(place, good)
        await s.watch.read()
        for table in ("contents", "versions", "paths"):
            s.kv._tables._connection.execute(f"DELETE FROM {table} WHERE path LIKE '%/desk0'")  # noqa: S608
        await s.watch.read()
        assert s.watch.order(DESK) is None

    scene(tmp_path, scenario)


def test_unread_commands_hold_everything_until_they_are_read(tmp_path: Path) -> None:
    """A fault of the commands is told like one of the holds; the last commands stay known."""

    async def scenario(s: Scene) -> None:
        await s.put("commands/secret/trading/desk0", {"command": "rotate", "version": 1})
        await s.watch.read()
        walks = 0

        def second_walk(name: str, _args: tuple[Any, ...]) -> StoreError | None:
            nonlocal walks
            walks += name == "walk"
            return StoreError("down") if name == "walk" and walks == 2 else None

        s.watched.refuse = second_walk
        await s.watch.read()
        assert s.held()
        assert s.watch.order(DESK)

    scene(tmp_path, scenario)


def test_nobody_is_woken_for_nothing(tmp_path: Path) -> None:
    """Drivers are woken when what people ask has changed, and not at every reading."""

    async def scenario(s: Scene) -> None:
        first = s.watch.changed
        await s.watch.read()
        assert first.is_set()
        quiet = s.watch.changed
        await s.watch.read()
        assert not quiet.is_set()
        await s.put("holds/one", {"match": "**"})
        await s.watch.read_holds()
        assert quiet.is_set()
        changed = s.watch.changed
        await s.put("commands/secret/trading/desk0", {"command": "rotate", "version": 1})
        await s.watch.read()
        assert changed.is_set()
        changed = s.watch.changed
        s.watched.refuse = lambda _name, _args: StoreError("down")
        await s.watch.read()
        assert changed.is_set()

    scene(tmp_path, scenario)


def test_a_slow_reading_does_not_undo_a_later_one(tmp_path: Path) -> None:
    """A look that began earlier and comes back later does not release what was held since."""

    async def scenario(s: Scene) -> None:
        await s.put("holds/one", {"match": "**"})
        await s.watch.read()
        await s.delete("holds/one")
        let_go, walked = asyncio.Event(), 0

        async def slow(name: str, _args: tuple[Any, ...]) -> None:
            nonlocal walked
            if name == "read_many":
                walked += 1
                if walked == 1:
                    await let_go.wait()

        s.watched.before = slow
        early = asyncio.create_task(s.watch.read_holds())
        while not walked:
            await s.clock.breathe()
        await s.put("holds/one", {"match": "**", "reason": "again"})
        await s.watch.read_holds()
        assert s.held() == "one: again"
        let_go.set()
        await early
        assert s.held() == "one: again"

    scene(tmp_path, scenario)


def test_a_slow_reading_of_commands_does_not_undo_a_later_one(tmp_path: Path) -> None:
    """A command that was taken back stays taken back, whichever look comes home last."""

    async def scenario(s: Scene) -> None:
        place = "commands/secret/trading/desk0"
        await s.watch.read()
        await s.put(place, {"command": "rotate", "version": 1})
        let_go, slow = asyncio.Event(), list[str]()

        async def before(name: str, args: tuple[Any, ...]) -> None:
            if name == "read_many" and args[0] and not slow:
                slow.append(name)
                await let_go.wait()

        s.watched.before = before
        early = asyncio.create_task(s.watch.read())
        while not slow:
            await s.clock.breathe()
        await s.delete(place)
        await s.watch.read()
        let_go.set()
        await early
        assert s.watch.order(DESK) is None

    scene(tmp_path, scenario)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
WORDS = st.sampled_from(["command", "rotation", "version", "answer", "match", "reason", "until"])
TIMES = st.datetimes().map(lambda at: at.isoformat() + "+14:00")
DATA = st.dictionaries(WORDS, JSON | TIMES | st.sampled_from(["rotate", "**", "1"]), max_size=7)


@settings(max_examples=150, deadline=None)
@given(DATA)
def test_whatever_a_hold_contains_it_holds_or_ends(data: dict[str, Any]) -> None:
    """A hold of any content is a hold: what is unclear holds everything and never ends."""
    hold = hold_from("any", data)
    text = hold.reason
    assert text
    assert text.isprintable()
    if not isinstance(data.get("match"), str) and hold.until is None:
        assert hold.covers(DESK, PATH, START)
    hold.covers(DESK, PATH, START)


@settings(max_examples=150, deadline=None)
@given(DATA)
def test_whatever_a_command_contains_it_is_one_or_none(data: dict[str, Any]) -> None:
    """A command of any content is read without an error, or is none."""
    order = order_from(Document(PATH, 1, data, created_at=START, created_by="a\nb"))
    if order is not None:
        assert order.command in {"rotate", "complete", "resolve"}
        assert order.by == "a b"
        assert order.rotation.isprintable()


@pytest.mark.parametrize(
    "data",
    [
        {"command": ["rotate"], "version": 1},
        {"command": {"rotate": 1}, "version": 1},
        {"command": "rotate"},
        {"command": "rotate", "version": True},
        {"command": "rotate", "version": "1" * 10},
        {"command": "rotate", "version": "²"},
        {},
    ],
)
def test_what_is_no_command(data: dict[str, Any]) -> None:
    """A command needs its word and a version that is a number."""
    assert order_from(Document(PATH, 1, data, created_at=START)) is None


def test_a_command_without_its_time_is_none() -> None:
    """A command whose time is not known cannot be told from an early one."""
    assert order_from(Document(PATH, 1, {"command": "rotate", "version": 1})) is None
    assert order_from(Document(PATH, 1, None, created_at=START)) is None


@pytest.mark.parametrize(
    ("until", "ends"),
    [
        ("2026-11-24T12:30:00", True),
        ("2026-11-24T12:30:00Z", True),
        ("2026-11-24T13:30:00+01:00", True),
        ("tomorrow", False),
        ("0001-01-01T00:00:00+14:00", False),
        (7, False),
        (None, False),
    ],
)
def test_when_a_hold_ends(until: object, ends: bool) -> None:
    """A time without a zone is UTC; what is no time never ends."""
    hold = hold_from("any", {"match": "**", "until": until})
    assert hold.covers(DESK, PATH, START)
    assert hold.covers(DESK, PATH, START + timedelta(hours=1)) is not ends


@pytest.mark.parametrize("match", [None, "", 3, "x" * 513, ["a"]])
def test_a_hold_without_a_pattern_holds_everything(match: object) -> None:
    """A match that is missing or no pattern is as `**`."""
    assert hold_from("any", {"match": match}).covers(DESK, PATH, START)
