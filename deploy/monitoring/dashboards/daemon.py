"""The daemon itself: whether it works, and whether its store, audit and configuration do."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.dashboards.ask import Ask, level, rate, series, slowest
from deploy.monitoring.dashboards.board import JOB, Board, Choice
from deploy.monitoring.dashboards.parts import (
    BELOW_ALL,
    GOOD_AT_ZERO,
    HALF,
    THIRD,
    YES_OR_NO,
    Column,
    Look,
    Size,
    lines,
    stat,
    table,
)
from deploy.monitoring.dashboards.shared import last_pass

_INSTANCE: Final = Choice(
    "instance", 'rotator_build_info{job=~"$job"}', "Narrows what each replica tells of itself."
)
HERE: Final = 'instance=~"$instance"'
_UP: Final[tuple[tuple[float, str], ...]] = YES_OR_NO

BOARD: Final = Board(
    "rotator-daemon",
    "Whether the daemon looks, and whether its store, its audit trail and its configuration work.",
    (JOB, _INSTANCE),
    (
        stat(
            "Leader",
            "How many processes lead. 0: nobody rotates or renews; see the logs of every replica "
            "for the lease. 2 or more: two leases are in use; only the journal keeps them apart.",
            Ask(f"sum({series('leader')})"),
            look=Look(steps=((0, "red"), (1, "green"), (2, "red")), decimals=0),
        ),
        last_pass(),
        stat(
            "Store",
            "Whether the store answers and our login works. Down: `rotator doctor` says whether "
            "it is the network, the seal, the login or the policy.",
            Ask(f"min({series('store_up', HERE)})"),
            look=Look(steps=_UP, words={"1": ("up", "green"), "0": ("down", "red")}),
        ),
        stat(
            "Seal",
            "Whether Vault is sealed. Sealed: unseal it; rotations go on where they stood. A "
            "local store has no seal and shows nothing here.",
            Ask(f"max({series('store_sealed', HERE)})"),
            look=Look(
                steps=((0, "green"), (1, "red")),
                words={"0": ("unsealed", "green"), "1": ("sealed", "red")},
                none="no seal, or unknown",
            ),
        ),
        stat(
            "Token life",
            "How long our login at the store still holds. It is renewed well before its end; "
            "under ten minutes it is not: look at the login's own limit and its policy.",
            Ask(f"min({series('store_token_expiration_timestamp_seconds', HERE)}) - time()"),
            look=Look(
                "s",
                ((BELOW_ALL, "red"), (600, "orange"), (1200, "green")),
                none="endless, or unknown",
            ),
        ),
        stat(
            "Configuration",
            "Whether the last reading of the configuration succeeded. Failed: the daemon works "
            "on with the one before; `rotator config check` names the mistake.",
            Ask(f"min({series('config_last_reload_successful', HERE)})"),
            look=Look(steps=_UP, words={"1": ("read", "green"), "0": ("refused", "red")}),
        ),
        stat(
            "Audit",
            "Audit lines that could not be written in the chosen time. Above 0: the disk is full "
            "or the folder may not be written; mend it, then `rotator audit verify`.",
            Ask(f"sum(increase({series('audit_write_failures_total', HERE)}[$__range]))"),
            look=Look(steps=GOOD_AT_ZERO, decimals=0),
            size=Size(4, 5),
        ),
        stat(
            "Events without a row",
            "Events that the rotation machine had no row for, since the process started; each "
            "quarantined its rotation. Above 0: report it, with `rotator audit export`.",
            Ask(
                f"sum({series('rotation_unexpected_events_total', HERE)}) "
                f"or 0 * count({series('leader', HERE)})"
            ),
            look=Look(steps=GOOD_AT_ZERO, decimals=0),
            size=Size(4, 5),
        ),
        stat(
            "Configuration read",
            "How long ago the configuration was last read with success. After a change that "
            "should have been read: send SIGHUP, or POST /-/reload.",
            Ask(f"time() - max({series('config_last_reload_success_timestamp_seconds', HERE)})"),
            look=Look("s", decimals=0),
            size=Size(4, 5),
        ),
        table(
            "Build",
            "What is running. Different versions at once are normal only during a rollout.",
            Ask(f"max by (instance, version, pythonversion) ({series('build_info', HERE)})"),
            (Column("instance"), Column("version"), Column("pythonversion", "python")),
            size=Size(12, 5),
            none="unknown: no process answers",
        ),
        lines(
            "Passes",
            "Passes by result. No `complete` for 15 minutes pages: the daemon looks no longer; "
            "its log line of the last pass says why.",
            Ask(
                f"sum by (result) (increase({series('passes_total', HERE)}[$__rate_interval]))",
                "{{result}}",
            ),
            look=Look(),
            size=THIRD,
            colors={"complete": "green", "incomplete": "orange", "failed": "red"},
        ),
        lines(
            "Time of a pass",
            "Within this time 95 of 100 passes ended. Longer than `every.inventory`: look less "
            "often, or find the slow store or exchange.",
            Ask(
                "histogram_quantile(0.95, sum by (le) (rate("
                f"{series('pass_duration_seconds', HERE, suffix='_bucket')}[$__rate_interval])))",
                "all passes",
            ),
            look=Look("s", ((0, "green"), (300, "red"))),
            size=THIRD,
        ),
        lines(
            "Audit entries",
            "Number of the last audit entry. It must never fall: if it does, the trail was "
            "replaced; `rotator audit verify` names the first broken line.",
            Ask(level("audit_sequence", HERE), "entries"),
            look=Look(decimals=0),
            size=THIRD,
        ),
        lines(
            "Store calls",
            "Calls to the store by what came of them. 403: a policy is too narrow; 429 or 5xx: "
            "the store is overloaded, sealed or down.",
            Ask(rate("store_requests_total", HERE, by="code"), "{{code}}"),
            look=Look("reqps"),
            size=HALF,
        ),
        lines(
            "Time of the store",
            "Within this time 95 of 100 calls to the store were answered.",
            Ask(slowest("store_request_duration_seconds", "operation", HERE), "{{operation}}"),
            look=Look("s", ((0, "green"), (1, "orange"), (5, "red"))),
            size=HALF,
        ),
    ),
)
