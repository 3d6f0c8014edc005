"""The dashboards asked on the real loop: daemon, sandbox, store and Prometheus as processes."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from deploy.monitoring.dashboards import BOARDS
from tests.deploy import story
from tests.deploy.asking import Answer, Span, asked, choices
from tests.deploy.fleet import TRADING, Fleet, fleet
from tests.deploy.pictures.page import page
from tests.deploy.prometheus import Prometheus, prometheus
from tests.processes.program import until
from tests.servers.build import VAULT, ServerMissing, packaged

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

TROUBLED: Final = f"{TRADING}/bybit/basis"
"""In quarantine: it has findings."""
ENDING: Final = f"{TRADING}/bybit/signals"
"""Its exchange ends its key: the one kind of key that has an end to show."""
ONLY_WITH_VAULT: Final = {"Token life", "Store calls", "Time of the store"}
"""A local store has no login, and no calls that could be counted."""

WORTH: Final = {
    ("rotator-fleet", "Critical findings"): 4,
    ("rotator-fleet", "Foreign keys"): 1,
    ("rotator-rotations", "Quarantined"): 1,
    ("rotator-rotations", "Waiting for a person"): 2,
    ("rotator-daemon", "Leader"): 1,
    ("rotator-daemon", "Store"): 1,
    ("rotator-daemon", "Configuration"): 1,
}
"""What the story makes of the counts; a query that gives data must also be right."""

Asked = dict[tuple[str, str], list[Answer]]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, Prometheus, Span]]:
    """A fleet to which everything has happened, while a Prometheus looked on."""
    try:
        packaged("prometheus")
    except ServerMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("loop")
    with fleet(folder) as there:
        story.begin(there)
        with prometheus(folder, there.port) as server:
            start = time.time()
            story.go_on(there)
            foreign = f"{TRADING}/bybit/quant"
            finding = f'rotator_finding{{code="ForeignKey", credential="{foreign}"}}'
            until(lambda: server.now(finding), "the foreign key is found")
            until(lambda: server.now('rotator_finding{code="RotationStuck"}'), "stuck is told")
            revoking = 'rotator_rotations_open{phase="REVOKING"} > 0'
            until(lambda: server.now(revoking), "the deletion that is refused is told")
            banned = "rotator_exchange_banned_until_timestamp_seconds - time() > 0"
            until(lambda: server.now(banned), "the ban is told")
            yield there, server, Span(start, time.time())


@pytest.fixture(scope="module")
def answers(watched: tuple[Fleet, Prometheus, Span]) -> Asked:
    """What every panel of every dashboard was answered."""
    _, server, span = watched
    return {
        (board.uid, panel["title"]): asked(server, panel, span, _chosen(document, panel))
        for board in BOARDS
        for document in [board.as_json()]
        for panel in document["panels"]
    }


def _chosen(document: dict[str, Any], panel: dict[str, Any]) -> dict[str, str]:
    credential = ENDING if panel["title"] == "Expires in" else TROUBLED
    return choices(document, credential=credential)


def points(answer: Answer) -> list[float]:
    """Return the values of an answer that are numbers."""
    told = [p for s in answer.series for p in s.get("values", [s.get("value")])]
    return [v for _, text in told if math.isfinite(v := float(text))]


def test_every_panel_gives_data(answers: Asked) -> None:
    """Every query of every panel gives data; without a Vault, all but the store's own."""
    excused = set() if VAULT.found() else ONLY_WITH_VAULT
    empty = {
        (uid, title): answer.expr
        for (uid, title), told in answers.items()
        for answer in told
        if not points(answer) and title not in excused
    }
    assert not empty


@pytest.mark.parametrize(("uid", "title"), WORTH)
def test_the_counts_are_right(answers: Asked, uid: str, title: str) -> None:
    """What is counted is what was caused."""
    assert [points(answer) for answer in answers[uid, title]] == [[WORTH[uid, title]]]


def test_each_phase_is_told(answers: Asked) -> None:
    """Rotations stand in the phases to which the story led them."""
    (told,) = answers["rotator-rotations", "Rotations by phase"]
    phases = {s["metric"]["phase"]: float(s["value"][1]) for s in told.series}
    assert len(phases) == 11
    assert {phase for phase, count in phases.items() if count} == {
        "DRAINING",
        "QUARANTINED",
        "REVOKING",
    }


def test_a_ban_is_told(answers: Asked) -> None:
    """The exchange that banned us has time left, the other has none to show."""
    (told,) = answers["rotator-exchanges", "Bans"]
    left = {s["metric"]["exchange"]: float(s["value"][1]) for s in told.series}
    assert left["binance"] > 0
    assert left["bybit"] == -1


def test_findings_name_owner_and_credential(answers: Asked) -> None:
    """The table of findings has the quarantined credential with its owner, and it pages."""
    (told,) = answers["rotator-fleet", "Findings"]
    (stuck,) = [s for s in told.series if s["metric"]["code"] == "RotationStuck"]
    assert stuck["metric"]["credential"] == TROUBLED
    assert stuck["metric"]["owner"] == "desk-b"
    assert float(stuck["value"][1]) == 1


def test_no_key_id_is_shown(watched: tuple[Fleet, Prometheus, Span], answers: Asked) -> None:
    """No page that is drawn of the answers holds the id or the secret of a key."""
    there, _, span = watched
    ours = [value for key in there.first.values() for value in key.values()]
    books = there.sandbox.ledger("bybit")["keys"]
    for board in BOARDS:
        document = board.as_json()
        told = {p["id"]: answers[board.uid, p["title"]] for p in document["panels"]}
        text = page(document, told, span, "")
        assert "{{" not in text
        assert not [value for value in [*ours, *(key["id"] for key in books)] if value in text]


def test_a_silent_daemon_is_unknown(watched: tuple[Fleet, Prometheus, Span]) -> None:
    """Of a job that nobody scrapes every panel says nothing at all, never 0."""
    _, server, span = watched
    told = {
        (board.uid, panel["title"]): [
            answer.series
            for answer in asked(server, panel, span, {**choices(document), "job": "nobody"})
            if answer.series
        ]
        for board in BOARDS
        for document in [board.as_json()]
        for panel in document["panels"]
    }
    assert not {where: series for where, series in told.items() if series}
