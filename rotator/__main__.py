"""`python -m rotator`: the same as the command `rotator`."""

from __future__ import annotations

import sys

from rotator.cli import main

if __name__ == "__main__":
    sys.exit(main())
