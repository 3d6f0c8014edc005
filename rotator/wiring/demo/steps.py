"""Follows the daemon's log: its steps, and where it listens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rotator.observe import events

CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a rotation, as the daemon logged it; keys by their last characters."""

    credential: str
    phase: str
    because: str
    old_key: str
    new_key: str


@dataclass(slots=True)
class DaemonLog:
    """Reads a log while it is written; `url` and `passes` are what it has told so far."""

    file: Path
    url: str | None = None
    passes: int = 0
    _at: int = 0
    _rest: bytes = field(default=b"")

    def new_steps(self) -> tuple[Step, ...]:
        """Read what was written since the last call."""
        return tuple(step for line in self._lines() if (step := self._take(line)) is not None)

    def last_words(self) -> str:
        """Return what the process said last that is no log line: why it could not run."""
        try:
            lines = self.file.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        plain = [line for line in lines if line.strip() and _decoded(line) is None]
        return plain[-1].removeprefix("rotator: ") if plain else ""

    def _take(self, line: dict[str, Any]) -> Step | None:
        event = line.get("event")
        if event == events.PASS:
            self.passes += 1
        elif event == events.LISTENING:
            self.url = f"http://{line.get('address')}:{line.get('port')}"
        elif event == events.ROTATION_OPENED:
            return _step(line, f"opened: {line.get('trigger')}")
        elif event == events.STEP:
            return _step(line, str(line.get("because")))
        return None

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            with self.file.open("rb") as opened:
                opened.seek(self._at)
                read = opened.read(CHUNK)
        except OSError:
            return
        self._at += len(read)
        *whole, self._rest = (self._rest + read).split(b"\n")
        for line in whole:
            decoded = _decoded(line)
            if decoded is not None:
                yield decoded


def _decoded(line: bytes | str) -> dict[str, Any] | None:
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def _step(line: dict[str, Any], because: str) -> Step:
    return Step(
        credential=str(line.get("credential")),
        phase=str(line.get("phase")),
        because=because,
        old_key=str(line.get("old_key", "")),
        new_key=str(line.get("new_key", "")),
    )
