"""Rotations: what is under way, what it waits for, how it ended."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.dashboards.ask import Ask, level, series, total, zero
from deploy.monitoring.dashboards.board import FLEET, Board
from deploy.monitoring.dashboards.parts import (
    BELOW_ALL,
    GOOD_AT_ZERO,
    HALF,
    WARN_ABOVE_ZERO,
    Look,
    Size,
    bars,
    lines,
    stat,
)
from deploy.monitoring.dashboards.shared import findings, last_pass

_OLDEST: Final = level("rotation_oldest_start_timestamp_seconds")
_CODES: Final = (
    "RotationStuck",
    "RevocationOwed",
    "StrayKey",
    "UnservedKey",
    "CannotReproduce",
    "SlotsFull",
    "ParentMissing",
    "ParentInvalid",
    "ParentOverscoped",
    "NotArmed",
    "PathsIncomplete",
    "StoreRestored",
)
_MATCHER: Final = 'code=~"' + "|".join(_CODES) + '"'
_ENDED: Final = f"sum by (result) (increase({series('rotations_total')}[$__rate_interval]))"

_TOOK: Final = series("rotation_duration_seconds", suffix="_bucket")
_TIME: Final = f"histogram_quantile(0.95, sum by (le, exchange) (increase({_TOOK}[$__range]))) > 0"


def _spent(suffix: str) -> str:
    """Return what a counter of the phases' times rose by in the chosen time."""
    return (
        "sum by (phase) (increase("
        f"{series('rotation_phase_duration_seconds', suffix=suffix)}[$__range]))"
    )


BOARD: Final = Board(
    "rotator-rotations",
    "Rotations under way, what they wait for, and how they ended.",
    FLEET,
    (
        stat(
            "Quarantined",
            "Rotations that ask a question only a person may answer. Above 0: `rotator status` "
            "prints the question and the safe answers of `rotator resolve KEY ANSWER`. No new "
            "rotation of that exchange is opened before.",
            Ask(total("rotations_open", 'phase="QUARANTINED"')),
            look=Look(steps=GOOD_AT_ZERO),
        ),
        stat(
            "Waiting for a person",
            "Rotations whose next step is somebody's command. Above 0: `rotator status` says "
            "which; often it is `rotator complete KEY` once no consumer uses the old key.",
            Ask(total("rotations_waiting", 'on="person"')),
            look=Look(steps=WARN_ABOVE_ZERO),
        ),
        stat(
            "Revocations owed",
            "Replaced keys that still live although they should be deleted. Above 0: delete them "
            "at the exchange's page; `rotator explain KEY` names them.",
            Ask(total("revocations_owed")),
            look=Look(steps=GOOD_AT_ZERO),
        ),
        stat(
            "Strays",
            "Our own leftover keys at the exchanges. They are removed by the next tidy; above 0 "
            "for more than an hour: `rotator strays`, and see whether deletion is refused.",
            Ask(total("strays")),
            look=Look(steps=WARN_ABOVE_ZERO),
        ),
        stat(
            "Open longest",
            "How long the slowest rotation is in its phase; those that wait for a drain or a "
            "person are left out. Above an hour: it is stuck, `rotator explain KEY` says at what.",
            Ask(f"time() - min({_OLDEST}) or {zero('rotations_open')} - 1"),
            look=Look(
                "s",
                ((BELOW_ALL, "green"), (600, "orange"), (3600, "red")),
                words={"-1": ("none", "green")},
                decimals=0,
            ),
        ),
        last_pass(),
        bars(
            "Rotations by phase",
            "Open rotations, by where they stand now. DRAINING is the normal place to wait; "
            "many in QUARANTINED, ABORTING or ROLLING_BACK have one cause: look at the exchange.",
            Ask(total("rotations_open", by="phase"), "{{phase}}"),
            look=Look(decimals=0),
            size=Size(12, 10),
        ),
        lines(
            "Open rotations",
            "Open rotations over time. A phase that only fills and never empties is stuck.",
            Ask(f"{total('rotations_open', by='phase')} > 0", "{{phase}}"),
            look=Look(decimals=0),
            size=Size(12, 10),
            stacked=True,
            colors={"DRAINING": "blue", "QUARANTINED": "red", "REVOKING": "yellow"},
        ),
        lines(
            "Rotations ended",
            "How rotations ended. Anything but `done`: open the audit trail of that rotation with "
            "`rotator audit export`; after one, the exchange opens no further rotation.",
            Ask(_ENDED, "{{result}}"),
            look=Look(),
            size=HALF,
            colors={
                "done": "green",
                "aborted": "orange",
                "rolled_back": "purple",
                "quarantined": "red",
            },
        ),
        bars(
            "Waiting, by whom",
            "Whom or what open rotations wait for. `consumers`: the named consumers have not "
            "proved that they use the new key; ask their owners.",
            Ask(total("rotations_waiting", by="exchange, on"), "{{exchange}}: {{on}}"),
            look=Look(decimals=0),
            size=HALF,
        ),
        bars(
            "Time to rotate",
            "Within this time 95 of 100 rotations of the chosen time ended, without their drain. "
            "When it is long, an exchange or the store is slow: compare their dashboards.",
            Ask(_TIME, "{{exchange}}"),
            look=Look("s", none="none in the chosen time, or unknown"),
            size=HALF,
        ),
        bars(
            "Time in each phase",
            "The mean time in a phase, of the rotations that left it in the chosen time. Long "
            "PROVING or REVOKING means that an exchange deletes slowly.",
            Ask(f"{_spent('_sum')} / ({_spent('_count')} > 0)", "{{phase}}"),
            look=Look("s", none="none in the chosen time, or unknown"),
            size=HALF,
        ),
        findings(
            "What stands in the way",
            "Findings that concern rotations.",
            _MATCHER,
            size=Size(24, 7),
        ),
    ),
)
