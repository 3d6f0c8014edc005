"""What each effect does at its edges: late, lost, refused, and where nothing is there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from rotator.core.findings import Code
from rotator.core.liveness import Liveness
from rotator.core.names import StorePath
from rotator.core.outcome import Happened, StoreConflict, StoreDenied, StoreError
from rotator.core.record import Phase, Record
from rotator.core.saga.words import (
    DestroySecrets,
    Done,
    Event,
    FencePath,
    FindElsewhere,
    Guard,
    Holder,
    Inspect,
    Lost,
    PathSeen,
    Places,
    Publish,
    ReadPath,
    RetireVersions,
    Sight,
    Stale,
    Standstill,
    Stay,
    Unretire,
    Which,
    WriteHistory,
    Written,
)
from rotator.engine.effects import Effects
from rotator.engine.opener import Opened
from tests.engine.crash import Play, Story, judge_the_end
from tests.engine.rig import PATH, World
from tests.engine.steps import draining, run
from tests.stores.kit import Watched

NOT_APPLIED = StoreError("busy", happened=Happened.NOT_APPLIED)
UNKNOWN = StoreError("no answer", happened=Happened.UNKNOWN)
REFUSED = StoreError("denied", happened=Happened.REFUSED)
CONFLICT = StoreConflict("first")
DIED = Standstill("many keys died", Code.MASS_INVALIDATION)


def failing(front: Watched, name: str, error: StoreError | None) -> None:
    """Let one kind of call fail from now on."""
    front.refuse = lambda asked, _args: error if asked == name else None


def test_the_path_is_told_as_it_is(world: World) -> None:
    """Reading tells whose key the path holds, and what each version held."""

    async def scenario() -> None:
        rig, record, front = await draining(world)
        perform = rig.effects.perform
        seen = await perform(record, 4, ReadPath())
        made = world.metadata(PATH).created_at
        versions: dict[str, Any] = {"old_versions": (1,), "new_versions": (2,)}
        assert seen == PathSeen(2, Holder.NEW, created_at=made, **versions)
        front.asked.clear()
        assert await perform(record, 4, ReadPath()) == seen
        assert front.reads() == []
        world.put(PATH, world.another_key())
        assert (await perform(record, 4, ReadPath())).holds is Holder.OTHER  # type: ignore[union-attr]
        world.put(PATH, {"note": "kept"})
        assert (await perform(record, 4, ReadPath())).holds is Holder.OTHER  # type: ignore[union-attr]
        world.people._tables.delete(PATH, [4])
        gone = await perform(record, 4, ReadPath())
        assert isinstance(gone, PathSeen)
        assert (gone.version, gone.holds, gone.unread) == (4, Holder.GONE, (4,))
        content = world.content(version=2)
        world.erase(PATH)
        assert await perform(record, 4, ReadPath()) == PathSeen(0, Holder.GONE, recreated=True)
        world.clock.pass_(1)
        world.put(PATH, content, 0)
        again = await perform(record, 4, ReadPath())
        assert isinstance(again, PathSeen)
        assert (again.version, again.holds, again.recreated) == (1, Holder.NEW, True)
        assert again.created_at == world.metadata(PATH).created_at != made

    run(scenario())


def test_no_key_is_served_by_a_path_that_serves_none(world: World) -> None:
    """The key that the path serves cannot be asked where it is deleted, gone, or another path."""

    async def scenario() -> None:
        rig, record, _ = await draining(world)
        look = Inspect(Which.SERVED)
        alive = await rig.effects.perform(record, 4, look)
        assert isinstance(alive, Sight)
        assert alive.liveness is Liveness.ALIVE
        content = world.content()
        world.people._tables.delete(PATH, [2])
        for step in (lambda: None, lambda: world.erase(PATH), lambda: world.put(PATH, content, 0)):
            step()
            world.clock.pass_(1)
            sight = await rig.effects.perform(record, 4, look)
            assert isinstance(sight, Sight)
            assert sight.liveness is Liveness.UNKNOWN
            assert "no key" in sight.detail

    run(scenario())


@pytest.mark.parametrize(
    ("error", "answer"), [(CONFLICT, Lost()), (UNKNOWN, Lost()), (NOT_APPLIED, Lost())]
)
def test_a_write_to_the_path_that_is_not_acknowledged(
    world: World, error: StoreError, answer: Lost
) -> None:
    """A Publish or a fence without an acknowledgement is lost; one refused for good is an error."""

    async def scenario() -> None:
        rig, record, front = await draining(world)
        for effect in (Publish(Which.OLD, 2), FencePath(2)):
            failing(front, "write", error)
            assert await rig.effects.perform(record, 4, effect) == answer
            failing(front, "write", REFUSED)
            with pytest.raises(StoreError, match="denied"):
                await rig.effects.perform(record, 4, effect)
        failing(front, "write", None)
        assert await rig.effects.perform(record, 4, FencePath(2)) == Written(3)
        assert world.content() == world.content(version=2)
        assert await rig.effects.perform(record, 4, Publish(Which.OLD, 3)) == Written(4)
        assert world.content() == world.content(version=1)
        assert await rig.effects.perform(record, 4, FencePath(2)) == Lost()

    run(scenario())


def test_nothing_is_written_without_the_key_or_over_a_deleted_version(world: World) -> None:
    """Where the key's secrets or the path's other fields are not known, nothing is written."""

    async def scenario() -> None:
        rig, record, _ = await draining(world)
        forgotten = replace(record, old_fields=None)
        assert await rig.effects.perform(forgotten, 4, Publish(Which.OLD, 2)) == Lost()
        world.people._tables.delete(PATH, [2])
        for effect in (Publish(Which.OLD, 2), FencePath(2)):
            assert await rig.effects.perform(record, 4, effect) == Lost()
        assert world.metadata(PATH).current == 2

    run(scenario())


def test_the_guard_sees_path_record_holds_and_incidents(world: World) -> None:
    """The guard is one look at all four, timed before the first."""

    async def scenario() -> None:
        rig, record, front = await draining(world)
        version = (await rig.tools.journal.read(PATH)).version
        guard = await rig.effects.path.guard(record, version)
        assert (guard.path_version, guard.recreated, guard.record_unchanged) == (2, False, True)
        assert (guard.hold, guard.standstill) == (None, None)
        world.hold()
        rig.tools = replace(rig.tools, standstill=lambda: DIED)
        effects = Effects.over(rig.tools)
        guard = await effects.path.guard(record, version + 1)
        assert (guard.hold, guard.standstill) == ("all: careful", DIED)
        assert guard.record_unchanged is False
        failing(front, "walk", NOT_APPLIED)
        with pytest.raises(StoreError):
            await rig.effects.perform(record, version, Guard())

    run(scenario())


def test_the_guard_sees_a_path_that_serves_nothing(world: World) -> None:
    """A deleted current version is no version that consumers read; a new path is another one."""

    async def scenario() -> None:
        rig, record, _ = await draining(world)
        content = world.content()
        world.people._tables.delete(PATH, [2])
        guard = await rig.effects.path.guard(record, 4)
        assert (guard.path_version, guard.recreated) == (None, False)
        world.erase(PATH)
        guard = await rig.effects.path.guard(record, 4)
        assert (guard.path_version, guard.recreated) == (None, True)
        world.clock.pass_(1)
        world.put(PATH, content, 0)
        assert (await rig.effects.path.guard(record, 4)).recreated is True

    run(scenario())


def test_a_path_deleted_before_a_deletion_asks_a_person(world: World) -> None:
    """If the served version is deleted while the old key is about to go, nothing is deleted."""
    play = Play(
        world,
        Story(happenings={"REVOKING": lambda w: w.people._tables.delete(PATH, [2])}),
    )
    asyncio.run(play.run())
    assert world.phase == "QUARANTINED"
    assert world.desk.ledger("bybit").deletes == 0


def test_versions_are_retired_within_five_seconds_of_their_guard(world: World) -> None:
    """Retiring and bringing back stand under the guard's time, and never touch the current one."""

    async def scenario() -> None:
        rig, record, front = await draining(world)
        perform, clock = rig.effects.perform, world.clock
        assert await perform(record, 4, RetireVersions((1,), clock.moment())) == Lost()
        guarded = (await rig.effects.path.guard(record, 4)).at
        assert await perform(record, 4, RetireVersions((1, 2), guarded)) == Lost()
        failing(front, "delete_versions", UNKNOWN)
        assert await perform(record, 4, RetireVersions((1,), guarded)) == Lost()
        failing(front, "delete_versions", REFUSED)
        with pytest.raises(StoreError, match="denied"):
            await perform(record, 4, RetireVersions((1,), guarded))
        failing(front, "delete_versions", None)
        assert await perform(record, 4, RetireVersions((1,), guarded)) == Done()
        assert not world.metadata(PATH).versions[0].readable(clock.now())
        clock.pass_(4.9)
        guarded = (await rig.effects.path.guard(record, 4)).at
        assert await perform(record, 4, Unretire((1,), guarded)) == Done()
        assert world.metadata(PATH).versions[0].readable(clock.now())
        clock.pass_(5.1)
        assert await perform(record, 4, RetireVersions((1,), guarded)) == Stale()
        assert world.metadata(PATH).versions[0].readable(clock.now())

    run(scenario())


COPY = StorePath("secret/trading/copy")


def test_the_old_key_at_another_path_is_not_deleted(world: World) -> None:
    """While another path hands out the old key it stays, and the wait names that path."""
    waits: list[str] = []
    world.put(COPY, world.content(), 0)

    async def scenario() -> None:
        rig = await world.process()
        await rig.tools.watch.read()

        def on_stay(record: Record, stay: Stay) -> None:
            if stay.event is Event.ELSEWHERE:
                waits.append(stay.sentence)
                assert world.alive(record.old_key_id)
                if len(waits) == 5:
                    world.put(COPY, world.another_key())

        async def another_pass() -> None:
            await rig.tools.hub.take()

        rig.heard.on_stay = on_stay
        world.clock.tick = another_pass
        opened = await rig.open()
        assert isinstance(opened, Opened)
        await rig.driver(opened).run()

    run(scenario())
    assert len(waits) == 5
    assert COPY in waits[0]
    assert world.phase == "DONE"


def test_an_incomplete_inventory_is_no_proof(world: World) -> None:
    """While one path cannot be read the old key stays, and the wait names what is missing."""
    front, waits = Watched(world.kv, bulk=False), list[str]()

    def refuse(name: str, args: tuple[Any, ...]) -> StoreError | None:
        return StoreDenied("no") if name == "read" and args[0] == COPY and len(waits) < 5 else None

    async def scenario() -> None:
        rig = await world.process(store=lambda _kv: front.kv)
        world.put(COPY, world.another_key(), 0)
        front.refuse = refuse
        await rig.tools.watch.read()

        def on_stay(record: Record, stay: Stay) -> None:
            if stay.event is Event.INCOMPLETE:
                waits.append(stay.sentence)
                assert world.alive(record.old_key_id)

        rig.heard.on_stay = on_stay
        opened = await rig.open()
        assert isinstance(opened, Opened)
        await rig.driver(opened).run()

    run(scenario())
    assert len(waits) == 5
    assert COPY in waits[0]
    assert world.phase == "DONE"


def test_where_the_old_key_lies_is_asked_of_a_later_inventory(world: World) -> None:
    """An inventory begun after the record answers; one that was begun before does not."""

    async def scenario() -> None:
        rig, record, front = await draining(world)
        world.clock.pass_(1)
        since = world.clock.now()
        world.clock.pass_(1)
        front.asked.clear()
        places = await rig.effects.perform(record, 4, FindElsewhere(since))
        assert places == Places((), complete=True)
        assert any(name == "walk" for name, _ in front.asked)
        front.asked.clear()
        assert await rig.effects.perform(record, 4, FindElsewhere(since)) == places
        assert front.asked == []

    run(scenario())


@pytest.mark.parametrize(
    ("effect", "call"), [(DestroySecrets(), "destroy_versions"), (WriteHistory(), "write")]
)
def test_an_end_that_the_store_does_not_take_is_lost(
    world: World, effect: DestroySecrets | WriteHistory, call: str
) -> None:
    """What closes a rotation is tried again until the store has taken it."""

    async def scenario() -> None:
        rig, record, front = await draining(world)
        failing(front, call, UNKNOWN)
        assert await rig.effects.perform(record, 4, effect) == Lost()
        failing(front, call, None)
        assert await rig.effects.perform(record, 4, effect) == Done()

    run(scenario())


def kill_new(world: World) -> None:
    """The exchange ends the new key before anybody saw it."""
    world.kill(world.record()["new"]["key_id"])


def test_a_rotation_that_dies_before_its_publish_fences_the_path(world: World) -> None:
    """Before an abort deletes, the path's version is raised above each permitted Publish."""
    before = world.content()
    play = Play(world, Story(happenings={"VERIFIED": kill_new}))

    async def scenario() -> None:
        await play.run()
        await judge_the_end(play, creates=1)

    run(scenario())
    assert world.phase == "ABORTED"
    assert world.metadata(PATH).current == 2
    assert world.content() == before


def test_a_create_that_is_refused_is_an_abort(world: World) -> None:
    """A failure that the exchange will repeat ends the rotation, with its reason."""
    world.fill_slots()
    play = Play(world, Story())
    asyncio.run(play.run())
    assert world.record()["phase"] == Phase.ABORTED
    assert "refuses to create" in world.record()["why"]
