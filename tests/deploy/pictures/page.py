"""A dashboard as one page: panels on Grafana's grid, drawn from what they were answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from tests.deploy.asking import Answer, Span
from tests.deploy.pictures import lines, tables
from tests.deploy.pictures.words import name_of, shown

Json = dict[str, Any]

WIDTH: Final = 1280
MARGIN: Final = 12
CELL: Final = (WIDTH - 2 * MARGIN) / 24
STEP: Final = 36
GAP: Final = 8
TOP: Final = 52

CSS: Final = """
body{margin:0;background:#14161a;color:#d5d8de;font:13px system-ui,'DejaVu Sans',sans-serif}
header{position:absolute;left:12px;right:12px;top:12px;display:flex;align-items:baseline;gap:18px}
h1{font-size:18px;margin:0}header span{color:#9aa0aa}
section{position:absolute;box-sizing:border-box;background:#1c1f24;border:1px solid #2b2f36;
border-radius:3px;overflow:hidden}
h2{font-size:13px;font-weight:600;margin:0;padding:7px 10px 5px}
.stats{position:absolute;inset:28px 0 0;display:flex;gap:3px}
.stats div{flex:1;display:flex;flex-direction:column;align-items:center;justify-content:center;
color:#fff;text-align:center;padding:0 4px}
.stats b{font-size:26px;line-height:1.15}.stats b.long{font-size:17px}.stats small{font-size:13px}
table{border-collapse:collapse;width:100%}th{text-align:left;color:#9aa0aa;font-weight:500}
td,th{padding:4px 10px;border-bottom:1px solid #262a31;height:18px;line-height:18px;
white-space:nowrap;overflow:hidden;text-overflow:ellipsis}a{color:#79aef2}
.empty{color:#9aa0aa;padding:6px 10px;margin:0}.more{color:#9aa0aa;margin:0;padding:5px 10px}
svg text{fill:#9aa0aa;font-size:11px}.grid{stroke:#2b2f36}svg{display:block}
.legend{padding:4px 10px;line-height:20px;color:#b9bec7;font-size:12px}
.legend span{margin-right:14px;display:inline-block;white-space:nowrap}
.legend i{display:inline-block;width:12px;height:3px;vertical-align:middle;margin-right:5px}
.bars{padding:2px 10px;display:grid;grid-template-columns:auto 1fr auto;gap:0 10px;
align-items:center;position:absolute;inset:30px 0 6px}
.bars span{text-align:left}.bars i{display:block;height:62%;min-height:6px;border-radius:2px}
.bars u{background:#24282f;height:100%;display:flex;align-items:center;border-radius:2px}
.bars b{text-align:right}
footer{position:absolute;left:12px;color:#9aa0aa}
"""


def page(document: Json, answers: Mapping[int, Sequence[Answer]], span: Span, chosen: str) -> str:
    """Return a dashboard as HTML; `answers` by the panel's id."""
    panels = document["panels"]
    bottom = TOP + STEP * max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in panels)
    head = f"<h1>{escape(document['title'])}</h1><span>{escape(chosen)}</span>"
    body = "".join(_panel(panel, answers[panel["id"]], span) for panel in panels)
    told = "Drawn by this project's own renderer (not by Grafana) from a real Prometheus's answers."
    foot = f'<footer style="top:{bottom + 2}px">{told}</footer>'
    frame = f'<div style="position:relative;height:{bottom + 24}px">'
    return (
        f"<!doctype html><meta charset=utf-8><style>{CSS}</style>"
        f"{frame}<header>{head}</header>{body}{foot}</div>"
    )


def _panel(panel: Json, answers: Sequence[Answer], span: Span) -> str:
    at = panel["gridPos"]
    width, height = at["w"] * CELL - GAP, at["h"] * STEP - GAP
    place = (
        f"left:{MARGIN + at['x'] * CELL:.1f}px;top:{TOP + at['y'] * STEP}px;"
        f"width:{width:.1f}px;height:{height}px"
    )
    drawn = {
        "stat": lambda: _stats(panel, answers),
        "bargauge": lambda: _bars(panel, answers),
        "table": lambda: tables.drawn(panel, answers, height),
        "timeseries": lambda: lines.drawn(panel, answers, span, width - 4, height - 30),
    }[panel["type"]]()
    return f'<section style="{place}"><h2>{escape(panel["title"])}</h2>{drawn}</section>'


def _values(panel: Json, answers: Sequence[Answer]) -> list[tuple[str, float | None]]:
    """Return the present values of a panel with their names; one unknown if there is none."""
    found: list[tuple[str, float | None]] = [
        (name_of(series["metric"], answer.legend) if answer.legend else "", float(s[1]))
        for answer in answers
        for series in sorted(answer.series, key=lambda one: sorted(one["metric"].items()))
        for s in [series["value"]]
    ]
    return found or [("", None)]


def _stats(panel: Json, answers: Sequence[Answer]) -> str:
    look = panel["fieldConfig"]["defaults"]
    found = []
    for name, value in _values(panel, answers):
        text, color = shown(value, look)
        size = " class=long" if len(text) > 9 else ""
        label = f"<small>{escape(name)}</small>" if name else ""
        found.append(f'<div style="background:{color}">{label}<b{size}>{escape(text)}</b></div>')
    return f"<div class=stats>{''.join(found)}</div>"


def _bars(panel: Json, answers: Sequence[Answer]) -> str:
    look = panel["fieldConfig"]["defaults"]
    values = _values(panel, answers)
    most = max((value or 0.0 for _, value in values), default=0.0) or 1.0
    found = []
    for name, value in values:
        text, color = shown(value, look)
        part = 100 * (value or 0.0) / most
        found.append(
            f"<span>{escape(name)}</span>"
            f'<u><i style="width:{part:.1f}%;background:{color}"></i></u>'
            f'<b style="color:{color}">{escape(text)}</b>'
        )
    return f"<div class=bars>{''.join(found)}</div>"
