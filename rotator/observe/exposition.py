"""The Prometheus text format 0.0.4: escaping, lines, and the gzip of two parts.

Only the plain text format is offered.  Prometheus asks for OpenMetrics first and
accepts this one; rendering OpenMetrics costs several times as much and would
tell nothing more, as no exemplars are exported.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.observe.catalogue import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

MAX_LABEL = 200
"""Longest label value in characters; a longer one is cut and bears a digest."""

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
LEVEL = 6
RAW_DEFLATE = -15
END = b"\x03\x00"
"""An empty last block: it closes a deflate stream that ends on a byte border."""

WHOLE = 2**53


def clean(value: str) -> str:
    r"""Return a label value without control characters and of bounded length.

    What cannot be printed is shown by its code (`\u202e`), so different values
    stay different.
    """
    if len(value) > MAX_LABEL:
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        value = f"{value[: MAX_LABEL - 9]}…{digest}"
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in value)


def escape(value: str) -> str:
    """Return a cleaned value as it stands between the quotes of a label."""
    value = clean(value)
    if "\\" in value or '"' in value:
        return value.replace("\\", "\\\\").replace('"', '\\"')
    return value


def label_text(names: Sequence[str], values: Iterable[str]) -> str:
    """Return `a="x",b="y"` with the values escaped."""
    return ",".join(f'{n}="{escape(v)}"' for n, v in zip(names, values, strict=True))


def number(value: float) -> str:
    """Return a sample value as text: whole numbers without a fraction."""
    if math.isfinite(value) and value == int(value) and abs(value) < WHOLE:
        return str(int(value))
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text := repr(value), text)


def seconds(moment: datetime) -> str:
    """Return a time as seconds since the epoch, to the millisecond."""
    return number(round(moment.timestamp(), 3))


def head(metric: Metric) -> str:
    """Return the HELP and TYPE lines of a family."""
    meaning = metric.meaning.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {metric.full_name} {meaning}\n# TYPE {metric.full_name} {metric.kind}\n"


def family(metric: Metric, lines: Sequence[str]) -> bytes:
    """Return a family's head and lines."""
    return (head(metric) + "\n".join(lines) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Page:
    """Text that is kept for many scrapes, as an open deflate stream.

    The stream ends on a byte border, so a second part can be added to it and the
    whole is one gzip member, which every client understands.  The text itself,
    ten times as large, is not kept: hardly anybody asks for it.
    """

    deflated: bytes = b""
    crc: int = 0
    length: int = 0

    @classmethod
    def of(cls, parts: Iterable[bytes]) -> Page:
        """Build a page; compressing releases the interpreter lock part by part."""
        packer = zlib.compressobj(LEVEL, zlib.DEFLATED, RAW_DEFLATE)
        packed: list[bytes] = []
        crc = length = 0
        for part in parts:
            packed.append(packer.compress(part))
            crc = zlib.crc32(part, crc)
            length += len(part)
        packed.append(packer.flush(zlib.Z_FULL_FLUSH))
        return cls(b"".join(packed), crc, length)

    def with_tail(self, tail: bytes, *, gzip: bool) -> bytes:
        """Return the page followed by `tail`, plain or as one gzip member."""
        if not gzip:
            return zlib.decompress(self.deflated + END, RAW_DEFLATE) + tail
        packer = zlib.compressobj(1, zlib.DEFLATED, RAW_DEFLATE)
        end = struct.pack(
            "<LL",
            zlib.crc32(tail, self.crc),
            (self.length + len(tail)) & 0xFFFFFFFF,
        )
        parts = (GZIP_HEADER, self.deflated, packer.compress(tail), packer.flush(), end)
        return b"".join(parts)
