"""How values are written and coloured, by a panel's field configuration."""

from __future__ import annotations

import math
from typing import Any, Final

Json = dict[str, Any]

COLORS: Final = {
    "green": "#3fa45b",
    "red": "#d4434a",
    "orange": "#e08a2b",
    "blue": "#5b8fd9",
    "yellow": "#d6b73a",
    "purple": "#9a7fd1",
    "#808080": "#6b7078",
}
SPANS: Final = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"))
ROUND: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


def shown(value: float | None, look: Json) -> tuple[str, str]:
    """Return the text and the colour of a value, as its mappings, unit and thresholds say."""
    if value is None or math.isnan(value):
        return look.get("noValue", "no value"), COLORS["#808080"]
    mapped = _mapped(value, look)
    if mapped is not None:
        return mapped
    return written(value, look), colored(value, look)


def colored(value: float, look: Json) -> str:
    """Return the colour of the highest threshold that a value reaches."""
    color = "#808080"
    for step in look["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            color = step["color"]
    return COLORS[color]


def written(value: float, look: Json) -> str:
    """Return a value in its unit."""
    unit = look["unit"]
    if unit == "s":
        return span(value)
    if unit == "percentunit":
        return f"{value * 100:.1f} %".replace(".0 %", " %")
    number = f"{value:.{look.get('decimals', 2)}f}"
    number = number.rstrip("0").rstrip(".") if "." in number else number
    return f"{number}/s" if unit == "reqps" else number


def span(seconds: float) -> str:
    """Return a span of time in its largest unit."""
    sign, size = ("-" if seconds < 0 else ""), abs(seconds)
    for length, unit in SPANS:
        if size >= length:
            return f"{sign}{size / length:.1f}".removesuffix(".0") + f" {unit}"
    if size == 0 or size >= 10:
        return f"{sign}{size:.0f} s"
    return f"{sign}{size:.2g} s" if size >= 0.1 else f"{sign}{size * 1000:.0f} ms"


def _mapped(value: float, look: Json) -> tuple[str, str] | None:
    for mapping in look["mappings"]:
        if mapping["type"] == "value" and (word := mapping["options"].get(f"{value:.0f}")):
            exact = value == round(value)
            return (word["text"], COLORS[word["color"]]) if exact else None
    return None


def mapped_text(text: str, look: Json) -> tuple[str, str] | None:
    """Return the text and the colour of a word of a table, if it has a mapping."""
    for mapping in look.get("mappings", []):
        if mapping["type"] == "value" and (word := mapping["options"].get(text)):
            return word["text"], COLORS[word["color"]]
    return None


def name_of(metric: dict[str, str], legend: str) -> str:
    """Return what a series is called, by its legend."""
    if not legend:
        return ", ".join(v for k, v in metric.items() if k != "__name__")
    for label, value in metric.items():
        legend = legend.replace("{{" + label + "}}", value)
    return legend


def round_step(most: float, unit: str) -> float:
    """Return a step for about four ticks up to a value, round in the unit it is written in."""
    scale = 0.01 if unit == "percentunit" else 1.0
    if unit == "s":
        scale = next((length for length, _ in SPANS if most >= length), 1.0)
    raw = most / scale / 4
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * part for part in ROUND if size * part >= raw * 0.999)
    return float(step * scale)
