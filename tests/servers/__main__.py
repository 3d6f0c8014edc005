"""`python -m tests.servers`: find or build every server and print the paths."""

from __future__ import annotations

import subprocess
import sys

from tests.servers.build import PACKAGES, SERVERS, ServerMissing, packaged


def main() -> int:
    """Print each server's path; 1, with a sentence for each that is missing."""
    missing = 0
    for name, find in [
        *((f"{each.name} {each.version}", each.ensured) for each in SERVERS),
        *((name, lambda name=name: packaged(name)) for name in PACKAGES),
    ]:
        try:
            print(f"{name}: {find()}")
        except (ServerMissing, subprocess.CalledProcessError, OSError) as fault:
            print(fault, file=sys.stderr)
            missing += 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
