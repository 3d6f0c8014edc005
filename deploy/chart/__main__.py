"""`python -m deploy.chart`: write values.schema.json and the table of values anew."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.chart.readme import with_table
from deploy.chart.schema import values_schema
from deploy.chart.values import documented

CHART: Final = Path(__file__).parents[2] / "helm" / "rotator"


def generated(chart: Path = CHART) -> dict[Path, str]:
    """Return the text of each generated file of a chart by its path."""
    values = documented((chart / "values.yaml").read_text(encoding="utf-8"))
    schema = values_schema(values, alert_names(chart / "files" / "alerts.yaml"))
    readme = (chart / "README.md").read_text(encoding="utf-8")
    return {
        chart / "values.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n",
        chart / "README.md": with_table(readme, values),
    }


def alert_names(file: Path) -> list[str]:
    """Return the names of the built-in alerts in order."""
    groups: list[dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    listed = (alert["name"] for group in groups for alert in group.get("alerts", ()))
    rules = (rule for group in groups for rule in group.get("rules", ()))
    return [*listed, *(rule["alert"] for rule in rules if "alert" in rule)]


def main() -> int:
    """Write what is stale and name it."""
    for path, text in generated().items():
        if path.read_text(encoding="utf-8") != text if path.exists() else True:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path.relative_to(CHART.parents[1])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
