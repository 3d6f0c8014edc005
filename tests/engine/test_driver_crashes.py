"""A process killed at any call leaves a rotation that the next one brings to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.crash import Call, Mode, Play, Story, boundaries, judge_the_end
from tests.engine.rig import PATH, World


def kill_new(world: World) -> None:
    """The exchange ends the new key."""
    world.kill(world.record()["new"]["key_id"])


def change_new(world: World) -> None:
    """The new key is another than was asked for."""
    ledger = world.desk.ledger("bybit")
    ledger.change(world.key(world.record()["new"]["key_id"]), native=frozenset({"Spot.SpotTrade"}))


def paste_third(world: World) -> None:
    """A person pastes a key of their own."""
    world.put(PATH, world.another_key())


def roll_back(world: World) -> None:
    """A person brings the first version back."""
    world.put(PATH, world.content(PATH, 1))


def bring_new_back(world: World) -> None:
    """A person brings the published version back, and asks to go on."""
    world.put(PATH, world.content(PATH, 2))
    world.order("resolve", answer="retry")


def answer(word: str) -> Callable[[World], None]:
    """Answer the question."""
    return lambda world: world.order("resolve", answer=word)


STORIES = {
    "forward": (Story(), "", 1),
    "rolled back": (Story(happenings={"DRAINING": kill_new}), "DRAINING", 1),
    "refused": (Story(before=World.fill_slots), "CREATING", 0),
    "differs": (Story(happenings={"STAGED": change_new}), "STAGED", 1),
    "never active": (Story(happenings={"STAGED": kill_new}), "STAGED", 1),
    "third, abort": (
        Story(happenings={"DRAINING": paste_third}, answers=[answer("abort")]),
        "DRAINING",
        1,
    ),
    "back, adopt": (
        Story(happenings={"DRAINING": roll_back}, answers=[answer("adopt")]),
        "DRAINING",
        1,
    ),
    "back, retry": (
        Story(happenings={"DRAINING": roll_back}, answers=[bring_new_back]),
        "DRAINING",
        1,
    ),
}
"""A story, the phase from which it differs from the others, and the keys it creates."""


def tell(folder: Path, story: Story, at: int | None, mode: Mode, creates: int) -> list[Call]:
    """Tell a story with one death, judge its end, and return the calls of the first life."""
    folder.mkdir()

    async def run() -> list[Call]:
        world = World.make(folder)
        play = Play(world, story)
        gate = await play.run(at, mode)
        await judge_the_end(play, creates=creates)
        await world.close()
        return gate.calls

    return asyncio.run(run())


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("mode", list(Mode))
def test_a_death_at_any_call(tmp_path: Path, name: str, mode: Mode) -> None:
    """Whatever call a process dies at, the path serves a living key and the rotation ends."""
    story, since, creates = STORIES[name]
    calls = tell(tmp_path / "none", story, None, mode, creates)
    places = boundaries(calls, mode, since)
    assert places
    for at in places:
        try:
            tell(tmp_path / str(at), story, at, mode, creates + 1)
        except AssertionError as error:
            raise AssertionError(f"{mode} {at} {calls[at - 1]}: {error}") from error
