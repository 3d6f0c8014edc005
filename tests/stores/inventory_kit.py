"""An inventory under test: its store watched, its clock told, its breaths counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rotator.core.credentials import Rule, RuleBook
from rotator.core.facts import Credential
from rotator.core.names import StorePath
from rotator.stores.fingerprints import Fingerprints
from rotator.stores.held import Entry
from rotator.stores.inventory import Inventory, InventoryResult
from tests.stores.kit import KEY, STATE, FakeClock, Watched

MARKS = Fingerprints(KEY)
ROOT = StorePath("secret/trading/")


@dataclass
class Bench:
    """An inventory over a watched store, with a clock and a count of breaths."""

    watched: Watched
    rules: Sequence[Rule] = ()
    paths: Sequence[str] = (ROOT,)
    clock: FakeClock = field(default_factory=FakeClock)
    needs_age: Callable[[Credential], bool] = lambda _credential: True
    breaths: int = 0

    def __post_init__(self) -> None:
        self.inventory = Inventory(
            self.watched.kv,
            [StorePath(path) for path in self.paths],
            STATE,
            RuleBook(self.rules),
            MARKS,
            clock=self.clock,
            breathe=self.breathe,
            needs_age=self.needs_age,
        )

    async def breathe(self) -> None:
        self.breaths += 1

    async def take(self) -> InventoryResult:
        self.watched.asked.clear()
        return await self.inventory.take()

    async def one(self) -> Entry:
        (entry,) = (await self.take()).entries
        return entry


def pair(key: str) -> dict[str, str]:
    """Return a secret's usual fields."""
    return {"api_key": key, "api_secret": f"canary-secret-of-{key}"}
