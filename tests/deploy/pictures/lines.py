"""Values over time as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from tests.deploy.asking import Answer, Span
from tests.deploy.pictures.words import COLORS, name_of, round_step, written

Json = dict[str, Any]
Point = tuple[float, float]

PALETTE: Final = (
    "#5fb56f",
    "#e0c04c",
    "#5b9be0",
    "#e58a3c",
    "#d9545c",
    "#9a7fd1",
    "#4fb7b0",
    "#c678a8",
    "#9aa36a",
    "#8593a3",
    "#b58863",
)
LEFT: Final = 58.0
BOTTOM: Final = 22.0
TOP: Final = 8.0
LEGEND_ROW: Final = 20
LETTER: Final = 7.0


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its name, its colour and its points, gaps left out."""

    name: str
    color: str
    points: list[Point]


@dataclass(frozen=True, slots=True)
class Plot:
    """Where times and values lie in the picture."""

    span: Span
    high: float
    step: float
    width: float
    height: float

    def x(self, at: float) -> float:
        """Return where a time lies."""
        part = (at - self.span.start) / (self.span.end - self.span.start)
        return LEFT + part * (self.width - LEFT - 8)

    def y(self, value: float) -> float:
        """Return where a value lies."""
        part = value / self.high
        return TOP + (1 - part) * (self.height - TOP - BOTTOM)


def read(panel: Json, answers: Sequence[Answer]) -> list[Line]:
    """Return the lines of a panel's answers."""
    fixed = {
        override["matcher"]["options"]: COLORS[override["properties"][0]["value"]["fixedColor"]]
        for override in panel["fieldConfig"]["overrides"]
    }
    found: list[Line] = []
    for answer in answers:
        for series in sorted(answer.series, key=lambda s: sorted(s["metric"].items())):
            points = [(float(t), float(v)) for t, v in series["values"]]
            there = [p for p in points if math.isfinite(p[1])]
            if there:
                name = name_of(series["metric"], answer.legend)
                color = fixed.get(name, PALETTE[len(found) % len(PALETTE)])
                found.append(Line(name, color, there))
    return found


def drawn(panel: Json, answers: Sequence[Answer], span: Span, width: float, height: float) -> str:
    """Return a panel's lines and its legend as HTML."""
    lines = read(panel, answers)
    look = panel["fieldConfig"]["defaults"]
    custom = look["custom"]
    is_stacked = custom.get("stacking", {}).get("mode") == "normal"
    stacks = _stacked(lines) if is_stacked else [(line, None) for line in lines]
    limits = _limits(look) if custom.get("thresholdsStyle") else []
    rest = height - 8 - LEGEND_ROW * _legend_rows(lines, width)
    plot = _plot(stacks, limits, span, (width, rest), look["unit"])
    body = "".join(_grid(plot, look))
    body += "".join(_limit(plot, value, color) for value, color in limits)
    body += "".join(_path(plot, line, floor, stepped=is_stacked) for line, floor in stacks)
    size = f'width="{width:.0f}" height="{rest:.0f}"'
    return f"<svg {size}>{body}</svg><div class=legend>{''.join(_legend(lines))}</div>"


def _stacked(lines: Sequence[Line]) -> list[tuple[Line, list[Point] | None]]:
    """Return the lines one upon the other, each with the line below it."""
    below: dict[float, float] = {}
    found: list[tuple[Line, list[Point] | None]] = []
    for line in lines:
        floor = [(at, below.get(at, 0.0)) for at, _ in line.points]
        raised = [(at, value + below.get(at, 0.0)) for at, value in line.points]
        below.update(raised)
        found.append((Line(line.name, line.color, raised), floor))
    return found


def _limits(look: Json) -> list[tuple[float, str]]:
    steps = [s for s in look["thresholds"]["steps"] if s["value"] is not None]
    return [(s["value"], COLORS[s["color"]]) for s in steps if s["value"] > 0]


def _plot(
    stacks: Sequence[tuple[Line, list[Point] | None]],
    limits: Sequence[tuple[float, str]],
    span: Span,
    size: Point,
    unit: str,
) -> Plot:
    values = [v for line, _ in stacks for _, v in line.points] + [v for v, _ in limits]
    most = max([*values, 0.0]) or 1.0
    step = round_step(most, unit)
    high = step * math.ceil(most * 1.02 / step)
    return Plot(span, high, step, *size)


def _grid(plot: Plot, look: Json) -> list[str]:
    """Return the lines behind, with times and values."""
    found = []
    for number in range(round(plot.high / plot.step) + 1):
        value = number * plot.step
        y = plot.y(value)
        text = escape(written(value, look))
        found.append(
            f'<line class=grid x1="{LEFT}" x2="{plot.width - 8:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor=end>{text}</text>'
        )
    for number, place in enumerate(("start", "middle", "end")):
        at = plot.span.start + (plot.span.end - plot.span.start) * number / 2
        found.append(
            f'<text x="{plot.x(at):.1f}" y="{plot.height - 5:.0f}" text-anchor={place}>'
            f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}</text>"
        )
    return found


def _limit(plot: Plot, value: float, color: str) -> str:
    y = plot.y(value)
    return (
        f'<line x1="{LEFT}" x2="{plot.width - 8:.0f}" y1="{y:.1f}" y2="{y:.1f}" '
        f'stroke="{color}" stroke-dasharray="6 5"/>'
    )


def _path(plot: Plot, line: Line, floor: list[Point] | None, *, stepped: bool) -> str:
    parts = "".join(
        _polyline(plot, line.color, piece, stepped=stepped)
        for piece in _pieces(line.points, plot.span.step)
    )
    if floor is None:
        return parts
    areas = zip(_pieces(line.points, plot.span.step), _pieces(floor, plot.span.step), strict=True)
    return "".join(_area(plot, line.color, top, low) for top, low in areas) + parts


def _pieces(points: Sequence[Point], step: float) -> list[list[Point]]:
    """Return the runs of points without a gap."""
    found: list[list[Point]] = []
    for point in points:
        if found and point[0] - found[-1][-1][0] <= 2.5 * step:
            found[-1].append(point)
        else:
            found.append([point])
    return found


def _coordinates(plot: Plot, points: Sequence[Point], *, stepped: bool) -> list[str]:
    found = []
    last = None
    for at, value in points:
        if stepped and last is not None:
            found.append(f"{plot.x(at):.1f},{last:.1f}")
        last = plot.y(value)
        found.append(f"{plot.x(at):.1f},{last:.1f}")
    return found


def _polyline(plot: Plot, color: str, points: Sequence[Point], *, stepped: bool) -> str:
    along = " ".join(_coordinates(plot, points, stepped=stepped))
    return f'<polyline fill=none stroke="{color}" stroke-width=2 points="{along}"/>'


def _area(plot: Plot, color: str, top: Sequence[Point], low: Sequence[Point]) -> str:
    upper = _coordinates(plot, top, stepped=True)
    lower = list(reversed(_coordinates(plot, low, stepped=True)))
    return f'<polygon fill="{color}" fill-opacity=.3 points="{" ".join(upper + lower)}"/>'


def _legend_rows(lines: Sequence[Line], width: float) -> int:
    """Return how many rows the names take."""
    rows, used = 1, 0.0
    for line in lines:
        wide = 31 + LETTER * len(line.name)
        rows, used = (rows, used + wide) if used + wide <= width - 20 else (rows + 1, wide)
    return rows


def _legend(lines: Sequence[Line]) -> list[str]:
    return [
        f'<span><i style="background:{line.color}"></i>{escape(line.name)}</span>' for line in lines
    ]
