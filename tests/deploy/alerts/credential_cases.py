"""When the alerts about credentials fire."""

from __future__ import annotations

from tests.deploy.alerts.case import Case, Fired, finding, findings, held, key, series

A_OF_BYBIT = "credential(s) of desk-a at bybit"
TEN_TO_THIRTY = held(("_", 10), (1, 20))
DAY, WEEK = 86400, 604800


def told(count: int, code: str, what: str, owner: str = "desk-a", exchange: str = "bybit") -> Fired:
    """Return the page about findings of one owner at one exchange."""
    return Fired(
        f"{count} credential(s) of {owner} at {exchange} {what}",
        {"exchange": exchange, "code": code, "owner": owner},
    )


def lost_owner(count: int, code: str, what: str) -> Fired:
    """Return the page of a Rotator that exports no series per credential."""
    return Fired(
        f"{count} credential(s) of no named owner at bybit {what}",
        {"exchange": "bybit", "code": code},
    )


def pages(alert: str, code: str, what: str, severity: str = "critical", hold: int = 5) -> Case:
    """Three findings of one owner and one of another are two alerts, not four.

    The leader changes at minute `hold` + 12 without firing anew; a finding of the other
    severity is none of this alert's.
    """
    other = "warning" if severity == "critical" else "critical"
    start, change, end = 10, 12 + hold, 22 + hold
    before, after = held(("_", start), (1, change - start)), held(("_", change), (1, end - change))
    names = [("one", "desk-a"), ("two", "desk-a"), ("three", "desk-a"), ("four", "desk-b")]
    one = told(3, code, what), told(1, code, what, "desk-b")
    return Case(
        alert,
        {
            **{finding(code, severity, **key("bybit", n, o)): before for n, o in names},
            **{
                finding(code, severity, instance="b:9789", **key("bybit", n, o)): after
                for n, o in names
            },
            finding(code, other, **key("binance", "five")): held((1, end)),
            findings(code, severity): held((0, start), (4, end - start), (0, 20)),
        },
        quiet=start + hold - 1,
        fires={start + hold: one, change: one, change + 2: one},
        resolved=end + 5,
    )


def aggregated(alert: str, code: str, what: str, severity: str = "critical", hold: int = 5) -> Case:
    """Without series per credential the same alert fires per exchange."""
    return Case(
        alert,
        {findings(code, severity): held((0, 10), (1, hold + 10), (0, 10))},
        quiet=9 + hold,
        fires={10 + hold: (lost_owner(1, code, what),)},
        resolved=20 + hold,
    )


WITHDRAW = "may withdraw funds, and their policy does not name that."
FOREIGN = (
    "manage accounts with keys that stand in no secret and in no record. Somebody made them"
    " elsewhere."
)
INVALID = "hold a key that the exchange refuses (Invalid). Their consumers cannot trade."
EXPIRED = "hold a key that the exchange refuses (Expired). Their consumers cannot trade."
WRONG = "have the critical finding WrongAccount."
IP = "have the finding IpBlocked."
CLOSED = (
    "have the finding ExchangeClosed: funds must be moved, consumers stopped and the secrets"
    " taken out of the store."
)

FOUND = (
    pages("RotatorWithdrawEnabled", "WithdrawEnabled", WITHDRAW),
    aggregated("RotatorWithdrawEnabled", "WithdrawEnabled", WITHDRAW),
    pages("RotatorForeignKey", "ForeignKey", FOREIGN),
    pages("RotatorCredentialInvalid", "Invalid", INVALID),
    pages("RotatorCredentialInvalid", "Expired", EXPIRED),
    pages("RotatorCriticalFinding", "WrongAccount", WRONG),
    aggregated("RotatorCriticalFinding", "WrongAccount", WRONG),
    pages("RotatorFinding", "IpBlocked", IP, "warning", 60),
    aggregated("RotatorFinding", "IpBlocked", IP, "warning", 60),
    pages("RotatorExchangeClosed", "ExchangeClosed", CLOSED, "warning", 60),
    Case(
        "RotatorMassInvalidation",
        {findings("MassInvalidation"): held((0, 10), (40, 20), (0, 10))},
        quiet=10,
        fires={
            11: (
                Fired(
                    "40 keys at bybit have died at about the same time. Nothing is rotated or"
                    " deleted anywhere until this is cleared.",
                    {"exchange": "bybit", "code": "MassInvalidation"},
                ),
            )
        },
        resolved=30,
    ),
)

EXPIRES = "credential_expiration_timestamp_seconds"
IMMINENT = "hold a key that the exchange ends within a day."

TIMED = (
    # Two of one owner; a third is dead already and has its own page, a fourth has time.
    Case(
        "RotatorCredentialExpiryImminent",
        {
            series(EXPIRES, **key("bybit", "one")): held((DAY + 3600, 80), (9 * DAY, 20)),
            series(EXPIRES, **key("bybit", "two")): held((DAY + 3600, 80), (9 * DAY, 20)),
            series(EXPIRES, **key("bybit", "dead")): held((DAY, 100)),
            finding("Expired", **key("bybit", "dead")): held((1, 100)),
            series(EXPIRES, **key("bybit", "four", "desk-b")): held((9 * DAY, 100)),
            series("next_expiration_timestamp_seconds", exchange="bybit"): held((DAY, 100)),
        },
        quiet=65,
        fires={
            66: (Fired(f"2 {A_OF_BYBIT} {IMMINENT}", {"exchange": "bybit", "owner": "desk-a"}),)
        },
        resolved=80,
    ),
    Case(
        "RotatorCredentialExpiryImminent",
        {
            series("next_expiration_timestamp_seconds", exchange="bybit"): (
                held((DAY + 3600, 80), (9 * DAY, 20))
            ),
        },
        quiet=65,
        fires={
            66: (
                Fired(
                    f"1 credential(s) of no named owner at bybit {IMMINENT}", {"exchange": "bybit"}
                ),
            )
        },
        resolved=80,
    ),
    # The same key seen from the former and the new leader is one ticket; with a day left
    # the ticket gives way to the page.
    Case(
        "RotatorCredentialExpiring",
        {
            series(EXPIRES, **key("bybit", "one")): held((WEEK + 3600, 100), ("_", 50)),
            series(EXPIRES, "b:9789", **key("bybit", "one")): (
                held(("_", 98), (WEEK + 3600, 30), (9 * DAY, 30))
            ),
            series(EXPIRES, **key("bybit", "two")): held((DAY + 4200, 150)),
        },
        quiet=59,
        fires={
            60: (
                Fired(
                    "secret/trading/bybit/two at bybit (account 7001, desk-a) ends in 1d 0h 10m 0s"
                    " and has not been replaced.",
                    key("bybit", "two"),
                ),
            ),
            121: (
                Fired(
                    "secret/trading/bybit/one at bybit (account 7001, desk-a) ends in 6d 22h 59m 0s"
                    " and has not been replaced.",
                    key("bybit", "one"),
                ),
            ),
        },
        resolved=130,
    ),
    Case(
        "RotatorCredentialExpiring",
        {
            series("next_expiration_timestamp_seconds", exchange="bybit"): (
                held((WEEK + 3600, 130), (9 * DAY, 20))
            ),
        },
        quiet=120,
        fires={
            121: (
                Fired(
                    "A credential at bybit ends in 6d 22h 59m 0s and has not been replaced.",
                    {"exchange": "bybit"},
                ),
            )
        },
        resolved=130,
    ),
    Case(
        "RotatorCredentialOverdue",
        {
            series(
                "credential_rotation_due_timestamp_seconds",
                **key("bybit", "one", account="", owner=""),
            ): held((3600 - DAY, 130), (9 * DAY, 20)),
            series("credential_rotation_due_timestamp_seconds", **key("bybit", "two")): (
                held((3600, 150))
            ),
            series("overdue", exchange="bybit"): held((2, 130), (0, 20)),
        },
        quiet=120,
        fires={
            121: (
                Fired(
                    "secret/trading/bybit/one at bybit (account unknown, no named owner) has been"
                    " due for 1d 1h 1m 0s or longer.",
                    {"exchange": "bybit", "credential": "secret/trading/bybit/one"},
                ),
            )
        },
        resolved=130,
    ),
    Case(
        "RotatorCredentialOverdue",
        {series("overdue", exchange="bybit"): held((0, 10), (2, 70), (0, 20))},
        quiet=69,
        fires={
            70: (
                Fired(
                    "A credential at bybit has been due for 1d 0h 0m 0s or longer.",
                    {"exchange": "bybit"},
                ),
            )
        },
        resolved=80,
    ),
    Case(
        "RotatorUnknownTooLong",
        {
            series("unknown", exchange="bybit", what="age"): held((1, 150), (0, 20)),
            series("unknown", exchange="bybit", what="expiry"): held((2, 100), (0, 70)),
        },
        quiet=1430,
        fires={
            1440: (
                Fired(
                    "Of 1 credential(s) at bybit the age has been unknown for a day, although the"
                    " exchange tells it.",
                    {"exchange": "bybit", "what": "age"},
                ),
            )
        },
        resolved=1500,
        step=10,
    ),
    # A closed exchange is asked no more and has another alert.
    Case(
        "RotatorInspectionStale",
        {
            series("credential_last_inspected_timestamp_seconds", **key("bybit", "one")): (
                held((3600 - DAY, 130), (7800, 20))
            ),
            series("credential_last_inspected_timestamp_seconds", **key("bitmex", "two")): (
                held((3600 - DAY, 150))
            ),
            findings("ExchangeClosed", "warning", "bitmex"): held((1, 150)),
        },
        quiet=120,
        fires={
            121: (
                Fired(
                    f"Of 1 {A_OF_BYBIT} the exchange has told nothing for a day or longer; what is"
                    " shown of them is that old.",
                    {"exchange": "bybit", "owner": "desk-a"},
                ),
            )
        },
        resolved=130,
    ),
    Case(
        "RotatorStrays",
        {series("strays", exchange="bybit"): held((0, 10), (1, 130), (0, 10))},
        quiet=129,
        fires={
            130: (
                Fired(
                    "1 key(s) at bybit are useless leftovers of rotations, and the tidy has not"
                    " removed them for two hours.",
                    {"exchange": "bybit"},
                ),
            )
        },
        resolved=140,
    ),
)

CASES = (*FOUND, *TIMED)
