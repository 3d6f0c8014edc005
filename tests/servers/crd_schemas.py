"""The schemas of other people's CRDs, out of the Go modules that publish them.

The pins in the folder `crds` name the modules; Go's own cache keeps what was fetched.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tests.servers.build import HERE, ServerMissing

PINS: Final = HERE / "crds"
FILES: Final = {
    "github.com/prometheus-operator/prometheus-operator": (
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
    "k8s.io/autoscaler/vertical-pod-autoscaler": ("deploy/vpa-v1-crd-gen.yaml",),
}
"""The files of each module."""

Schema = dict[str, Any]


@cache
def crd_schemas() -> dict[tuple[str, str], Schema]:
    """Return a JSON schema by (apiVersion, kind) that refuses unknown fields.

    Raises ServerMissing without Go, or where Go cannot fetch the modules.
    """
    found: dict[tuple[str, str], Schema] = {}
    for module, files in FILES.items():
        folder = _fetched(module)
        for file in files:
            for crd in yaml.safe_load_all((folder / file).read_text(encoding="utf-8")):
                spec = crd["spec"]
                for version in spec["versions"]:
                    name = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                    found[name] = _strict(version["schema"]["openAPIV3Schema"])
    return found


def _fetched(module: str) -> Path:
    """Return the folder of a pinned module; fetch it if Go has not got it."""
    go = shutil.which("go")
    if go is None:
        raise ServerMissing("Install Go 1.26 for the tests that validate CRD objects.")
    version, digest = _pin(module)
    command = [go, "mod", "download", "-json", f"{module}@{version}"]
    done = subprocess.run(command, cwd=PINS, check=False, capture_output=True)
    if done.returncode:
        raise ServerMissing(f"Go could not fetch {module} {version}.")
    fetched = json.loads(done.stdout)
    assert fetched["Sum"] == digest, module
    return Path(fetched["Dir"])


def _pin(module: str) -> tuple[str, str]:
    """Return the version and the checksum of a module."""
    for line in (PINS / "go.sum").read_text(encoding="utf-8").splitlines():
        name, version, digest = line.split()
        if name == module and not version.endswith("/go.mod"):
            return version, digest
    raise AssertionError(f"{module} is not pinned")


def _strict(schema: Any) -> Any:
    """Return a schema whose objects take no field that they do not name."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {
        key: {name: _strict(each) for name, each in value.items()}
        if key == "properties"
        else _strict(value)
        for key, value in schema.items()
    }
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    return strict
