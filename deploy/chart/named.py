"""Definitions of the values' schema that a comment in values.yaml names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

TEXT: Final = {"type": "string", "minLength": 1}
TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}


def _closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": dict(properties)}


ALERT_CHANGE: Final = _closed(
    {
        "enabled": {"type": "boolean"},
        "severity": {"enum": ["critical", "warning", "info"]},
        "labels": TEXTS,
        "annotations": TEXTS,
    }
)

# The keys of Prometheus' exporter-toolkit, https://github.com/prometheus/exporter-toolkit.
WEB_CONFIG: Final = _closed(
    {
        "tls_server_config": _closed(
            {
                "cert": TEXT,
                "key": TEXT,
                "client_ca": TEXT,
                "cert_file": TEXT,
                "key_file": TEXT,
                "client_ca_file": {"type": "string"},
                "client_auth_type": {
                    "enum": [
                        "NoClientCert",
                        "RequestClientCert",
                        "RequireAnyClientCert",
                        "VerifyClientCertIfGiven",
                        "RequireAndVerifyClientCert",
                    ]
                },
                "client_allowed_sans": {"type": "array", "items": TEXT},
                "min_version": {"enum": ["TLS10", "TLS11", "TLS12", "TLS13"]},
                "max_version": {"enum": ["TLS10", "TLS11", "TLS12", "TLS13"]},
                "cipher_suites": {"type": "array", "items": TEXT},
                "curve_preferences": {"type": "array", "items": TEXT},
                "prefer_server_cipher_suites": {"type": "boolean"},
            }
        ),
        "http_server_config": _closed({"http2": {"type": "boolean"}, "headers": TEXTS}),
        "basic_auth_users": {
            "type": "object",
            "additionalProperties": {"type": "string", "pattern": r"^\$2[aby]\$"},
        },
        "rate_limit": _closed({"interval": TEXT, "burst": {"type": "integer", "minimum": 0}}),
    }
)


def definitions(alerts: Sequence[str]) -> dict[str, Any]:
    """Return the definitions by name; a map by alert takes the names in `alerts` alone."""
    change = {"$ref": "#/definitions/AlertChange"}
    return {
        "AlertChange": ALERT_CHANGE,
        "AlertChanges": _closed(dict.fromkeys(alerts, change)),
        "AlertTexts": _closed(dict.fromkeys(alerts, TEXT)),
        "WebConfig": WEB_CONFIG,
    }
