"""The program with a wrong clock: `python skewed.py SECONDS run ...`.

Only the wall clock is wrong, as on a machine whose time service failed; the
monotonic one goes on.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from rotator.cli.app import run
from rotator.engine import clock

OFF_BY = timedelta(seconds=float(sys.argv[1]))


class WrongClock(clock.SystemClock):
    """A machine whose wall clock is off."""

    def now(self) -> datetime:
        """Return the wall time, off."""
        return datetime.now(UTC) + OFF_BY


if __name__ == "__main__":
    setattr(clock, "SystemClock", WrongClock)  # noqa: B010
    sys.exit(run(sys.argv[2:]))
