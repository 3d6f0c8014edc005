"""How the daemon's process treats threads, garbage and memory.

A pass reads thousands of secrets on threads beside the event loop.  Left alone, a
thread keeps the interpreter for 5 ms, the collector walks the whole estate now and
then, and glibc gives every thread a pool of memory of its own, which it keeps: with
10,000 credentials a tenth of the resident memory, for nothing, as threads take turns
under the interpreter's lock anyway.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Final

SWITCH_INTERVAL: Final = 0.0005
"""Seconds after which a thread lets the event loop have its turn."""

COLLECTOR: Final = (5_000, 20, 20)
"""Thresholds of the garbage collector."""

ARENAS: Final = 1
M_ARENA_MAX: Final = -8
"""The number of the option in glibc's malloc.h, see mallopt(3)."""


def tune() -> None:
    """Set all three for this process, for good; the last where the C library knows it."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.set_threshold(*COLLECTOR)
    limit_arenas()


def limit_arenas() -> bool:
    """Let all threads share the pools of memory; return whether the C library did so."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(M_ARENA_MAX, ARENAS) == 1
