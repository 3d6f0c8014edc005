"""Windows and blackouts, through changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st

from rotator.core.windows import Blackout, Calendar, Window

ZURICH = ZoneInfo("Europe/Zurich")
HOUR = timedelta(hours=1)
MON, SUN = 0, 6


def at(text: str) -> datetime:
    """Return a UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHT = Window(frozenset({MON}), time(2), 2 * HOUR, ZURICH)


def test_a_window_opens_at_its_zones_time() -> None:
    """02:00 in Zurich is 01:00 UTC in winter, and the window's end is excluded."""
    assert not NIGHT.open(at("2026-11-23T00:59"))
    assert NIGHT.open(at("2026-11-23T01:00"))
    assert NIGHT.open(at("2026-11-23T02:59"))
    assert not NIGHT.open(at("2026-11-23T03:00"))
    assert not NIGHT.open(at("2026-11-24T01:30"))


def test_the_next_opening_is_found_across_the_week() -> None:
    """A closed window tells when it opens next; an open one opens now."""
    assert NIGHT.next_open(at("2026-11-23T03:00")) == at("2026-11-30T01:00")
    assert NIGHT.next_open(at("2026-11-23T01:30")) == at("2026-11-23T01:30")
    assert Window(frozenset(), time(2), HOUR, UTC).next_open(at("2026-11-23T01:30")) is None


def test_a_window_across_midnight_stays_open() -> None:
    """A window that began yesterday is open today for the rest of its length."""
    late = Window(frozenset({SUN}), time(23), 3 * HOUR, UTC)
    assert late.open(at("2026-11-23T01:59"))
    assert not late.open(at("2026-11-23T02:00"))


def test_a_week_long_window_is_always_open() -> None:
    """A window of seven days never closes."""
    whole = Window(frozenset({MON}), time(0), timedelta(days=7), UTC)
    assert all(whole.open(at("2026-11-23T00:00") + n * HOUR) for n in range(0, 400, 7))


def test_a_start_in_the_missing_hour_opens_after_the_jump() -> None:
    """When clocks jump from 02:00 to 03:00, a window at 02:30 opens at 03:30 summer time."""
    window = Window(frozenset({SUN}), time(2, 30), HOUR, ZURICH)
    assert window.next_open(at("2026-03-29T00:00")) == at("2026-03-29T01:30")


def test_a_start_in_the_double_hour_opens_once() -> None:
    """When 02:30 comes twice, the window opens the first time and keeps its length."""
    window = Window(frozenset({SUN}), time(2, 30), HOUR, ZURICH)
    assert window.next_open(at("2026-10-24T23:00")) == at("2026-10-25T00:30")
    assert not window.open(at("2026-10-25T01:30"))


def test_a_blackout_wins_over_a_window() -> None:
    """Inside a blackout nothing opens, and the next opening lies in a window after it."""
    blackout = Blackout(at("2026-11-20T00:00"), at("2026-11-24T00:00"))
    calendar = Calendar((NIGHT,), (blackout,))
    assert not calendar.open(at("2026-11-23T01:30"))
    assert calendar.next_open(at("2026-11-23T01:30")) == at("2026-11-30T01:00")
    assert calendar.next_open(at("2026-11-23T01:30"), windows=False) == at("2026-11-24T00:00")


def test_no_windows_means_always() -> None:
    """A calendar without windows is open outside its blackouts."""
    assert Calendar().next_open(at("2026-11-23T01:30")) == at("2026-11-23T01:30")


def test_a_calendar_that_never_opens_says_so() -> None:
    """Windows without days, and windows that blackouts always cover, never open."""
    never = Window(frozenset(), time(2), HOUR, UTC)
    assert Calendar((never,)).next_open(at("2026-11-23T01:30")) is None
    ages = Blackout(at("2000-01-01T00:00"), at("9990-06-01T00:00"))
    assert Calendar((NIGHT,), (ages,)).next_open(at("2026-11-23T01:30")) is None


def test_many_blackouts_end_the_search() -> None:
    """A calendar with more blackouts than steps gives up instead of running on."""
    start = at("2026-11-23T00:00")
    chain = tuple(Blackout(start + n * HOUR, start + (n + 1) * HOUR) for n in range(1001))
    assert Calendar((), chain).next_open(start) is None


@given(
    st.datetimes(at("2020-01-01").replace(tzinfo=None), at("2040-01-01").replace(tzinfo=None)),
    st.sets(st.integers(0, 6), min_size=1),
    st.times(),
    st.integers(1, 7 * 24 * 60),
    st.sampled_from(["UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe"]),
)
def test_the_next_opening_is_open(
    now: datetime, days: set[int], start: time, minutes: int, zone: str
) -> None:
    """Whatever the window, its next opening is not in the past and the window is open then."""
    window = Window(frozenset(days), start, timedelta(minutes=minutes), ZoneInfo(zone))
    instant = now.replace(tzinfo=UTC)
    opens = window.next_open(instant)
    assert opens is not None
    assert instant <= opens <= instant + timedelta(days=8)
    assert window.open(opens)
