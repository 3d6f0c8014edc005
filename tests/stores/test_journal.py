"""Records lie sealed in the journal, one document per path, and none is ever taken as absent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.core.names import StorePath
from rotator.core.outcome import Happened, StoreConflict, StoreError
from rotator.core.record import MAX_STEPS, Phase, Record, Step, without_secrets
from rotator.stores.documents import Documents
from rotator.stores.journal import BURIED, Journal, State
from rotator.stores.local import LocalKv
from rotator.stores.sealing import load_sealer
from tests.core.saga_kit import T0, at
from tests.stores.kit import STATE, Watched, play

PATH = StorePath("secret/desk")
PLACE = StorePath("secret/rotator/rotations/secret/desk")
STAGED = at(Phase.STAGED)

Scenario = Callable[[Journal, Watched], Awaitable[None]]


def scene(tmp_path: Path, scenario: Scenario) -> None:
    """Run a scenario over a journal whose store is watched."""

    async def run(kv: LocalKv) -> None:
        watched = Watched(kv)
        documents = Documents(watched.kv, STATE)
        await scenario(Journal(documents, await load_sealer(documents)), watched)

    play(tmp_path, run)


async def raw(kv: Watched, version: int | None = None, path: StorePath = PLACE) -> Any:
    """Return a document as it lies in the store, None if it cannot be read."""
    found = await kv.inner.read(path, version)
    return found.data if found else None


async def overwrite(kv: Watched, data: dict[str, Any], path: StorePath = PLACE) -> None:
    """Put something else over a document, as a person might."""
    metadata = await kv.inner.read_metadata(path)
    await kv.inner.write(path, data, metadata.current if metadata else 0)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Write and read are each one request, and no secret lies in the open."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        assert (await journal.read(PATH)).state is State.ABSENT
        kv.asked.clear()
        assert await journal.write(STAGED, 0) == 1
        found = await journal.read(PATH)
        assert [name for name, _ in kv.asked] == ["write", "read"]
        assert (found.record, found.version, found.state) == (STAGED, 1, State.OPEN)
        assert found.counts_as_open
        text = json.dumps(await raw(kv))
        assert "canary-secret-new" not in text
        assert "canary-secret-old" not in text

    scene(tmp_path, scenario)


def test_a_record_is_written_over_its_version_alone(tmp_path: Path) -> None:
    """A write over another version is a conflict and changes nothing."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        await journal.write(STAGED, 0)
        for cas in (0, 2):
            with pytest.raises(StoreConflict):
                await journal.write(at(Phase.VERIFIED), cas)
        assert (await journal.read(PATH)).record == STAGED

    scene(tmp_path, scenario)


@pytest.mark.parametrize("phase", [Phase.DONE, Phase.ABORTED])
def test_a_tombstone_is_closed(tmp_path: Path, phase: Phase) -> None:
    """A closed record is there, and counts as none that is open."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        await journal.write(without_secrets(at(phase)), 0)
        found = await journal.read(PATH)
        assert found.state is State.CLOSED
        assert not found.counts_as_open

    scene(tmp_path, scenario)


HOSTILE: list[dict[str, Any]] = [
    {},
    {"record_version": 2},
    {"record_version": 1},
    {"record_version": 1, "phase": "ABORTED", "buried": 1, "more": 1},
    {"record_version": [1]},
]


@pytest.mark.parametrize("data", HOSTILE)
def test_what_does_not_decode_counts_as_open(tmp_path: Path, data: dict[str, Any]) -> None:
    """A document that is no record of ours is unreadable, and open: somebody must look."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        await overwrite(kv, data)
        found = await journal.read(PATH)
        assert found.state is State.UNREADABLE
        assert found.counts_as_open
        assert found.problem

    scene(tmp_path, scenario)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("path", "secret/other"),
        ("phase", "DREAMING"),
        ("attempt", "one"),
        ("started_at", "0001-01-01T00:00:00+14:00"),
        ("started_at", "2026-01-01T00:00:00"),
        ("steps", [{"at": 1}]),
        ("new", {"key_id": "k", "secrets": {"api_secret": {"sealed": "s1.AAAA"}}}),
        ("old_fields", {"api_secret": {"sealed": "nonsense"}, "private_key": None}),
        ("terms", {"drain": 1e300}),
    ],
)
def test_a_changed_record_is_unreadable(tmp_path: Path, field: str, value: object) -> None:
    """A record with one field changed to nonsense, or another path's, is not acted upon."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        await journal.write(STAGED, 0)
        await overwrite(kv, {**await raw(kv), field: value})
        assert (await journal.read(PATH)).state is State.UNREADABLE

    scene(tmp_path, scenario)


def test_a_record_does_not_open_at_another_place(tmp_path: Path) -> None:
    """A record copied to another path's place does not give its secrets away there."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        await journal.write(STAGED, 0)
        other = StorePath("secret/other")
        copy = {**await raw(kv), "path": other}
        await overwrite(kv, copy, journal.documents.rotation(other))
        assert (await journal.read(other)).state is State.UNREADABLE

    scene(tmp_path, scenario)


def test_who_has_no_sealing_key_reads_no_secret(tmp_path: Path) -> None:
    """Without the sealing key a record is read with empty secrets, and none is written."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        await journal.write(STAGED, 0)
        people = Journal(journal.documents, None)
        record = (await people.read(PATH)).record
        assert record is not None
        assert record.new is not None
        assert not record.new.secrets.values()
        with pytest.raises(StoreError, match="about to be written"):
            await people.write(STAGED, 1)

    scene(tmp_path, scenario)


def test_deleted_and_destroyed_records_are_open(tmp_path: Path) -> None:
    """A deleted record comes back by undelete; a destroyed one stays as a question."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        await journal.write(STAGED, 0)
        await kv.inner.delete_versions(PLACE, [1])
        found = await journal.read(PATH)
        assert (found.state, found.version, found.counts_as_open) == (State.DELETED, 1, True)
        assert await journal.version(PATH, T0) is None
        await journal.undelete(found)
        assert (await journal.read(PATH)).record == STAGED
        assert await journal.version(PATH, T0) == 1
        await kv.inner.destroy_versions(PLACE, [1])
        found = await journal.read(PATH)
        assert (found.state, found.counts_as_open) == (State.DESTROYED, True)

    scene(tmp_path, scenario)


def test_a_buried_record_leaves_no_secret(tmp_path: Path) -> None:
    """Over a destroyed record a tombstone is put, and versions before it are destroyed too."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        await journal.write(STAGED, 0)
        await journal.write(at(Phase.VERIFIED), 1)
        await kv.inner.destroy_versions(PLACE, [2])
        await journal.bury(await journal.read(PATH))
        assert [await raw(kv, n) for n in (1, 2)] == [None, None]
        assert await raw(kv) == BURIED
        found = await journal.read(PATH)
        assert (found.state, found.version, found.record) == (State.CLOSED, 3, None)
        assert await journal.write(STAGED, 3) == 4

    scene(tmp_path, scenario)


@pytest.mark.parametrize(("writes", "steps"), [(3, 0), (50, 0), (50, MAX_STEPS)])
def test_no_secret_outlives_a_long_rotation(tmp_path: Path, writes: int, steps: int) -> None:
    """However many records a rotation wrote, every version below the last is destroyed."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        await kv.inner.set_mount_limits("secret", max_versions=500)
        again = Step(T0, Phase.STAGED, "again")
        record = replace(STAGED, steps=(again,) * steps)
        for number in range(writes):
            record = replace(record, steps=(*record.steps, again)[-MAX_STEPS:])
            await journal.write(record, number)
        await journal.destroy_below(record, writes)
        left = [n for n in range(1, writes + 1) if await raw(kv, n) is not None]
        assert left == [writes]

    scene(tmp_path, scenario)


def test_the_history_is_written_once_and_without_secrets(tmp_path: Path) -> None:
    """At CLOSING it tells the end; a second writing changes nothing; what is not there is None."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        record = at(Phase.CLOSING)
        assert await journal.history(PATH, record.rotation) is None
        await journal.write_history(record, {"audit_head": "12:abc"})
        await journal.write_history(replace(record, why="other"), {})
        kept = await journal.history(PATH, record.rotation)
        assert kept == replace(without_secrets(record), phase=Phase.DONE)
        assert kept.closed
        text = json.dumps(await raw(kv, path=journal.documents.history(PATH, record.rotation)))
        assert "12:abc" in text
        assert "sealed" not in text

    scene(tmp_path, scenario)


def test_the_history_tells_the_later_end(tmp_path: Path) -> None:
    """A rotation that a person led out of CLOSING ends anew; a sleeper's older end is void."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        first = at(Phase.CLOSING, outcome=Phase.ABORTED)
        last = at(Phase.CLOSING, outcome=Phase.DONE, phase_since=T0 + timedelta(hours=1))
        for record in (first, last, first):
            await journal.write_history(record, {})
        kept = await journal.history(PATH, last.rotation)
        assert kept is not None
        assert (kept.phase, kept.phase_since) == (Phase.DONE, last.phase_since)

    scene(tmp_path, scenario)


def test_the_history_is_not_lost_with_an_error(tmp_path: Path) -> None:
    """A history that the store refuses is an error, not a success."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        kv.refuse = lambda name, _args: StoreError("down") if name == "write" else None
        with pytest.raises(StoreError, match="down"):
            await journal.write_history(at(Phase.CLOSING), {})

    scene(tmp_path, scenario)


def test_a_survey_reads_only_what_changed(tmp_path: Path) -> None:
    """A second survey reads no value; a third one reads the one that changed."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        first, second = STAGED, replace(STAGED, path=StorePath("secret/two"))
        await journal.write(first, 0)
        await journal.write(second, 0)
        survey = await journal.survey(T0)
        assert survey.complete
        assert {p: j.record for p, j in survey.records.items()} == {
            first.path: first,
            second.path: second,
        }
        kv.asked.clear()
        assert (await journal.survey(T0)).records == survey.records
        assert kv.reads() == []
        moved = replace(first, phase=Phase.VERIFIED)
        await journal.write(moved, 1)
        kv.asked.clear()
        survey = await journal.survey(T0)
        assert kv.reads() == [(PLACE, 2)]
        assert survey.records[PATH].record == moved

    scene(tmp_path, scenario)


def test_a_survey_sees_what_was_done_to_records(tmp_path: Path) -> None:
    """Deleted, destroyed, erased and odd documents are each told for what they are."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        folder = "secret/rotator/rotations"
        names = ("secret/a", "secret/b", "secret/c", "secret/d")
        for name in names:
            await journal.write(replace(STAGED, path=StorePath(name)), 0)
        await journal.survey(T0)
        await kv.inner.delete_versions(StorePath(f"{folder}/secret/a"), [1])
        await kv.inner.destroy_versions(StorePath(f"{folder}/secret/b"), [1])
        await overwrite(kv, {"odd": True}, StorePath(f"{folder}/secret/c"))
        await overwrite(kv, {"odd": True}, StorePath(f"{folder}/händel/~ff"))
        survey = await journal.survey(T0)
        assert survey.complete
        states = {path: found.state for path, found in survey.records.items()}
        assert states == {
            "secret/a": State.DELETED,
            "secret/b": State.DESTROYED,
            "secret/c": State.UNREADABLE,
            "secret/d": State.OPEN,
            f"{folder}/händel/~ff": State.UNREADABLE,
        }

    scene(tmp_path, scenario)


def test_a_survey_that_fails_keeps_what_it_knew(tmp_path: Path) -> None:
    """Records that could not be read stay known, and the survey says that it is incomplete."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        await journal.write(STAGED, 0)
        await journal.survey(T0)
        kv.refuse = lambda name, _args: (
            StoreError("down", happened=Happened.NOT_APPLIED) if name.startswith("read") else None
        )
        try:
            survey = await journal.survey(T0)
        except StoreError:
            pass
        else:
            assert not survey.complete
        kv.refuse = lambda _name, _args: None
        survey = await journal.survey(T0)
        assert survey.complete
        assert survey.records[PATH].record == STAGED

    scene(tmp_path, scenario)


def test_a_record_that_is_erased_leaves_the_survey(tmp_path: Path) -> None:
    """A document that is no more in the folder is no more in a complete survey."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        await journal.write(STAGED, 0)
        assert PATH in (await journal.survey(T0)).records
        connection = kv.inner._tables._connection
        for table in ("contents", "versions", "paths"):
            connection.execute(f"DELETE FROM {table} WHERE path = ?", (PLACE,))  # noqa: S608
        assert PATH not in (await journal.survey(T0)).records

    scene(tmp_path, scenario)


def test_two_surveys_at_once_do_not_lose_a_record(tmp_path: Path) -> None:
    """Surveys that overlap come to the same."""

    async def scenario(journal: Journal, kv: Watched) -> None:
        records: list[Record] = [
            replace(STAGED, path=StorePath(f"secret/desk{n}")) for n in range(5)
        ]
        for record in records:
            await journal.write(record, 0)
        one, two = await asyncio.gather(journal.survey(T0), journal.survey(T0))
        assert one.records == two.records
        assert len(one.records) == 5

    scene(tmp_path, scenario)
