"""The dashboards as code: `write` makes the files that Grafana and the chart read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from deploy.monitoring.dashboards import (
    credential,
    daemon,
    exchanges,
    fleet,
    provisioning,
    rotations,
)
from deploy.monitoring.dashboards.board import Board

BOARDS: Final[tuple[Board, ...]] = (
    fleet.BOARD,
    credential.BOARD,
    rotations.BOARD,
    exchanges.BOARD,
    daemon.BOARD,
)
GRAFANA: Final = "deploy/grafana"
CHART: Final = "helm/rotator/files/dashboards"


def files() -> dict[str, str]:
    """Return every generated file: its path from the project's root, and its text."""
    found: dict[str, str] = {}
    for board in BOARDS:
        text = json.dumps(board.as_json(), indent=1) + "\n"
        found[f"{GRAFANA}/dashboards/{board.uid}.json"] = text
        found[f"{CHART}/{board.uid}.json"] = text
    for name in provisioning.FILES:
        found[f"{GRAFANA}/provisioning/{name}"] = provisioning.text(name)
    return found


def write(root: Path) -> list[Path]:
    """Write every generated file below the project's root and return them; raises OSError."""
    written = []
    for name, text in files().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written
