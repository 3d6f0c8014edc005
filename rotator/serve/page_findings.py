"""What is wrong: one entry per exchange and code, the gravest first, each with its cure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rotator.core.findings import Code, Finding, Severity
from rotator.serve.markup import Element, Node, el
from rotator.serve.page_words import counted, from_outside, mark, name_of, section, sentence
from rotator.serve.query import ALL, link
from rotator.serve.selection import GRAVITY
from rotator.serve.view import CredentialRow, Fleet

LISTED: Final = 25
"""Credentials that an entry lists; the rest is behind a link to the table."""

OWNERS: Final = 6
NOTHING_CHECKED: Final = (
    "Nothing was checked: no credential was found below the configured paths. "
    "If there should be some, run: rotator doctor"
)
CODES: Final = {code: place for place, code in enumerate(Code)}


@dataclass(frozen=True, slots=True)
class Group:
    """What is wrong in the same way at one exchange."""

    severity: Severity
    code: Code
    exchange: str | None
    findings: tuple[Finding, ...]
    owners: tuple[tuple[str, int], ...]

    @property
    def told(self) -> str:
        """What it concerns, counted: credentials, or the findings of a single one."""
        names = len({f.credential for f in self.findings})
        if names == 1:
            return counted(len(self.findings), "finding")
        return counted(names, "credential")


def groups(fleet: Fleet) -> list[Group]:
    """Return the findings by severity, code and exchange, the gravest first."""
    rows = {row.name: row for row in fleet.credentials}
    found: dict[tuple[Severity, Code, str | None], list[Finding]] = {}
    for finding in fleet.findings:
        row = rows.get(finding.credential)
        key = (finding.severity, finding.code, row.exchange if row else None)
        found.setdefault(key, []).append(finding)
    built = [Group(*key, tuple(members), _owners(members, rows)) for key, members in found.items()]
    return sorted(built, key=lambda g: (GRAVITY[g.severity], CODES[g.code], g.exchange or ""))


def findings_section(fleet: Fleet) -> Element:
    """Return the section of what is wrong."""
    found = groups(fleet)
    grave = [g for g in found if g.severity is not Severity.INFO]
    notes = [g for g in found if g.severity is Severity.INFO]
    return section(
        "wrong",
        "What is wrong",
        _problems(fleet),
        [_group(g) for g in grave] or _nothing(fleet),
        _notes(notes),
    )


def _nothing(fleet: Fleet) -> Element:
    if not fleet.credentials:
        return el("p", sentence(NOTHING_CHECKED), class_="entry")
    if fleet.problems or not fleet.complete:
        return el("p", "What could be checked has nothing critical or to warn of.", class_="entry")
    return el("p", "No check found anything critical, and nothing to warn of.", class_="fine")


def _problems(fleet: Fleet) -> Node:
    if not fleet.problems and fleet.complete:
        return None
    told = fleet.problems[:LISTED]
    more = len(fleet.problems) - len(told)
    title = "The last pass had problems" if fleet.complete else "The inventory is incomplete"
    return el(
        "div",
        el("h3", title),
        el("ul", [el("li", name_of(p, "text")) for p in told]),
        el("p", f"and {more:,} more: ", el("a", "api/v1/status", href="api/v1/status"))
        if more > 0
        else None,
        class_="entry warning",
    )


def _notes(notes: Sequence[Group]) -> Node:
    if not notes:
        return None
    title = f"For your information: {counted(len(notes), 'note')}"
    return el("details", el("summary", title), [_group(g) for g in notes], class_="notes")


def _group(group: Group) -> Element:
    first, many = group.findings[0], len(group.findings) > 1
    place = group.exchange or "the store"
    return el(
        "article",
        el(
            "h3",
            mark(group.severity),
            " ",
            el("span", group.code.value, class_="code"),
            " at ",
            name_of(place),
            ": ",
            group.told if many else name_of(first.credential),
        ),
        el("p", "The first: ", name_of(first.credential)) if many else None,
        el("p", from_outside(first.message)),
        el("p", el("strong", "Do: "), sentence(first.cure), class_="cure"),
        _members(group) if many else None,
        class_=f"entry {group.severity.value}",
    )


def _members(group: Group) -> Element:
    told = group.findings[:LISTED]
    owners = ", ".join(f"{owner} ({count:,})" for owner, count in group.owners[:OWNERS])
    rest = len(group.owners) - OWNERS
    more = f" and {counted(rest, 'owner')} more" if rest > 0 else ""
    return el(
        "details",
        el("summary", f"All {group.told}. Owners: {owners}{more}"),
        el("ul", [_member(finding) for finding in told], class_="members"),
        el("p", _table_link(group)),
    )


def _member(finding: Finding) -> Element:
    return el(
        "li",
        name_of(finding.credential),
        el("br"),
        from_outside(finding.message),
        el("br"),
        el("strong", "Do: "),
        sentence(finding.cure),
    )


def _table_link(group: Group) -> Iterator[Node]:
    hidden = len(group.findings) - LISTED
    if hidden > 0:
        yield f"{hidden:,} more. "
    href = link(ALL, code=group.code, exchange=group.exchange or "")
    yield el("a", f"Show those with {group.code.value} in the table", href=href)


def _owners(
    findings: Sequence[Finding], rows: dict[str, CredentialRow]
) -> tuple[tuple[str, int], ...]:
    names = {f.credential for f in findings}
    counts = Counter((rows[n].owner if n in rows else None) or "nobody named" for n in names)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
