"""Filters, orders and pages of the fleet; and texts that are kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from rotator.core.facts import NEVER, Validity
from rotator.core.findings import Code, Severity, Verdict
from rotator.serve.kept import Kept
from rotator.serve.query import Direction, Sort, Wanted, WantedFindings
from rotator.serve.selection import credentials, findings
from rotator.serve.view import Fleet
from tests.serve.views import NOW, bad, row, small_fleet


def names(fleet: Fleet, **asked: object) -> list[str]:
    """Return the last words of the credentials that are shown."""
    shown = credentials(fleet, Wanted(**asked))  # type: ignore[arg-type]
    return [r.name.rpartition("/")[2] for r in shown.rows]


def test_the_worst_comes_first() -> None:
    """Critical before warning before none, then by name."""
    assert names(small_fleet()) == ["dead", "late", "desk0"]


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({"q": "LATE"}, ["late"]),
        ({"q": "1001"}, ["dead", "late", "desk0"]),
        ({"exchange": "binance"}, ["late"]),
        ({"exchange": "binanc"}, []),
        ({"owner": "desk"}, ["dead", "late", "desk0"]),
        ({"verdict": Verdict.HEALTHY}, ["desk0"]),
        ({"validity": Validity.INVALID}, ["dead"]),
        ({"severity": Severity.INFO}, ["desk0"]),
        ({"severity": Severity.CRITICAL}, ["dead"]),
        ({"code": Code.OVERDUE}, ["late"]),
        ({"code": Code.OVERDUE, "exchange": "bybit"}, []),
    ],
)
def test_filters_are_joined_by_and(asked: dict[str, object], shown: list[str]) -> None:
    """Each keeps what fits."""
    assert names(small_fleet(), **asked) == shown


def test_numbers_in_names_count() -> None:
    """A person looks for desk9 before desk10."""
    fleet = Fleet(NOW, credentials=tuple(row(f"s/{n}") for n in ("k10", "k9", "k1b2", "k01")))
    assert names(fleet, sort=Sort.CREDENTIAL) == ["k01", "k1b2", "k9", "k10"]


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("order", list(Direction))
def test_every_order_shows_everything(sort: Sort, order: Direction) -> None:
    """Nothing is lost where a value is unknown."""
    fleet = Fleet(
        NOW,
        credentials=(
            row("s/a"),
            row(
                "s/b",
                exchange=None,
                account=None,
                owner=None,
                due_at=None,
                expires_at=None,
                looked_at=None,
            ),
        ),
    )
    assert sorted(names(fleet, sort=sort, order=order)) == ["a", "b"]


@pytest.mark.parametrize("order", list(Direction))
def test_what_is_unknown_comes_last_either_way(order: Direction) -> None:
    """It is neither the first nor the last to be due; nor is what never ends."""
    soon, later = (row(f"s/{n}", due_at=NOW + timedelta(days=n)) for n in (1, 2))
    fleet = Fleet(NOW, credentials=(row("s/0", due_at=None), later, soon))
    first = ["1", "2"] if order is Direction.ASC else ["2", "1"]
    assert names(fleet, sort=Sort.DUE, order=order) == [*first, "0"]
    ends = Fleet(NOW, credentials=(row("s/0", expires_at=NEVER), row("s/1", expires_at=NOW)))
    assert names(ends, sort=Sort.EXPIRES, order=order) == ["1", "0"]


@given(count=st.integers(0, 40), per_page=st.integers(1, 15))
def test_the_pages_together_are_the_whole(count: int, per_page: int) -> None:
    """Each credential stands on one page; a page after the last is empty."""
    fleet = Fleet(NOW, credentials=tuple(row(f"s/{n:02}") for n in range(count)))
    pages = credentials(fleet, Wanted(per_page=per_page)).pages
    shown = [n for page in range(1, pages + 1) for n in names(fleet, page=page, per_page=per_page)]
    assert shown == [f"{n:02}" for n in range(count)]
    assert names(fleet, page=pages + 1, per_page=per_page) == []


def test_findings_are_filtered_as_well() -> None:
    """By exchange and owner of their credential, by severity and code."""
    fleet = small_fleet()
    codes = [f.code for f in findings(fleet, WantedFindings()).rows]
    assert codes == [Code.INVALID, Code.OVERDUE, Code.DUE_SOON]
    assert findings(fleet, WantedFindings(exchange="binance")).total == 1
    assert findings(fleet, WantedFindings(owner="nobody")).total == 0
    assert findings(fleet, WantedFindings(severity=Severity.CRITICAL)).total == 1
    assert findings(fleet, WantedFindings(code=Code.DUE_SOON, per_page=1)).total == 1
    _, estate = bad("secret/rotator", Code.STORE_RESTORED)
    alone = Fleet(NOW, findings=tuple(estate))
    assert findings(alone, WantedFindings()).total == 1
    assert findings(alone, WantedFindings(exchange="bybit")).total == 0


def test_a_text_is_made_once_per_version() -> None:
    """A new version drops what was kept of the old one."""
    kept, made = Kept(), []

    def make() -> bytes:
        made.append(1)
        return b"text"

    for version in (1, 1, 1, 2, 2):
        assert kept.get(version, "page", make) == b"text"
    assert len(made) == 2


def test_kept_texts_take_a_bounded_room() -> None:
    """The one that was asked for longest ago goes; one that is too large is not kept."""
    kept, made = Kept(most_bytes=10), []

    def get(name: str, size: int) -> None:
        kept.get(1, name, lambda: made.append(name) or b"x" * size)  # type: ignore[func-returns-value]

    for name in ("a", "b", "a", "c", "a", "b"):
        get(name, 4)
    assert made == ["a", "b", "c", "b"]
    get("large", 11)
    get("large", 11)
    assert made[-2:] == ["large", "large"]
