"""Panels that stand on more than one dashboard."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import stat as stat_parts, table as table_parts

from deploy.monitoring.dashboards.ask import Ask, level, series
from deploy.monitoring.dashboards.parts import (
    BELOW_ALL,
    FULL,
    UNKNOWN,
    Column,
    Look,
    Size,
    Word,
    stat,
    table,
)

SEVERITIES: Final[dict[str, Word]] = {
    "1": ("critical", "red"),
    "2": ("warning", "orange"),
    "3": ("info", "blue"),
}
"""Severities as numbers, so that a table can be sorted by them."""

FRESH: Final = ((BELOW_ALL, "green"), (600, "orange"), (900, "red"))
"""Seconds since something that happens every five minutes."""

VALIDITIES: Final[dict[str, Word]] = {
    "valid": ("valid", "green"),
    "invalid": ("invalid", "red"),
    "expired": ("expired", "red"),
    "ip_blocked": ("ip_blocked", "orange"),
    "permission_denied": ("permission_denied", "orange"),
    "exchange_down": ("exchange_down", "yellow"),
    "throttled": ("throttled", "blue"),
    "unknown": ("unknown", UNKNOWN),
}
VALIDITY_COLORS: Final = {name: color for name, (_, color) in VALIDITIES.items()}

WHO: Final = (Column("credential"), Column("exchange", width=100), Column("owner", width=120))
CASE: Final = (
    Column("Value", "severity", Look(words=SEVERITIES), 100),
    Column("code", width=170),
)


def last_pass() -> stat_parts.Panel:
    """Return how old everything on a page is."""
    return stat(
        "Last pass",
        "How long ago the inventory was last judged: the age of everything on this page. Above "
        "15 min, or unknown: nothing here can be trusted; look at the daemon's dashboard.",
        Ask(f"time() - max({series('pass_last_success_timestamp_seconds')})"),
        look=Look("s", FRESH, decimals=0),
    )


def findings(title: str, what: str, *matchers: str, size: Size = FULL) -> table_parts.Panel:
    """Return the open findings with code, owner and credential, the worst first."""
    return table(
        title,
        f"{what} `rotator explain KEY` tells its sentence and its cure.",
        Ask(" or ".join(_ranked(rank, word, matchers) for rank, (word, _) in SEVERITIES.items())),
        (*CASE, Column("credential"), Column("exchange"), Column("account"), Column("owner")),
        size=size,
        sort="severity",
        none="no finding, or nothing known: see Last pass",
    )


def _ranked(rank: str, severity: str, matchers: tuple[str, ...]) -> str:
    """Return the findings of one severity, with its rank as their value."""
    told = level("finding", f'severity="{severity}"', *matchers)
    return f"{rank} * {told}"
