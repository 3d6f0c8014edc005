"""What people do to a path, its record and its holds while it is rotated, in each phase."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.engine.crash import Play, Story, judge_keys, judge_the_end, nothing_secret_rests
from tests.engine.rig import PATH, RECORD, STATE, World

FORWARD = ("CREATING", "STAGED", "VERIFIED", "DRAINING", "REVOKING", "PROVING", "CLOSING")
BACK = ("ROLLING_BACK", "DRAINING_BACK", "ABORTING")
PHASES = FORWARD + BACK
Deed = Callable[[World], None]


def kill_new(world: World) -> None:
    """The exchange ends the new key."""
    world.kill(world.record()["new"]["key_id"])


def roll_back(world: World) -> None:
    """`vault kv rollback` to the oldest version that can be read and whose key lives."""
    now = world.clock.now()
    for version in world.metadata(PATH).versions:
        if version.readable(now):
            content = world.content(PATH, version.number)
            if world.alive(content["api_key"]):
                world.put(PATH, content)
                return


def edit_another_field(world: World) -> None:
    """Write the present content with one more field."""
    world.put(PATH, {**world.content(), "comment": "moved to the new rack"})


def paste_third(world: World) -> None:
    """Paste a living key of one's own."""
    world.put(PATH, world.another_key())


def make_again(world: World) -> None:
    """Delete the path with its metadata, and write the same content anew."""
    content = world.content()
    world.erase(PATH)
    world.clock.pass_(0.001)
    world.put(PATH, content, 0)


def erase(world: World) -> None:
    """Delete the path with its metadata."""
    world.erase(PATH)


def erase_record(world: World) -> None:
    """Delete the record with its metadata."""
    world.erase(RECORD)


def delete_record(world: World) -> None:
    """`vault kv delete` of the record."""
    world.people._tables.delete(RECORD, [world.metadata(RECORD).current])


def destroy_record(world: World) -> None:
    """`vault kv destroy` of the record's current version."""
    world.people._tables.destroy(RECORD, [world.metadata(RECORD).current])


def retry_record(world: World) -> None:
    """Answer for a record that cannot be read."""
    version = world.metadata(RECORD).current
    world.put(
        COMMAND,
        {
            "command": "resolve",
            "rotation": f"record-{version}",
            "version": str(version),
            "answer": "retry",
        },
    )


COMMAND = type(PATH)(f"{STATE}/commands/{PATH}")


def answer(word: str) -> Deed:
    """Answer the question."""
    return lambda world: world.order("resolve", answer=word)


@dataclass
class Telling:
    """A story's play and how it came out."""

    play: Play
    phase: str
    when: str

    def was_done(self, at_call: int) -> bool:
        """Say whether the phase had so many calls; it surely has one."""
        assert at_call > 1 or self.when in self.play.done
        return self.when in self.play.done


def tell(world: World, phase: str, deed: Deed, at_call: int = 1, **story: object) -> Telling:
    """Play a rotation in which `deed` is done in a phase, and check what always holds."""
    happenings: dict[str, Deed] = {phase: deed}
    if phase in BACK:
        happenings["DRAINING"] = kill_new
    play = Play(world, Story(happenings=happenings, at_call=at_call, **story))  # type: ignore[arg-type]

    async def run() -> None:
        await play.run()

    asyncio.run(run())
    return Telling(play, world.phase, phase)


def must_end(telling: Telling, creates: int = 1) -> None:
    """Check what must hold after a rotation that has closed."""
    asyncio.run(judge_the_end(telling.play, creates=creates))


ANSWERS = [answer(word) for word in ("retry", "adopt", "abort", "retry", "adopt", "abort")]


@pytest.mark.parametrize("at_call", [1, 3])
@pytest.mark.parametrize("phase", PHASES)
def test_another_field_edited(world: World, phase: str, at_call: int) -> None:
    """An edit of a field that is not ours needs no person, and it stays."""
    telling = tell(world, phase, edit_another_field, at_call)
    assert telling.phase == ("ABORTED" if phase in BACK else "DONE")
    assert telling.was_done(at_call) == ("comment" in world.content())
    must_end(telling)


@pytest.mark.parametrize("at_call", [1, 3])
@pytest.mark.parametrize("phase", PHASES)
def test_rolled_back_by_hand(world: World, phase: str, at_call: int) -> None:
    """After `vault kv rollback` nothing dies that the path serves, and answers lead to an end."""
    telling = tell(world, phase, roll_back, at_call, answers=ANSWERS)
    assert telling.phase in ("DONE", "ABORTED")
    must_end(telling)


@pytest.mark.parametrize("at_call", [1, 3])
@pytest.mark.parametrize("phase", PHASES)
def test_third_key_pasted(world: World, phase: str, at_call: int) -> None:
    """A third key that a person pastes is never touched, and it stays."""
    telling = tell(world, phase, paste_third, at_call, answers=ANSWERS)
    assert telling.phase in ("DONE", "ABORTED")
    assert not telling.was_done(at_call) or world.key(world.content()["api_key"]).label == "third"
    assert world.signs_in(world.content())
    asyncio.run(keys_are_accounted_for(world))


async def keys_are_accounted_for(world: World) -> None:
    """Check that every living key of ours is served or a stray, or was the new key of DONE."""
    if world.phase == "ABORTED":
        await judge_keys(await world.process())


@pytest.mark.parametrize("phase", PHASES[:5] + BACK)
@pytest.mark.parametrize("deed", [make_again, erase])
def test_path_made_again_or_removed(world: World, phase: str, deed: Deed) -> None:
    """A path that is another one asks a person, and nothing more is created or deleted."""
    counts: list[tuple[int, int]] = []
    ledger = world.desk.ledger("bybit")

    def note(world: World) -> None:
        deed(world)
        counts.append((ledger.creates, ledger.deletes))

    telling = tell(world, phase, note)
    assert telling.phase == "QUARANTINED"
    assert world.record()["question"]
    creates = counts[0][0] + (phase == "CREATING")
    assert (ledger.creates, ledger.deletes) == (creates, counts[0][1])


@pytest.mark.parametrize("phase", PHASES[1:5] + BACK)
def test_a_path_made_again_ends_by_the_answer_that_is_offered(world: World, phase: str) -> None:
    """`abort` ends such a rotation as any other: the served key lives, and none is lost."""
    questions: list[str] = []

    def abort(world: World) -> None:
        questions.append(world.record()["question"])
        assert world.record()["answers"] == ["adopt", "abort"]
        world.order("resolve", answer="abort")

    telling = tell(world, phase, make_again, answers=[abort, abort])
    assert telling.phase == "ABORTED"
    assert questions[0].endswith(f"rotator resolve {PATH} adopt|abort")
    must_end(telling)


def test_a_path_made_again_with_the_new_key_can_be_adopted(world: World) -> None:
    """`adopt` lets the rotation go on over the path that was made again, to its end."""
    telling = tell(world, "DRAINING", make_again, answers=[answer("adopt")])
    assert telling.phase == "DONE"
    must_end(telling)


def test_a_living_key_on_a_removed_path_makes_it_answerable(world: World) -> None:
    """While the path is gone an answer is refused with what to do; then it is obeyed."""

    def put_third(world: World) -> None:
        assert "put a living key on the path" in world.record()["refused"]
        world.put(PATH, world.another_key(), 0)
        world.order("resolve", answer="abort")

    def too_early(world: World) -> None:
        found = world.record()
        data = {"command": "resolve", "rotation": found["rotation"], "version": 0}
        world.put(COMMAND, {**data, "answer": "abort"})

    telling = tell(world, "DRAINING", erase, answers=[too_early, put_third])
    assert telling.phase == "ABORTED"
    assert world.key(world.content()["api_key"]).label == "third"
    asyncio.run(keys_are_accounted_for(world))


@pytest.mark.parametrize("deed", [make_again, erase])
@pytest.mark.parametrize("phase", ["PROVING", "CLOSING"])
def test_a_path_that_changes_at_the_end_holds_nothing_up(
    world: World, phase: str, deed: Deed
) -> None:
    """A rotation whose deletion is done ends, whatever becomes of the path."""
    assert tell(world, phase, deed).phase == "DONE"


def test_path_made_again_is_given_up_by_a_person(world: World) -> None:
    """A rotation whose path was made again ends by destroying its record, without a secret left."""
    telling = tell(world, "DRAINING", make_again)
    destroy_record(world)
    retry_record(world)
    asyncio.run(Play(world, Story()).run())
    assert world.record() == {"record_version": 1, "phase": "ABORTED", "buried": True}
    assert nothing_secret_rests(world, telling.play.secrets)
    assert world.signs_in(world.content())


@pytest.mark.parametrize("phase", [p for p in PHASES if p != "CLOSING"])
def test_record_deleted(world: World, phase: str) -> None:
    """A deleted record stops everything until a person brings it back."""
    telling = tell(world, phase, delete_record, on_lost=retry_record)
    assert telling.phase == ("ABORTED" if phase in BACK else "DONE")
    must_end(telling, creates=2)


@pytest.mark.parametrize("phase", PHASES)
def test_record_destroyed(world: World, phase: str) -> None:
    """A destroyed record is given up by a person, or its driver goes on; no secret is left."""
    telling = tell(world, phase, destroy_record, on_lost=retry_record)
    assert telling.phase in ("DONE", "ABORTED")
    assert telling.phase == "DONE" or world.record().get("buried") is True or phase in BACK
    assert nothing_secret_rests(world, telling.play.secrets)
    served = world.content()
    assert world.signs_in(served) or served["api_key"] in world.excused


@pytest.mark.parametrize("phase", PHASES)
def test_record_erased(world: World, phase: str) -> None:
    """A record that is gone without a trace ends its rotation; nothing is deleted any more."""
    deletes: list[int] = []
    ledger = world.desk.ledger("bybit")

    def note(world: World) -> None:
        erase_record(world)
        deletes.append(ledger.deletes)

    tell(world, phase, note, reopens=False)
    assert ledger.deletes == deletes[0]
    assert world.excused or world.signs_in(world.content())


@pytest.mark.parametrize("at_call", [1, 3])
@pytest.mark.parametrize("phase", PHASES)
def test_held_and_released(world: World, phase: str, at_call: int) -> None:
    """Under a hold nothing is created, published or deleted; released, it goes on to its end."""
    ledger = world.desk.ledger("bybit")
    seen: list[tuple[int, int]] = []

    def until_patient(world: World) -> None:
        seen.append((ledger.creates, ledger.deletes))
        if len(seen) == 4:
            world.release()

    telling = tell(world, phase, World.hold, at_call, on_held=until_patient)
    assert telling.phase == ("ABORTED" if phase in BACK else "DONE")
    assert len(set(seen)) <= 1
    assert len(seen) in (0, 4)
    assert seen or phase in ("PROVING", "CLOSING") or at_call > 1
    if telling.was_done(at_call) and len(seen) < 4:
        world.release()
    must_end(telling, creates=2)
