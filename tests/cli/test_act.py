"""`rotate`, `complete`, `resolve`, `hold`, `release`, `resume`: what they write, and who obeys."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from rotator.core.names import StorePath
from rotator.stores.local.kv import LocalKv
from tests.cli.firm import DESK, LONG_AGO, STATE, Firm
from tests.cli.kit import Sandbox, started

ORDER = {
    "command",
    "credential",
    "rotation",
    "version",
    "answer",
    "document",
    "number",
    "obeyed",
    "next",
    "now",
}
COMMAND = f"commands/{DESK}"
RECORD = StorePath(f"{STATE}/rotations/{DESK}")


@pytest.fixture
def firm(tmp_path: Path, own_sandbox: Sandbox) -> Firm:
    """A firm without any key."""
    return Firm(tmp_path, own_sandbox)


@pytest.fixture
def drained(firm: Firm) -> Firm:
    """A firm whose one rotation waits for a person."""
    firm.desk(age=LONG_AGO)
    [rotation] = firm.once()["rotations"]
    assert rotation["phase"] == "DRAINING"
    return firm


def rotation(firm: Firm) -> dict[str, Any]:
    """Return the one open rotation."""
    [found] = firm.json("status")["rotations"]
    return dict(found)


def test_rotate_writes_an_order(firm: Firm) -> None:
    """`rotate` writes the path's version, and a pass opens the rotation that it asks for."""
    firm.desk()
    told = firm.json("rotate", "desk0")
    assert set(told) == ORDER
    assert firm.document(COMMAND) == {
        "command": "rotate",
        "rotation": "",
        "version": 1,
        "answer": None,
    }
    assert (told["credential"], told["version"], told["number"]) == (DESK, 1, 1)
    assert (told["rotation"], told["obeyed"], told["now"]) == (None, None, None)
    [opened] = firm.once()["rotations"]
    assert (opened["credential"], opened["reason"]) == (DESK, "manual")


def test_rotate_again_stands_over_the_last(firm: Firm) -> None:
    """A second order is written over the first by compare-and-set, as its next version."""
    firm.desk()
    assert [firm.json("rotate", "desk0")["number"] for _ in range(2)] == [1, 2]


def test_rotate_says_what_stands_in_its_way(firm: Firm) -> None:
    """An order on a path that is not armed, or held, is written, and its obstacle is named."""
    firm.desk()
    firm.do("hold", "desk0", "--reason", "night", "--name", "n")
    assert "rotator release n" in firm.json("rotate", "desk0")["next"]
    firm.do("release", "n")
    firm.settings["rotation"]["armed"] = []
    firm.write()
    assert "rotation.armed" in firm.json("rotate", "desk0")["next"]


def test_orders_without_sense_write_nothing(firm: Firm) -> None:
    """What is unknown, unmanaged or open already is refused in a sentence, exit code 1."""
    firm.desk()
    for line in (("rotate", "nobody"), ("rotate", "master"), ("complete", "desk0")):
        done = firm.do(*line)
        assert (done.code, done.out) == (1, ""), line
    assert "not managed" in firm.do("rotate", "master").err
    assert "no rotation of it is open" in firm.do("resolve", "desk0", "abort").err
    assert firm.documents() == {}


def test_complete_ends_a_rotation(drained: Firm) -> None:
    """`complete` names rotation and version; the next pass deletes the old key."""
    open_ = rotation(drained)
    refused = drained.do("rotate", "desk0")
    assert (refused.code, open_["rotation"] in refused.err) == (1, True)
    told = drained.json("complete", "desk0")
    assert drained.document(COMMAND) == {
        "command": "complete",
        "rotation": open_["rotation"],
        "version": 2,
        "answer": None,
    }
    assert told["now"]["phase"] == "DRAINING"
    [ended] = drained.once()["rotations"]
    assert (ended["rotation"], ended["phase"]) == (open_["rotation"], "DONE")
    assert drained.do("complete", "desk0").code == 1


def test_complete_before_the_end_of_the_drain(firm: Firm) -> None:
    """While the drain lasts, `complete` is refused, says until when, and writes nothing."""
    firm.settings["policies"]["desk"]["drain"] = "2h"
    firm.write()
    firm.desk(age=LONG_AGO)
    firm.once("5s")
    done = firm.do("complete", "desk0")
    assert (done.code, "drains until" in done.err) == (1, True)
    assert firm.document(COMMAND) is None


def quarantined(firm: Firm) -> dict[str, Any]:
    """Put a third key on the path, so that the rotation asks a question."""
    account = firm.sandbox.key("bybit")["account_id"]
    third = firm.sandbox.new_key("bybit", label="third", scopes=["read"], addresses=None)
    assert third["account_id"] == account
    firm.store(DESK, third)
    firm.once()
    found = rotation(firm)
    assert found["phase"] == "QUARANTINED"
    return found


def test_resolve_answers_a_question(drained: Firm) -> None:
    """`resolve` names the rotation and the path's present version, and the daemon does it."""
    asks = quarantined(drained)
    assert asks["question"].endswith(f"rotator resolve {DESK} {'|'.join(asks['answers'])}")
    assert drained.do("complete", "desk0").code == 1
    wrong = drained.do("resolve", "desk0", "perhaps")
    assert (wrong.code, "adopt, abort, retry" in wrong.err) == (2, True)
    drained.json("resolve", "desk0", "abort")
    assert drained.document(COMMAND) == {
        "command": "resolve",
        "rotation": asks["rotation"],
        "version": 3,
        "answer": "abort",
    }
    drained.once()
    assert rotation(drained)["phase"] == "DRAINING_BACK"


def test_a_refused_answer_is_told_everywhere(drained: Firm) -> None:
    """An answer that is not safe is told by `resolve --wait`, by `status` and by `explain`."""
    quarantined(drained)
    with drained.daemon():
        done = drained.do("resolve", "desk0", "adopt", "--wait", "40s", "-o", "json")
    assert (done.code, done.json["obeyed"]) == (1, True)
    refused = "the answer `adopt` was refused: the path's own key is not dead"
    assert done.json["next"].startswith(refused)
    assert refused in done.err
    assert rotation(drained)["question"].startswith(refused)
    assert drained.json("explain", "desk0")["next"].startswith(refused)
    assert rotation(drained)["answers"] == ["adopt", "abort", "retry"]


def test_resolve_a_deleted_record(drained: Firm) -> None:
    """A record that somebody deleted is brought back by `retry`, bound to its version."""

    async def delete(kv: LocalKv) -> int:
        found = await kv.read_metadata(RECORD)
        assert found is not None
        await kv.delete_versions(RECORD, [found.current])
        return found.current

    version = drained.kv(delete)
    found = rotation(drained)
    assert (found["phase"], found["answers"]) == ("QUARANTINED", ["retry"])
    assert drained.do("resolve", "desk0", "abort").code == 2
    drained.json("resolve", "desk0", "retry")
    assert (drained.document(COMMAND) or {})["rotation"] == f"record-{version}"
    drained.once("5s")
    assert rotation(drained)["phase"] == "DRAINING"


def test_resolve_a_destroyed_record(drained: Firm) -> None:
    """A record that somebody destroyed is buried by `abort`."""

    async def destroy(kv: LocalKv) -> None:
        found = await kv.read_metadata(RECORD)
        assert found is not None
        await kv.destroy_versions(RECORD, [found.current])

    drained.kv(destroy)
    assert rotation(drained)["answers"] == ["abort"]
    drained.json("resolve", "desk0", "abort")
    drained.once("5s")
    assert drained.json("status")["rotations"] == []


def test_hold_and_release(firm: Firm) -> None:
    """A hold is `{match, reason, until}`; nothing that it covers is opened until its release."""
    firm.desk(age=LONG_AGO)
    told = firm.json("hold", "secret/trading/**", "--reason", "audit")
    assert set(told) == {"hold", "match", "reason", "until", "covers", "document", "number"}
    name = told["hold"]
    assert firm.document(f"holds/{name}") == {
        "match": "secret/trading/**",
        "reason": "audit",
        "until": None,
    }
    assert DESK in told["covers"]
    assert firm.once()["rotations"] == []
    assert f"Hold:{name}" in firm.json("plan")["rotations"][0]["blocked_by"]
    assert firm.json("release", name)["until"] is not None
    assert (firm.document(f"holds/{name}") or {})["reason"] == "audit"
    assert len(firm.once()["rotations"]) == 1


def test_a_hold_by_the_end_of_a_name(firm: Firm) -> None:
    """`hold desk0` holds that credential by its full name, `--for` says for how long."""
    firm.desk()
    told = firm.json("hold", "desk0", "--reason", "night", "--for", "2d", "--name", "night")
    assert (told["match"], told["covers"]) == (DESK, [DESK])
    assert told["until"].endswith("Z")
    again = firm.do("hold", "secret/**", "--reason", "x", "--name", "night")
    assert (again.code, "stands already" in again.err) == (1, True)
    longer = firm.json("hold", "desk0", "--reason", "night", "--name", "night")
    assert (longer["until"], longer["number"]) == (None, 2)


def test_holds_that_make_no_sense(firm: Firm) -> None:
    """Two ends, no reason, a name that covers nothing, or no such hold: told, nothing written."""
    firm.desk()
    both = ("--until", "2030-01-01T00:00:00Z", "--for", "2d")
    assert firm.do("hold", "desk0", "--reason", "x", *both).code == 2
    assert firm.do("hold", "desk0").code == 2
    assert firm.do("hold", "desk0", "--reason", " ").code == 2
    assert firm.do("hold", "desk0", "--reason", "x", "--until", "soon").code == 2
    assert firm.do("hold", "nobody", "--reason", "x").code == 1
    assert firm.documents() == {}
    assert "There is no hold at all" in firm.do("release", "night").err
    nothing = firm.do("hold", "elsewhere/**", "--reason", "x")
    assert (nothing.code, "covers no credential" in nothing.err) == (0, True)


def test_resume(firm: Firm) -> None:
    """`resume` writes the epoch seen; the next pass acts again. Without need it writes nothing."""
    firm.desk(age=LONG_AGO)
    idle = firm.json("resume")
    assert (idle["number"], firm.documents()) == (0, {})
    firm.once()
    assert firm.json("resume")["number"] == 0
    assert firm.document("commands/resume") is None
    anchor = firm.folder / "anchor"
    seen = int(anchor.read_text())
    anchor.write_text(str(seen + 5))
    assert firm.do("status").code == 3
    told = firm.json("resume")
    assert (told["epoch"], firm.document("commands/resume")) == (seen, {"epoch": seen})
    firm.once()
    assert int(anchor.read_text()) > seen + 5
    assert "StoreRestored" not in firm.do("status").out


@pytest.mark.process
def test_rotate_and_wait(firm: Firm) -> None:
    """With a daemon, `rotate --wait` tells each phase and ends where a person is asked."""
    firm.desk()
    firm.do("status")
    with firm.daemon():
        done = firm.do("rotate", "desk0", "--wait", "40s", "-o", "json")
        assert done.code == 0, done.err
        assert done.json["obeyed"] is True
        assert done.json["next"].endswith(f"rotator complete {DESK}")
        assert f"{DESK}: DRAINING" in done.err
        ended = firm.do("complete", "--wait", "desk0", "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.json["now"]["phase"] == "DONE"
    assert ended.json["next"].endswith("ended DONE")
    assert f"{DESK}: DONE" in ended.err


def test_nobody_obeys(firm: Firm) -> None:
    """Without a daemon, `--wait` ends with 1 and says what to look at."""
    firm.desk()
    done = firm.do("rotate", "desk0", "--wait", "1s", "-o", "json")
    assert (done.code, done.json["obeyed"]) == (1, False)
    assert "is a daemon running" in done.err
    assert firm.document(COMMAND) is not None
    firm.settings["rotation"]["armed"] = []
    firm.write()
    firm.do("hold", "desk0", "--reason", "x", "--name", "n")
    late = firm.do("rotate", "desk0", "--wait=0s").err
    assert "not armed" in late
    assert "rotator release n" in late


def test_interrupted_while_it_waits(firm: Firm) -> None:
    """Ctrl-C while it waits ends with 130; the order stays as it was written."""
    firm.desk()
    with started("rotate", "desk0", "--wait", "--config", str(firm.config)) as child:
        assert child.stderr is not None
        assert b"written: rotate" in child.stderr.readline()
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=20) == 130
    assert (firm.document(COMMAND) or {})["version"] == 1


@pytest.mark.parametrize("arguments", [["--wait", "--json"], ["--wait=1s"], ["--wait", "1s"]])
def test_the_span_of_wait_may_be_left_out(firm: Firm, arguments: list[str]) -> None:
    """`--wait` stands alone, before the KEY or after it, or with a span."""
    assert firm.do("rotate", *arguments, "nobody").code == 1
    assert firm.do("rotate", "nobody", *arguments).code == 1
    assert firm.do("rotate", "nobody", "--wait=later").code == 2
