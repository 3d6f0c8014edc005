"""The image, the unit and the workflows: linted, pinned, and with no more rights than needed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.conftest import program
from tests.house import tree

BIN: Final = Path(sys.executable).parent
DOCKERFILE: Final = tree.ROOT / "deploy" / "Dockerfile"
COMPOSE: Final = tree.ROOT / "deploy" / "compose.yaml"
UNIT: Final = tree.ROOT / "deploy" / "systemd" / "rotator.service"
WORKFLOWS: Final = sorted((tree.ROOT / ".github" / "workflows").glob("*.yaml"))
PINNED: Final = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*$")


def ran(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a linter on a file or two; it needs no network and a few seconds."""
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=50, check=False
    )


def document(path: Path) -> Any:
    """Return a YAML file's content."""
    return yaml.safe_load(path.read_text())


def test_hadolint_finds_nothing() -> None:
    """The Dockerfile follows the rules of its linter, without an exception."""
    done = ran(BIN / "hadolint", DOCKERFILE)
    assert (done.returncode, done.stdout) == (0, "")


def test_both_stages_are_one_pinned_image() -> None:
    """The environment is built with the interpreter that runs it, pinned by digest."""
    images = re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), re.MULTILINE)
    assert len(images) == 2
    assert len(set(images)) == 1
    assert re.fullmatch(r"python:3\.\d+-slim@sha256:[0-9a-f]{64}", images[0])


def test_the_image_runs_as_nobody() -> None:
    """The last user is a high number, and nothing asks for its health from inside."""
    lines = DOCKERFILE.read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER 65532:65532"]
    assert not [line for line in lines if line.startswith("HEALTHCHECK")]


def test_the_image_is_made_of_what_git_knows() -> None:
    """Each file that the Dockerfile copies from the outside is let through to the builder."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    names = {name.rstrip("/") for line in copied for name in line.split()}
    let_in = {
        line[1:].split("/")[0]
        for line in (tree.ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert names == let_in
    assert all((tree.ROOT / name).exists() for name in names)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_action_is_pinned(path: Path) -> None:
    """An action is named by the commit that was reviewed, with its version beside it."""
    used = [line.strip("- ").strip() for line in path.read_text().splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_no_rights(path: Path) -> None:
    """No right is given to a whole workflow; each job asks for its own, and ends in time."""
    workflow = document(path)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert "permissions" in job
        assert job["timeout-minutes"] <= 90


def test_zizmor_finds_nothing() -> None:
    """The workflows give an attacker no hold that the auditor knows of."""
    done = ran(BIN / "zizmor", "--offline", "--no-progress", "--format", "plain", *WORKFLOWS)
    assert done.returncode == 0, done.stdout


def test_what_is_tested_is_what_we_say_we_support() -> None:
    """The workflow's Pythons are the classifiers of pyproject.toml."""
    classifiers = tree.project()["project"]["classifiers"]
    said = {c.rsplit(" ", 1)[1] for c in classifiers if re.search(r":: 3\.\d+$", c)}
    ci = next(path for path in WORKFLOWS if path.name == "ci.yaml")
    assert set(document(ci)["jobs"]["pythons"]["strategy"]["matrix"]["python"]) == said


def test_compose_mounts_what_is_there() -> None:
    """Each file that a service mounts lies in the repository, and each image has its digest."""
    services = document(COMPOSE)["services"]
    mounts = [v.split(":")[0] for s in services.values() for v in s.get("volumes", [])]
    assert mounts
    assert [m for m in mounts if not (COMPOSE.parent / m).exists()] == []
    images = [service["image"] for service in services.values() if "image" in service]
    assert len(images) == len(services) - 1  # ours is built
    assert all(re.search(r":v?\d[\w.]*@sha256:[0-9a-f]{64}$", image) for image in images)


def test_compose_listens_on_loopback_alone() -> None:
    """No service publishes a port or listens for strangers."""
    heard = re.findall(r"listen[a-z-]*address=(\S*?)[,\]\s]", COMPOSE.read_text())
    assert heard
    assert [address for address in heard if address and not address.startswith("127.0.0.1:")] == []
    assert not any("ports" in service for service in document(COMPOSE)["services"].values())


def test_the_unit_gives_little_away(tmp_path: Path) -> None:
    """The service manager itself takes the unit, and calls its exposure low."""
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace("/opt/rotator/bin/rotator", sys.executable))
    analyze = program("systemd-analyze")
    verified = ran(analyze, "verify", here)
    assert (verified.returncode, verified.stderr) == (0, "")
    told = ran(analyze, "security", "--offline=yes", here).stdout
    exposure = re.search(r"exposure level for \S+ (\d+\.\d)", told)
    assert exposure is not None, told
    assert float(exposure[1]) < 2.0
