"""KV v2 over the tables, synchronously: what the worker thread runs.

Times are whole microseconds since 1970, UTC.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rotator.core.names import StorePath
from rotator.core.outcome import StoreConflict, StoreError
from rotator.stores.cipher import Cipher, CipherBroken
from rotator.stores.local import rules
from rotator.stores.local.file import reading, writing
from rotator.stores.port import Data, Metadata, MountLimits, Secret, StoreFault, Version

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

PATH_COLUMNS: Final = "path, current, oldest, created, custom, max_versions, delete_after"
VERSION_COLUMNS: Final = "path, number, created, deletes, destroyed, created_by"
OF_MANY: Final = "WHERE path IN (SELECT value FROM json_each(?))"
SELECT_PATHS: Final = f"SELECT {PATH_COLUMNS} FROM paths {OF_MANY}"
SELECT_VERSIONS: Final = f"SELECT {VERSION_COLUMNS} FROM versions {OF_MANY} ORDER BY path, number"
SELECT_SECRET: Final = """
SELECT v.number, v.created, v.deletes, v.destroyed, c.sealed, p.custom
FROM paths p JOIN versions v ON v.path = p.path AND v.number = coalesce(?, p.current)
LEFT JOIN contents c ON c.path = v.path AND c.number = v.number
WHERE p.path = ?
"""
DELETE: Final = """
UPDATE versions SET deletes = :now WHERE path = :path AND number = :number
AND NOT destroyed AND (deletes IS NULL OR deletes > :now)
"""
UNDELETE: Final = """
UPDATE versions SET deletes = :then WHERE path = :path AND number = :number AND NOT destroyed
"""
DESTROY: Final = "UPDATE versions SET destroyed = 1 WHERE path = :path AND number = :number"


def to_number(at: datetime) -> int:
    """Return a time as microseconds."""
    return (at - EPOCH) // MICROSECOND


def to_time(number: int) -> datetime:
    """Return microseconds as a time."""
    return EPOCH + timedelta(microseconds=number)


def to_time_or_none(number: int | None) -> datetime | None:
    """Return microseconds as a time, None as None."""
    return None if number is None else to_time(number)


@dataclass(frozen=True, slots=True)
class _Row:
    """A path's own row."""

    current: int
    oldest: int
    custom: dict[str, str]
    max_versions: int
    delete_after: timedelta


class Tables:
    """One connection's reads and writes; used by one thread at a time."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        cipher: Cipher,
        clock: Callable[[], datetime],
        user: str,
    ) -> None:
        self._connection = connection
        self._cipher = cipher
        self._clock = clock
        self._user = user

    def names(self, folder: str) -> tuple[str, ...] | None:
        """Return the names in a folder, sub-folders with a trailing slash."""
        start = len(folder)
        found: set[str] = set()
        for path in self.paths(folder):
            name, slash, _ = path[start:].partition("/")
            found.add(name + slash)
        return tuple(sorted(found)) or None

    def paths(self, folder: str) -> list[StorePath]:
        """Return every path below a folder, sorted, in one query."""
        beyond = folder[:-1] + chr(ord("/") + 1)
        with reading(self._connection):
            rows = self._connection.execute(
                "SELECT path FROM paths WHERE path > ? AND path < ? ORDER BY path",
                (folder, beyond),
            ).fetchall()
        return [StorePath(row[0]) for row in rows]

    def metadata(self, paths: Sequence[StorePath]) -> dict[StorePath, Metadata | None]:
        """Return the metadata of many paths in two queries."""
        wanted = json.dumps(paths)
        with reading(self._connection):
            rows = self._connection.execute(SELECT_PATHS, (wanted,)).fetchall()
            version_rows = self._connection.execute(SELECT_VERSIONS, (wanted,)).fetchall()
        versions: dict[str, list[Version]] = {row[0]: [] for row in rows}
        for path, number, created, deletes, destroyed, by in version_rows:
            versions[path].append(
                Version(number, to_time(created), to_time_or_none(deletes), bool(destroyed), by)
            )
        found: dict[StorePath, Metadata | None] = dict.fromkeys(paths)
        for path, current, oldest, created, custom, limit, after in rows:
            found[StorePath(path)] = Metadata(
                StorePath(path),
                current,
                oldest,
                to_time(created),
                tuple(versions[path]),
                json.loads(custom),
                limit,
                timedelta(microseconds=after),
            )
        return found

    def secret(self, path: StorePath, version: int | None) -> Secret | None:
        """Return one version with its data, decrypted if it can still be read."""
        with reading(self._connection):
            row = self._connection.execute(SELECT_SECRET, (version, path)).fetchone()
        if row is None:
            return None
        number, created, deletes, destroyed, sealed, custom = row
        gone = destroyed or (deletes is not None and to_time(deletes) <= self._clock())
        data = None if gone else self._opened(path, number, sealed)
        return Secret(
            path,
            number,
            data,
            to_time(created),
            to_time_or_none(deletes),
            bool(destroyed),
            json.loads(custom),
        )

    def secrets(
        self, wanted: Iterable[tuple[StorePath, int | None]]
    ) -> list[Secret | None | StoreFault]:
        """Return many secrets in order; one that does not decrypt is a fault of its own."""
        found: list[Secret | None | StoreFault] = []
        for path, version in wanted:
            try:
                found.append(self.secret(path, version))
            except StoreError as error:
                found.append(StoreFault(path, str(error)))
        return found

    def _opened(self, path: StorePath, number: int, sealed: bytes | None) -> dict[str, Any]:
        if sealed is None:
            raise StoreError(f"{path}: version {number} has lost its data; the file is damaged")
        try:
            plain = self._cipher.open(sealed, _place(path, number))
        except CipherBroken as error:
            raise StoreError(
                f"{path}: version {number} does not decrypt; the file was damaged or changed"
            ) from error
        return rules.decoded(plain)

    def write(self, path: StorePath, data: Data, cas: int) -> int:
        """Write a version over version `cas` and drop versions beyond the window."""
        mount, _ = rules.split_mount(path)
        plain = rules.encoded(path, data)
        with writing(self._connection):
            row = self._row(path) or _Row(0, 0, {}, 0, timedelta(0))
            if row.current != cas:
                raise StoreConflict(
                    f"{path}: check-and-set parameter did not match the current version",
                    status=400,
                )
            limits = self._limits(mount)
            number = row.current + 1
            kept = rules.first_kept(
                number,
                row.oldest,
                rules.effective_max_versions(row.max_versions, limits.max_versions),
            )
            self._add_version(path, number, self._retention(row, limits), plain)
            for table in ("versions", "contents"):
                self._connection.execute(
                    f"DELETE FROM {table} WHERE path = ? AND number < ?", (path, kept)
                )
            self._connection.execute(
                "UPDATE paths SET current = ?, oldest = ? WHERE path = ?", (number, kept, path)
            )
        return number

    def _add_version(
        self, path: StorePath, number: int, retention: timedelta, plain: bytes
    ) -> None:
        now = self._clock()
        deletes = to_number(now + retention) if retention else None
        created = to_number(now)
        self._connection.execute(
            "INSERT OR IGNORE INTO paths VALUES (?, 0, 0, ?, '{}', 0, 0)", (path, created)
        )
        self._connection.execute(
            "INSERT INTO versions VALUES (?, ?, ?, ?, 0, ?)",
            (path, number, created, deletes, self._user),
        )
        sealed = self._cipher.seal(plain, _place(path, number))
        self._connection.execute("INSERT INTO contents VALUES (?, ?, ?)", (path, number, sealed))

    def patch(self, path: StorePath, custom: Mapping[str, str | None]) -> None:
        """Merge custom_metadata."""
        with writing(self._connection):
            row = self._row(path)
            if row is None:
                raise rules.refused(f"{path}: there is no metadata to patch", 404)
            merged = rules.merged_custom(path, row.custom, custom)
            self._connection.execute(
                "UPDATE paths SET custom = ? WHERE path = ?", (json.dumps(merged), path)
            )

    def delete(self, path: StorePath, numbers: Sequence[int]) -> None:
        """Soft-delete versions that are neither deleted nor destroyed."""
        _some(path, numbers)
        now = to_number(self._clock())
        with writing(self._connection):
            for number in numbers:
                at = {"path": path, "number": number, "now": now}
                self._connection.execute(DELETE, at)

    def undelete(self, path: StorePath, numbers: Sequence[int]) -> None:
        """Bring versions back; the retention counts anew from now, as KV v2 does it."""
        mount, _ = rules.split_mount(path)
        _some(path, numbers)
        with writing(self._connection):
            row = self._row(path)
            retention = self._retention(row, self._limits(mount)) if row else timedelta(0)
            then = to_number(self._clock() + retention) if retention else None
            for number in numbers:
                at = {"path": path, "number": number, "then": then}
                self._connection.execute(UNDELETE, at)

    def destroy(self, path: StorePath, numbers: Sequence[int]) -> None:
        """Remove versions' data for good."""
        _some(path, numbers)
        with writing(self._connection):
            for number in numbers:
                at = {"path": path, "number": number}
                self._connection.execute(DESTROY, at)
                self._connection.execute(
                    "DELETE FROM contents WHERE path = :path AND number = :number", at
                )

    def limits(self, mount: str) -> MountLimits:
        """Return a mount's effective settings."""
        with reading(self._connection):
            found = self._limits(mount)
        return MountLimits(
            mount, rules.effective_max_versions(0, found.max_versions), found.delete_version_after
        )

    def set_mount(self, mount: str, max_versions: int, delete_after: timedelta) -> None:
        """Store a mount's settings."""
        with writing(self._connection):
            self._connection.execute(
                "INSERT OR REPLACE INTO mounts VALUES (?, ?, ?)",
                (mount, max_versions, delete_after // MICROSECOND),
            )

    def set_path(self, path: StorePath, max_versions: int, delete_after: timedelta) -> None:
        """Store a path's own settings; creates metadata without a version if need be."""
        created = to_number(self._clock())
        with writing(self._connection):
            self._connection.execute(
                "INSERT OR IGNORE INTO paths VALUES (?, 0, 0, ?, '{}', 0, 0)", (path, created)
            )
            self._connection.execute(
                "UPDATE paths SET max_versions = ?, delete_after = ? WHERE path = ?",
                (max_versions, delete_after // MICROSECOND, path),
            )

    def ping(self) -> None:
        """Read one page, so that a file gone or damaged shows."""
        with reading(self._connection):
            self._connection.execute("SELECT format FROM about").fetchone()

    def close(self) -> None:
        """Close the connection; SQLite folds the write-ahead log into the file."""
        self._connection.close()

    def _row(self, path: StorePath) -> _Row | None:
        row = self._connection.execute(
            "SELECT current, oldest, custom, max_versions, delete_after FROM paths WHERE path = ?",
            (path,),
        ).fetchone()
        if row is None:
            return None
        current, oldest, custom, limit, after = row
        return _Row(current, oldest, json.loads(custom), limit, timedelta(microseconds=after))

    def _limits(self, mount: str) -> MountLimits:
        row = self._connection.execute(
            "SELECT max_versions, delete_after FROM mounts WHERE mount = ?", (mount,)
        ).fetchone()
        limit, after = row or (0, 0)
        return MountLimits(mount, limit, timedelta(microseconds=after))

    @staticmethod
    def _retention(row: _Row, limits: MountLimits) -> timedelta:
        return rules.effective_retention(row.delete_after, limits.delete_version_after)


def _place(path: StorePath, number: int) -> str:
    return f"{path}\0{number}"


def _some(path: StorePath, numbers: Sequence[int]) -> None:
    if not numbers:
        raise rules.refused(f"{path}: no version number given")
