"""The web config in force: read again without a restart, kept when the new one is broken."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Final

from rotator.serve.tls import Material, context, material
from rotator.serve.webconfig import WebConfig, read_web_config
from rotator.serve.webconfig_values import WebProblem, Wrong, shown

MAX_BYTES: Final = 1 << 20

Parse = Callable[[bytes, str], Mapping[str, Any] | WebProblem]
"""Turns a file's bytes into plain values; the text is the file's name."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What the port goes by, all of one reading."""

    config: WebConfig = field(default_factory=WebConfig)
    context: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """One reading of all files: what was read, and a hash of it."""

    found: WebConfig | WebProblem
    pems: Material | None
    digest: bytes


class LiveWebConfig:
    """A web config file, the files that it names, and what is in force of them.

    `in_force` changes in one step, so each connection and request takes it once.
    Reading blocks for as long as the disk does.
    """

    def __init__(self, file: Path, parse: Parse) -> None:
        self.in_force = InForce()
        self.file = file
        self.sound = False
        """Whether the files, when they were last read, were those in force."""
        self._parse = parse
        self._good = b""
        self._seen = b""
        self._doubted = b""

    def first(self) -> WebProblem | None:
        """Read the files for the first time; with a problem nothing is in force."""
        read = self._read()
        made = _made(read)
        if isinstance(made, WebProblem):
            return made
        self._accept(made, read)
        return None

    def again(self) -> InForce | WebProblem | None:
        """Read the files again: what is now in force, a new problem, or None if there is no news.

        With a problem the old configuration stays in force.  It is told once, and
        when it was seen twice: a certificate and its key change one after the other.
        """
        read = self._read()
        self.sound = read.digest == self._good
        if read.digest == self._seen:
            return None
        made = _made(read)
        if isinstance(made, WebProblem) and read.digest != self._doubted:
            self._doubted = read.digest
            return None
        self._seen = read.digest
        if isinstance(made, InForce):
            self._accept(made, read)
        return made

    def _accept(self, made: InForce, read: _Read) -> None:
        self.in_force, self.sound = made, True
        self._good = self._seen = read.digest

    def _read(self) -> _Read:
        content, pems = b"", None
        found: WebConfig | WebProblem
        try:
            content = self._content()
            found = self._config(content)
            if isinstance(found, WebConfig) and found.tls is not None:
                pems = material(found.tls)
        except Wrong as error:
            found = error.problem
        told = str(found) if isinstance(found, WebProblem) else ""
        parts = [content, told.encode(), *(astuple(pems) if pems else ())]
        return _Read(found, pems, hashlib.sha256(repr(parts).encode()).digest())

    def _config(self, content: bytes) -> WebConfig | WebProblem:
        values = self._parse(content, shown(self.file.name))
        if isinstance(values, WebProblem):
            return values
        return read_web_config(values, self.file.parent)

    def _content(self) -> bytes:
        try:
            with self.file.open("rb") as file:
                return file.read(MAX_BYTES + 1)
        except OSError as error:
            problem = WebProblem(
                shown(self.file.name),
                f"cannot be read ({error.strerror or type(error).__name__})",
                "Name the file in `serve.web_config`, or remove that line for a port without it.",
            )
            raise Wrong(problem) from None


def _made(read: _Read) -> InForce | WebProblem:
    if isinstance(read.found, WebProblem):
        return read.found
    if read.found.tls is None or read.pems is None:
        return InForce(read.found)
    try:
        return InForce(read.found, context(read.found.tls, read.pems))
    except Wrong as error:
        return error.problem
