"""When each rotation may be opened, and what stands in its way.

`plan` is computed anew from judgements at each pass and is never cached as
truth.  It knows everything that has to do with time and with other credentials;
how many may be opened at once is decided by `rotator.core.opening`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rotator.core.checks import Judgement
from rotator.core.credentials import Globs
from rotator.core.due import Due, Why, fraction, moved
from rotator.core.findings import Code
from rotator.core.names import AccountId, CredentialName, ExchangeName, StorePath
from rotator.core.policy import Policy, Strategy
from rotator.core.record import Trigger
from rotator.core.verdict import blocked_by

COOL_DOWN = timedelta(hours=1)
"""No rotation of a credential is opened for so long after one ended ABORTED."""

EXPIRY_MARGIN = timedelta(days=1)
"""A window that opens later than this before a key's end is overridden."""

BACKLOG_SLICES = 7
"""A backlog's slot stays open for this fraction of the spread, so that a daily run meets it."""

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)

WINDOW = "Window"
BLACKOUT = "Blackout"
COOLING = "CoolDown"
BACKLOG = "Backlog"
CANARY = "Canary"
SOAK = "Soak"
HALTED = "ExchangeHalted"
OPEN = "RotationOpen"


class Paths:
    """A set of path globs, such as `rotation.armed` and `canary`."""

    def __init__(self, globs: Iterable[str]) -> None:
        self._globs = Globs((glob, glob) for glob in globs)

    def cover(self, path: str, name: str | None = None) -> bool:
        """Say whether a glob covers the path, or the credential's name."""
        if self._globs.first(path) is not None:
            return True
        return name is not None and name != path and self._globs.first(name) is not None

    def covering(self, path: str) -> str | None:
        """Return the first glob that covers the path."""
        return self._globs.first(path)


@dataclass(frozen=True, slots=True)
class Limits:
    """The blast radius: `rotation:` of the configuration.

    `creates_per_hour` is per exchange; `armed` and `canary` are path globs.
    """

    armed: tuple[str, ...] = ()
    in_flight: int = 4
    creates_per_hour: int = 60
    spread_backlog: timedelta = timedelta(days=7)
    canary: tuple[str, ...] = ()
    soak: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One judged credential with what people and earlier rotations say of it.

    `holds` names the holds that cover it.  `asked` is True after `rotator rotate
    KEY`.  `rotated_before` tells whether Rotator has replaced this key before;
    `cooling_until` is when its cool-down ends.
    """

    judgement: Judgement
    holds: tuple[str, ...] = ()
    asked: bool = False
    rotated_before: bool = False
    cooling_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Occupied:
    """A rotation that is open: what it takes of the limits."""

    credential: CredentialName
    path: StorePath
    exchange: ExchangeName | None
    account: AccountId | None
    created: bool = True


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What holds for all credentials.

    `halted` are exchanges where a rotation ended badly; `incident` and `restored`
    stop everything.  `canary_done` is when the last canary of an exchange ended
    DONE.  `armed_since` is since when this daemon has seen the paths armed.
    """

    limits: Limits = field(default_factory=Limits)
    open: tuple[Occupied, ...] = ()
    halted: frozenset[ExchangeName] = frozenset()
    incident: bool = False
    restored: bool = False
    canary_done: Mapping[ExchangeName, datetime] = field(default_factory=dict)
    armed_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A rotation to come.

    `blocked_by` are the words that keep it shut: reason codes, `Hold:NAME`, and
    the constants of this module.  `opens_at` is the earliest time at which it may
    open, None while something without an end blocks it.  `overrides_window` says
    that it opens outside its windows because the key would end before the next.
    """

    credential: CredentialName
    path: StorePath
    exchange: ExchangeName | None
    account: AccountId | None
    due_at: datetime
    strategy: Strategy
    blocked_by: tuple[str, ...]
    opens_at: datetime | None
    trigger: Trigger = Trigger.DUE
    by_program: bool = True
    canary: bool = False
    overrides_window: bool = False
    expires_at: datetime | None = None

    @property
    def asked(self) -> bool:
        """Say whether a person asked for it."""
        return self.trigger is Trigger.MANUAL

    def ready(self, now: datetime) -> bool:
        """Say whether it may be opened now, limits aside."""
        return (
            self.by_program
            and not self.blocked_by
            and self.due_at <= now
            and self.opens_at is not None
            and self.opens_at <= now
        )


@dataclass(frozen=True, slots=True)
class _Gate:
    """Something that keeps a rotation shut, until a time if that is known."""

    word: str
    until: datetime | None = None


def plan(
    candidates: Iterable[Candidate], around: Surroundings, now: datetime
) -> tuple[Planned, ...]:
    """Return every credential that has a due time, the earliest first."""
    dues = [
        (c, due) for c in candidates if c.judgement.managed and (due := _due(c, now)) is not None
    ]
    planner = _Planner(around, now, dues)
    planned = [planner.planned(c, due) for c, due in dues]
    return tuple(sorted(planned, key=lambda p: (p.due_at, p.credential)))


def _due(candidate: Candidate, now: datetime) -> Due | None:
    """Return the due time; a credential that a person asked for is due now."""
    due = candidate.judgement.due
    if not candidate.asked:
        return due
    return Due(now, now, due.why if due else Why.AGE)


_TRIGGERS = {Why.AGE: Trigger.DUE, Why.EXPIRY: Trigger.EXPIRY, Why.VIOLATION: Trigger.DUE}


class _Planner:
    """Holds what is worked out once for all credentials of a plan."""

    def __init__(
        self, around: Surroundings, now: datetime, dues: list[tuple[Candidate, Due]]
    ) -> None:
        self._around = around
        self._now = now
        self._busy = frozenset(o.path for o in around.open)
        self._canaries = Paths(around.limits.canary)
        self._is_open: dict[int, bool] = {}
        self._canary_waits = self._exchanges_with_canaries(dues)
        size = sum(1 for c, due in dues if self._in_backlog(c, due))
        self._spread = size > around.limits.in_flight

    def planned(self, candidate: Candidate, due: Due) -> Planned:
        """Return the plan of one credential."""
        judged = candidate.judgement
        gates = self._standing(candidate)
        opens_at, overrides = max(due.at, self._now), False
        if due.at <= self._now and judged.by_program:
            gates += self._timed(candidate, due)
        calendar, overrides = self._calendar(candidate, opens_at)
        gates += calendar if due.at <= self._now else []
        return Planned(
            credential=judged.credential,
            path=judged.path,
            exchange=judged.exchange,
            account=judged.account,
            due_at=due.at,
            strategy=judged.strategy,
            blocked_by=tuple(dict.fromkeys(g.word for g in gates)),
            opens_at=_latest(opens_at, (*gates, *calendar)),
            trigger=Trigger.MANUAL if candidate.asked else _TRIGGERS[due.why],
            by_program=judged.by_program,
            canary=self._is_canary(judged),
            overrides_window=overrides,
            expires_at=judged.expires_at,
        )

    def _standing(self, candidate: Candidate) -> list[_Gate]:
        """Return what blocks without an end: findings, holds, incidents, open records."""
        judged = candidate.judgement
        around: set[Code] = set()
        if self._around.incident:
            around.add(Code.MASS_INVALIDATION)
        if self._around.restored:
            around.add(Code.STORE_RESTORED)
        words = (*judged.blocking, *blocked_by(around, candidate.holds))
        gates = [_Gate(w) for w in words]
        if judged.path in self._busy:
            gates.append(_Gate(OPEN))
        if judged.exchange in self._around.halted and not candidate.asked:
            gates.append(_Gate(HALTED))
        return gates

    def _timed(self, candidate: Candidate, due: Due) -> list[_Gate]:
        """Return what makes a due rotation wait for others; a person's wish does not wait."""
        if candidate.asked:
            return []
        gates: list[_Gate] = []
        cooling = candidate.cooling_until
        if cooling is not None and cooling > self._now:
            gates.append(_Gate(COOLING, cooling))
        slot = self._backlog_slot(candidate, due)
        if slot is not None:
            gates.append(_Gate(BACKLOG, slot))
        return gates + self._behind_canary(candidate.judgement)

    def _calendar(self, candidate: Candidate, at: datetime) -> tuple[list[_Gate], bool]:
        """Return the gates of windows and blackouts at a time, and whether expiry overrides."""
        policy = candidate.judgement.policy
        calendar = policy.calendar
        if not calendar.windows and not calendar.blackouts:
            return [], False
        if self._open_at(policy, at):
            return [], False
        windows = not candidate.asked
        if calendar.in_blackout(at):
            until = calendar.next_open(at, windows=windows)
            return [_Gate(BLACKOUT, until)], False
        if not windows:
            return [], False
        until = calendar.next_open(at)
        if self._too_late(candidate.judgement, until):
            return [], True
        return [_Gate(WINDOW, until)], False

    def _open_at(self, policy: Policy, at: datetime) -> bool:
        """Say whether a calendar is open; asked once per policy for the present."""
        if at != self._now:
            return policy.calendar.open(at)
        key = id(policy.calendar)
        if key not in self._is_open:
            self._is_open[key] = policy.calendar.open(at)
        return self._is_open[key]

    def _too_late(self, judged: Judgement, until: datetime | None) -> bool:
        """Say whether the key would end before, or soon after, the next window."""
        if judged.expires_at is None:
            return False
        margin = EXPIRY_MARGIN + judged.policy.drain
        return until is None or moved(until, margin) > judged.expires_at

    def _in_backlog(self, candidate: Candidate, due: Due) -> bool:
        """Say whether a key was due before its path was armed."""
        judged = candidate.judgement
        if candidate.asked or candidate.rotated_before or due.why is not Why.AGE:
            return False
        if not judged.by_program or judged.blocking or candidate.holds:
            return False
        since = self._around.armed_since or self._now - timedelta(days=1)
        if due.at >= since:
            return False
        end = judged.expires_at
        return end is None or end - self._now > self._around.limits.spread_backlog

    def _backlog_slot(self, candidate: Candidate, due: Due) -> datetime | None:
        """Return when a key of the backlog has its turn, or None if it may go now.

        A turn comes once in every spread, at a place derived from the name, so a
        restart neither repeats nor loses turns.
        """
        spread = self._around.limits.spread_backlog
        if not self._spread or not spread or not self._in_backlog(candidate, due):
            return None
        offset = spread * fraction(candidate.judgement.credential, "backlog")
        past = (self._now - EPOCH - offset) % spread
        turn = self._now - past
        since = self._around.armed_since
        if past < spread / BACKLOG_SLICES or (since is not None and turn >= since):
            return None
        return moved(turn, spread)

    def _is_canary(self, judged: Judgement) -> bool:
        limits = self._around.limits
        return bool(limits.canary) and self._canaries.cover(judged.path, judged.credential)

    def _exchanges_with_canaries(
        self, dues: list[tuple[Candidate, Due]]
    ) -> frozenset[ExchangeName | None]:
        """Return the exchanges where a canary is due or open."""
        if not self._around.limits.canary:
            return frozenset()
        waiting = {
            c.judgement.exchange
            for c, due in dues
            if due.at <= self._now
            and c.judgement.by_program
            and c.judgement.armed
            and self._is_canary(c.judgement)
        }
        rotating = {
            o.exchange for o in self._around.open if self._canaries.cover(o.path, o.credential)
        }
        return frozenset(waiting | rotating)

    def _behind_canary(self, judged: Judgement) -> list[_Gate]:
        if judged.exchange is None or self._is_canary(judged):
            return []
        if judged.exchange in self._canary_waits:
            return [_Gate(CANARY)]
        done = self._around.canary_done.get(judged.exchange)
        if done is None:
            return []
        until = moved(done, self._around.limits.soak)
        return [_Gate(SOAK, until)] if until > self._now else []


def _latest(at: datetime, gates: Iterable[_Gate]) -> datetime | None:
    """Return the time when the last gate opens; None if one has no end."""
    latest = at
    for gate in gates:
        if gate.until is None:
            return None
        latest = max(latest, gate.until)
    return latest
