"""Checks: pure functions that judge one credential, and the findings of a pass as a whole."""

from __future__ import annotations

from rotator.core.checks.chain import CHECKS, Judgement, findings_of, judge
from rotator.core.checks.estate import (
    Holding,
    Watched,
    estate_findings,
    mass_invalidation,
    same_keys,
)
from rotator.core.checks.inputs import (
    Case,
    CheckInput,
    Context,
    Incident,
    ListedKey,
    OpenRotation,
    Slots,
    Standing,
)

__all__ = [
    "CHECKS",
    "Case",
    "CheckInput",
    "Context",
    "Holding",
    "Incident",
    "Judgement",
    "ListedKey",
    "OpenRotation",
    "Slots",
    "Standing",
    "Watched",
    "estate_findings",
    "findings_of",
    "judge",
    "mass_invalidation",
    "same_keys",
]
