"""The SQLite file: made whole or not at all, opened by several processes.

Write-ahead log with synchronous=FULL, so that an acknowledged write survives
SIGKILL and a power cut.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rotator.core.outcome import Happened, StoreError
from rotator.stores.cipher import Cipher, CipherBroken
from rotator.stores.local.keyfile import sync_folder

BUSY_SECONDS: Final = 10.0
FORMAT: Final = "rotator-store-1"

SCHEMA: Final = """
CREATE TABLE about (format TEXT PRIMARY KEY, proof BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE mounts (
  mount TEXT PRIMARY KEY, max_versions INTEGER NOT NULL, delete_after INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE paths (
  path TEXT PRIMARY KEY, current INTEGER NOT NULL, oldest INTEGER NOT NULL,
  created INTEGER NOT NULL, custom TEXT NOT NULL,
  max_versions INTEGER NOT NULL, delete_after INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE versions (
  path TEXT NOT NULL, number INTEGER NOT NULL, created INTEGER NOT NULL,
  deletes INTEGER, destroyed INTEGER NOT NULL, created_by TEXT NOT NULL,
  PRIMARY KEY (path, number)
) WITHOUT ROWID;
CREATE TABLE contents (
  path TEXT NOT NULL, number INTEGER NOT NULL, sealed BLOB NOT NULL,
  PRIMARY KEY (path, number)
);
"""

SURELY_ROLLED_BACK: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL})


def open_file(file: Path, cipher: Cipher) -> sqlite3.Connection:
    """Open the store's file, made at first use; raises StoreError in plain words."""
    try:
        if not file.exists():
            _create(file, cipher)
        connection = _connect(file)
    except OSError as error:
        raise StoreError(f"the store {file} cannot be opened: {error.strerror}") from error
    except sqlite3.Error as error:
        raise StoreError(f"the store {file} cannot be opened: {error}") from error
    try:
        _prove(connection, cipher)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(f"{file} is not a store of Rotator, or is damaged: {error}") from error
    except StoreError:
        connection.close()
        raise
    return connection


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA synchronous=FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _create(file: Path, cipher: Cipher) -> None:
    """Build the file under another name, so that nobody ever opens half a store."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        connection = _connect(temporary)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(SCHEMA)
            proof = cipher.seal(FORMAT.encode(), FORMAT)
            connection.execute("INSERT INTO about VALUES (?, ?)", (FORMAT, proof))
        finally:
            connection.close()
        with contextlib.suppress(FileExistsError):
            os.link(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(file.parent)


def _prove(connection: sqlite3.Connection, cipher: Cipher) -> None:
    row = connection.execute("SELECT proof FROM about WHERE format = ?", (FORMAT,)).fetchone()
    if row is None:
        raise StoreError("the store was made by another version of Rotator")
    try:
        cipher.open(row[0], FORMAT)
    except CipherBroken as error:
        raise StoreError(
            "the store's key does not fit this file: it was made with another key",
            happened=Happened.REFUSED,
        ) from error


@contextlib.contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """Let several reads see one state of the file; SQLite's errors become StoreError."""
    try:
        connection.execute("BEGIN")
        yield
    except sqlite3.Error as error:
        raise StoreError(f"the local store cannot be read: {error}") from error
    finally:
        _roll_back(connection)


@contextlib.contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction: all of it is durable when the block has ended, or none of it."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        raise StoreError(f"the local store cannot be written: {error}") from error
    try:
        yield
    except sqlite3.Error as error:
        _roll_back(connection)
        raise StoreError(f"the local store cannot be written: {error}") from error
    except BaseException:
        _roll_back(connection)
        raise
    _commit(connection)


def _commit(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        _roll_back(connection)
        sure = getattr(error, "sqlite_errorcode", 0) & 0xFF in SURELY_ROLLED_BACK
        raise StoreError(
            f"the local store did not confirm a write: {error}",
            happened=Happened.NOT_APPLIED if sure else Happened.UNKNOWN,
        ) from error


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
