"""The JSON forms of the command line."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from rotator.core.names import RotationId
from rotator.core.schedule import Limits
from rotator.engine.reports import (
    RotationReport,
    explain_document,
    named,
    next_step,
    plan_document,
    run_document,
    status_document,
)
from tests.engine.estate import MASTER, STATE, Estate, name, play

OLD = timedelta(days=200)


def report(
    estate: Estate, *, waits_for: str | None = None, question: str | None = None
) -> RotationReport:
    """Return a rotation that stands in quarantine."""
    return RotationReport(
        rotation=RotationId("abcdefgh"),
        credential=name(0),
        strategy="overlap",
        phase="QUARANTINED",
        reason="due",
        started_at=estate.clock.now(),
        waits_for=waits_for,
        question=question,
    )


def test_the_forms_have_the_words_of_the_contract(tmp_path: Path) -> None:
    """Each form is plain JSON with exactly the field names that scripts read."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        snapshot = await estate.run()
        rotation = report(estate, question="what now?")
        once = json.loads(json.dumps(run_document(snapshot, [rotation])))
        assert once["credentials"] == 2
        assert set(once["findings"][0]) == {"credential", "code", "severity", "message", "cure"}
        assert set(once["rotations"][0]) == {
            *("rotation", "credential", "strategy", "phase", "reason", "started_at"),
            *("waits_for", "question", "answers"),
        }
        status = json.loads(json.dumps(status_document(snapshot, [rotation])))
        assert {"as_of", "credentials", "findings", "rotations"} <= set(status)
        (desk,) = [c for c in status["credentials"] if c["credential"] == name(0)]
        assert set(desk) == {
            *("credential", "exchange", "account", "verdict", "validity", "due_at"),
        }
        assert desk["verdict"] == "due"
        assert desk["due_at"].endswith("Z")
        plan = json.loads(json.dumps(plan_document(snapshot, timedelta(days=30))))
        (row,) = plan["rotations"]
        assert {"credential", "due_at", "strategy", "blocked_by"} <= set(row)
        explained = explain_document(snapshot.by_name[name(0)], rotation, snapshot.at)
        assert {"credential", "verdict", "findings", "next"} <= set(explained)
        assert explained["next"] == "what now?"

    play(tmp_path, scenario)


def test_the_plan_ends_where_it_is_told_to(tmp_path: Path) -> None:
    """A rotation that is due later than `--within` is not shown."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0)
        snapshot = await estate.run()
        assert plan_document(snapshot, timedelta(days=30))["rotations"] == []
        assert len(plan_document(snapshot, timedelta(days=90))["rotations"]) == 1
        assert len(plan_document(snapshot, timedelta.max)["rotations"]) == 1

    play(tmp_path, scenario)


def test_the_next_step_is_said_in_a_sentence(tmp_path: Path) -> None:
    """What happens next is told for a key that is due, blocked, fresh, human, or not managed."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        await estate.desk(1)
        await estate.desk(2, age=OLD)
        await estate.store("secret/trading/hand", estate.key(age=OLD), exchange="bybit")
        await estate.kv.patch_metadata(name(2), {"strategy": "assisted"})  # type: ignore[arg-type]
        hold = {"match": name(0), "reason": "r"}
        await estate.kv.write(estate.documents.hold("quiet"), hold, 0)
        snapshot = await estate.run()

        def said(of: str) -> str:
            (found,) = named(snapshot, of)
            return next_step(snapshot.by_name[found], None, snapshot.at)

        assert said("desk0") == "It is due now, blocked by Hold:quiet."
        assert said("desk1").startswith("It is due on")
        assert said("desk2") == "It is due now; a person replaces it."
        assert "ParentMissing" in said("hand")
        assert said(MASTER).startswith("Nothing: it is not managed")
        assert named(snapshot, "nowhere") == ()
        at_work = report(estate, waits_for="rotator complete desk0")
        assert next_step(snapshot.by_name[name(0)], at_work, snapshot.at) == at_work.waits_for
        plain = next_step(snapshot.by_name[name(0)], report(estate), snapshot.at)
        assert plain == "Rotation abcdefgh is at work in QUARANTINED."

    play(tmp_path, scenario)


def test_a_due_and_open_rotation_waits_for_the_limits_only(tmp_path: Path) -> None:
    """Nothing in the way means that it opens as soon as the limits allow."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        snapshot = await estate.run()
        said = next_step(snapshot.by_name[name(0)], None, snapshot.at)
        assert said == "Its rotation is opened as soon as the limits allow."
        first = run_document(snapshot, [])["findings"][0]
        assert first["credential"] == STATE.rstrip("/")

    play(tmp_path, scenario, limits=Limits(armed=("secret/trading/**",)))
