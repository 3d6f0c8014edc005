"""The command line.  Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Obey one command line and return its exit code; the entry point of `rotator`."""
    try:
        from rotator.cli.app import run

        code = run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        code = 130
    if code == 130:
        _leave(code)
    return code


def _leave(code: int) -> None:
    """End at once: a store's threads may still wait for an answer that nobody wants."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(code)
