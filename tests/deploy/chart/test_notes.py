"""What Helm prints after an install.

Helm 3 tells its notes only where it reaches a cluster, so Helm 4 speaks for both.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.chart.__main__ import CHART
from rotator.cli import main
from tests.deploy.chart.kit import KUBE, NAMESPACE, Helm, values_file

pytestmark = pytest.mark.real


def notes(helm: Helm, folder: Path, values: Mapping[str, Any] | str = "default") -> str:
    """Return the notes of an install that asks no cluster."""
    file = values_file(values) if isinstance(values, str) else folder / "values.yaml"
    if not isinstance(values, str):
        file.write_text(yaml.safe_dump(dict(values)))
    done = helm.run(
        *("install", "desk", str(CHART), "--namespace", NAMESPACE),
        *("--dry-run=client", "--values", str(file)),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("NOTES:\n")[2]


def test_a_fresh_install_is_told_how_to_go_on(helm4: Helm, tmp_path: Path) -> None:
    """The notes say that it only watches, what Vault must know, how to see it and how to arm."""
    text = notes(helm4, tmp_path)
    assert "only watches: it looks at every key and changes none" in text
    assert "bound_service_account_names=desk-rotator" in text
    assert f"bound_service_account_namespaces={NAMESPACE} audience=vault" in text
    assert f"helm test desk -n {NAMESPACE} --logs" in text
    assert "http://localhost:9789/" in text
    assert "--set 'config.rotation.armed={secret/trading/bybit/desk0}'" in text
    assert "nobody scrapes it yet" in text


def test_an_armed_one_names_its_paths(helm4: Helm, tmp_path: Path) -> None:
    """With armed paths the notes name them, and do not explain arming again."""
    text = notes(helm4, tmp_path, "armed")
    assert "rotates what is due on these paths:\n  secret/trading/bybit/desk0\n" in text
    assert "arm\n" not in text


def test_the_notes_warn_without_a_lease(helm4: Helm, tmp_path: Path) -> None:
    """Without a Lease the notes say what becomes of the anchor; with one they do not."""
    assert "takes the store for\nrestored" in notes(helm4, tmp_path, "no-lease")
    assert "restored" not in notes(helm4, tmp_path)


def test_a_foreign_config_map_is_told_what_it_must_say(helm4: Helm, tmp_path: Path) -> None:
    """With a ConfigMap of the user's the notes say which keys it must hold."""
    text = notes(helm4, tmp_path, "existing-configmap")
    assert '`serve: {listen: "0.0.0.0:9789"}`' in text
    assert "`lease: {kubernetes: {name: desk-rotator}}`" in text


def test_the_arming_command_arms(helm: Helm) -> None:
    """What the notes tell to type for arming gives a configuration with that path armed."""
    set_ = "config.rotation.armed={secret/trading/bybit/desk0}"
    done = helm.run("template", "desk", str(CHART), "--set", set_, "--kube-version", KUBE)
    assert done.returncode == 0, done.stderr
    config = next(d for d in yaml.safe_load_all(done.stdout) if d and d["kind"] == "ConfigMap")
    armed = yaml.safe_load(config["data"]["rotator.yaml"])["rotation"]["armed"]
    assert armed == ["secret/trading/bybit/desk0"]


def test_the_commands_of_the_notes_exist(helm4: Helm, tmp_path: Path) -> None:
    """Each `rotator` command in the notes is one, with the options it is given."""
    off = {"helmTest": {"enabled": False}}
    lines = [
        line.split(" -- ")[1] for line in notes(helm4, tmp_path, off).splitlines() if " -- " in line
    ]
    assert len(lines) == 2
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "rotator"
        assert main([*arguments, "--help"]) == 0
