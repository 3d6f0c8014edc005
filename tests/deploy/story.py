"""What happens to the fleet while it is watched: every state that a dashboard shows."""

from __future__ import annotations

import time

from tests.deploy.fleet import DONE, WAITS, Fleet


def begin(there: Fleet) -> None:
    """Start the daemon; one answer to a create is lost, some looks fail."""
    there.fault("bybit", "create", "lost_answer", 1)
    there.fault("binance", "inspect", "maintenance", 3)
    there.start()


def go_on(there: Fleet) -> None:
    """Let rotations end, wait, be asked about and be refused; let an exchange ban us."""
    there.reaches("DRAINING", "basis")
    there.roll_back_by_hand("basis")
    there.reaches("DONE", *DONE)
    there.reaches("DRAINING", *WAITS)
    there.fault("bybit", "delete", "maintenance", None)
    there.reaches("QUARANTINED", "basis")
    there.reaches("REVOKING", "pairs")
    there.fault("binance", "inspect", "banned", 1)


def watch(seconds: float) -> None:
    """Let time pass."""
    time.sleep(seconds)
