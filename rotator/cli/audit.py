"""`rotator audit`: prove that the audit trail is whole, and hand parts of it out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from rotator.cli.commands import command, group
from rotator.cli.failures import Failed, usage
from rotator.cli.options import DEFAULT_CONFIG, ConfigFile, Json, Output, form_of
from rotator.cli.output import Block, Fields, Form, Table, show
from rotator.cli.session import configured

COLUMNS = ("seq", "at", "step", "credential", "rotation", "by")

File = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help="The trail; without it, audit.file is read."),
]


def add(app: typer.Typer) -> None:
    """Add the group."""
    inner = group(app, "audit", "Verify the audit trail and export evidence from it.")
    command(
        inner,
        "verify",
        "rotator audit verify",
        "rotator audit verify audit.jsonl --head 4711:5d41c2...",
    )(verify)
    command(
        inner,
        "export",
        "rotator audit export --rotation 01jd... -o json > evidence.json",
        "rotator audit export --since 30d",
    )(export)


def verify(
    file: File = None,
    *,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="SEQ:HASH", help="An entry that must be there, such as a pass logged it."
        ),
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Check that no entry of the audit trail was changed, removed or put in.

    Entries cut off at the end leave no trace in the file itself: name a head that a pass
    logged with --head. Ends with 1 at the first line that does not fit.
    """
    from rotator.observe import evidence

    trail = _trail(file, config)
    wanted = _head(head)
    with _readable(trail):
        verified = evidence.verify(trail)
        missing = wanted is not None and not _holds(trail, *wanted)
    told = {"file": str(trail), "ok": verified.ok and not missing, **asdict(verified)}
    show(form_of(output, as_json), told, lambda: [Fields(told)])
    if not verified.ok:
        raise Failed(f"{trail}: line {verified.broken_line}: {verified.problem}.")
    if missing:
        raise Failed(f"{trail}: has no entry {head}: entries were cut off, or it is another trail.")


def export(
    file: File = None,
    *,
    rotation: Annotated[
        str | None, typer.Option(metavar="ID", help="Only the entries of this rotation.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only from this time on: a time, or 30d.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only before this time: a time, or 1d.")
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Print entries of the audit trail with the proof that the chain they come from holds.

    The JSON form is the evidence pack: each entry is whole, so its hash can be computed
    again. Ends with 1 if the chain is broken, after printing what there is.
    """
    from rotator.observe import evidence

    trail = _trail(file, config)
    first, last = _time("--since", since), _time("--until", until)
    with _readable(trail):
        pack = evidence.export(trail, rotation=rotation, since=first, until=last)
    show(form_of(output, as_json), pack, lambda: _blocks(pack))
    chain = pack["chain"]
    if not chain["ok"]:
        raise Failed(f"{trail}: line {chain['broken_line']}: {chain['problem']}.")


class _readable:  # noqa: N801 - reads as what it is, a block in which the file is read
    """A block in which a file is read; what stops that is one sentence."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise Failed(f"{self._file}: cannot be read ({error.strerror}).") from None


def _trail(file: Path | None, config: Path) -> Path:
    if file is not None:
        return file
    named = configured(config).audit.file
    if named is None:
        raise usage("FILE: is missing, and audit.file is not set. Name the audit trail's file.")
    return Path(named)


def _head(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    number, _, digest = text.partition(":")
    if not number.isdecimal() or not digest:
        raise usage("--head: is not an entry's number and hash; write it such as 4711:5d41c2...")
    return int(number), digest


def _holds(trail: Path, number: int, digest: str) -> bool:
    """Say whether the trail holds an entry with this number and (beginning of a) hash."""
    from rotator.observe import chain

    with trail.open("rb") as lines:
        for line in lines:
            entry = chain.parse(line.rstrip(b"\n"))
            if entry is not None and entry.seq == number:
                return entry.hash.startswith(digest)
    return False


def _time(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    from rotator.config.values import DURATION, duration, moment
    from rotator.engine.clock import SystemClock

    try:
        if DURATION.fullmatch(text):
            return SystemClock().now() - duration(text)
        return moment(text)
    except ValueError as error:
        raise usage(f"{option}: {error}") from None


def _blocks(pack: dict[str, Any]) -> Iterator[Block]:
    rows = [[entry.get(name) for name in COLUMNS] for entry in pack["entries"]]
    yield Table(COLUMNS, rows, empty="no entries")
    chain = pack["chain"]
    state = "the chain holds" if chain["ok"] else "the chain is BROKEN"
    yield f"{state}: {chain['entries']} entries, head {chain['head']['seq']}"
