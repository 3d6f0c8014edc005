"""What whoever drives learns when the right to drive is gone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lost:
    """The right to drive is gone; `seconds` are left until somebody else may have it."""

    why: str
    seconds: float
