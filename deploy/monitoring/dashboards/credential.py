"""One credential: what its key is, what is wrong with it, what happened to it."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.dashboards.ask import Ask, level
from deploy.monitoring.dashboards.board import FLEET, Board, Choice
from deploy.monitoring.dashboards.parts import (
    BELOW_ALL,
    GOOD_AT_ZERO,
    HALF,
    PLAIN,
    TIME_LEFT,
    UNKNOWN,
    Column,
    Look,
    Size,
    Word,
    lines,
    stat,
    table,
)
from deploy.monitoring.dashboards.shared import VALIDITIES, findings, last_pass

THIS: Final = 'credential="$credential"'
CREDENTIAL: Final = Choice(
    "credential",
    'rotator_credential_info{job=~"$job", exchange=~"$exchange", account=~"$account"}',
    "The credential, by its path in the store.",
    one=True,
)
VERDICTS: Final[dict[str, Word]] = {
    "healthy": ("healthy", "green"),
    "due": ("due", "orange"),
    "blocked": ("blocked", "red"),
    "unknown": ("unknown", UNKNOWN),
}
_CREATED: Final = level("credential_created_timestamp_seconds", THIS)
_EXPIRES: Final = level("credential_expiration_timestamp_seconds", THIS)
_DUE: Final = level("credential_rotation_due_timestamp_seconds", THIS)
_LOOKED: Final = level("credential_last_inspected_timestamp_seconds", THIS)
_INFO: Final = level("credential_info", THIS)
_FINDING: Final = level("finding", THIS)

BOARD: Final = Board(
    "rotator-credential",
    "One credential: its key's age and end, its findings, its state over time.",
    (*FLEET, CREDENTIAL),
    (
        table(
            "State",
            "What the last look at the key came to (validity) and what the findings sum up to "
            "(verdict). Not valid or not healthy: `rotator explain KEY` says why and what next.",
            Ask(_INFO),
            (
                Column("credential"),
                Column("validity", look=Look(words=VALIDITIES)),
                Column("verdict", look=Look(words=VERDICTS)),
                Column("policy"),
                Column("exchange"),
                Column("account"),
                Column("owner"),
            ),
            size=Size(24, 3),
            none="unknown: no such credential, or nothing known (see Last pass)",
        ),
        stat(
            "Findings open",
            "Open findings of this credential. Above 0: they stand in the table below.",
            Ask(f"count({_FINDING}) or 0 * count({_INFO})"),
            look=Look(steps=GOOD_AT_ZERO),
        ),
        stat(
            "Rotation due in",
            "When the policy wants the key replaced. Negative: overdue. `rotator rotate KEY` does "
            "it now; where no program can, `rotator explain KEY` names the exchange's page.",
            Ask(f"{_DUE} - time()"),
            look=Look("s", TIME_LEFT),
        ),
        stat(
            "Expires in",
            "When the exchange ends the key. Under a day: rotate it now, or replace it by hand. "
            "Without a value it never ends, or its end is unknown; findings tell which.",
            Ask(f"{_EXPIRES} - time()"),
            look=Look("s", TIME_LEFT, none="never or unknown"),
        ),
        stat(
            "Age of the key",
            "How long the living key exists. Unknown: the finding AgeUnknown says how to tell it.",
            Ask(f"time() - {_CREATED}"),
            look=Look("s", PLAIN),
        ),
        stat(
            "Looked at",
            "How long ago the exchange last told this key's facts. Above two hours: the exchange "
            "does not answer for it; see its findings and the exchange's dashboard.",
            Ask(f"time() - {_LOOKED}"),
            look=Look("s", ((BELOW_ALL, "green"), (7200, "orange"), (86_400, "red"))),
        ),
        last_pass(),
        findings(
            "Findings",
            "The open findings of this credential.",
            THIS,
            size=Size(24, 5),
        ),
        lines(
            "Age over time",
            "It falls to 0 at each rotation. A line that only rises past the policy's age is a "
            "rotation that does not happen: look at `Due next` and at its findings.",
            Ask(f"time() - {_CREATED}", "age of the key"),
            look=Look("s"),
            size=HALF,
        ),
        lines(
            "Findings over time",
            "When each finding opened and closed. One that comes and goes is a cause that "
            "nobody has removed.",
            Ask(f"max by (code) ({_FINDING})", "{{code}}"),
            look=Look(none="none, or nothing known: see Last pass"),
            size=HALF,
            stacked=True,
        ),
    ),
)
