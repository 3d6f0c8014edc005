"""The fleet: what is wrong first, then what comes next."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.dashboards.ask import PLACE, Ask, level, total, zero
from deploy.monitoring.dashboards.board import FLEET, Board
from deploy.monitoring.dashboards.parts import (
    GOOD_AT_ZERO,
    HALF,
    THIRD,
    TIME_LEFT,
    WARN_ABOVE_ZERO,
    Column,
    Look,
    Size,
    bars,
    lines,
    stat,
    table,
)
from deploy.monitoring.dashboards.shared import VALIDITY_COLORS, WHO, findings, last_pass

_BY_PLACE: Final = ", ".join(PLACE)
_DUE: Final = level("credential_rotation_due_timestamp_seconds")


def _open(severity: str) -> Ask:
    """Return how many findings of a severity are open; 0 only if credentials are known at all."""
    matcher = f'severity="{severity}"'
    return Ask(f"{total('findings', matcher)} or {zero('credentials')}")


BOARD: Final = Board(
    "rotator-fleet",
    "Every credential that Rotator watches: what is wrong, what is unknown, what comes next.",
    FLEET,
    (
        stat(
            "Critical findings",
            "Findings that page. Above 0: read the table below from its top; `rotator check` "
            "prints the same findings with a sentence and a cure for each.",
            _open("critical"),
            look=Look(steps=GOOD_AT_ZERO),
        ),
        stat(
            "Warnings",
            "Findings that are a ticket. Above 0: hand the rows of the table to their owners; "
            "`rotator explain KEY` says what to do about one.",
            _open("warning"),
            look=Look(steps=WARN_ABOVE_ZERO),
        ),
        stat(
            "Overdue",
            "Credentials whose rotation is due since before now. Above 0: see `Due next` for "
            "which; arm the path, or replace the key by hand where no program can.",
            Ask(total("overdue")),
            look=Look(steps=WARN_ABOVE_ZERO),
        ),
        stat(
            "Unknown facts",
            "Facts that an exchange tells in general and that are missing for some credential. "
            "Above 0: `Unknown by kind` says which; unknown is not fine.",
            Ask(total("unknown")),
            look=Look(steps=WARN_ABOVE_ZERO),
        ),
        stat(
            "Foreign keys",
            "Keys at an exchange that no credential and no record knows. Above 0: "
            "`rotator strays` names them; find their owner or delete them at the exchange.",
            Ask(total("foreign_keys")),
            look=Look(steps=GOOD_AT_ZERO),
        ),
        last_pass(),
        findings(
            "Findings",
            "Every open finding. Click a credential for its page.",
            size=Size(24, 12),
        ),
        table(
            "Expiring next",
            "The keys that their exchange ends first. Under a day: rotate now with "
            "`rotator rotate KEY`, or replace the key by hand. Keys whose end is unknown are "
            "not here but in `Unknown by kind`.",
            Ask(f"bottomk(50, {level('credential_expiration_timestamp_seconds')} - time())"),
            (*WHO, Column("Value", "expires in", Look("s", TIME_LEFT), 120)),
            size=HALF,
            sort="expires in",
        ),
        table(
            "Due next",
            "The keys that the policy wants replaced first; overdue ones stand on top. "
            "`rotator plan --within 30d` shows the same with what will be done.",
            Ask(f"bottomk(50, {_DUE} - time())"),
            (*WHO, Column("Value", "due in", Look("s", TIME_LEFT), 120)),
            size=HALF,
            sort="due in",
        ),
        table(
            "Not looked at for longest",
            "The keys of which their exchange has told nothing for the longest time. Above an "
            "hour or two: the key is refused, the exchange is away or our budget is used up; "
            "`rotator explain KEY` says which.",
            Ask(f"topk(50, time() - {level('credential_last_inspected_timestamp_seconds')})"),
            (*WHO, Column("Value", "not looked at for", Look("s"), 150)),
            size=Size(24, 8),
            sort="not looked at for",
        ),
        bars(
            "Findings by code",
            "Which kinds of trouble there are most of. One code with many keys at one exchange "
            "is one cause: look at the exchange first.",
            Ask(f"{total('findings', by='code')} > 0", "{{code}}"),
            look=Look(steps=WARN_ABOVE_ZERO, none="none open, or nothing known: see Last pass"),
        ),
        bars(
            "Unknown by kind",
            "What is unknown although the exchange tells it, by exchange. Above 0: the login may "
            "lack a permission, or no look has succeeded yet; `rotator doctor` says which.",
            Ask(total("unknown", by="exchange, what"), "{{exchange}}: {{what}}"),
            look=Look(steps=WARN_ABOVE_ZERO),
        ),
        bars(
            "Armed",
            "How many credentials of each exchange may be rotated. 0 means watch only: arm the "
            "first path in `rotation.armed` when you trust what is shown here.",
            Ask(level("armed_credentials"), "{{exchange}}"),
            look=Look(decimals=0),
        ),
        lines(
            "Credentials by validity",
            "What the looks at the keys came to. A step away from `valid` at one exchange for "
            "many keys at once is the exchange or our address; a single one is that key.",
            Ask(f"{total('credentials', by='validity')} > 0", "{{validity}}"),
            look=Look(),
            size=THIRD,
            stacked=True,
            colors=VALIDITY_COLORS,
        ),
        lines(
            "Age of the oldest key",
            "The oldest living key of each exchange. It should fall when keys are rotated; one "
            "that only rises belongs to a path that nobody armed.",
            Ask(f"time() - {level('oldest_created_timestamp_seconds')}", "{{exchange}}"),
            look=Look("s"),
            size=THIRD,
        ),
        lines(
            "Time to the first expiry",
            "How long until the first key of each exchange ends. It should jump up when that key "
            "is replaced; a line that reaches 0 is a strategy that stops.",
            Ask(f"{level('next_expiration_timestamp_seconds')} - time()", "{{exchange}}"),
            look=Look("s", TIME_LEFT),
            size=THIRD,
        ),
    ),
)
