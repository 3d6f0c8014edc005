"""`python -m tests.servers`: find or build the Vault server and print its path."""

from __future__ import annotations

import subprocess
import sys

from tests.servers.build import ServerMissing, ensured


def main() -> int:
    """Print the server's path; 1 with one sentence if there is none."""
    try:
        print(ensured())
    except (ServerMissing, subprocess.CalledProcessError, OSError) as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
