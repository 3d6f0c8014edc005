"""What drivers do is logged once, counted once and audited always, without a secret."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from rotator.core.findings import Code
from rotator.core.policy import Revoke
from rotator.core.record import Phase
from rotator.core.saga.words import Event, Stay
from rotator.engine.opener import Opened
from rotator.engine.telling import Telling
from rotator.observe import log
from rotator.observe.audit import AuditLog
from rotator.observe.metrics import Metrics
from rotator.observe.redact import Redactor
from tests.core.saga_kit import LATER, T0, at
from tests.engine.crash import forms
from tests.engine.rig import PATH, Rig, World
from tests.engine.steps import run
from tests.fakes.clock import FakeClock
from tests.observe.views import samples

DRAINED = timedelta(minutes=6)


@dataclass
class Heard:
    """A telling over memory, and what came out of it."""

    telling: Telling
    stream: io.BytesIO
    file: Path

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        found = [orjson.loads(line) for line in self.stream.getvalue().splitlines()]
        return [line for line in found if not event or line["event"] == event]

    def audit(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.file.read_bytes().splitlines()]

    def sample(self, name: str, **labels: str) -> float:
        found = samples(self.telling.metrics.text(gzip=False))
        fits = (
            v for (n, has), v in found.items() if n == name and labels.items() <= dict(has).items()
        )
        return next(fits, 0.0)


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Heard]:
    """A telling whose log, metrics and audit can be read."""
    stream, clock, redactor = io.BytesIO(), FakeClock(), Redactor(b"key")
    logger = structlog.wrap_logger(
        log.Sink(stream),
        processors=[structlog.processors.add_log_level, log.Line(redactor, clock.now)],
        # Its own level, whatever another test has set for the whole process.
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    metrics = Metrics(version="1", revision="r")
    metrics.expect(["bybit"], ["overlap"])
    file = tmp_path / "audit.jsonl"
    audit = AuditLog(file, clock.now, redactor)
    assert audit.open()
    yield Heard(Telling(logger, metrics, audit, clock), stream, file)
    audit.close()


async def drive(world: World, heard: Heard, **policy: Any) -> Rig:
    """Drive a rotation as far as it goes, told to `heard`."""
    rig = await world.process()
    rig.heard = heard.telling  # type: ignore[assignment]
    await rig.tools.watch.read()
    opened = await rig.open(**policy)
    assert isinstance(opened, Opened)
    await heard.telling.opened(opened.record)
    await rig.driver(opened).run()
    return rig


def test_a_whole_rotation_is_told(world: World, heard: Heard) -> None:
    """Each step is a line and an audit entry; its end is counted, and no secret is told."""

    async def scenario() -> None:
        old = world.content()["api_secret"]
        await drive(world, heard)
        new = world.content()["api_secret"]
        steps = [line["phase"] for line in heard.lines("step")]
        assert steps == ["STAGED", "VERIFIED", "DRAINING", "REVOKING", "PROVING", "CLOSING", "DONE"]
        assert len(heard.lines("rotation_opened")) == 1
        [closed] = heard.lines("rotation_closed")
        assert (closed["result"], closed["level"]) == ("done", "info")
        assert [entry["step"] for entry in heard.audit()] == ["opened", *steps]
        assert {entry["by"] for entry in heard.audit()} == {"rotator"}
        told = heard.stream.getvalue() + heard.file.read_bytes()
        for secret in (old, new):
            assert not any(form.encode() in told for form in forms(secret))
        assert world.content()["api_key"].encode() not in told
        assert heard.sample("rotator_rotations_total", exchange="bybit", result="done") == 1

    run(scenario())


def test_a_wait_is_told_once(world: World, heard: Heard) -> None:
    """However often a driver looks, the same wait is one line; an alert is a warning."""

    async def scenario() -> None:
        await drive(world, heard)
        assert len(heard.lines("rotation_held")) == 1
        record = at(Phase.DRAINING)
        stay = Stay(Event.HELD, T0, "person", "held: x", Code.MASS_INVALIDATION)
        heard.telling.stays(record, stay)
        heard.telling.stays(record, stay)
        heard.telling.stays(record, replace(stay, sentence="held: y"))
        held = [line for line in heard.lines("rotation_held") if line["level"] == "warning"]
        assert [line["waits_for"] for line in held] == ["held: x", "held: y"]

    run(scenario())


def test_who_completed_is_in_the_audit(world: World, heard: Heard) -> None:
    """A deletion that a person permitted is audited under that person's name."""

    async def scenario() -> None:
        rig = await world.process()
        await rig.tools.watch.read()
        opened = await rig.open(revoke=Revoke.MANUAL)
        assert isinstance(opened, Opened)
        rig.heard.on_stay = lambda _record, _stay: rig.stop.set()
        await rig.driver(opened).run()
        world.clock.pass_(DRAINED.total_seconds())
        world.order("complete")
        again = await world.process()
        again.heard = heard.telling  # type: ignore[assignment]
        await again.tools.watch.read()
        await again.driver().run()
        by = {entry["step"]: entry["by"] for entry in heard.audit()}
        assert by["REVOKING"] == "ana"
        assert by["PROVING"] == "rotator"

    run(scenario())


@pytest.mark.parametrize(
    ("phase", "changes", "result"),
    [
        (Phase.DONE, {}, "done"),
        (Phase.ABORTED, {}, "aborted"),
        (Phase.ABORTED, {"rolled_back": True}, "rolled_back"),
    ],
)
def test_how_a_rotation_ended(
    heard: Heard, phase: Phase, changes: dict[str, Any], result: str
) -> None:
    """An end is counted by its result, whoever drove it before."""
    closed = replace(at(Phase.CLOSING), phase=phase, **changes)
    run(heard.telling.wrote(at(Phase.CLOSING), closed, Event.FINISHED))
    assert heard.sample("rotator_rotations_total", result=result) == 1
    [line] = heard.lines("rotation_closed")
    assert (line["result"], line["level"]) == (result, "info")


def test_an_end_with_an_alarm_is_an_error(heard: Heard) -> None:
    """A rotation that is done and yet left a dead key on the path is shouted."""
    closed = replace(at(Phase.CLOSING), phase=Phase.DONE, alarm="the new key is dead")
    run(heard.telling.wrote(at(Phase.CLOSING), closed, Event.FINISHED))
    [line] = heard.lines("rotation_closed")
    assert (line["level"], line["alarm"]) == ("error", "the new key is dead")


def test_a_question_is_told_and_counted_once(heard: Heard) -> None:
    """A quarantine is an error line with its question, counted when it begins."""

    async def scenario() -> None:
        asked = at(Phase.QUARANTINED, why="both are dead")
        await heard.telling.wrote(at(Phase.DRAINING), asked, Event.BOTH_DEAD)
        [line] = heard.lines("rotation_quarantined")
        assert (line["level"], line["question"]) == ("error", "What now?")
        assert heard.sample("rotator_rotations_total", result="quarantined") == 1

    run(scenario())


def test_a_refused_answer_is_told_and_audited(heard: Heard) -> None:
    """An answer that was not obeyed is a line and an audit step of its own, and no new question."""

    async def scenario() -> None:
        asked = at(Phase.QUARANTINED, why="both are dead")
        refused = replace(asked, refused="the answer `abort` was refused: the old key is not alive")
        await heard.telling.wrote(asked, refused, Event.ANSWER_REFUSED)
        [line] = heard.lines("answer_refused")
        assert line["question"] == f"{refused.refused}. What now?"
        assert not heard.lines("rotation_quarantined")
        assert heard.sample("rotator_rotations_total", result="quarantined") == 0
        assert heard.audit()[-1]["detail"]["refused"] == refused.refused

    run(scenario())


def test_an_event_without_a_row_is_counted(heard: Heard) -> None:
    """An event that no row foresees is counted by the phase it came in."""
    asked = at(Phase.QUARANTINED, why="no row for «deleted» in DRAINING")
    run(heard.telling.wrote(None, asked, Event.DELETED))
    name = "rotator_rotation_unexpected_events_total"
    assert heard.sample(name, phase="DRAINING") == 1


def test_the_time_that_people_take_is_no_work(heard: Heard) -> None:
    """Only phases that work count for how long a rotation was active."""

    async def scenario() -> None:
        path = (Phase.STAGED, Phase.DRAINING, Phase.CLOSING)
        last = at(Phase.CREATING)
        for phase in path:
            after = replace(at(phase), phase_since=LATER, written_at=LATER)
            await heard.telling.wrote(replace(last, phase_since=T0), after, Event.MOVED)
            last = after
        done = replace(at(Phase.CLOSING), phase=Phase.DONE, written_at=LATER + timedelta(seconds=3))
        await heard.telling.wrote(last, done, Event.FINISHED)
        name = "rotator_rotation_duration_seconds_sum"
        assert heard.sample(name) == 2 * (LATER - T0).total_seconds() + 3

    run(scenario())


def stumble(over: str) -> None:
    """Fail as nobody foresaw."""
    raise ValueError(over)


def test_troubles_and_crashes_are_told(heard: Heard) -> None:
    """A trouble names its rotation or its path; a crash its place and not its values."""
    heard.telling.trouble(at(Phase.STAGED), PATH, "again")
    heard.telling.trouble(None, PATH, "lost")
    with pytest.raises(ValueError, match="hush") as raised:
        stumble("hush-hush")
    heard.telling.crashed(PATH, raised.value)
    one, two = heard.lines("trouble")
    assert (one["rotation"], one["message"]) == ("aaaaaaaa", "again")
    assert (two["path"], two["message"]) == (PATH, "lost")
    [crash] = heard.lines("driver_crashed")
    assert crash["level"] == "error"
    assert crash["error"] == "ValueError"
    assert crash["at"][-1].endswith(" stumble")
    assert b"hush-hush" not in heard.stream.getvalue()


def test_what_belongs_to_no_rotation_is_audited_too(heard: Heard) -> None:
    """A step of the daemon itself has its entry."""
    run(heard.telling.happened("resumed", epoch=7))
    [entry] = heard.audit()
    assert (entry["step"], entry["detail"]["epoch"]) == ("resumed", 7)


def test_an_audit_that_cannot_be_written_is_shouted(heard: Heard, tmp_path: Path) -> None:
    """A step that could not be audited is an error in the log, and the rotation goes on."""
    nowhere = AuditLog(tmp_path / "none" / "audit", FakeClock().now, Redactor(b"key"))
    heard.telling.audit = nowhere
    run(heard.telling.opened(at(Phase.CREATING)))
    [line] = heard.lines("audit_failed")
    assert (line["level"], line["step"]) == ("error", "opened")
