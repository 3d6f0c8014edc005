"""Kills a process at one chosen call, and judges what is left when all is over."""

from __future__ import annotations

import base64
import inspect
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar, cast

import httpx

from rotator.core.names import RotationId, StorePath
from rotator.core.outcome import Failure, Happened, StoreError
from rotator.core.record import Record
from rotator.core.saga.words import Event, Stay
from rotator.core.strays import Kind, judge
from rotator.engine.opener import NotOpened, Opened
from rotator.engine.watch import Watch
from rotator.stores.journal import State
from rotator.stores.port import KvStore
from tests.engine.rig import ACCOUNT, PARENT, PATH, RECORD, STATE, Rig, World, key_id_of

T = TypeVar("T")
WRITES = frozenset(
    {
        "write",
        "patch_metadata",
        "delete_versions",
        "undelete_versions",
        "destroy_versions",
    }
)
LOOKS = {"query-api", "sub-apikeys"}
CHANGES = WRITES | {"create-sub-api", "delete-sub-api"}


class Killed(BaseException):
    """The process is gone."""


class Mode(StrEnum):
    """When the process dies at a call; LOST = it lives on without the answer."""

    BEFORE = "before the call"
    AFTER = "after the call, before its answer"
    LOST = "the answer is lost"


def nothing(_world: World) -> None:
    """Do nothing."""


class Call(NamedTuple):
    """A call to the store or the exchange: the phase it was made in, and what it was."""

    phase: str
    verb: str
    what: str = ""


@dataclass
class Gate:
    """Numbers every call of a process to store and exchange; dies at call `at`."""

    world: World
    at: int | None = None
    mode: Mode = Mode.BEFORE
    look: Callable[[World], None] = nothing
    armed: bool = False
    dead: bool = False
    calls: list[Call] = field(default_factory=list)

    async def cross(
        self, verb: str, what: str, call: Callable[[], Awaitable[T]], lost: Callable[[], Exception]
    ) -> T:
        """Make one call."""
        if self.dead:
            raise Killed
        if not self.armed:
            return await call()
        self.calls.append(Call(self.world.phase, verb, what))
        chosen = len(self.calls) == self.at
        if chosen and self.mode is Mode.BEFORE:
            self.die()
        answer = await call()
        self.look(self.world)
        if chosen and self.mode is Mode.AFTER:
            self.die()
        if chosen and self.mode is Mode.LOST:
            raise lost()
        return answer

    def die(self) -> None:
        """End the process: nothing that it still runs gets through any more."""
        self.dead = True
        raise Killed

    def store(self, kv: KvStore) -> KvStore:
        """Put the gate before a store."""
        return cast("KvStore", GatedKv(kv, self))

    def wire(self, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        """Put the gate before an exchange."""
        return GatedWire(inner, self)

    async def process(self) -> Rig:
        """Start a process behind this gate; its calls count from now on."""
        rig = await self.world.process(store=self.store, wire=self.wire)
        self.armed = True
        return rig


class GatedKv:
    """A store behind a gate."""

    def __init__(self, inner: KvStore, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate

    @property
    def read_many(self) -> Any:
        """The call; Python looks for it on the class."""
        return self._gated("read_many")

    def __getattr__(self, name: str) -> Any:
        return self._gated(name)

    def _gated(self, name: str) -> Any:
        real = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(real):
            return real

        async def call(*args: Any) -> Any:
            what = str(args[0])
            return await self._gate.cross(name, what, lambda: real(*args), lambda: lost(name))

        return call


def lost(name: str) -> StoreError:
    """Return what a store client makes of no answer; a read never changed anything."""
    happened = Happened.UNKNOWN if name in WRITES else Happened.NOT_APPLIED
    return StoreError("no answer", happened=happened)


class GatedWire(httpx.AsyncBaseTransport):
    """An exchange behind a gate."""

    def __init__(self, inner: httpx.AsyncBaseTransport, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        return await self._gate.cross(
            request.url.path.rpartition("/")[2],
            "",
            lambda: self._inner.handle_async_request(request),
            lambda: httpx.RemoteProtocolError("no answer", request=request),
        )


def boundaries(calls: list[Call], mode: Mode, since: str) -> list[int]:
    """Return the calls at which a story can end differently, from a phase on.

    Of what a wait repeats, the first; of changes also the last.  Who dies between
    two calls that change nothing leaves the same world, so a death is tried at
    every call that changes something.  The answer is lost of every call of a
    story that is told from its start, of the others only where it tells more
    than that a read gave no answer.
    """
    start = next(i for i, call in enumerate(calls) if call.phase == since)
    places: dict[Call, list[int]] = {}
    for place, call in enumerate(calls[start:], start + 1):
        telling = call.verb in CHANGES or call.verb in LOOKS or not since
        if call.verb in CHANGES or (mode is Mode.LOST and telling):
            places.setdefault(call, []).append(place)
    return sorted(
        {
            at
            for call, found in places.items()
            for at in (found[0], found[-1] if call.verb in CHANGES else found[0])
        }
    )


@dataclass
class Story:
    """A rotation and what happens around it.

    `happenings` are done once, after the `at_call`th call that leaves the record
    in the phase; `answers` are given to the questions in turn, and `on_lost` to a
    record that is deleted or destroyed.
    """

    policy: dict[str, Any] = field(default_factory=dict)
    before: Callable[[World], None] = nothing
    happenings: dict[str, Callable[[World], None]] = field(default_factory=dict)
    at_call: int = 1
    answers: list[Callable[[World], None]] = field(default_factory=list)
    on_lost: Callable[[World], None] | None = None
    on_held: Callable[[World], None] = nothing
    reopens: bool = True


@dataclass
class Play:
    """One telling of a story, in as many lives as it takes."""

    world: World
    story: Story
    done: set[str] = field(default_factory=set)
    calls_in: Counter[str] = field(default_factory=Counter)
    secrets: set[str] = field(default_factory=set)
    given: int = 0
    lives: int = 0
    heard: list[tuple[str, str]] = field(default_factory=list)

    def look(self, world: World) -> None:
        """Be the consumer, the exchange's own hand and the other people, at one instant."""
        phase = world.phase
        self.calls_in[phase] += 1
        if phase in self.story.happenings and self.calls_in[phase] == self.story.at_call:
            self.done.add(phase)
            self.story.happenings[phase](world)
        consume(world)
        if world.desk.ledger("bybit").creates > len(self.secrets) - 1:
            self.secrets |= {secret_of(world, key.id) for key in world.made()}

    async def run(self, at: int | None = None, mode: Mode = Mode.BEFORE) -> Gate:
        """Live until the rotation has ended; the first life dies at call `at`."""
        self.story.before(self.world)
        self.secrets.add(self.world.content()["api_secret"])
        first = gate = Gate(self.world, at, mode, self.look)
        while True:
            self.lives += 1
            assert self.lives < 60, "the rotation does not come to an end"
            try:
                if await self.live(await gate.process()):
                    return first
            except Killed:
                gate = Gate(self.world, look=self.look)
                self.world.clock.pass_(1.0)
            except StoreError:
                self.world.clock.pass_(1.0)

    async def live(self, rig: Rig) -> bool:
        """Live one life; True once nothing is left to do."""
        await self._watch(rig.tools.watch)
        found = await rig.tools.journal.read(PATH)
        if found.state is State.CLOSED:
            return True
        if found.state in (State.DELETED, State.DESTROYED) and self.story.on_lost is not None:
            self.story.on_lost(self.world)
            await rig.tools.watch.read()
        opened: Opened | None = None
        if found.state is State.ABSENT:
            if self.lives > 1 and not self.story.reopens:
                return True
            result = await rig.open(**self.story.policy)
            if isinstance(result, NotOpened):
                self.world.clock.pass_(1.0)
                return False
            opened = result
        return await self._drive(rig, opened)

    async def _watch(self, watch: Watch) -> None:
        async def tick() -> None:
            if watch.fault is not None or watch.holds:
                await watch.read()

        await watch.read()
        self.world.clock.tick = tick

    async def _drive(self, rig: Rig, opened: Opened | None) -> bool:
        asked: list[str] = []

        def on_stay(record: Record, stay: Stay) -> None:
            if stay.event in (Event.ASKED, Event.ANSWER_REFUSED):
                asked.append(record.question)
                rig.stop.set()
            elif stay.event is Event.HELD:
                self.story.on_held(self.world)

        rig.heard.on_stay = on_stay
        await rig.driver(opened).run()
        self.heard += rig.heard.events
        return self._answer(asked[-1]) if asked else False

    def _answer(self, question: str) -> bool:
        assert question.strip()
        if self.given == len(self.story.answers):
            return not self.story.answers
        self.story.answers[self.given](self.world)
        self.given += 1
        return False


def secret_of(world: World, key_id: str) -> str:
    """Return a key's secret, as the exchange knows it."""
    return str(world.key(key_id).material.secret.reveal())  # type: ignore[union-attr]


def consume(world: World) -> None:
    """Read the path and sign in, as every consumer does all the time."""
    found = world.peek(PATH)
    if found is None or found.data is None:
        return
    fields = dict(found.data)
    assert fields["note"] == "kept"
    if fields["api_key"] not in world.excused:
        assert world.signs_in(fields), f"the path serves a dead key in {world.phase}"


# --- what must hold when all is over ------------------------------------------------


async def judge_the_end(play: Play, *, creates: int) -> None:
    """Check what must hold once a rotation is closed."""
    world = play.world
    record = world.record()
    assert record["phase"] in ("DONE", "ABORTED"), f"{record['phase']}: {record['why']}"
    consume(world)
    assert world.signs_in(world.content())
    rig = await world.process()
    await judge_keys(rig)
    made = world.made()
    assert len(made) <= creates, f"{len(made)} keys were created"
    assert nothing_secret_rests(world, play.secrets)
    if record["phase"] == "DONE":
        judge_done(world, record)
    else:
        judge_aborted(world, record)


async def judge_keys(rig: Rig) -> None:
    """Every living key that we made is served, or proved a stray by its own record."""
    world = rig.world
    exchange = rig.tools.exchanges.get(rig.credential.exchange or "", "prod")  # type: ignore[arg-type]
    parent = rig.tools.signing_key(PARENT)  # type: ignore[arg-type]
    assert exchange is not None
    assert parent is not None
    listing = await exchange.list_keys(parent, ACCOUNT)
    assert not isinstance(listing, Failure)
    records = await records_of(rig)
    served = frozenset({key_id_of(world.content())})
    for key in listing.keys:
        assert key.key_id is not None
        if world.key(key.key_id).origin == "api":
            kind = judge(key, records, served).kind
            assert kind in (Kind.SERVED, Kind.STRAY), (key.label, kind)


async def records_of(rig: Rig) -> dict[RotationId, Record]:
    """Return every record there is, in the journal and in the history."""
    found: dict[RotationId, Record] = {}
    prefix = f"{STATE}/history/{PATH}/"
    for path in rig.world.people._tables.paths(prefix):
        rotation = RotationId(path.removeprefix(prefix))
        closed = await rig.tools.journal.history(PATH, rotation)
        if closed is not None:
            assert closed.closed, f"the history says {closed.phase}"
            found[rotation] = closed
    journaled = (await rig.tools.journal.read(PATH)).record
    return found if journaled is None else {journaled.rotation: journaled, **found}


def judge_aborted(world: World, record: dict[str, Any]) -> None:
    """Check that no older version hands out the new key once it is dead."""
    new = (record["new"] or {}).get("key_id")
    for version in world.metadata(PATH).versions[:-1]:
        if new is not None and version.readable(world.clock.now()) and not world.alive(new):
            held = world.content(PATH, version.number)["api_key"]
            assert held != new, f"version {version.number} hands out the dead new key"


def judge_done(world: World, record: dict[str, Any]) -> None:
    """Check what else must hold after DONE."""
    content, metadata = world.content(), world.metadata(PATH)
    assert content["api_key"] == record["new"]["key_id"]
    assert not world.alive(record["old_key_id"])
    assert metadata.custom["rotator_rotation"] == record["rotation"]
    now = world.clock.now()
    for version in metadata.versions:
        if version.readable(now):
            held = world.content(PATH, version.number)["api_key"]
            assert held != record["old_key_id"], f"version {version.number} hands out a dead key"


def state_versions(world: World) -> Iterator[tuple[StorePath, int, str]]:
    """Give every version of every document below the state prefix, as raw text."""
    for path in world.people._tables.paths(f"{STATE}/"):
        for version in world.metadata(path).versions:
            found = world.peek(path, version.number)
            if found is not None and found.data is not None:
                yield path, version.number, json.dumps(dict(found.data))


def forms(secret: str) -> tuple[str, ...]:
    """Return a secret in every form in which it might rest."""
    raw = secret.encode()
    return secret, base64.b64encode(raw).decode().rstrip("="), raw.hex()


def nothing_secret_rests(world: World, secrets: set[str]) -> bool:
    """Check that no document below the state prefix holds a secret, sealed or not."""
    hidden = {f"{STATE}/seal", f"{STATE}/pepper"}
    for path, number, text in state_versions(world):
        if path in hidden:
            continue
        assert '"sealed"' not in text, f"version {number} of {path} still bears a secret"
        for secret in secrets:
            assert not any(form in text for form in forms(secret)), f"{path} holds a secret"
    return True


__all__ = ["RECORD", "Gate", "Killed", "Mode", "Play", "Story", "judge_the_end"]
