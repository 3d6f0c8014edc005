"""How the documents of passes look to people: what is wrong first, each with its cure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from rotator.cli.failures import CRITICAL, FINE
from rotator.cli.output import Block, Form, Note, Notes, Table, show

Document = Mapping[str, Any]

CREDENTIALS: Final = ("credential", "exchange", "account", "verdict", "validity", "due")
HOLDS: Final = ("hold", "match", "until", "reason")
PLANNED: Final = ("credential", "due", "strategy", "opens", "blocked by")
STRAYS: Final = ("exchange", "account", "key", "label", "kind")
GRAVITY: Final = ("critical", "warning", "info")
VERDICTS: Final = ("blocked", "due", "unknown", "healthy")
BY_HAND: Final = ("assisted", "observe")
NAMED: Final = 3
"""Credentials that a finding names before it counts the others."""


def put_run(document: Document, form: Form) -> None:
    """Print what `run --once` came to."""
    show(form, document, lambda: run_blocks(document))


def run_blocks(document: Document) -> Iterator[Block]:
    """Return the document of `run --once` for people."""
    yield _counted(document["credentials"], "credential")
    yield findings_notes(document["findings"])
    yield rotations_notes(document["rotations"])
    yield from problem_lines(document)


def put_status(document: Document, form: Form) -> int:
    """Print what `status` and `check` came to; return the exit code."""
    show(form, document, lambda: status_blocks(document))
    critical = any(f["severity"] == "critical" for f in document["findings"])
    return CRITICAL if critical else FINE


def status_blocks(document: Document) -> Iterator[Block]:
    """Return the document of `status` and `check` for people."""
    credentials = document["credentials"]
    counts = Counter(c["verdict"] for c in credentials)
    verdicts = ", ".join(f"{counts[v]} {v}" for v in VERDICTS if counts[v])
    told = f": {verdicts}" if verdicts else ""
    yield f"{_counted(len(credentials), 'credential')} as of {_when(document['as_of'])}{told}"
    yield Table(CREDENTIALS, [_credential(c) for c in credentials], empty="no credentials")
    yield findings_notes(document["findings"])
    yield rotations_notes(document["rotations"])
    holds = [
        [h["hold"], h["match"], _when(h["until"]) if h["until"] else "released", h["reason"]]
        for h in document["holds"]
    ]
    if holds:
        yield Table(HOLDS, holds, title="Holds")
    yield from problem_lines(document)


def explain_blocks(document: Document) -> Iterator[Block]:
    """Return the document of `explain` for people."""
    told = (document["verdict"], document["credential"])
    due = _when(document["due_at"])
    lines = (
        f"Next: {document['next']}",
        f"Due: {due}, by policy {document['policy']}, strategy {document['strategy']}",
        f"Key: {document['validity']}",
    )
    yield Notes([Note(told, lines)])
    yield findings_notes(document["findings"])
    yield from problem_lines(document)


def plan_blocks(document: Document, within: str) -> Iterator[Block]:
    """Return the document of `plan` for people."""
    rows = [
        [
            r["credential"],
            _when(r["due_at"]),
            r["strategy"],
            "by a person" if r["strategy"] in BY_HAND else r["opens_at"] and _when(r["opens_at"]),
            r["blocked_by"],
        ]
        for r in document["rotations"]
    ]
    yield Table(PLANNED, rows, empty=f"no rotation is due within {within}")
    yield from problem_lines(document)


def strays_blocks(document: Document) -> Iterator[Block]:
    """Return the document of `strays` for people."""
    rows = [
        [s["exchange"], s["account"], s["key_id"], s["label"], s["kind"]]
        for s in document["strays"]
    ]
    yield Table(STRAYS, rows, empty="no key without a place")
    yield from problem_lines(document)


def findings_notes(findings: Sequence[Document]) -> Notes:
    """Return findings as notes, the gravest first; what is the same for many is told once."""
    told: dict[tuple[str, ...], list[str]] = {}
    for gravity in GRAVITY:
        for f in findings:
            if f["severity"] == gravity:
                same = (gravity, f["code"], f["message"])
                told.setdefault(same, []).append(f["credential"])
    cures = {(f["severity"], f["code"], f["message"]): f["cure"] for f in findings}
    notes = [
        Note((gravity, code, _names(names)), (message, f"Cure: {cures[gravity, code, message]}"))
        for (gravity, code, message), names in told.items()
    ]
    return Notes(notes, title="Findings")


def rotations_notes(rotations: Iterable[Document]) -> Notes:
    """Return rotations as notes: where each stands, why it began, what it waits for."""
    return Notes([_rotation(r) for r in rotations], title="Rotations")


def problem_lines(document: Document) -> Iterator[Block]:
    """Return what could not be read, a line each."""
    problems = document.get("problems", ())
    if problems:
        yield Notes([Note((problem,)) for problem in problems], title="Problems")


def _rotation(rotation: Document) -> Note:
    lines = [f"Because: {rotation['reason']}; begun {_when(rotation['started_at'])}"]
    waits = rotation["question"] or rotation["waits_for"]
    if waits:
        lines.append(f"Waits for: {waits}")
    return Note((rotation["phase"], rotation["rotation"], rotation["credential"]), lines)


def _credential(credential: Document) -> Sequence[object]:
    return (
        credential["credential"],
        credential["exchange"],
        credential["account"],
        credential["verdict"],
        credential["validity"],
        _when(credential["due_at"]),
    )


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _when(text: str | None) -> str:
    """Return a time of a document as people read it, to the minute."""
    return "unknown" if text is None else f"{text[:10]} {text[11:16]} UTC"
