"""How the documents of passes look to people: findings first, then rotations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rotator.cli.output import Block, Form, Table, show

Document = Mapping[str, Any]

FINDINGS: Final = ("severity", "code", "credential", "what", "cure")
ROTATIONS: Final = ("credential", "rotation", "phase", "reason", "waits for")


def put_run(document: Document, form: Form) -> None:
    """Print what `run --once` came to."""
    show(form, document, lambda: run_blocks(document))


def run_blocks(document: Document) -> Iterable[Block]:
    """Return the document of `run --once` for people."""
    yield f"{document['credentials']} credentials"
    yield findings_table(document["findings"])
    yield rotations_table(document["rotations"])
    yield from problem_lines(document)


def findings_table(findings: Iterable[Document]) -> Table:
    """Return findings as a table."""
    rows = [[f["severity"], f["code"], f["credential"], f["message"], f["cure"]] for f in findings]
    return Table(FINDINGS, rows, title="Findings", empty="none")


def rotations_table(rotations: Iterable[Document]) -> Table:
    """Return rotations as a table."""
    rows = [
        [r["credential"], r["rotation"], r["phase"], r["reason"], r["waits_for"]]
        for r in rotations
    ]
    return Table(ROTATIONS, rows, title="Rotations", empty="none")


def problem_lines(document: Document) -> Iterable[Block]:
    """Return what could not be read, a line each."""
    for problem in document.get("problems", ()):
        yield f"! {problem}"
