"""Alerts and dashboards from one source each: `python -m deploy.monitoring` writes their files."""
