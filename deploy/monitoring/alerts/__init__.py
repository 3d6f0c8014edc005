"""The one source of the alerts, and the files that are made from it."""

from __future__ import annotations

from pathlib import Path

from deploy.monitoring.alerts.files import FILES


def write(root: Path) -> list[Path]:
    """Write every file of alerts below a project's root and return their paths."""
    written = []
    for name, text in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text(), encoding="utf-8")
        written.append(file)
    return written
