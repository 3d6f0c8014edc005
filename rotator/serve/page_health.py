"""How exchanges, store and this process are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from rotator.core.words import span_told
from rotator.serve.markup import Element, Node, el
from rotator.serve.page_words import name_of, section, when
from rotator.serve.view import ExchangeRow, Fleet, HouseRow, Live, StoreRow

TITLES: Final = ("Exchange", "Credentials", "Armed", "Gave no answer", "Last answer", "State")

SKEWED: Final = timedelta(seconds=30)
"""From this difference on, clocks disagree too much for a rotation to count time."""


def health_section(live: Live, fleet: Fleet | None) -> Element:
    """Return the section of health."""
    houses = {house.name: house for house in live.houses}
    rows = fleet.exchanges if fleet is not None else ()
    return section(
        "health",
        "Health",
        _exchanges(rows, houses, live) if rows else el("p", "No exchange was asked yet."),
        el(
            "dl",
            el("dt", "Store"),
            el("dd", _store(live.store)),
            el("dt", "Login at the store ends"),
            el("dd", _login(live.store)),
            el("dt", "This process"),
            el("dd", "leads" if live.leads else "does not lead"),
            el("dt", "Its login"),
            el("dd", "may rotate" if live.rotates else "only watches, as far as is known"),
        ),
        el(
            "p",
            el("a", "Metrics", href="metrics"),
            " ",
            el("a", "Liveness", href="healthz"),
            " ",
            el("a", "Readiness", href="readyz"),
            " ",
            el("a", "The API of this page", href="api/v1/openapi.json"),
            class_="links",
        ),
    )


def _exchanges(
    rows: tuple[ExchangeRow, ...], houses: Mapping[str, HouseRow], live: Live
) -> Element:
    head = el("tr", [el("th", t, scope="col", role="columnheader") for t in TITLES], role="row")
    return el(
        "table",
        el("caption", "Exchanges, by the last look at each key"),
        el("thead", head, role="rowgroup"),
        el("tbody", [_exchange(row, houses.get(row.name), live) for row in rows], role="rowgroup"),
        role="table",
    )


def _exchange(row: ExchangeRow, house: HouseRow | None, live: Live) -> Element:
    cells: tuple[Node, ...] = (
        f"{row.credentials:,}",
        f"{row.armed:,}",
        f"{row.unanswered:,}",
        when(row.answered_at, "never"),
        _state(row, house, live),
    )
    named = zip(TITLES[1:], cells, strict=True)
    return el(
        "tr",
        el("th", name_of(row.name), scope="row", role="rowheader"),
        [el("td", el("span", cell), role="cell", data_title=title) for title, cell in named],
        role="row",
    )


def _state(row: ExchangeRow, house: HouseRow | None, live: Live) -> Node:
    if house is not None and house.banned_until is not None and house.banned_until > live.now:
        return [_mark("critical", "banned"), " until ", when(house.banned_until)]
    if row.unanswered:
        return _mark("warning", "gives no answer" if row.answered_at is None else "partly silent")
    if row.answered_at is None:
        return _mark("unknown", "not asked")
    skew = house.clock_skew if house is not None else None
    if skew is not None and abs(skew) >= SKEWED:
        return [_mark("warning", "answers"), f" but its clock differs by {span_told(skew)}"]
    return _mark("good", "answers")


def _store(store: StoreRow | None) -> Node:
    if store is None:
        return _mark("unknown", "not asked yet")
    if store.sealed:
        return _mark("critical", "sealed")
    if not store.up:
        return [_mark("critical", "down"), " ", name_of(store.message, "text")]
    return _mark("good", "answers")


def _login(store: StoreRow | None) -> Node:
    if store is None or store.token_expires_at is None:
        return "never, or unknown"
    return [when(store.token_expires_at), " (it is renewed before)"]


def _mark(kind: str, text: str) -> Element:
    return el("span", text, class_=f"mark {kind}")
