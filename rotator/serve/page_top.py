"""The head of the page: how old it is, what stops the daemon itself, and the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from rotator.core.findings import Severity, Verdict
from rotator.core.words import span_told
from rotator.serve.markup import Element, Node, el
from rotator.serve.page_words import counted, sentence, when
from rotator.serve.query import ALL, link
from rotator.serve.view import Fleet, Live

VERDICTS: Final = (Verdict.BLOCKED, Verdict.DUE, Verdict.UNKNOWN, Verdict.HEALTHY)

OLD: Final = (
    "What is shown is old: the last pass was {age} ago, and none has ended since. "
    "The daemon does not look any more. See its log, then run: rotator doctor"
)
SEALED: Final = (
    "The store is sealed: nothing can be read or rotated until somebody unseals it: "
    "vault operator unseal"
)
NOTHING_ACTS: Final = (
    "Nothing is rotated or deleted: the store may be restored from a backup, or that "
    "could not be told. See what is wrong below."
)
WATCHES: Final = "It only watches: no path is armed, so nothing is rotated."
MAY_NOT: Final = "It only watches: its login may not rotate. See why with: rotator doctor"


def is_old(live: Live, fleet: Fleet) -> bool:
    """Say whether the daemon should have looked again since."""
    return live.now - fleet.at > live.stale_after


def alarms(live: Live, fleet: Fleet | None) -> Iterator[tuple[str, str]]:
    """Yield what stops the daemon itself, with its kind: critical, warning or info."""
    store = live.store
    if store is not None and store.sealed:
        yield "critical", SEALED
    elif store is not None and not store.up:
        yield "critical", f"The store gives no answer or refuses the login: {store.message}"
    if fleet is None:
        yield "warning" if live.leads else "info", live.why_empty
        return
    if is_old(live, fleet):
        age = span_told(live.now - fleet.at)
        yield "critical", OLD.format(age=age)
    if not live.leads:
        yield "info", live.why_empty
    elif not live.rotates:
        yield "info", MAY_NOT
    elif not fleet.acts:
        yield "critical", NOTHING_ACTS
    elif not fleet.armed:
        yield "info", WATCHES


def title(fleet: Fleet | None) -> str:
    """Return the title of the window: the worst first."""
    if fleet is None:
        return "Rotator"
    counts = Counter(f.severity for f in fleet.findings)
    for severity in (Severity.CRITICAL, Severity.WARNING):
        if counts[severity]:
            return f"{counts[severity]:,} {severity.value} \u2013 Rotator"
    return "Rotator"


def top(live: Live, fleet: Fleet | None, version: str) -> Node:
    """Return the head of the page."""
    return el(
        "header",
        el("h1", "Rotator"),
        el("p", _as_of(live, fleet), class_="as-of"),
        el("p", f"Version {version}", class_="quiet"),
        el(
            "nav",
            el("a", "What is wrong", href="#wrong"),
            " ",
            el("a", "Rotations", href="#rotations"),
            " ",
            el("a", "Fleet", href="#fleet"),
            " ",
            el("a", "Health", href="#health"),
            aria_label="On this page",
        ),
    )


def summary(live: Live, fleet: Fleet | None) -> Node:
    """Return what stops the daemon, then the counts."""
    told = [el("p", sentence(text), class_=f"alarm {kind}") for kind, text in alarms(live, fleet)]
    if not told and fleet is None:
        return None
    return el("div", told, _counts(fleet) if fleet is not None else None, class_="summary")


def _as_of(live: Live, fleet: Fleet | None) -> Node:
    again = el("a", "Show anew", href="")
    if fleet is None:
        return ["Nothing was looked at yet. ", again]
    age = span_told(live.now - fleet.at)
    seen = f"{counted(len(fleet.credentials), 'credential')} as of "
    return [seen, when(fleet.at), ", ", el("strong", f"{age} ago"), ". ", again]


def _counts(fleet: Fleet) -> Element:
    severities = Counter(f.severity for f in fleet.findings)
    verdicts = Counter(row.verdict for row in fleet.credentials)
    return el(
        "ul",
        [
            _count(severities[s], f"{s.value} findings", link(ALL, severity=s), s.value)
            for s in (Severity.CRITICAL, Severity.WARNING)
        ],
        _count(len(fleet.rotations), "rotations open", "#rotations", "plain"),
        [_count(verdicts[v], v.value, link(ALL, verdict=v), "plain") for v in VERDICTS],
        class_="counts",
    )


def _count(number: int, what: str, href: str, kind: str) -> Element:
    weight = kind if number else "plain"
    return el("li", el("a", el("b", f"{number:,}"), f" {what}", href=href, class_=weight))
