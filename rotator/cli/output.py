"""What a command prints: one document as JSON or YAML, or tables for people.

Data goes to standard output, everything else to standard error.  Texts may come
from an exchange or a store, so nothing unprintable reaches a terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TextIO

from rotator.cli.failures import Failed

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


class Form(StrEnum):
    """The forms of `-o`."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under column names; `empty` is said where there are no rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str = ""
    empty: str = "nothing"


@dataclass(frozen=True, slots=True)
class Fields:
    """Names and values of one thing, a line each."""

    rows: Mapping[str, object]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A heading of a few words, and sentences that belong to it."""

    heading: Sequence[object]
    lines: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Notes:
    """Notes one below the other; `empty` is said where there are none."""

    notes: Sequence[Note]
    title: str = ""
    empty: str = "none"


Block = Table | Fields | Notes | str
"""What stands between two empty lines of the form for people."""

Document = Mapping[str, Any]

STYLES: Final = {
    "critical": "bold red",
    "error": "red",
    "warning": "yellow",
    "info": "cyan",
    "valid": "green",
    "healthy": "green",
    "ok": "green",
    "done": "green",
    "invalid": "red",
    "expired": "red",
    "failed": "red",
    "blocked": "yellow",
    "due": "yellow",
    "unknown": "dim",
    "aborted": "yellow",
    "quarantined": "bold red",
}
"""How a cell that is one of these words looks on a terminal with colours."""

UNKNOWN: Final = "-"
GAP: Final = "  "
INDENT: Final = "    "


def show(form: Form, document: Document, blocks: Callable[[], Iterable[Block]]) -> None:
    """Print a document in a form; `blocks` says it for people.

    Raises Failed if standard output cannot be written; a closed pipe passes as
    BrokenPipeError.
    """
    if form is Form.JSON:
        put(json_text(document, indent=2 if is_terminal(sys.stdout) else None))
    elif form is Form.YAML:
        put(yaml_text(document))
    elif colours():
        _rich(blocks())
    else:
        put("\n".join(plain_text(block) for block in blocks()))


def put(text: str) -> None:
    """Print text to standard output at once, with a newline at its end."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Failed(f"standard output cannot be written: {error.strerror}") from None


def say(message: str) -> None:
    """Tell a person something, on standard error."""
    sys.stderr.write(f"rotator: {clean(message)}\n")
    sys.stderr.flush()


def json_text(document: Document, indent: int | None = None) -> str:
    """Return a document as JSON in ASCII, on one line unless indented."""
    import json

    return json.dumps(document, indent=indent, default=_plain, allow_nan=False)


def yaml_text(document: Document) -> str:
    """Return a document as YAML in ASCII."""
    import json

    import yaml

    plain = json.loads(json_text(document))
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=False, width=100)
    return text


def plain_text(block: Block) -> str:
    """Return a block as text without colours, columns aligned, nothing cut."""
    if isinstance(block, str):
        return block + "\n"
    if isinstance(block, Fields):
        width = max((len(name) for name in block.rows), default=0)
        lines = [f"{name:<{width}}{GAP}{cell(value)}" for name, value in block.rows.items()]
        return _titled(block.title, lines)
    if isinstance(block, Notes):
        return _titled(block.title, list(_noted(block)) or [block.empty])
    if not block.rows:
        return _titled(block.title, [block.empty])
    rows = [[name.upper() for name in block.columns], *(map(cell, row) for row in block.rows)]
    return _titled(block.title, _aligned([list(row) for row in rows]))


def cell(value: object) -> str:
    """Return a value as a table shows it: `-` for unknown, `none` for an empty list."""
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, Mapping):
        return ", ".join(f"{clean(str(k))}={cell(v)}" for k, v in value.items()) or "none"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(cell(v) for v in value) or "none"
    return clean(str(value))


def clean(text: str) -> str:
    """Return a text with everything unprintable escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def is_terminal(stream: TextIO) -> bool:
    """Say whether a stream is a terminal."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def colours() -> bool:
    """Say whether standard output takes colours: a terminal, and NO_COLOR is not set."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and is_terminal(sys.stdout)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no place in a document")


def _titled(title: str, lines: Sequence[str]) -> str:
    return "\n".join(([title] if title else []) + list(lines)) + "\n"


def _noted(block: Notes) -> Iterable[str]:
    for note in block.notes:
        yield GAP.join(map(cell, note.heading))
        for line in note.lines:
            yield from _folded(clean(line))


def _folded(line: str) -> list[str]:
    """Return a line indented; on a terminal in as many lines as it needs."""
    if not is_terminal(sys.stdout):
        return [INDENT + line]
    import shutil
    import textwrap

    width = max(40, shutil.get_terminal_size().columns)
    return textwrap.wrap(
        line,
        width,
        initial_indent=INDENT,
        subsequent_indent=INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        GAP.join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _rich(blocks: Iterable[Block]) -> None:
    """Print blocks on a terminal with colours, long cells wrapped."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    for number, block in enumerate(blocks):
        if number:
            console.print()
        if isinstance(block, Notes):
            _rich_notes(console, block)
        else:
            console.print(block if isinstance(block, str) else _rich_table(block))


def _rich_notes(console: Console, block: Notes) -> None:
    from rich.text import Text

    if block.title:
        console.print(Text(block.title, style="italic"))
    for note in block.notes:
        first, *rest = map(_styled, note.heading)
        console.print(Text(GAP).join((first, *rest)), soft_wrap=True)
        for line in note.lines:
            for part in _folded(clean(line)):
                console.print(Text(part), soft_wrap=True)
    if not block.notes:
        console.print(Text(block.empty))


def _styled(value: object) -> Text:
    from rich.text import Text

    shown = cell(value)
    return Text(shown, style=STYLES.get(shown.lower(), ""))


def _rich_table(block: Table | Fields) -> object:
    from rich import box, table, text

    titled = table.Table(
        box=box.SIMPLE_HEAD,
        title=block.title or None,
        title_justify="left",
        show_edge=False,
        show_header=isinstance(block, Table),
        pad_edge=False,
    )
    if isinstance(block, Fields):
        titled.add_column(style="dim")
        titled.add_column()
        for name, value in block.rows.items():
            titled.add_row(name, _styled(value))
        return titled
    if not block.rows:
        return text.Text(f"{block.title}\n{block.empty}" if block.title else block.empty)
    for name in block.columns:
        titled.add_column(name, overflow="fold")
    for row in block.rows:
        titled.add_row(*map(_styled, row))
    return titled
