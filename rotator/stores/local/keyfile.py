"""The key of the embedded store: 32 bytes from a 0600 file or the environment."""

from __future__ import annotations

import binascii
import contextlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rotator.core.outcome import Happened, StoreError

KEY_VARIABLE: Final = "ROTATOR_STORE_KEY"
KEY_BYTES: Final = 32
WIDER_THAN_OWNER: Final = 0o077


def load_key(key_file: Path, environ: Mapping[str, str] = os.environ) -> bytes:
    """Return the store's key; make the file (mode 0600) at first use.

    `ROTATOR_STORE_KEY` holds the key as 64 hex digits and wins over the file.
    Raises StoreError (REFUSED) for a file that others may read, or no key in it.
    """
    given = environ.get(KEY_VARIABLE)
    if given is not None:
        return _decoded(given, f"the environment variable {KEY_VARIABLE}")
    try:
        if not key_file.exists():
            _create(key_file)
        return _decoded(_read_private(key_file), f"the key file {key_file}")
    except OSError as error:
        raise _refused(f"the key file {key_file} cannot be used: {error.strerror}") from error


def _read_private(key_file: Path) -> str:
    with key_file.open("rb") as opened:
        mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
        if mode & WIDER_THAN_OWNER:
            raise _refused(
                f"the key file {key_file} has mode {mode:04o}, so others than its owner may "
                f"use it; run: chmod 600 {key_file}"
            )
        return opened.read(4 * KEY_BYTES).decode("ascii", errors="replace")


def _create(key_file: Path) -> None:
    key_file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=key_file.parent, prefix=f".{key_file.name}.")
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(os.urandom(KEY_BYTES).hex().encode() + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
        # A link, unlike a rename, leaves the key that another process made first.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, key_file)
    finally:
        Path(temporary).unlink(missing_ok=True)
    sync_folder(key_file.parent)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _decoded(text: str, source: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise _refused(f"{source} does not hold a key of {2 * KEY_BYTES} hex digits")
    return key


def _refused(message: str) -> StoreError:
    return StoreError(message, happened=Happened.REFUSED)
