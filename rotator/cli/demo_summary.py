"""What the demo came to, line by line; its last line begins with `DONE:`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rotator.cli.output import STYLES

if TYPE_CHECKING:
    from rotator.wiring.demo import Places, Summary
    from rotator.wiring.demo.viewer import Picture

ORDER: Final = ("critical", "warning", "info")
FOLDER: Final = "trading/"
WIDTH: Final = 15


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `indent` in steps of two columns."""

    text: str = ""
    indent: int = 0
    style: str = ""


def short(name: str) -> str:
    """Return a credential's name without the folder that all of the demo's lie in."""
    return name.rpartition(FOLDER)[2]


def summary_lines(summary: Summary, *, stays: bool) -> Iterator[Line]:
    """Return the findings with their cures, the rotations, the places, and what was done."""
    for severity in ORDER:
        yield from _findings(summary.picture.document["findings"], severity)
    yield from _rotations(summary.picture)
    yield from _places(summary.places, stays=stays)
    yield Line()
    yield Line(done_line(summary), style="bold")
    if stays:
        yield Line("The daemon goes on. Ctrl-C ends it.", style="dim")


def _findings(findings: Sequence[dict[str, Any]], severity: str) -> Iterator[Line]:
    mine = [f for f in findings if f["severity"] == severity]
    if not mine:
        return
    yield Line()
    yield Line(f"{severity.upper()} ({len(mine)})", style=STYLES[severity])
    for finding in mine:
        yield Line(f"{finding['code']}: {finding['credential']}", 1, "bold")
        yield Line(finding["message"], 2)
        yield Line(f"Cure: {finding['cure']}", 2, "green")


def _rotations(picture: Picture) -> Iterator[Line]:
    rotations = picture.document["rotations"]
    if not rotations:
        return
    yield Line()
    yield Line(f"ROTATIONS ({len(rotations)})", style="green")
    for rotation in rotations:
        state = "DONE, the old key proved dead" if rotation["phase"] == "DONE" else None
        said = [state or rotation["phase"], rotation["waits_for"]]
        yield Line(f"{rotation['credential']}: {'; '.join(s for s in said if s)}", 1)


def _places(places: Places, *, stays: bool) -> Iterator[Line]:
    rows = {
        "metrics": f"{places.rotator}/metrics",
        "health": f"{places.rotator}/healthz",
        **places.exchanges,
        "sandbox": f"{places.sandbox}/ledger",
        "configuration": str(places.config),
        "log": str(places.log),
    }
    if stays or places.kept:
        rows["look yourself"] = f"rotator status --config {places.config}"
    yield Line()
    yield Line("WHERE", style="cyan")
    for name, place in rows.items():
        yield Line(f"{name:<{WIDTH}}{place}", 1)
    if not stays:
        what = "The processes end" if places.kept else "Processes and files go"
        yield Line(f"{what} with the demo{'' if places.kept else '; --keep DIR leaves files'}.", 1)
    if places.left:
        yield Line(places.left, 1)


def done_line(summary: Summary) -> str:
    """Return in one line what was found, what was rotated and what a person must do."""
    picture = summary.picture
    document = picture.document
    critical = sum(f["severity"] == ORDER[0] for f in document["findings"])
    found = f"{len(document['credentials'])} credentials, {len(document['findings'])} findings"
    parts = [
        f"{found}, {critical} of them critical",
        f"{len(picture.done)} rotated, {summary.proved} old keys proved dead",
    ]
    if picture.under_way or picture.waiting:
        parts.append(f"still under way: {_names((*picture.under_way, *picture.waiting))}")
    if picture.ended:
        parts.append(f"not rotated: {_names(picture.ended)}")
    people = f": {_names(picture.people)}" if picture.people else ""
    parts.append(f"{len(picture.people)} keys need a person{people}")
    return f"DONE: {'; '.join(parts)}"


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(short, names))
