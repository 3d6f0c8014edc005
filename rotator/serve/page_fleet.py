"""The fleet as a table: filtered by a form, sorted by its headings, page by page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rotator.core.facts import NEVER, Validity
from rotator.core.findings import Verdict
from rotator.serve.markup import Element, Node, el
from rotator.serve.page_filter import filter_form
from rotator.serve.page_words import counted, mark, name_of, path_of, section, verdict_mark, when
from rotator.serve.query import Direction, Sort, Wanted, link
from rotator.serve.selection import Part, credentials
from rotator.serve.view import CredentialRow, Fleet

TURNED: Final = {Direction.ASC: Direction.DESC, Direction.DESC: Direction.ASC}
SORTED: Final = {Direction.ASC: "ascending", Direction.DESC: "descending"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, its order, and the cell of a row."""

    title: str
    sort: Sort | None
    cell: Callable[[CredentialRow], Node]


def _text(text: str | None) -> Node:
    return name_of(text, "text") if text else el("span", "unknown", class_="quiet")


def _verdict(row: CredentialRow) -> Node:
    phase = el("span", row.phase, class_="mark info") if row.phase else None
    blocked = el("span", ", ".join(row.blocked_by), class_="quiet") if row.blocked_by else None
    return [verdict_mark(row.verdict), " ", phase, blocked if row.verdict in BLOCKS else None]


def _findings(row: CredentialRow) -> Node:
    if not row.codes:
        return el("span", "none", class_="quiet")
    codes = ", ".join(code.value for code in row.codes)
    return [mark(row.gravest) if row.gravest else None, " ", codes]


def _validity(row: CredentialRow) -> Node:
    kind = "good" if row.validity is Validity.VALID else "unknown"
    return el("span", row.validity.value.replace("_", " "), class_=f"mark {kind}")


def _expires(row: CredentialRow) -> Node:
    if row.expires_at is NEVER:
        return "never"
    return when(row.expires_at, zone=False)


BLOCKS: Final = frozenset({Verdict.BLOCKED, Verdict.DUE})
COLUMNS: Final = (
    Column("Credential", Sort.CREDENTIAL, lambda r: path_of(r.name)),
    Column("Exchange", Sort.EXCHANGE, lambda r: _text(r.exchange)),
    Column("Account", Sort.ACCOUNT, lambda r: _text(r.account)),
    Column("Owner", Sort.OWNER, lambda r: _text(r.owner)),
    Column("Verdict", Sort.VERDICT, _verdict),
    Column("Key", Sort.VALIDITY, _validity),
    Column("Findings", Sort.TROUBLE, _findings),
    Column("Due", Sort.DUE, lambda r: when(r.due_at, zone=False)),
    Column("Expires", Sort.EXPIRES, _expires),
    Column("Looked at", Sort.LOOKED, lambda r: when(r.looked_at, "not yet", zone=False)),
)


def fleet_section(fleet: Fleet, asked: Wanted) -> Element:
    """Return the section of the fleet."""
    part = credentials(fleet, asked)
    return section(
        "fleet",
        "The fleet",
        filter_form(fleet, asked),
        _table(part, asked),
        _pages(part, asked),
    )


def _table(part: Part[CredentialRow], asked: Wanted) -> Element:
    # Roles are spelled out because narrow screens show rows as blocks, which would lose them.
    head = el("tr", [_heading(column, asked) for column in COLUMNS], role="row")
    rows = [_row(row) for row in part.rows] or [
        el("tr", el("td", "No credential here.", colspan=len(COLUMNS), role="cell"), role="row")
    ]
    return el(
        "table",
        el("caption", _caption(part)),
        el("thead", head, role="rowgroup"),
        el("tbody", rows, role="rowgroup"),
        role="table",
    )


def _caption(part: Part[CredentialRow]) -> str:
    first = (part.page - 1) * part.per_page + 1
    if not part.rows:
        return f"None of {counted(part.total, 'credential')}"
    last = first + len(part.rows) - 1
    return f"{first:,} to {last:,} of {counted(part.total, 'credential')}, times in UTC"


def _heading(column: Column, asked: Wanted) -> Element:
    if column.sort is None:
        return el("th", column.title, scope="col", role="columnheader")
    here = asked.sort is column.sort
    order = TURNED[asked.order] if here else Direction.ASC
    arrow = {Direction.ASC: " \u2191", Direction.DESC: " \u2193"}[asked.order] if here else ""
    return el(
        "th",
        el(
            "a",
            column.title,
            el("span", arrow, aria_hidden="true") if arrow else None,
            href=link(asked, sort=column.sort, order=order),
        ),
        scope="col",
        role="columnheader",
        aria_sort=SORTED[asked.order] if here else None,
    )


def _row(row: CredentialRow) -> Element:
    first, *others = COLUMNS
    return el(
        "tr",
        el("th", first.cell(row), scope="row", role="rowheader"),
        [el("td", el("span", c.cell(row)), role="cell", data_title=c.title) for c in others],
        role="row",
        class_=row.gravest.value if row.gravest else None,
    )


def _pages(part: Part[CredentialRow], asked: Wanted) -> Node:
    if part.pages == 1 and part.page == 1:
        return None
    page, last = min(part.page, part.pages + 1), part.pages
    return el(
        "nav",
        _turn("First", 1, asked) if page > 1 else None,
        _turn("Previous", page - 1, asked) if page > 1 else None,
        el("span", f"Page {part.page:,} of {last:,}"),
        _turn("Next", page + 1, asked) if page < last else None,
        _turn("Last", last, asked) if page < last else None,
        class_="pages",
        aria_label="Pages of the table",
    )


def _turn(word: str, page: int, asked: Wanted) -> Element:
    return el("a", word, href=link(asked, page=page))
