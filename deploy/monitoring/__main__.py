"""`python -m deploy.monitoring [alerts|dashboards|all]`: write the generated files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module, util
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("alerts", "dashboards")


def main(arguments: list[str]) -> int:
    """Write what is asked for below the project's root and name the files; 0 if all went well."""
    parser = argparse.ArgumentParser(prog="python -m deploy.monitoring", description=__doc__)
    parser.add_argument("what", nargs="?", default="all", choices=[*PARTS, "all"])
    wanted = parser.parse_args(arguments).what
    for part in PARTS if wanted == "all" else (wanted,):
        for file in _writer(part)(ROOT):
            sys.stdout.write(f"{file.relative_to(ROOT)}\n")
    return 0


def _writer(part: str) -> Callable[[Path], list[Path]]:
    """Return `write(root)` of a part, which returns the files written."""
    name = f"deploy.monitoring.{part}"
    if util.find_spec(name) is None:
        return lambda _root: []
    write: Callable[[Path], list[Path]] = import_module(name).write
    return write


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
