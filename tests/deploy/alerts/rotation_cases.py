"""When the alerts about rotations fire."""

from __future__ import annotations

from tests.deploy.alerts.case import Case, Fired, finding, findings, held, key, series

OPEN = series("rotations_open", exchange="bybit", phase="QUARANTINED")
ELSEWHERE = series("rotations_open", exchange="binance", phase="QUARANTINED")


def of(owner: str | None, text: str, exchange: str = "bybit") -> Fired:
    """Return what is said of one owner's rotations, or of nobody's."""
    labels = {"exchange": exchange} | ({"owner": owner} if owner else {})
    return Fired(text.format(owner=owner or "no named owner"), labels)


QUARANTINED = (
    "1 rotation(s) at bybit ({owner}) are quarantined: each shows a question with its safe"
    " answers, and no further rotation is opened at this exchange."
)
STUCK = (
    "1 rotation(s) at bybit ({owner}) are past their time: an hour in a phase, or a day after the"
    " drain without anybody's word."
)
OWED = (
    "1 replaced key(s) at bybit ({owner}) still work, because the exchange refuses to delete them."
)

CASES = (
    # The owner is known from the next pass on.
    Case(
        "RotatorQuarantined",
        {
            OPEN: held((0, 10), (1, 20), (0, 10)),
            ELSEWHERE: held((0, 40)),
            finding("RotationStuck", **key("bybit", "one")): held(("_", 13), (1, 17)),
            finding("RotationStuck", **key("binance", "two", "desk-b")): held((1, 40)),
        },
        quiet=10,
        fires={11: (of(None, QUARANTINED),), 14: (of("desk-a", QUARANTINED),)},
        resolved=36,
    ),
    # What is quarantined is no more stuck than that.
    Case(
        "RotatorRotationStuck",
        {
            OPEN: held((0, 60)),
            ELSEWHERE: held((1, 60)),
            findings("RotationStuck"): held((0, 10), (1, 20), (0, 10)),
            finding("RotationStuck", **key("bybit", "one")): held(("_", 10), (1, 20)),
            findings("RotationStuck", exchange="binance"): held((1, 60)),
            finding("RotationStuck", **key("binance", "two")): held((1, 60)),
        },
        quiet=19,
        fires={20: (of("desk-a", STUCK),)},
        resolved=36,
    ),
    Case(
        "RotatorRotationStuck",
        {OPEN: held((0, 60)), findings("RotationStuck"): held((0, 10), (1, 20), (0, 10))},
        quiet=19,
        fires={20: (of(None, STUCK),)},
        resolved=30,
    ),
    Case(
        "RotatorRevocationOwed",
        {
            series("revocations_owed", exchange="bybit"): held((0, 10), (1, 70), (0, 10)),
            series("revocations_owed", exchange="binance"): held((0, 90)),
            finding("RevocationOwed", **key("bybit", "one")): held(("_", 10), (1, 70)),
        },
        quiet=69,
        fires={70: (of("desk-a", OWED),)},
        resolved=86,
    ),
    Case(
        "RotatorRotationFailing",
        {
            series(
                "rotations_total",
                exchange="bybit",
                strategy="overlap",
                result="aborted",
                trigger="due",
            ): held((0, 10), (2, 190)),
            series(
                "rotations_total",
                exchange="binance",
                strategy="overlap",
                result="done",
                trigger="due",
            ): "0+1x199",
        },
        quiet=100,
        fires={
            120: (
                Fired(
                    "About 2 rotation(s) at bybit were aborted or rolled back within a day. No"
                    " further one is opened there until one that a person asks for ends well.",
                    {"exchange": "bybit"},
                ),
            )
        },
        resolved=1540,
        step=10,
    ),
    # A quarantined rotation waits for a person too, and has its own page.
    Case(
        "RotatorWaitsForPerson",
        {
            series("rotations_waiting", exchange="bybit", on="person"): (
                held((0, 10), (2, 60), (1, 10))
            ),
            OPEN: held((1, 80)),
        },
        quiet=285,
        fires={
            290: (
                Fired(
                    "1 rotation(s) at bybit wait for a person, most often to confirm that no"
                    " consumer uses the old key any more.",
                    {"exchange": "bybit"},
                ),
            )
        },
        resolved=350,
        step=5,
    ),
)
