"""What is wrong with a configuration: one field, one sentence, one cure.

A value never appears in a problem, because it may be a secret that somebody put
in the wrong place; names of keys do, escaped and cut.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

NAME_LENGTH = 60


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """The first thing that is wrong, and how many more there are.

    `field` is a dotted path (`policies.desk.max_age`), or the file's name when the
    file as a whole cannot be read.
    """

    field: str
    what: str
    cure: str
    more: int = 0

    def __str__(self) -> str:
        """Return the problem as one line."""
        more = f" ({self.more} more problem{'s' if self.more > 1 else ''})" if self.more else ""
        return f"{self.field}: {self.what}. {self.cure}{more}"


class Unreadable(Exception):
    """Carries a `ConfigProblem` inside this package; never leaves it."""

    def __init__(self, problem: ConfigProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def named(text: str) -> str:
    """Return a name fit to be shown: escaped and cut."""
    safe = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode("ascii")
        for c in text[:NAME_LENGTH]
    )
    return safe if len(text) <= NAME_LENGTH else safe + "…"


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return "Did you mean X?", or the known words when none is near."""
    words = sorted(known)
    near = difflib.get_close_matches(word[:NAME_LENGTH], words, n=1)
    if near:
        return f"Did you mean `{near[0]}`?"
    if not words:
        return "Remove it."
    return f"Known here: {', '.join(words)}."
