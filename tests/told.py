"""Lines that a test wants read though it passes: states walked, seconds measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import pytest

TOLD: Final = "told"

Tell: TypeAlias = Callable[[str], None]


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Say one line in the summary of the run, from whichever process of it."""
    return lambda line: record_property(TOLD, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was told, by the file that told it."""
    ended = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    places: dict[str, list[str]] = {}
    for report in sorted(ended, key=lambda report: str(report.nodeid)):
        lines = [str(line) for name, line in report.user_properties if name == TOLD]
        places.setdefault(report.nodeid.partition("::")[0], []).extend(lines)
    for place, lines in places.items():
        if lines:
            terminalreporter.section(place)
            for line in lines:
                terminalreporter.write_line(line)
