"""The form above the table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rotator.core.facts import Validity
from rotator.core.findings import Severity, Verdict
from rotator.serve.markup import Element, el
from rotator.serve.query import ALL, LONGEST_TEXT, Direction, Sort, Wanted, link
from rotator.serve.view import Fleet

SIZES: Final = (25, 50, 100, 250)
SORT_NAMES: Final = {Sort.TROUBLE: "worst first", Sort.VALIDITY: "key", Sort.LOOKED: "looked at"}
MOST_CHOICES: Final = 200


def filter_form(fleet: Fleet, asked: Wanted) -> Element:
    """Return the form that filters and sorts the table; it needs no script."""
    exchanges = sorted({r.exchange for r in fleet.credentials if r.exchange})
    owners = sorted({r.owner for r in fleet.credentials if r.owner})
    codes = sorted({f.code.value for f in fleet.findings})
    return el(
        "form",
        _labelled(
            "q",
            "Search",
            el("input", id="q", name="q", type="search", value=asked.q, maxlength=LONGEST_TEXT),
        ),
        _choice("exchange", "Exchange", exchanges, asked.exchange),
        _choice("owner", "Owner", owners, asked.owner),
        _choice("verdict", "Verdict", [v.value for v in Verdict], asked.verdict),
        _choice("validity", "Key", [v.value for v in Validity], asked.validity),
        _choice("code", "Finding", codes, asked.code),
        _choice("severity", "Severity", [s.value for s in Severity], asked.severity),
        _labelled("sort", "Sort by", _select("sort", _sorts(), asked.sort)),
        _labelled("order", "Order", _select("order", _orders(), asked.order)),
        _labelled("per_page", "Rows", _select("per_page", _sizes(asked), str(asked.per_page))),
        el("button", "Show", type="submit"),
        el("a", "Show all", href=link(ALL)),
        method="get",
        action="./#fleet",
        role="search",
        aria_label="Filter the fleet",
    )


def _sorts() -> list[tuple[str, str]]:
    return [(s.value, SORT_NAMES.get(s, s.value)) for s in Sort]


def _orders() -> list[tuple[str, str]]:
    return [(Direction.ASC.value, "upwards"), (Direction.DESC.value, "downwards")]


def _sizes(asked: Wanted) -> list[tuple[str, str]]:
    return [(str(size), str(size)) for size in sorted({*SIZES, asked.per_page})]


def _choice(name: str, title: str, values: Iterable[str], chosen: str | None) -> Element:
    given = [*values][:MOST_CHOICES]
    if chosen and chosen not in given:
        given.append(str(chosen))
    options = [("", "any"), *((v, v.replace("_", " ")) for v in given)]
    return _labelled(name, title, _select(name, options, chosen or ""))


def _labelled(name: str, title: str, control: Element) -> Element:
    return el("div", el("label", title, for_=name), control)


def _select(name: str, options: Sequence[tuple[str, str]], chosen: str) -> Element:
    return el(
        "select",
        [el("option", text, value=value, selected=value == chosen) for value, text in options],
        id=name,
        name=name,
    )
