"""Exchanges: whether they answer, refuse or ban us, and how fast they are."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.dashboards.ask import Ask, level, rate, series, slowest, total
from deploy.monitoring.dashboards.board import FLEET, Board
from deploy.monitoring.dashboards.parts import (
    BELOW_ALL,
    HALF,
    THIRD,
    WARN_ABOVE_ZERO,
    YES_OR_NO,
    Column,
    Look,
    Size,
    bars,
    lines,
    stat,
    table,
)
from deploy.monitoring.dashboards.shared import findings

_REQUESTS: Final = "exchange_requests_total"
_FAILED: Final = 'outcome=~"maintenance|unknown_outcome|other"'
_OUTCOMES: Final = {
    "ok": "green",
    "invalid_key": "orange",
    "maintenance": "yellow",
    "unknown_outcome": "purple",
    "rate_limited": "blue",
    "banned": "red",
}
_HASTE: Final = 'outcome=~"rate_limited|banned"'
_CODES: Final = (
    "Unreachable",
    "IpBlocked",
    "PermissionDenied",
    "VantageBlocked",
    "MassInvalidation",
    "ExchangeClosing",
    "ExchangeClosed",
)
_MATCHER: Final = 'code=~"' + "|".join(_CODES) + '"'
_ALL: Final = rate(_REQUESTS, by="exchange")
_RATIO: Final = f"({rate(_REQUESTS, _FAILED, by='exchange')} or 0 * {_ALL}) / {_ALL}"
_BANNED: Final = level("exchange_banned_until_timestamp_seconds")

BOARD: Final = Board(
    "rotator-exchanges",
    "Whether each exchange answers, how often it fails, and whether it has banned us.",
    FLEET,
    (
        stat(
            "Exchange up",
            "Whether the last call was answered. Down: its status page first, then our egress "
            "address and proxy; `rotator doctor` tries the way.",
            Ask(level("exchange_up"), "{{exchange}}"),
            look=Look(steps=YES_OR_NO, words={"1": ("up", "green"), "0": ("down", "red")}),
            size=Size(8, 4),
        ),
        stat(
            "Bans",
            "How long an exchange still refuses us. While banned nothing is sent to it. Lower "
            "`exchanges.NAME.share`: bots on the same account use the same limit.",
            Ask(
                f"({_BANNED} - time() > 0) or (0 * {level('exchange_up')} - 1)",
                "{{exchange}}",
            ),
            look=Look(
                "s",
                ((BELOW_ALL, "green"), (0, "red")),
                words={"-1": ("none", "green")},
                decimals=0,
            ),
            size=Size(8, 4),
        ),
        stat(
            "Refused for haste",
            "Calls that an exchange refused because there were too many, since the process "
            "started. Rising: lower `exchanges.NAME.share`, or look less often (`every.inspect`).",
            Ask(
                f"sum by (exchange) ({series(_REQUESTS, _HASTE)}) or 0 * {level('exchange_up')}",
                "{{exchange}}",
            ),
            look=Look(steps=WARN_ABOVE_ZERO, decimals=0),
            size=Size(8, 4),
        ),
        lines(
            "Error ratio",
            "The part of calls that the exchange failed to answer (not our mistakes, and not its "
            "refusals). Above 14 % it pages: wait for the exchange, hold rotations with "
            "`rotator hold` if it goes on.",
            Ask(_RATIO, "{{exchange}}"),
            look=Look("percentunit", ((0, "green"), (0.06, "orange"), (0.144, "red"))),
            size=HALF,
            limits=True,
        ),
        lines(
            "Clock skew",
            "How far the exchange's clock and ours are apart. Beyond 30 s nothing that depends on "
            "time is done: mend the time service (NTP) of the machine.",
            Ask(f"abs({level('exchange_clock_skew_seconds')})", "{{exchange}}"),
            look=Look("s", ((0, "green"), (30, "red"))),
            size=HALF,
            limits=True,
        ),
        lines(
            "Calls",
            "Calls per second by exchange. A sudden rise without a rotation is a loop: look at "
            "the log lines of that exchange.",
            Ask(_ALL, "{{exchange}}"),
            look=Look("reqps"),
            size=THIRD,
        ),
        lines(
            "Outcomes",
            "Calls per second by what came of them. `invalid_key` for many keys at once: a mass "
            "invalidation or a wrong address; `rate_limited` or `banned`: lower our share.",
            Ask(rate(_REQUESTS, by="outcome"), "{{outcome}}"),
            look=Look("reqps"),
            size=THIRD,
            stacked=True,
            colors=_OUTCOMES,
        ),
        lines(
            "Time to answer",
            "Within this time 95 of 100 calls were answered. Above 10 s calls end unanswered.",
            Ask(slowest("exchange_request_duration_seconds", "exchange"), "{{exchange}}"),
            look=Look("s", ((0, "green"), (5, "orange"), (10, "red"))),
            size=THIRD,
        ),
        lines(
            "Budget used",
            "How much of our share of the exchange's rate limit is used. At 100 % calls wait: "
            "looks come later than planned; give Rotator more in `exchanges.X.share`, or look "
            "less often.",
            Ask(level("exchange_budget_used_ratio"), "{{exchange}}"),
            look=Look("percentunit", ((0, "green"), (0.8, "orange"), (0.99, "red"))),
            size=Size(24, 6),
            limits=True,
        ),
        table(
            "Calls by operation",
            "What was asked in the chosen time, and what came of it; the most frequent first.",
            Ask(
                f"sum by (exchange, operation, outcome) (increase({series(_REQUESTS)}[$__range]))"
                " > 0"
            ),
            (
                Column("exchange"),
                Column("operation"),
                Column("outcome"),
                Column("Value", "calls", Look(decimals=0)),
            ),
            size=HALF,
            sort="calls",
            descending=True,
            none="no call, or nothing known: see Exchange up",
        ),
        bars(
            "Credentials by validity",
            "What the last looks came to, by exchange. Many that are not valid at one exchange "
            "have one cause: the exchange, our address, or a rotation by hand.",
            Ask(
                f"{total('credentials', by='exchange, validity')} > 0",
                "{{exchange}}: {{validity}}",
            ),
            look=Look(none="none, or nothing known: see Exchange up"),
            size=HALF,
        ),
        findings(
            "What stands in the way",
            "Findings that come from an exchange or from the way to it.",
            _MATCHER,
            size=Size(24, 7),
        ),
    ),
)
