"""What went badly halts its exchange, and a command that fits nothing is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.core.record import Phase, Step, Trigger
from rotator.core.schedule import HALTED
from tests.engine.estate import Estate, desk_path, name, play, record
from tests.engine.test_pass import OLD, planned


def test_an_answered_quarantine_halts_all_the_same(tmp_path: Path) -> None:
    """Once quarantined, a rotation halts its exchange, open or ended, until a `rotate` is DONE."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        await estate.desk(1, age=OLD)
        await estate.run()
        began = estate.clock.now()
        estate.clock.later(minutes=1)
        steps = (Step(estate.clock.now(), Phase.QUARANTINED, "the keys differ"),)
        estate.clock.later(minutes=1)
        resolved = replace(record(began, phase=Phase.DRAINING), steps=steps)
        version = await estate.journal.write(resolved, 0)
        assert planned(await estate.run(), 1).blocked_by == (HALTED,)
        done = replace(resolved, phase=Phase.DONE, phase_since=estate.clock.now())
        await estate.journal.write(done, version)
        estate.build()
        assert planned(await estate.run(), 1).blocked_by == (HALTED,)
        estate.clock.later(minutes=1)
        wished = record(
            estate.clock.now(), 2, rotation="bbbbbbbb", phase=Phase.DONE, trigger=Trigger.MANUAL
        )
        await estate.journal.write(wished, 0)
        assert planned(await estate.run(), 1).blocked_by == ()

    play(tmp_path, scenario)


def test_a_halt_stays_lifted_when_the_path_that_lifted_it_is_rotated_again(tmp_path: Path) -> None:
    """The `rotate` that ended DONE counts for ever, also from the history alone."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(1, age=OLD)
        await estate.run()
        await estate.journal.write(record(estate.clock.now()), 0)
        estate.clock.later(minutes=1)
        wished = record(
            estate.clock.now(), 2, rotation="bbbbbbbb", phase=Phase.DONE, trigger=Trigger.MANUAL
        )
        version = await estate.journal.write(wished, 0)
        await estate.journal.write_history(wished, {})
        assert planned(await estate.run(), 1).blocked_by == ()
        estate.clock.later(minutes=1)
        later = record(estate.clock.now(), 2, rotation="cccccccc", phase=Phase.DONE)
        await estate.journal.write(later, version)
        estate.build()
        assert planned(await estate.run(), 1).blocked_by == ()

    play(tmp_path, scenario)


def test_a_lost_record_halts_its_exchange(tmp_path: Path) -> None:
    """A record that was deleted counts as quarantined, so nothing further is opened."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0)
        await estate.desk(1, age=OLD)
        await estate.run()
        await estate.journal.write(record(estate.clock.now(), phase=Phase.STAGED), 0)
        assert planned(await estate.run(), 1).blocked_by == ()
        await estate.kv.delete_versions(estate.documents.rotation(desk_path(0)), [1])
        assert planned(await estate.run(), 1).blocked_by == (HALTED,)

    play(tmp_path, scenario)


VOID: list[tuple[dict[str, Any], Phase, str]] = [
    ({"command": "resolve", "answer": "abort"}, Phase.QUARANTINED, ""),
    ({"command": "resolve", "rotation": "zzzzzzzz"}, Phase.QUARANTINED, "for rotation zzzzzzzz"),
    ({"command": "complete", "rotation": "zzzzzzzz"}, Phase.DRAINING, "for rotation zzzzzzzz"),
    ({"command": "complete", "version": 7}, Phase.DRAINING, "for version 7, the path has 2"),
    ({"command": "complete"}, Phase.DRAINING, "before the drain's end"),
    ({"command": "complete"}, Phase.REVOKING, ""),
]


@pytest.mark.parametrize(("said", "phase", "words"), VOID)
def test_a_command_that_fits_nothing_is_told(
    tmp_path: Path, said: dict[str, Any], phase: Phase, words: str
) -> None:
    """A `complete` or `resolve` for another rotation, version or time is void, and is told."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0)
        now = estate.clock.now()
        drain: dict[str, Any] = {"v1": 2, "drain_until": now + timedelta(hours=2)}
        version = await estate.journal.write(record(now, phase=phase, **drain), 0)
        estate.clock.later(minutes=1)
        place = estate.documents.command(name(0))
        await estate.kv.write(place, {"rotation": "abcdefgh", "version": 2, **said}, 0)
        voids = [p for p in (await estate.run()).problems if p.startswith("void")]
        assert bool(voids) is bool(words)
        assert not words or words in voids[0]
        later = record(estate.clock.now() + timedelta(minutes=1), rotation="bbbbbbbb", phase=phase)
        await estate.journal.write(later, version)
        assert not [p for p in (await estate.run()).problems if p.startswith("void")]

    play(tmp_path, scenario)
