"""Every state of the real machine, walked; no invariant may break in any of them."""

from __future__ import annotations

from functools import cache

import pytest

from rotator.core.record import Revoke
from tests.told import Tell

from .explore import Walked, unanswerable, unending, walk
from .mutants import MUTANTS, Mutant
from .world import Rules, Setup

pytestmark = [pytest.mark.model, pytest.mark.timeout(900)]

SETUPS = [
    Setup(drivers=1, events=4, operator=1),
    Setup(drivers=2, events=2),
    Setup(drivers=2, events=1, operator=1),
    Setup(drivers=3, events=1),
    Setup(drivers=1, events=0, operator=3),
    Setup(drivers=1, events=1, operator=3, revoke=Revoke.MANUAL),
    Setup(drivers=1, events=2, operator=1, lists_keys=False),
    Setup(drivers=1, events=3, rotations=2),
    Setup(drivers=1, events=1, operator=1, rotations=2),
    Setup(drivers=2, events=1, rotations=2),
    Setup(drivers=1, events=0, operator=3, makes_again=True),
    Setup(drivers=1, events=1, operator=2, makes_again=True),
]


@cache
def real(setup: Setup) -> Walked:
    """Walk a set-up with the real machine, once."""
    found = walk(setup)
    found.visited = ()
    return found


@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_no_interleaving_breaks_the_machine(setup: Setup, tell: Tell) -> None:
    """No crash, lost answer, late effect, sleep, dead key or person breaks an invariant."""
    found = real(setup)
    tell(f"{found.states:>9,} states  {setup}")
    assert found.violation is None, "\n".join(found.trace)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_each_rule_is_needed(mutant: Mutant, tell: Tell) -> None:
    """The machine without this rule breaks an invariant, in a set-up where the real one holds."""
    found = walk(mutant.setup, mutant.rules)
    assert found.violation is not None, f"«{mutant}» survives {found.states} states"
    tell(f"{len(found.trace):>9} moves  {mutant}: {found.violation}")
    assert real(mutant.setup).violation is None


def test_every_rule_has_its_mutant() -> None:
    """No mutant of the rules is left out, and each changes exactly one rule."""
    changed = [[f for f in Rules.__slots__ if getattr(m.rules, f)] for m in MUTANTS]
    assert sorted(changed) == sorted([f] for f in Rules.__slots__)


@pytest.mark.parametrize(
    "setup",
    [
        Setup(drivers=1, events=2, operator=1),
        Setup(drivers=1, events=1, operator=2, revoke=Revoke.MANUAL),
        Setup(drivers=2, events=1),
    ],
    ids=str,
)
def test_every_run_comes_to_rest(setup: Setup, tell: Tell) -> None:
    """From every state a run without further faults closes, or asks or waits for a person."""
    stuck = unending(setup)
    tell(f"{len(stuck):>9} states without an end  {setup}")
    assert not stuck


ASKING = [
    Setup(drivers=1, events=1, operator=1),
    Setup(drivers=1, events=1, operator=2, makes_again=True),
]


@pytest.mark.parametrize("setup", ASKING, ids=str)
def test_every_question_offers_an_answer_that_works(setup: Setup) -> None:
    """While the path serves a living key, an answer that the question names leads on."""
    assert not unanswerable(setup)
