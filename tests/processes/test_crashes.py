"""The daemon is killed, or falls asleep, at each request that changes anything."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.processes.conftest import Build
from tests.processes.crashes import Case, End, Plays
from tests.processes.gate import Fate, Side, Stop
from tests.processes.program import Sandbox
from tests.processes.verdict import assert_done
from tests.servers.vault_server import VaultServer

pytestmark = [pytest.mark.process, pytest.mark.real, pytest.mark.timeout(150)]

CHANGES = (
    "record CREATING",
    "create",
    "record STAGED",
    "record VERIFIED",
    "publish",
    "record DRAINING",
    "record REVOKING",
    "retire",
    "delete",
    "record PROVING",
    "record CLOSING",
    "destroy",
    "history",
    "patch",
    "record DONE",
)
"""Every request of an undisturbed rotation that changes anything, in order."""

RECORDS = tuple(c for c in CHANGES if c.startswith("record") and not c.endswith("DONE"))

SECOND_CREATE = frozenset(
    {
        (End.KILLED, Side.AFTER, "create"),
        (End.KILLED, Side.BEFORE, "record STAGED"),
        (End.LATE, Side.BEFORE, "create"),
        (End.UNANSWERED, Side.AFTER, "create"),
    }
)
"""Where a key was made whose secret nobody was told: it is removed, and another one made."""

KILLS = 8
LONGER_THAN_SETTLING = 12.0

LATE = ("create", "record STAGED", "publish", "record DRAINING", "retire", "delete")
OVERTAKEN = (
    (Side.AFTER, "record CREATING"),
    (Side.BEFORE, "create"),
    (Side.AFTER, "create"),
    (Side.BEFORE, "publish"),
    (Side.AFTER, "publish"),
    (Side.BEFORE, "retire"),
    (Side.BEFORE, "delete"),
)
ASLEEP = (
    (Side.AFTER, "record CREATING"),
    (Side.AFTER, "create"),
    (Side.AFTER, "glance record"),
    (Side.BEFORE, "delete"),
)


def case(end: End, side: Side, label: str) -> Case:
    """Return a case with as many creates as it may come to."""
    return Case(end, side, label, creates=1 + ((end, side, label) in SECOND_CREATE))


EFFECTS = ("create", "publish", "retire", "delete", "destroy", "history", "patch")
"""Changes that are no record: after one of them its record is still to be written."""

CASES = (
    *(case(End.KILLED, Side.BEFORE, label) for label in CHANGES),
    *(case(End.KILLED, Side.AFTER, label) for label in (*EFFECTS, "record DONE")),
    *(case(End.LATE, Side.BEFORE, label) for label in LATE),
    *(case(End.OVERTAKEN, *where) for where in OVERTAKEN),
    *(case(End.ASLEEP, *where) for where in ASLEEP),
)

MORE_CASES = (
    *(case(End.KILLED, Side.AFTER, label) for label in RECORDS),
    *(case(End.UNANSWERED, side, label) for label in CHANGES for side in Side),
)
"""What a process does that was not killed, and stores that look like those of CASES."""


@pytest.fixture(scope="module")
def plays(
    request: pytest.FixtureRequest,
    vault: VaultServer,
    sandbox: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Plays]:
    """The cases that were asked for, all under way."""
    ours = [item for item in request.session.items if item.path == request.path]
    asked = [getattr(item, "callspec", None) for item in ours]
    wanted = {spec.params.get("case") for spec in asked if spec is not None}
    chosen = [one for one in (*CASES, *MORE_CASES) if one in wanted]
    started = Plays(chosen, vault, sandbox, tmp_path_factory.mktemp("crashes"))
    yield started
    started.close()


def test_a_rotation_crosses_these_boundaries(build: Build) -> None:
    """An undisturbed rotation makes exactly the changes at which the others are killed."""
    there = build()
    assert there.once().ended() == 0, there.logs()
    crossed = there.road.labels()
    reads = {"glance path", "read path", "glance record", "read record", "inspect", "list"}
    assert tuple(label for label in crossed if label not in reads) == CHANGES
    assert_done(there)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_nothing_is_lost(case: Case, plays: Plays) -> None:
    """Killed or asleep at a request, the rotation ends well: never zero, never lost, never told."""
    plays.judge(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", MORE_CASES, ids=str)
def test_nothing_is_lost_either(case: Case, plays: Plays) -> None:
    """The same, for each request or answer that is lost while the process lives on."""
    plays.judge(case)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again(build: Build, seed: int) -> None:
    """Killed at one request after another, reads among them, it ends well all the same."""
    chance = random.Random(seed)
    there = build()
    consumer = there.consumer()
    creating = 0
    for _ in range(KILLS):
        if there.phase() == "DONE":
            break
        stop = Stop(None, chance.choice(list(Side)), chance.randint(3, 18))
        there.road.stop_at(stop)
        daemon = there.daemon()
        stop.reached.wait(LONGER_THAN_SETTLING if there.phase() == "CREATING" else 6)
        consumer.look()
        daemon.kill()
        stop.end(Fate.LOST)
        creating += there.phase() == "CREATING"
    there.road.stop_at(None)
    last = there.daemon()
    last.wait_for("pass")
    there.wait_for_phase("DONE")
    assert last.stop() == 0
    consumer.stop()
    assert_done(there, creates=1 + creating)
