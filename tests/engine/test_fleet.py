"""The fleet of page and API is what the pass saw, in the same words as the command line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import orjson
from jsonschema import Draft202012Validator, FormatChecker

from rotator.core.findings import Code, Severity
from rotator.core.record import Phase
from rotator.core.saga.words import Event, Stay
from rotator.engine.driver import Stand
from rotator.engine.fleet import fleet_of
from rotator.engine.reports import (
    explain_document,
    findings_of,
    holds_of,
    plan_document,
    rotation_of,
    status_document,
    strays_document,
)
from rotator.engine.standing import report
from rotator.engine.watch import Hold
from rotator.serve.api import description
from rotator.serve.api_forms import credential_form, finding_form, rotation_form
from rotator.wiring.pages import shortened
from tests.engine.estate import Estate, desk_path, name, play, record

OLD = timedelta(days=200)


def test_the_api_has_the_forms_of_the_command_line(tmp_path: Path) -> None:
    """Credentials, findings and rotations have the same fields with the same values."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        key = await estate.desk(1)
        estate.kill(key)
        snapshot = await estate.run()
        now = estate.clock.now()
        stand = Stand(desk_path(0), record(estate.clock.now(), 0, phase=Phase.DRAINING))
        fleet = fleet_of(snapshot, [stand], [], now)
        status = status_document(snapshot, [report(stand, now)])
        assert [finding_form(f) for f in fleet.findings] == findings_of(snapshot.findings)
        assert [rotation_form(r) for r in fleet.rotations] == [rotation_of(report(stand, now))]
        shown = [credential_form(c) for c in fleet.credentials]
        assert len(shown) == len(status["credentials"]) == 3
        for mine, theirs in zip(shown, status["credentials"], strict=True):
            assert mine.items() >= theirs.items()
        orjson.dumps(shown)

    play(tmp_path, scenario)


def test_a_row_tells_the_gravest_finding_and_the_open_rotation(tmp_path: Path) -> None:
    """And the exchange counts what answered."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        key = await estate.desk(0)
        estate.kill(key)
        snapshot = await estate.run()
        stand = Stand(desk_path(0), record(estate.clock.now(), 0, phase=Phase.DRAINING))
        now = estate.clock.now()
        held = Hold("weekend", "secret/**", "nobody is here", None)
        fleet = fleet_of(snapshot, [stand], [held], now, ["one more"])
        row = next(r for r in fleet.credentials if r.name == name(0))
        assert row.gravest is Severity.CRITICAL
        assert row.codes[0] is Code.INVALID
        assert stand.record is not None
        assert row.phase == stand.record.phase.value
        (exchange,) = fleet.exchanges
        assert (exchange.name, exchange.credentials, exchange.unanswered) == ("bybit", 2, 0)
        assert exchange.answered_at is not None
        assert fleet.holds[0].name == "weekend"
        assert fleet.problems[-1] == "one more"

    play(tmp_path, scenario)


def test_the_documents_are_as_the_api_describes_them(tmp_path: Path) -> None:
    """Status, plan, explanation and strays fit the schemas of `openapi.json`."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        await estate.desk(0, age=OLD)
        await estate.desk(1)
        estate.key(label="contractor")
        snapshot = await estate.run()
        now = estate.clock.now()
        told = report(Stand(desk_path(0), record(now, 0, phase=Phase.QUARANTINED)), now)
        held = Hold("weekend", "secret/**", "nobody is here", now)
        status = status_document(snapshot, [told]) | {"holds": holds_of([held])}
        strays = strays_document(snapshot.listed)
        assert status["findings"]
        assert strays["strays"]
        fits("Status", status)
        fits("Plan", plan_document(snapshot, timedelta(days=90)))
        fits("Strays", shortened(strays))
        for seen in snapshot.credentials:
            fits("Explanation", explain_document(seen, None, now))
        fits("Explanation", explain_document(snapshot.by_name[name(0)], told, now))

    play(tmp_path, scenario)


def fits(schema: str, document: object) -> None:
    """Fail unless a document, as JSON, is as a schema of the description says."""
    components = orjson.loads(description())["components"]
    whole = {"$ref": f"#/components/schemas/{schema}", "components": components}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(
        orjson.loads(orjson.dumps(document))
    )


def test_who_waits_for_a_person_comes_first(tmp_path: Path) -> None:
    """A rotation at work comes after one that a person must answer."""

    async def scenario(estate: Estate) -> None:
        await estate.master()
        for number in range(2):
            await estate.desk(number)
        snapshot = await estate.run()
        now = estate.clock.now()
        waits = Stay(Event.HELD, now, "person", "a person must confirm")
        stands = [
            Stand(desk_path(0), record(estate.clock.now(), 0, phase=Phase.DRAINING)),
            Stand(desk_path(1), record(estate.clock.now(), 1, phase=Phase.DRAINING), stay=waits),
        ]
        fleet = fleet_of(snapshot, stands, [], now)
        assert [r.person for r in fleet.rotations] == [True, False]
        assert fleet.rotations[0].waits_for == "a person must confirm"

    play(tmp_path, scenario)
