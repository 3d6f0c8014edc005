"""What the walks found, told at the end of the run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

FOUND = pytest.StashKey[list[str]]()


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Say one line in the summary of the run."""
    return pytestconfig.stash.setdefault(FOUND, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the number of states of each walk, and how each mutant was killed."""
    lines = terminalreporter.config.stash.get(FOUND, [])
    if lines:
        terminalreporter.section("the rotation machine")
        for line in lines:
            terminalreporter.write_line(line)
