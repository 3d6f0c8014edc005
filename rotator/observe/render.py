"""From a `View` to the text of its metrics, family by family.

Pure: the same view gives the same text.  The only memory is `seen`, the findings
that were open before, which are shown as 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.core.facts import Validity
from rotator.core.findings import Code, Finding, Severity, Verdict
from rotator.core.names import CredentialName
from rotator.observe.catalogue import BY_NAME, CREDENTIAL
from rotator.observe.exposition import escape, family, label_text, number, seconds
from rotator.observe.view import OPEN_PHASES, CredentialView, Unknown, View, WaitsOn

CHUNK_LINES = 2000
"""Lines that are joined and encoded at once: about a millisecond's work."""

FindingKey = tuple[str, Code, Severity]


class PerCredential(StrEnum):
    """Which credentials get series of their own."""

    ALL = "all"
    ATTENTION = "attention"
    NONE = "none"


@dataclass(slots=True)
class Renderer:
    """Renders views; `soon` is how far ahead `attention` looks for due and expiring keys."""

    per_credential: PerCredential = PerCredential.ALL
    soon: timedelta = timedelta(days=7)
    _seen: set[FindingKey] = field(default_factory=set)

    def render(self, view: View) -> Iterator[bytes]:
        """Yield the exposition of a view in parts of bounded size."""
        labels = _unique_labels(view.credentials)
        shown = {t: c for t, c in labels.items() if self._wanted(c, view.as_of)}
        exchanges = _exchange_names(view)
        yield from _timestamps(shown)
        yield from _infos(shown)
        yield from _open_findings(view.findings, labels, self.per_credential)
        yield from self._finding_counts(view, exchanges)
        yield from _credential_counts(view, exchanges)
        yield from _extremes(view, exchanges)
        yield from _rotations(view, exchanges)
        yield from _exchange_counts(view)

    def _wanted(self, credential: CredentialView, now: datetime) -> bool:
        if self.per_credential is not PerCredential.ATTENTION:
            return self.per_credential is PerCredential.ALL
        if credential.verdict is not Verdict.HEALTHY or credential.validity is not Validity.VALID:
            return True
        dates = (credential.due_at, credential.expires_at)
        return any(isinstance(d, datetime) and d - now <= self.soon for d in dates)

    def _finding_counts(self, view: View, exchanges: dict[str, str]) -> Iterator[bytes]:
        where = {c.name: c.exchange or "" for c in view.credentials}
        counts = Counter((where.get(f.credential, ""), f.code, f.severity) for f in view.findings)
        self._seen = {key for key in self._seen if key[0] in exchanges} | set(counts)
        yield from _chunks(
            "findings",
            (
                f'rotator_findings{{exchange="{escape(key[0])}",code="{key[1]}",'
                f'severity="{key[2]}"}} {counts[key]}'
                for key in sorted(self._seen)
            ),
        )


def _chunks(name: str, lines: Iterable[str]) -> Iterator[bytes]:
    """Yield a family in parts; only the first bears its HELP and TYPE lines."""
    metric = BY_NAME[name]
    batch: list[str] = []
    first = True
    for line in lines:
        batch.append(line)
        if len(batch) == CHUNK_LINES:
            yield family(metric, batch) if first else ("\n".join(batch) + "\n").encode()
            first, batch = False, []
    if batch:
        yield family(metric, batch) if first else ("\n".join(batch) + "\n").encode()


def _labels(credential: CredentialView) -> str:
    return label_text(
        CREDENTIAL,
        (
            credential.exchange or "",
            credential.account or "",
            credential.name,
            credential.owner or "",
        ),
    )


def _unique_labels(credentials: Iterable[CredentialView]) -> dict[str, CredentialView]:
    """Map label text to credential; the first wins, as a series may stand only once."""
    found: dict[str, CredentialView] = {}
    for credential in credentials:
        found.setdefault(_labels(credential), credential)
    return found


def _exchange_names(view: View) -> dict[str, str]:
    """Map every exchange's name to its label text, in order."""
    names = {c.exchange or "" for c in view.credentials}
    names |= {r.exchange for r in view.rotations} | {e.name for e in view.exchanges}
    return {name: f'exchange="{escape(name)}"' for name in sorted(names)}


TIMES: tuple[tuple[str, Callable[[CredentialView], object]], ...] = (
    ("credential_created_timestamp_seconds", lambda c: c.created_at),
    ("credential_expiration_timestamp_seconds", lambda c: c.expires_at),
    ("credential_rotation_due_timestamp_seconds", lambda c: c.due_at),
    ("credential_last_inspected_timestamp_seconds", lambda c: c.inspected_at),
)


def _timestamps(shown: dict[str, CredentialView]) -> Iterator[bytes]:
    for name, get in TIMES:
        full = BY_NAME[name].full_name
        yield from _chunks(
            name,
            (
                f"{full}{{{text}}} {seconds(moment)}"
                for text, c in shown.items()
                if isinstance(moment := get(c), datetime)
            ),
        )


def _infos(shown: dict[str, CredentialView]) -> Iterator[bytes]:
    yield from _chunks(
        "credential_info",
        (
            f'rotator_credential_info{{{text},validity="{c.validity}",verdict="{c.verdict}",'
            f'policy="{escape(c.policy)}"}} 1'
            for text, c in shown.items()
        ),
    )


def _open_findings(
    findings: Iterable[Finding], labels: dict[str, CredentialView], which: PerCredential
) -> Iterator[bytes]:
    if which is PerCredential.NONE:
        return
    texts: dict[CredentialName, str] = {c.name: text for text, c in labels.items()}
    lines: dict[str, None] = {}
    for f in findings:
        text = texts.get(f.credential) or label_text(CREDENTIAL, ("", "", f.credential, ""))
        lines[f'rotator_finding{{{text},code="{f.code}",severity="{f.severity}"}} 1'] = None
    yield from _chunks("finding", lines)


def _credential_counts(view: View, exchanges: dict[str, str]) -> Iterator[bytes]:
    valid = Counter((c.exchange or "", c.validity) for c in view.credentials)
    yield from _chunks(
        "credentials",
        (
            f'rotator_credentials{{{text},validity="{v}"}} {valid[name, v]}'
            for name, text in exchanges.items()
            for v in Validity
        ),
    )
    unknown = Counter((c.exchange or "", what) for c in view.credentials for what in c.unknown)
    yield from _chunks(
        "unknown",
        (
            f'rotator_unknown{{{text},what="{what}"}} {unknown[name, what]}'
            for name, text in exchanges.items()
            for what in Unknown
        ),
    )


def _extremes(view: View, exchanges: dict[str, str]) -> Iterator[bytes]:
    expires: dict[str, datetime] = {}
    created: dict[str, datetime] = {}
    overdue: Counter[str] = Counter()
    for c in view.credentials:
        name = c.exchange or ""
        if isinstance(c.expires_at, datetime):
            expires[name] = min(c.expires_at, expires.get(name, c.expires_at))
        if c.created_at is not None:
            created[name] = min(c.created_at, created.get(name, c.created_at))
        overdue[name] += c.due_at is not None and c.due_at <= view.as_of
    for metric, times in (
        ("next_expiration_timestamp_seconds", expires),
        ("oldest_created_timestamp_seconds", created),
    ):
        full = BY_NAME[metric].full_name
        yield from _chunks(
            metric,
            (f"{full}{{{exchanges[name]}}} {seconds(times[name])}" for name in sorted(times)),
        )
    yield from _chunks(
        "overdue",
        (f"rotator_overdue{{{text}}} {overdue[name]}" for name, text in exchanges.items()),
    )


def _exchange_counts(view: View) -> Iterator[bytes]:
    unique = {e.name: e for e in view.exchanges}
    columns = (
        ("revocations_owed", [(e.name, e.revocations_owed) for e in unique.values()]),
        ("strays", [(e.name, e.strays) for e in unique.values()]),
        ("foreign_keys", [(e.name, e.foreign_keys) for e in unique.values()]),
        ("armed_credentials", [(e.name, e.armed) for e in unique.values()]),
    )
    for metric, values in columns:
        full = BY_NAME[metric].full_name
        yield from _chunks(
            metric,
            (
                f'{full}{{exchange="{escape(name)}"}} {number(value)}'
                for name, value in values
                if value is not None
            ),
        )


def _rotations(view: View, exchanges: dict[str, str]) -> Iterator[bytes]:
    phases: Counter[tuple[str, str]] = Counter((r.exchange, r.phase) for r in view.rotations)
    waiting: Counter[tuple[str, str | None]] = Counter(
        (r.exchange, r.waits_on) for r in view.rotations
    )
    yield from _chunks(
        "rotations_open",
        (
            f'rotator_rotations_open{{{text},phase="{p}"}} {phases[name, p]}'
            for name, text in exchanges.items()
            for p in OPEN_PHASES
        ),
    )
    oldest: dict[str, datetime] = {}
    for r in view.rotations:
        if r.waits_on is None:
            oldest[r.exchange] = min(r.phase_since, oldest.get(r.exchange, r.phase_since))
    yield from _chunks(
        "rotation_oldest_start_timestamp_seconds",
        (
            f"rotator_rotation_oldest_start_timestamp_seconds{{{text}}} {seconds(oldest[name])}"
            for name, text in exchanges.items()
            if name in oldest
        ),
    )
    yield from _chunks(
        "rotations_waiting",
        (
            f'rotator_rotations_waiting{{{text},on="{on}"}} {waiting[name, on]}'
            for name, text in exchanges.items()
            for on in WaitsOn
        ),
    )
