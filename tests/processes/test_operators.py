"""People act on the real Vault in the middle of a rotation."""

from __future__ import annotations

import pytest

from tests.processes.conftest import Build
from tests.processes.estate import Estate
from tests.processes.gate import Fate, Side, Stop
from tests.processes.program import Program, until
from tests.processes.verdict import assert_aborted, assert_done, assert_sound

pytestmark = [pytest.mark.process, pytest.mark.real, pytest.mark.timeout(150)]
DESK = "trading/bybit/desk0"


def drains(build: Build, phase: str = "DRAINING") -> tuple[Estate, Program]:
    """Return an estate in the drain, after which its rotation waits for a person.

    The drain is long enough to act in it; its end looks at the path and the record.
    """
    there = build(policy={"revoke": "manual", "drain": "6s"})
    there.consumer()
    daemon = there.daemon()
    there.wait_for_phase(phase)
    return there, daemon


def asks(daemon: Program, since: str) -> bool:
    """Say whether the daemon has asked for `rotator complete` since it last logged a text."""
    return "rotator complete" in daemon.log().rpartition(since)[2]


def held_at(build: Build, label: str, side: Side) -> tuple[Estate, Program, Stop]:
    """Return an estate whose daemon is stopped at a request."""
    there = build()
    there.consumer()
    stop = Stop(label, side)
    there.road.stop_at(stop)
    daemon = there.daemon()
    assert stop.reached.wait(40), daemon.log()
    return there, daemon, stop


def edit(there: Estate, **fields: object) -> int:
    """Write the path anew with some fields changed, as `vault kv patch` does."""
    return there.vault.put(DESK, there.served() | fields)


def third(there: Estate) -> str:
    """Put a third key on the path by hand; return its id."""
    key = there.new_key("by-hand")
    edit(there, api_key=key["api_key"], api_secret=key["api_secret"])
    return str(key["api_key"])


def alive_keys(there: Estate) -> set[str]:
    """Return the ids of the living keys."""
    return set(there.alive())


def end(there: Estate, daemon: Program) -> None:
    """Stop the daemon and the consumers."""
    assert daemon.stop() == 0
    for consumer in there.consumers:
        consumer.stop()


def test_another_field_edited_before_the_publish(build: Build) -> None:
    """An edit that wins the race against the publish stays, and the key goes over it."""
    there, daemon, stop = held_at(build, "publish", Side.BEFORE)
    edit(there, note="edited")
    stop.end(Fate.GO_ON)
    there.wait_for_phase("DONE")
    end(there, daemon)
    assert there.served()["note"] == "edited"
    edit(there, note=there.old.get("note", "kept as it is"))
    assert_done(there)


def test_another_field_edited_in_the_drain(build: Build) -> None:
    """An edit in the drain becomes the version that the rotation goes by."""
    there, daemon = drains(build)
    version = edit(there, note="edited")
    until(lambda: there.record()["v1"] == version, "the record names the version")
    assert there.served()["note"] == "edited"
    until(lambda: asks(daemon, f'"v1":{version}'), "it asks for the command", 30)
    there.order("complete")
    there.wait_for_phase("DONE")
    end(there, daemon)
    edit(there, note="kept as it is")
    assert_done(there)


def test_rolled_back_in_the_drain(build: Build) -> None:
    """After `vault kv rollback` nothing is deleted; `abort` takes the new key away."""
    there, daemon = drains(build)
    both = alive_keys(there)
    first = there.vault.get(DESK, 1)
    assert first is not None
    there.vault.put(DESK, first["data"])
    there.wait_for_phase("QUARANTINED")
    assert alive_keys(there) == both
    there.order("resolve", "abort")
    there.wait_for_phase("DRAINING_BACK")
    until(lambda: asks(daemon, '"phase":"DRAINING_BACK"'), "it asks for the command", 30)
    there.order("complete")
    there.wait_for_phase("ABORTED")
    end(there, daemon)
    assert_aborted(there)


def test_a_third_key_before_the_publish(build: Build) -> None:
    """A key that somebody pastes first is not overwritten, and nothing is deleted."""
    there, daemon, stop = held_at(build, "publish", Side.BEFORE)
    before = alive_keys(there)
    pasted = third(there)
    stop.end(Fate.GO_ON)
    there.wait_for_phase("QUARANTINED")
    assert there.served()["api_key"] == pasted
    assert alive_keys(there) == before | {pasted}
    there.order("resolve", "abort")
    there.wait_for_phase("DRAINING_BACK", "ABORTING", "ABORTED")
    there.wait_for_phase("ABORTED")
    end(there, daemon)
    assert there.served()["api_key"] == pasted
    assert alive_keys(there) == {pasted, there.old["api_key"]}
    assert_sound(there)


def test_a_third_key_in_the_drain(build: Build) -> None:
    """A key that somebody pastes over ours stays, and neither of the others is deleted."""
    there, daemon = drains(build)
    before = alive_keys(there)
    pasted = third(there)
    there.wait_for_phase("QUARANTINED")
    assert there.served()["api_key"] == pasted
    assert alive_keys(there) == before | {pasted}
    end(there, daemon)
    for consumer in there.consumers:
        assert not consumer.violations


def test_a_third_key_before_the_deletion(build: Build) -> None:
    """A key that somebody pastes before the guard stops the deletion."""
    there, daemon, stop = held_at(build, "record REVOKING", Side.AFTER)
    before = alive_keys(there)
    pasted = third(there)
    stop.end(Fate.GO_ON)
    there.wait_for_phase("QUARANTINED")
    assert alive_keys(there) == before | {pasted}
    end(there, daemon)


def test_the_record_soft_deleted(build: Build) -> None:
    """A soft-deleted record counts as open; `retry` brings it back and it goes on."""
    there, daemon = drains(build)
    both = alive_keys(there)
    [current] = [max(there.vault.versions(there.record_path))]
    there.vault.act("delete", there.record_path, [current])
    there.vault.put(
        f"rotator/commands/{there.path}",
        {"command": "resolve", "rotation": f"record-{current}", "version": 2, "answer": "retry"},
        there.person(),
    )
    until(lambda: there.phase() == "DRAINING", "the record is back", 30)
    assert alive_keys(there) == both
    until(lambda: asks(daemon, '"phase":"DRAINING"'), "it asks for the command", 30)
    there.order("complete")
    there.wait_for_phase("DONE")
    end(there, daemon)
    assert_done(there)


def test_the_record_destroyed(build: Build) -> None:
    """With its record destroyed nothing is deleted; after `abort` both keys are left."""
    there, daemon = drains(build)
    both = alive_keys(there)
    [current] = [max(there.vault.versions(there.record_path))]
    there.vault.act("destroy", there.record_path, [current])
    there.vault.put(
        f"rotator/commands/{there.path}",
        {"command": "resolve", "rotation": f"record-{current}", "version": 2, "answer": "abort"},
        there.person(),
    )
    until(lambda: there.phase() == "ABORTED", "the tombstone is there", 30)
    assert alive_keys(there) == both
    assert there.once("5s").ended() == 0
    assert alive_keys(there) == both
    end(there, daemon)


def test_the_metadata_of_the_record_deleted(build: Build) -> None:
    """With its record removed for good, nothing is deleted and nothing is made anew."""
    there, daemon = drains(build)
    both = alive_keys(there)
    there.vault.forget(there.record_path)
    end(there, daemon)
    run = there.once("5s")
    assert run.ended() == 0
    assert alive_keys(there) == both
    foreign = [f for f in run.json()["findings"] if f["code"] == "ForeignKey"]
    assert len(foreign) == 1
    assert len(there.ours()) == 1


@pytest.mark.parametrize("label", ["publish", "record REVOKING"])
def test_the_path_removed_and_made_again(build: Build, label: str) -> None:
    """A path that was removed with its metadata and made again is another path."""
    there, daemon, stop = held_at(build, label, Side.BEFORE)
    before = alive_keys(there)
    content = there.served()
    there.vault.forget(DESK)
    there.vault.put(DESK, content)
    stop.end(Fate.GO_ON)
    there.wait_for_phase("QUARANTINED")
    assert alive_keys(there) == before
    end(there, daemon)
    for consumer in there.consumers:
        assert not consumer.violations


def test_the_current_version_soft_deleted(build: Build) -> None:
    """With the path's current version deleted nothing is deleted at the exchange."""
    there, daemon = drains(build)
    both = alive_keys(there)
    there.vault.act("delete", DESK, [2])
    there.order("complete")
    there.wait_for_phase("QUARANTINED")
    assert alive_keys(there) == both
    end(there, daemon)


def test_a_hold_before_the_deletion(build: Build) -> None:
    """A hold that is set before the guard looks stops the deletion until it is released."""
    there, daemon, stop = held_at(build, "record REVOKING", Side.AFTER)
    both = alive_keys(there)
    hold = {"match": f"{there.vault.mount}/trading/**", "reason": "settlement"}
    person = there.person()
    there.vault.put("rotator/holds/settlement", hold, person)
    stop.end(Fate.GO_ON)
    daemon.wait_for("rotation_held", phase="REVOKING")
    assert alive_keys(there) == both
    there.vault.server.api(
        "DELETE", f"{there.vault.mount}/data/rotator/holds/settlement", token=person
    )
    there.wait_for_phase("DONE")
    end(there, daemon)
    assert_done(there)
