"""What a reader asks for is read, refused, and linked to."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, strategies as st

from rotator.core.facts import Validity
from rotator.core.findings import Code, Severity, Verdict
from rotator.serve.query import (
    ALL,
    BadQuery,
    Direction,
    Sort,
    Wanted,
    link,
    nothing_wanted,
    wanted,
    wanted_findings,
    wanted_span,
)

asked = st.builds(
    Wanted,
    q=st.text(min_size=1, max_size=20).filter(lambda t: "\ud800" not in t),
    exchange=st.sampled_from(["", "bybit"]),
    verdict=st.none() | st.sampled_from(Verdict),
    validity=st.none() | st.sampled_from(Validity),
    severity=st.none() | st.sampled_from(Severity),
    code=st.none() | st.sampled_from(Code),
    sort=st.sampled_from(Sort),
    order=st.sampled_from(Direction),
    page=st.integers(1, 1_000_000),
    per_page=st.integers(1, 1000),
)


@given(asked)
def test_a_link_leads_to_what_it_was_made_of(query: Wanted) -> None:
    """Written as a link and read again, it is the same."""
    parts = urlsplit(link(query, page=query.page))
    assert wanted(parse_qsl(parts.query)) == query
    assert parts.fragment == "fleet"


def test_another_order_begins_at_the_first_page() -> None:
    """A page number of the old order means nothing."""
    assert link(Wanted(page=7), sort=Sort.DUE) == "?sort=due#fleet"
    assert link(ALL) == "./#fleet"


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([("colour", "red")], "no parameter 'colour'"),
        ([("page", "1"), ("page", "2")], "page is given twice"),
        ([("page", "0")], "whole number from 1 to"),
        ([("page", "-1")], "whole number"),
        ([("page", "1e3")], "whole number"),
        ([("page", "\u0663")], "whole number"),
        ([("page", "9" * 5000)], "whole number"),
        ([("per_page", "1001")], "from 1 to 1000"),
        ([("verdict", "fine")], "must be one of healthy, due"),
        ([("code", "invalid")], "must be one of WithdrawEnabled"),
        ([("sort", "")], "must be one of trouble"),
        ([("q", "x" * 201)], "1 to 200 characters"),
        ([("exchange", "")], "1 to 200 characters"),
    ],
)
def test_what_cannot_be_understood_is_refused(pairs: list[tuple[str, str]], says: str) -> None:
    """The sentence names the parameter and what it may be."""
    with pytest.raises(BadQuery, match=says):
        wanted(pairs)


def test_a_refusal_quotes_little_and_visibly() -> None:
    """What was sent comes back short and escaped."""
    with pytest.raises(BadQuery) as refused:
        wanted([("verdict", "\u202e" + "x" * 5000)])
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 200


def test_each_reader_has_its_own_parameters() -> None:
    """Findings have no verdict, and some pages take nothing."""
    assert wanted_findings([("code", "Invalid")]).code is Code.INVALID
    with pytest.raises(BadQuery):
        wanted_findings([("verdict", "due")])
    with pytest.raises(BadQuery, match="known are: none"):
        nothing_wanted([("page", "1")])


@pytest.mark.parametrize(
    ("text", "days"),
    [("30d", 30), ("4w", 28), ("48h", 2), ("1440m", 1), ("86400s", 1), ("99999w", 699_993)],
)
def test_a_span_has_a_unit(text: str, days: int) -> None:
    """The same units as on the command line; 30 days unless said."""
    assert wanted_span([("within", text)]) == timedelta(days=days)
    assert wanted_span([]) == timedelta(days=30)


@pytest.mark.parametrize("text", ["", "d", "30", "30y", "-1d", "1.5d", "100000s", "\u0663d"])
def test_what_is_no_span_is_refused(text: str) -> None:
    """Nor is one longer than any plan."""
    with pytest.raises(BadQuery, match="span"):
        wanted_span([("within", text)])
