"""When the alerts about exchanges fire."""

from __future__ import annotations

from tests.deploy.alerts.case import Case, Fired, held, requests, series

LEADER = {
    series("leader"): held((1, 600)),
    series("leader", "b:9789"): held((0, 600)),
}


def at_bybit(text: str) -> Fired:
    """Return what is said of Bybit."""
    return Fired(text, {"exchange": "bybit"})


SLOW_DOWN = (
    "bybit refused about {} calls in an hour because the rate limit is used up. Rotator and the"
    " bots of the same address share it."
)

CASES = (
    # A former leader remembers that the exchange once answered it.
    Case(
        "RotatorExchangeDown",
        {
            **LEADER,
            series("exchange_up", exchange="bybit"): held((1, 10), (0, 30), (1, 10)),
            series("exchange_up", "b:9789", exchange="bybit"): held((1, 60)),
            series("exchange_up", exchange="binance"): held((1, 60)),
        },
        quiet=24,
        fires={
            25: (
                at_bybit(
                    "bybit has answered none of Rotator's calls for 15 minutes. Its keys are"
                    " judged by what was known before."
                ),
            )
        },
        resolved=40,
    ),
    # The first stop, of half a minute, pages nobody.
    Case(
        "RotatorExchangeBanned",
        {
            **LEADER,
            series("exchange_banned_until_timestamp_seconds", exchange="bybit"): (
                held(("_", 5), (330, 1), ("_", 4), (1200, 30))
            ),
        },
        quiet=10,
        fires={
            11: (
                at_bybit(
                    "bybit refuses everything from our address for another 9m 0s. Trading from the"
                    " same address may be hit too."
                ),
            )
        },
        resolved=20,
    ),
    Case(
        "RotatorExchangeErrorsFast",
        {
            requests("ok"): "0+8x600",
            requests("maintenance"): "0x60 0+2x120 240x100",
            requests("ok", "binance"): "0+99x600",
            requests("maintenance", "binance"): "0+1x600",
        },
        quiet=103,
        fires={
            104: (
                at_bybit("15.19% of the calls to bybit failed in the last hour, and it goes on."),
            ),
            130: (at_bybit("20% of the calls to bybit failed in the last hour, and it goes on."),),
        },
        resolved=183,
    ),
    Case(
        "RotatorExchangeErrorsSlow",
        {
            requests("ok"): "0+90x600",
            requests("unknown_outcome"): "0+10x500 5000x100",
            requests("ok", "binance"): "0+99x600",
            requests("other", "binance"): "0+1x600",
        },
        quiet=15,
        fires={
            16: (
                at_bybit("10% of the calls to bybit failed in the last six hours, and it goes on."),
            ),
            400: (
                at_bybit("10% of the calls to bybit failed in the last six hours, and it goes on."),
            ),
        },
        resolved=513,
    ),
    Case(
        "RotatorExchangeRateLimited",
        {
            requests("rate_limited"): "0x30 0+1x59 60x100",
            requests("ok", "binance"): "0+9x200",
            requests("rate_limited", "binance"): "0x100 2x100",
        },
        quiet=51,
        fires={
            52: (at_bybit(SLOW_DOWN.format(21)),),
            89: (at_bybit(SLOW_DOWN.format(58)),),
        },
        resolved=146,
    ),
    # Either clock may be the late one.
    Case(
        "RotatorClockSkew",
        {
            **LEADER,
            series("exchange_clock_skew_seconds", exchange="bybit"): (
                held((1, 10), (-40, 20), (2, 10))
            ),
            series("exchange_clock_skew_seconds", exchange="binance"): held((4, 40)),
        },
        quiet=19,
        fires={
            20: (
                at_bybit(
                    "The clock of bybit and ours differ by 40s. From 5 seconds on signatures are"
                    " refused, from 30 on rotations wait."
                ),
            )
        },
        resolved=30,
    ),
)
