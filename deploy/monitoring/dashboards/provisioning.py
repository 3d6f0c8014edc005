"""What Grafana reads at its start in compose: where Prometheus is, where the dashboards are."""

from __future__ import annotations

from typing import Any, Final

import yaml

PROMETHEUS: Final = "http://127.0.0.1:9090"
FOLDER: Final = "/etc/grafana/dashboards"
"""Where compose mounts deploy/grafana/dashboards."""

HEAD: Final = "# Written by `python -m deploy.monitoring dashboards`.\n"

FILES: Final[dict[str, dict[str, Any]]] = {
    "datasources/prometheus.yaml": {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Prometheus",
                "uid": "prometheus",
                "type": "prometheus",
                "access": "proxy",
                "url": PROMETHEUS,
                "isDefault": True,
                "editable": False,
                "jsonData": {"httpMethod": "POST", "timeInterval": "15s"},
            }
        ],
    },
    "dashboards/rotator.yaml": {
        "apiVersion": 1,
        "providers": [
            {
                "name": "rotator",
                "orgId": 1,
                "type": "file",
                "folder": "Rotator",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 30,
                "options": {"path": FOLDER, "foldersFromFilesStructure": False},
            }
        ],
    },
}


def text(name: str) -> str:
    """Return one provisioning file."""
    return HEAD + yaml.safe_dump(FILES[name], sort_keys=False)
