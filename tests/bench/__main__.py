"""`python -m tests.bench [--only NAME] [--quick]`: measure, print a table, write build/bench.json.

Exits 1 if a number misses its goal.  The quick sizes are too small to say anything:
they show that everything runs, and exit 0.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench import daemon, growth, large, leading, rotation
from tests.bench.estate import Place, large as large_estate, plant
from tests.bench.goals import FULL, GOALS, QUICK, Sizes
from tests.bench.servers import ROOT, Filler, Sandbox, sandbox_process, vault_process
from tests.servers.vault_server import VaultServer

FILE: Final = ROOT / "build" / "bench.json"
Numbers = dict[str, float]


@dataclass(slots=True)
class Bench:
    """One run: the servers, filled as far as the wanted numbers need it."""

    vault: VaultServer
    sandbox: Sandbox
    filler: Filler
    folder: Path
    sizes: Sizes
    _large: Place | None = None

    def rotation_counts(self) -> Numbers:
        """Count the requests of one rotation."""
        return asyncio.run(rotation.count(self._place("count"), self.filler))

    def rotation_ratio(self) -> Numbers:
        """Compare rotations with a bare loop of their requests."""
        places = [self._place(f"round{n}") for n in range(self.sizes.rotation_rounds)]
        return asyncio.run(rotation.ratio(places, self.filler, self.sizes))

    def large_pass(self) -> Numbers:
        """Measure a pass over many credentials."""
        return asyncio.run(large.measure(self._large_place().config(), self.sizes.rounds))

    def process(self) -> Numbers:
        """Measure the daemon as a process."""
        return daemon.measure(
            self._large_place(), self.filler, self.sizes.scrapes, self.sizes.idle_seconds
        )

    def growth(self) -> Numbers:
        """Measure how the time of a pass grows."""
        return growth.measure(self.sizes.growth, self.sizes.rounds)

    def leading(self) -> Numbers:
        """Measure how soon another daemon leads."""
        place, quick = self._place("leading"), self.sizes is QUICK
        return leading.measure(place, self.filler, rounds=self.sizes.rounds, quick=quick)

    def _place(self, mount: str) -> Place:
        return Place.make(self.vault, self.sandbox, mount, self.folder)

    def _large_place(self) -> Place:
        if self._large is None:
            self._large = self._place("large")
            plant(self.filler, self._large.mount, large_estate(self.sizes.credentials))
        return self._large


Part = Callable[[Bench], Numbers]

PARTS: Final[tuple[tuple[Part, tuple[str, ...]], ...]] = (
    (Bench.growth, ("growth_exponent",)),
    (
        Bench.rotation_counts,
        ("store_requests_per_rotation", "exchange_requests_per_rotation"),
    ),
    (Bench.rotation_ratio, ("rotation_ratio",)),
    (Bench.large_pass, ("inventory_ratio", "loop_block_p99_ms")),
    (Bench.process, ("scrape_cpu_ms", "rss_mib", "idle_cpu_percent")),
    (Bench.leading, ("failover_s", "handover_s")),
)


@contextmanager
def _bench(sizes: Sizes) -> Iterator[Bench]:
    with (
        tempfile.TemporaryDirectory(prefix="rotator-bench-") as folder,
        vault_process() as vault,
        sandbox_process() as sandbox,
    ):
        filler = Filler(vault, sandbox)
        try:
            yield Bench(vault, sandbox, filler, Path(folder), sizes)
        finally:
            filler.close()


def measure(sizes: Sizes, only: str | None) -> Numbers:
    """Return every number, or the one wanted with those that are measured along with it."""
    found: Numbers = {}
    with _bench(sizes) as bench:
        for part, names in PARTS:
            if only is not None and only not in names:
                continue
            began = time.monotonic()
            found |= part(bench)
            gc.collect()
            told = ", ".join(names)
            print(f"{told}: took {time.monotonic() - began:.0f} s", file=sys.stderr)
    return found


def table(numbers: Mapping[str, float]) -> str:
    """Return the numbers as lines; those without a goal explain others."""
    lines = [f"{'name':<32}{'value':>10}  {'goal':<9}ok"]
    for name, value in numbers.items():
        goal = GOALS.get(name)
        met = "" if goal is None else "yes" if goal.met(value) else "NO"
        lines.append(f"{name:<32}{value:>10.3f}  {goal or ''!s:<9}{met}".rstrip())
    return "\n".join(lines)


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=sorted(GOALS), metavar="NAME", help="one number")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--to", type=Path, default=FILE, metavar="FILE", help="where JSON goes")
    asked = parser.parse_args()
    numbers = measure(QUICK if asked.quick else FULL, asked.only)
    asked.to.parent.mkdir(exist_ok=True)
    asked.to.write_text(json.dumps({n: round(v, 4) for n, v in numbers.items()}, indent=2) + "\n")
    print(table(numbers))
    missed = [
        name for name, goal in GOALS.items() if name in numbers and not goal.met(numbers[name])
    ]
    return 1 if missed and not asked.quick else 0


if __name__ == "__main__":
    sys.exit(main())
