"""How the daemon's process is tuned."""

from __future__ import annotations

import platform
import subprocess
import sys

TUNED = """
import gc, sys
from rotator.wiring import tuning
tuning.tune()
print(sys.getswitchinterval(), gc.get_threshold(), tuning.limit_arenas())
"""


def test_the_process_is_tuned_and_only_the_c_library_may_refuse() -> None:
    """Threads and the collector are set everywhere, malloc's pools where there is glibc."""
    glibc = platform.libc_ver()[0] == "glibc"
    told = subprocess.run(
        [sys.executable, "-c", TUNED], check=True, capture_output=True, text=True, timeout=60
    )
    assert told.stdout.split("\n")[0] == f"0.0005 (5000, 20, 20) {glibc}"
