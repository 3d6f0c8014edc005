"""When the alerts about the daemon and its store fire."""

from __future__ import annotations

from tests.deploy.alerts.case import Case, Fired, finding, findings, held, key, requests, series

ABSENT = Fired(
    "Prometheus has reached no Rotator for 10 minutes. Keys are neither watched nor rotated,"
    " and no other alert about them can fire."
)


def stalled(span: str) -> Fired:
    """Return what is said when no pass has succeeded for so long."""
    return Fired(
        f"No pass over the keys has succeeded for {span} or longer; three should have. What the"
        " metrics say of the keys is that old."
    )


UP = {series("up"): held((1, 120))}

CASES = (
    # It is killed: the target stays, and does not answer.
    Case(
        "RotatorDown",
        {series("up"): held((1, 10), (0, 20), (1, 10))},
        quiet=19,
        fires={20: (ABSENT,), 29: (ABSENT,)},
        resolved=30,
    ),
    # Its target is gone: the last sample counts for five minutes more.
    Case(
        "RotatorDown",
        {series("up"): held((1, 10), ("_", 30), (1, 10))},
        quiet=23,
        fires={25: (ABSENT,)},
        resolved=41,
    ),
    # One of two is enough.
    Case(
        "RotatorPassStalled",
        {
            **UP,
            series("pass_last_success_timestamp_seconds"): "0+60x20 1200x30 3120+60x10",
            series("pass_last_success_timestamp_seconds", "b:9789"): "0+60x10 600x60",
        },
        quiet=45,
        fires={46: (stalled("26m 0s"),)},
        resolved=52,
    ),
    # It never had one, and then it has.
    Case(
        "RotatorPassStalled",
        {**UP, series("pass_last_success_timestamp_seconds"): "_x30 1800+60x60"},
        quiet=9,
        fires={10: (stalled("1h 0m 0s"),), 29: (stalled("1h 0m 0s"),)},
        resolved=31,
    ),
    # A crash loop: it comes up again and again, and never gets so far.
    Case(
        "RotatorPassStalled",
        {
            series("up"): " ".join(["1 1 1 0 0"] * 30),
            series("pass_last_success_timestamp_seconds"): "0+60x10 _x100 6660+60x20",
        },
        quiet=35,
        fires={36: (stalled("26m 0s"),), 100: (stalled("1h 0m 0s"),)},
        resolved=115,
    ),
    # One exchange that answers is enough, but accounts are listed without any look at a key.
    Case(
        "RotatorNothingInspected",
        {
            requests("ok"): "0+5x19 100x61 100+5x10",
            requests("ok", "binance"): "0+5x39 200x51",
            requests("ip_blocked", "binance"): "0+5x90",
            requests("ok", operation="list"): "0+5x90",
        },
        quiet=580,
        fires={
            590: (
                Fired(
                    "In three hours no exchange has told Rotator anything of any key, though it did"
                    " before. What the metrics say of the keys is that old."
                ),
            )
        },
        resolved=830,
        step=10,
    ),
    Case(
        "RotatorNoLeader",
        {
            series("up"): held((1, 60)),
            series("up", "b:9789"): held((1, 60)),
            series("leader"): held((1, 10), (0, 20), (1, 10)),
            series("leader", "b:9789"): held((0, 60)),
        },
        quiet=14,
        fires={
            15: (
                Fired(
                    "2 process(es) of Rotator answer and none leads: all wait for the lease, or"
                    " for the store. Nothing is watched or rotated."
                ),
            )
        },
        resolved=30,
    ),
    Case(
        "RotatorSeveralLeaders",
        {
            series("leader"): held((1, 60)),
            series("leader", "b:9789"): held((0, 10), (1, 20), (0, 20)),
        },
        quiet=14,
        fires={
            15: (
                Fired(
                    "2 processes lead at once. The store's compare-and-set keeps them from"
                    " rotating a key twice, but they share no rate limit and double every look."
                ),
            )
        },
        resolved=30,
    ),
    Case(
        "RotatorAuditFailing",
        {series("audit_write_failures_total"): held((0, 20), (3, 40))},
        quiet=19,
        fires={
            22: (
                Fired(
                    "About 3 audit lines could not be written in 15 minutes. Rotations go on;"
                    " their steps are still in history/ and in the logs."
                ),
            )
        },
        resolved=35,
    ),
    Case(
        "RotatorInventoryIncomplete",
        {
            series("passes_total", result="complete"): "0+1x20 20x80 21+1x20",
            series("passes_total", result="incomplete"): "0x20 0+1x80 80x20",
        },
        quiet=79,
        fires={
            80: (
                Fired(
                    "Every pass of the last half hour left out a folder or secret that could not"
                    " be read. Keys there are not watched, and no old key is deleted anywhere"
                    " until it can be."
                ),
            )
        },
        resolved=102,
    ),
    Case(
        "RotatorConfigReloadFailed",
        {
            series("config_last_reload_successful"): held((1, 10), (0, 20), (1, 10)),
            series("config_last_reload_successful", "b:9789"): held((1, 40)),
        },
        quiet=19,
        fires={
            20: (
                Fired(
                    "a:9789 could not use the changed configuration and goes on with the one"
                    " before; at its next start it will not come up.",
                    {"instance": "a:9789"},
                ),
            )
        },
        resolved=30,
    ),
    # Sealed is another page than down.
    Case(
        "RotatorStoreDown",
        {
            series("store_up"): held((1, 10), (0, 20), (1, 5), (0, 20)),
            series("store_sealed"): held((0, 35), (1, 20)),
        },
        quiet=14,
        fires={
            15: (
                Fired(
                    "Rotator has had no working login at its store for 5 minutes. Consumers may"
                    " be cut off as well. Rotations wait at a safe place."
                ),
            )
        },
        resolved=45,
    ),
    Case(
        "RotatorStoreSealed",
        {series("store_sealed"): held((0, 10), (1, 20), (0, 10))},
        quiet=14,
        fires={
            15: (
                Fired(
                    "Vault says that it is sealed: nobody can read a key from it. Rotations wait"
                    " at a safe place."
                ),
            )
        },
        resolved=30,
    ),
    Case(
        "RotatorStoreTokenExpiring",
        {series("store_token_expiration_timestamp_seconds"): held((3600, 60), (7200, 20))},
        quiet=56,
        fires={
            57: (
                Fired(
                    "Rotator's Vault token ends in 3m 0s and neither renewal nor a new login has"
                    " worked."
                ),
            )
        },
        resolved=60,
    ),
    Case(
        "RotatorStoreRestored",
        {
            findings("StoreRestored", exchange=""): held((0, 10), (1, 20), (0, 10)),
            finding("StoreRestored", **(key("", "x", "", "") | {"credential": "secret/rotator"})): (
                held(("_", 10), (1, 20))
            ),
        },
        quiet=10,
        fires={
            11: (
                Fired(
                    "The store is older than what Rotator saw of it. It may hold dead keys."
                    " Nothing is rotated or deleted until a person says `rotator resume`.",
                    {"code": "StoreRestored"},
                ),
            )
        },
        resolved=30,
    ),
)
