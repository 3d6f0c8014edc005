"""What a check returns before it becomes a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rotator.core.checks.inputs import Case


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence with the facts in it, and one that says what to do."""

    message: str
    cure: str


Check = Callable[[Case], Iterator[Said]]
"""A pure function that yields nothing where all is well."""
