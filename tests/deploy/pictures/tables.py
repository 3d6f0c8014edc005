"""Present values as a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

from tests.deploy.asking import Answer
from tests.deploy.pictures.words import mapped_text, shown

Json = dict[str, Any]
Row = dict[str, str | float]

ROW_PX: Final = 27
HEAD_PX: Final = 84


def drawn(panel: Json, answers: Sequence[Answer], height: float) -> str:
    """Return a panel's rows as HTML, as many as it has room for."""
    rows = _rows(panel, answers)
    if not rows:
        return f"<p class=empty>{escape(panel['fieldConfig']['defaults']['noValue'])}</p>"
    options = panel["transformations"][0]["options"]
    columns = sorted(options["indexByName"], key=lambda name: options["indexByName"][name])
    looks = {o["matcher"]["options"]: _look(o) for o in panel["fieldConfig"]["overrides"]}
    titles = [options["renameByName"].get(name, name) for name in columns]
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    room = max(1, int((height - HEAD_PX) // ROW_PX))
    body = "".join(
        "<tr>" + "".join(_cell(row.get(n, ""), looks[t]) for n, t in pairs) + "</tr>"
        for row in rows[:room]
        for pairs in [list(zip(columns, titles, strict=True))]
    )
    more = f"<p class=more>page 1: {room} of {len(rows)} rows</p>" if len(rows) > room else ""
    return f"<table><tr>{head}</tr>{body}</table>{more}"


def _rows(panel: Json, answers: Sequence[Answer]) -> list[Row]:
    rows: list[Row] = [
        {**series["metric"], "Value": float(series["value"][1])}
        for answer in answers
        for series in answer.series
    ]
    renamed = panel["transformations"][0]["options"]["renameByName"]
    for order in panel["options"].get("sortBy", []):
        name = next((k for k, v in renamed.items() if v == order["displayName"]), "")
        rows.sort(key=lambda row: str(row.get("credential", "")))
        rows.sort(key=lambda row: row[name], reverse=order["desc"])
    return rows


def _look(override: Json) -> Json:
    return {p["id"]: p.get("value") for p in override["properties"]}


def _cell(value: str | float, look: Json) -> str:
    if isinstance(value, float):
        text, color = shown(value, look)
        return f'<td style="color:{color}">{escape(text)}</td>'
    mapped = mapped_text(value, look)
    if mapped:
        return f'<td style="color:{mapped[1]}">{escape(mapped[0])}</td>'
    text = escape(value or str(look["noValue"]))
    return f"<td><a>{text}</a></td>" if "links" in look and value else f"<td>{text}</td>"
