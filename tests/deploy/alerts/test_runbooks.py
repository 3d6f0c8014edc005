"""Each alert has a runbook whose commands and queries exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest
from typer.main import get_command

from deploy.monitoring.alerts.catalogue import ALERTS
from rotator.cli.app import build
from rotator.core.findings import Code
from tests.deploy.alerts.queries import foreign_metrics
from tests.house.tree import ROOT

RUNBOOKS = sorted((ROOT / "deploy/runbooks").glob("*.md"))
HEADINGS = ["# {name}", "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"]
SHELL = {"curl", "df", "fuser", "kubectl", "systemctl", "timedatectl", "vault"}
COMMAND = re.compile(r"^rotator ([a-z].*)$")
INLINE = re.compile(r"`([^`]+)`", re.DOTALL)

each = pytest.mark.parametrize("runbook", RUNBOOKS, ids=[file.stem for file in RUNBOOKS])


def fenced(runbook: Path) -> Iterator[str]:
    """Yield the lines of the code blocks: what is typed."""
    inside = False
    for line in runbook.read_text().splitlines():
        if line.startswith("```"):
            inside = not inside
        elif inside:
            yield line


def commands(runbook: Path) -> Iterator[str]:
    """Yield what follows `rotator`, from code blocks and from within sentences."""
    text = re.sub(r"```.*?```", "", runbook.read_text(), flags=re.DOTALL)
    spoken = (" ".join(found.split()) for found in INLINE.findall(text))
    for line in (*fenced(runbook), *spoken):
        if found := COMMAND.match(line):
            yield found[1]


def wrong(line: str) -> str | None:
    """Return what of a command line does not exist, None if all does."""
    words = [w for w in line.split() if not w.startswith("'")]
    found = get_command(build())
    while hasattr(found, "commands"):
        name = words.pop(0)
        if name not in found.commands:
            return name
        found = found.commands[name]
    known = {option for parameter in found.params for option in parameter.opts}
    return next((w for w in words if w.startswith("-") and w not in known), None)


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    """The runbooks are named by the alerts, all of them and no other."""
    assert [file.stem for file in RUNBOOKS] == sorted(alert.name for alert in ALERTS)


@each
def test_it_has_the_four_parts(runbook: Path) -> None:
    """A runbook has its alert's name as title and says meaning, impact, diagnosis, mitigation."""
    found = [line for line in runbook.read_text().splitlines() if line.startswith("#")]
    assert found == [heading.format(name=runbook.stem) for heading in HEADINGS]
    parts = re.split(r"^#+ .*$", runbook.read_text(), flags=re.MULTILINE)
    assert all(part.strip() for part in parts[2:])


@each
def test_its_commands_exist(runbook: Path) -> None:
    """Each `rotator ...` that it names is a command with those options, and it names one."""
    named = list(commands(runbook))
    assert [line for line in named if wrong(line)] == []
    assert named


@each
def test_its_queries_are_promql_over_metrics_that_exist(runbook: Path) -> None:
    """Every other line that is typed is a known program's, or PromQL over our metrics."""
    queries = [
        line
        for line in fenced(runbook)
        if line and line.split()[0] not in SHELL and not COMMAND.match(line)
    ]
    for query in queries:
        promql_parser.parse(query)
    assert foreign_metrics(queries) == set()


@each
def test_what_it_refers_to_exists(runbook: Path) -> None:
    """Alerts that it sends its reader to, and codes that it names in code, exist."""
    text = runbook.read_text()
    alerts = set(re.findall(r"\bRotator[A-Z]\w+", text))
    assert alerts <= {alert.name for alert in ALERTS}
    codes = re.findall(r'code=~?"([^"]+)"', text)
    assert {c for found in codes for c in found.split("|")} <= {code.value for code in Code}


def test_a_wrong_command_is_found() -> None:
    """The check can tell a command or option that does not exist."""
    assert wrong("explain KEY") is None
    assert wrong("audit export --since 1d") is None
    assert wrong("explains KEY") == "explains"
    assert wrong("explain KEY --wait") == "--wait"
