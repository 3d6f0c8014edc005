"""One thing that `doctor` asked, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so; `cure` says what to do where it is not."""

    name: str
    ok: bool
    message: str
    cure: str | None = None

    def document(self) -> dict[str, Any]:
        """Return the public form."""
        return {"name": self.name, "ok": self.ok, "message": self.message, "cure": self.cure}


def good(name: str, message: str, cure: str | None = None) -> Check:
    """Return a check that is met."""
    return Check(name, True, message, cure)


def bad(name: str, message: str, cure: str) -> Check:
    """Return a check that is not met."""
    return Check(name, False, message, cure)
