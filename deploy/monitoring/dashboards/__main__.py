"""`python -m deploy.monitoring.dashboards` writes the dashboards."""

from pathlib import Path

from deploy.monitoring.dashboards import write

write(Path(__file__).parents[3])
