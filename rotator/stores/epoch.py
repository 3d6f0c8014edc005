"""The epoch and its anchor: a Vault restored from a snapshot must not act.

Every pass raises a counter in the store and then writes it to an anchor outside
the store.  A store whose counter is below its anchor has lost what happened
since, so nothing in its journal may be believed until a person says `resume`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from rotator.core.names import StorePath
from rotator.core.outcome import Happened, StoreConflict, StoreError
from rotator.stores.documents import HISTORY, ROTATIONS, Document, Documents

RESUME: Final = "resume"
RAISES: Final = 8
MAX_EPOCH: Final = 2**53


class Anchor(Protocol):
    """A number kept outside the store; never lowered."""

    async def read(self) -> int | None:
        """Return the number, None if there is none yet.  Raises StoreError."""
        ...

    async def raise_to(self, number: int) -> None:
        """Keep at least this number.  Raises StoreError."""
        ...


class FileAnchor:
    """An anchor in a local file, replaced by rename under a lock."""

    def __init__(self, file: Path) -> None:
        self.file = file

    async def read(self) -> int | None:
        """Return the number in the file, None if there is no file."""
        return await asyncio.to_thread(self._read)

    async def raise_to(self, number: int) -> None:
        """Replace the file unless it already holds as much; durable when this returns."""
        await asyncio.to_thread(self._raise_to, number)

    def _read(self) -> int | None:
        try:
            text = self.file.read_bytes()[:64].decode("ascii", errors="replace").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"the anchor {self.file} cannot be read: {error.strerror}") from error
        if not (text.isascii() and text.isdigit()):
            raise StoreError(
                f"the anchor {self.file} does not hold a number; if the store was not "
                "restored from a backup, remove the file and run: rotator resume",
                happened=Happened.REFUSED,
            )
        return int(text)

    def _raise_to(self, number: int) -> None:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(self.file.with_name(self.file.name + ".lock")):
                present = self._read()
                if present is None or present < number:
                    self._replace(number)
        except OSError as error:
            raise StoreError(
                f"the anchor {self.file} cannot be written: {error.strerror}"
            ) from error

    def _replace(self, number: int) -> None:
        handle, temporary = tempfile.mkstemp(dir=self.file.parent, prefix=f".{self.file.name}.")
        try:
            with os.fdopen(handle, "w", encoding="ascii") as opened:
                opened.write(f"{number}\n")
                opened.flush()
                os.fsync(opened.fileno())
            Path(temporary).replace(self.file)
        finally:
            Path(temporary).unlink(missing_ok=True)
        _sync(self.file.parent)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def default_anchor_file(environ: Mapping[str, str], store: str, state: StorePath) -> Path:
    """Return where the anchor of a store (its address or file) and state prefix lies."""
    home = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "~")) / ".local/state")
    digest = hashlib.sha256(f"{store}\n{state.strip('/')}".encode()).hexdigest()
    return Path(home).expanduser() / "rotator" / digest[:32]


@dataclass(frozen=True, slots=True)
class Going:
    """The store is not older than what was last seen of it."""

    epoch: int
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """The store looks older than its anchor: watch only (finding StoreRestored)."""

    epoch: int
    anchor: int | None
    message: str
    cure: str = "look at the keys of the last days at the exchange, then run: rotator resume"


Standing = Going | Restored


class Epoch:
    """Judges the store at the start, and raises its epoch once a pass."""

    def __init__(self, documents: Documents, anchor: Anchor) -> None:
        self._documents = documents
        self._anchor = anchor

    async def judge(self, *, acts: bool = True) -> Standing:
        """Return how the store stands; obeys `commands/resume` if it fits.

        Ask at each start, and again each pass while the answer is Restored.
        Without `acts` neither store nor anchor is written.
        Raises StoreError when store or anchor cannot be read: then nothing is
        known, so watch only.
        """
        in_use = await self._in_use()
        anchor = await self._anchor.read()
        document = await self._documents.read(self._documents.epoch)
        epoch = epoch_in(document)
        if anchor is None and not in_use:
            if acts:
                await self._anchor.raise_to(0)
            return Going(epoch)
        if anchor is not None and epoch >= anchor:
            return Going(epoch)
        if acts and await self._resume_fits(epoch):
            return await self._resume(document, epoch, anchor)
        return Restored(epoch, anchor, _sentence(epoch, anchor))

    async def raise_epoch(self) -> Standing:
        """Raise the epoch, then the anchor; Restored if the store fell behind meanwhile."""
        anchor = await self._anchor.read()
        for _ in range(RAISES):
            document = await self._documents.read(self._documents.epoch)
            epoch = epoch_in(document)
            if anchor is None or epoch < anchor:
                return Restored(epoch, anchor, _sentence(epoch, anchor))
            if await self._put(document, epoch + 1):
                await self._anchor.raise_to(epoch + 1)
                return Going(epoch + 1)
        raise StoreError(f"{self._documents.epoch} changed {RAISES} times while it was raised")

    async def _in_use(self) -> bool:
        return await self._documents.any_in(ROTATIONS) or await self._documents.any_in(HISTORY)

    async def _resume_fits(self, epoch: int) -> bool:
        asked = await self._documents.read(self._documents.command(RESUME))
        return asked.data is not None and _number(asked.data.get("epoch")) == epoch

    async def _resume(self, document: Document, epoch: int, anchor: int | None) -> Standing:
        raised = max(epoch, anchor or 0) + 1
        if not await self._put(document, raised):
            return Restored(epoch, anchor, _sentence(epoch, anchor))
        await self._anchor.raise_to(raised)
        return Going(raised, resumed=True)

    async def _put(self, document: Document, epoch: int) -> bool:
        """Write the epoch; False if somebody else wrote first or the answer was lost."""
        try:
            await self._documents.put(document.path, {"epoch": epoch}, cas=document.version)
        except StoreConflict:
            return False
        except StoreError as error:
            if error.happened is Happened.UNKNOWN:
                return False
            raise
        return True


def epoch_in(document: Document) -> int:
    """Return the number in the epoch document; 0 if it is absent, deleted or not a number."""
    return (_number(document.data.get("epoch")) if document.data else None) or 0


def _number(value: object) -> int | None:
    """Return a count from JSON, also as text, as `vault kv put` writes it."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_EPOCH:
        return value
    return None


def _sentence(epoch: int, anchor: int | None) -> str:
    if anchor is None:
        return (
            "the store's journal is in use, but no anchor outside it says how far it had "
            f"come (epoch {epoch}): it may have been restored from a backup"
        )
    return (
        f"the store is at epoch {epoch}, but epoch {anchor} was already seen: "
        "it was restored from a backup and has forgotten what happened since"
    )
