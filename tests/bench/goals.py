"""What is measured, and what each number has to reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that a number must not cross; `least` says on which side it is good."""

    bound: float
    least: bool = False

    def met(self, value: float) -> bool:
        """Say whether a value is good enough."""
        return value >= self.bound if self.least else value <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.least else '<='} {self.bound:g}"


GOALS: Final[Mapping[str, Goal]] = {
    "inventory_ratio": Goal(0.8, least=True),
    "store_requests_per_rotation": Goal(22),
    "exchange_requests_per_rotation": Goal(12),
    "rotation_ratio": Goal(0.6, least=True),
    "scrape_cpu_ms": Goal(50),
    "loop_block_p99_ms": Goal(20),
    "rss_mib": Goal(150),
    "idle_cpu_percent": Goal(1),
    "failover_s": Goal(2),
    "handover_s": Goal(1),
    "growth_exponent": Goal(1.05),
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured; the quick sizes only show that everything runs."""

    credentials: int
    rounds: int
    parents: int
    subs_per_parent: int
    rotation_rounds: int
    scrapes: int
    idle_seconds: float
    growth: tuple[int, ...]


FULL: Final = Sizes(10_000, 3, 16, 4, 3, 40, 60.0, (100, 1_000, 10_000, 100_000))
QUICK: Final = Sizes(60, 1, 2, 2, 1, 3, 2.0, (50, 100, 200))
