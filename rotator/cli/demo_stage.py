"""How the demo looks: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from rotator.cli.demo_summary import ORDER, Line, short, summary_lines
from rotator.cli.output import STYLES, UNKNOWN, clean, is_terminal, put, say

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.text import Text

    from rotator.wiring.demo import Step, Summary
    from rotator.wiring.demo.viewer import Picture

PHASES: Final = ("CREATING", "STAGED", "VERIFIED", "DRAINING", "REVOKING", "PROVING", "CLOSING")
"""The way of a rotation without troubles."""

BAD: Final = frozenset({"ABORTED", "QUARANTINED", "ROLLING_BACK", "DRAINING_BACK", "ABORTING"})
COLUMNS: Final = ("credential", "exchange", "verdict", "validity", "due", "rotation")

WIDE: Final = 120
"""Columns of a terminal from which on the live table names the findings as well."""

AROUND: Final = 7
"""Lines of the live table that are neither a credential nor a step."""

STEPS: Final = 6


class Shown(Protocol):
    """A stage that knows whether it has shown the summary."""

    summed_up: bool

    def ending(self) -> None:
        """Show that everything is being ended."""
        ...


class Lines:
    """Steps as lines on standard error, the summary on standard output."""

    def __init__(self) -> None:
        self.summed_up = False

    def tell(self, sentence: str) -> None:
        """Say what is being prepared."""
        say(sentence)

    def step(self, step: Step) -> None:
        """Say one step."""
        say(step_line(step))

    def picture(self, picture: Picture) -> None:
        """Show nothing: lines cannot be taken back."""

    def summary(self, summary: Summary) -> None:
        """Print the summary."""
        for line in summary_lines(summary, stays=False):
            put(f"{'  ' * line.indent}{clean(line.text)}")
        self.summed_up = True

    def ending(self) -> None:
        """Say that everything is being ended."""
        say("ending the daemon and the sandbox")


class Screen:
    """A live table on a terminal, and the summary under it."""

    def __init__(self, *, stays: bool) -> None:
        from rich.console import Console

        self.summed_up = False
        self._stays = stays
        self._progress = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._out = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
        self._live: Live | None = None
        self._picture: Picture | None = None
        self._steps: dict[str, Step] = {}
        self._recent: list[str] = []

    def tell(self, sentence: str) -> None:
        """Show what is being prepared."""
        self._progress.print(clean(sentence), style="dim")

    def step(self, step: Step) -> None:
        """Show one step in the table, and among the last ones under it."""
        self._steps[step.credential] = step
        self._recent.append(step_line(step))
        if self.summed_up:
            self._progress.print(step_line(step))
        self._draw()

    def picture(self, picture: Picture) -> None:
        """Show where everything stands."""
        from rich.live import Live

        self._picture = picture
        if self._live is None:
            self._live = Live(console=self._progress, auto_refresh=False)
            self._live.start()
        self._draw()

    def summary(self, summary: Summary) -> None:
        """End the table, and print the summary."""
        self._picture = summary.picture
        self._draw()
        self.close()
        for line in summary_lines(summary, stays=self._stays):
            self._print(line)
        self.summed_up = True

    def ending(self) -> None:
        """Show that everything is being ended."""
        self.close()
        self.tell("ending the daemon and the sandbox")

    def close(self) -> None:
        """Leave the table as it stands."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _print(self, line: Line) -> None:
        from rich.padding import Padding
        from rich.text import Text

        text = Text(clean(line.text), style=line.style)
        self._out.print(Padding(text, (0, 0, 0, 2 * line.indent)))

    def _draw(self) -> None:
        if self._live is not None and self._picture is not None:
            self._live.update(self._board(self._picture), refresh=True)

    def _board(self, picture: Picture) -> RenderableType:
        """Return the table, with as many steps under it as the terminal has room for."""
        from rich import box
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        wide = self._progress.width >= WIDE
        rows = sorted(picture.document["credentials"], key=lambda row: str(row["credential"]))
        now = datetime.fromisoformat(picture.document["as_of"])
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for name in COLUMNS:
            table.add_column(name, no_wrap=name != "credential", overflow="fold")
        if wide:
            table.add_column("findings", overflow="fold")
        codes = _codes(picture.document["findings"]) if wide else {}
        for row in rows:
            table.add_row(
                *self._row(row, now), *([codes.get(row["credential"], "")] if wide else ())
            )
        room = min(STEPS, self._progress.height - len(rows) - AROUND)
        recent = self._recent[-room:] if room > 0 else []
        steps = [Text(line, style="dim", no_wrap=True, overflow="ellipsis") for line in recent]
        return Group(Text(""), table, Text(""), *steps)

    def _row(self, row: dict[str, Any], now: datetime) -> list[Text]:
        step = self._steps.get(row["credential"])
        cells = [row["exchange"], row["verdict"], row["validity"]]
        return [
            _styled(short(row["credential"])),
            *(_styled(UNKNOWN if cell is None else str(cell)) for cell in cells),
            _styled(due_told(row["due_at"], now)),
            _rotation(step) if step else _styled(""),
        ]


def step_line(step: Step) -> str:
    """Return one step on one line."""
    new = f"; new key {step.new_key}" if step.phase == "STAGED" and step.new_key else ""
    return clean(f"{short(step.credential):<20} {step.phase:<11} {step.because}{new}")


def due_told(due: str | None, now: datetime) -> str:
    """Return a due time as seen from now."""
    if due is None:
        return UNKNOWN
    left = datetime.fromisoformat(due) - now
    if left.total_seconds() > 0:
        return f"in {left.days}d" if left.days else "today"
    late = (-left).days
    return f"{late}d ago" if late else "now"


def _rotation(step: Step) -> Text:
    from rich.text import Text

    if step.phase in PHASES:
        return Text(f"{PHASES.index(step.phase) + 1}/{len(PHASES)} {step.phase}", style="yellow")
    return Text(step.phase, style="bold red" if step.phase in BAD else "green")


def _codes(findings: list[dict[str, Any]]) -> dict[str, Text]:
    """Return the codes of each credential, the worst first and all in the worst one's colour."""
    from rich.text import Text

    found: dict[str, list[dict[str, Any]]] = {}
    for finding in sorted(findings, key=lambda f: ORDER.index(f["severity"])):
        found.setdefault(finding["credential"], []).append(finding)
    return {
        name: Text(
            ", ".join(dict.fromkeys(f["code"] for f in mine)), style=STYLES[mine[0]["severity"]]
        )
        for name, mine in found.items()
    }


def _styled(text: str) -> Text:
    from rich.text import Text

    return Text(clean(text), style=STYLES.get(text, ""))


@contextlib.contextmanager
def staged(*, stays: bool) -> Iterator[Lines | Screen]:
    """Give the stage that fits the streams; a terminal is left as it was found."""
    if (
        not (is_terminal(sys.stdout) and is_terminal(sys.stderr))
        or os.environ.get("TERM") == "dumb"
    ):
        yield Lines()
        return
    screen = Screen(stays=stays)
    try:
        yield screen
    finally:
        with contextlib.suppress(OSError):  # a terminal that was closed
            screen.close()
