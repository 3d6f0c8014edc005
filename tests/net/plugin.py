"""Searches all that a test showed to anybody for secrets; a find fails the test.

Searched, after each test:

- what it printed and logged, and how it says that it failed;
- the files below its `tmp_path` whose names end as a log, an output or a trail does;
  the files that a harness told of by `NET.watch` (streams that outlive a test), as far
  as they have grown; in the end of the run also the folders that several tests shared;
- what a harness told of by `NET.look`: output of commands, metrics and pages;
- the arguments of the processes that a harness told of by `NET.process`.

Not searched, because there secrets lie by right: the data and the log of Vault, the
embedded store's file, key files and files for a login, what is typed or piped into the
program, what a person asked `store get` to reveal, the control port's answers and what
`rotator sandbox` announces (both give its keys to who tests), and what a test marked
`feeds_secrets` gives to a library's logger before it is blanked.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.net.needles import told

ENDINGS = frozenset({".err", ".html", ".json", ".jsonl", ".log", ".out", ".prom", ".txt"})
ANNOUNCED = "sandbox.out"
"""The file with the ready line of a sandbox."""

FEEDS = "feeds_secrets"
LARGEST = 64 << 20
BEGINS_WITHIN = 2_000
"""Looks at a process until it has begun."""


class Net:
    """What was found since the last test ended."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._watched: dict[Path, int] = {}
        self._searched: set[Path] = set()

    def look(self, where: str, content: bytes | str) -> None:
        """Search what was shown; `where` names it."""
        around = told(content)
        if around is not None:
            self._found.append(f"{where} tells a secret: …{around}…")

    def process(self, pid: int) -> None:
        """Search the arguments of a process as every user of the machine sees them.

        They are empty for a moment while the process begins, and once it has ended.
        """
        shown = (_read(Path(f"/proc/{pid}/cmdline"), 0) for _ in range(BEGINS_WITHIN))
        self.look("a process argument", next(filter(None, shown), b""))

    def watch(self, file: Path) -> None:
        """Search a file after this test and every later one, as far as it has grown."""
        self._watched.setdefault(file, 0)

    def files(self, folder: Path) -> None:
        """Search what lies below a folder and was not searched before."""
        for file in _shown(folder):
            if file not in self._watched and not self._searched.intersection(file.parents):
                self.look(str(file.relative_to(folder)), _read(file, 0))
        self._searched.add(folder)

    def watched(self) -> None:
        """Search what the watched files have got since the last look."""
        for file, seen in list(self._watched.items()):
            new = _read(file, seen)
            self._watched[file] = seen + len(new)
            self.look(file.name, new)

    def found(self) -> list[str]:
        """Return what was found and forget it."""
        found, self._found = self._found, []
        return found


NET = Net()


def _shown(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        if file.suffix in ENDINGS and file.name != ANNOUNCED and file.is_file():
            yield file


def _read(file: Path, start: int) -> bytes:
    try:
        with file.open("rb") as opened:
            opened.seek(start)
            return opened.read(LARGEST)
    except OSError:
        return b""


def judge(report: pytest.TestReport, net: Net) -> None:
    """Search a report, and let it fail if anything was found."""
    if report.longrepr is not None:
        net.look("the failure", str(report.longrepr))
    if report.when == "teardown":
        for title, text in report.sections:
            if not (title.startswith("Captured log") and FEEDS in report.keywords):
                net.look(title, text)
    found = net.found()
    if found:
        before = "" if report.passed else f"{report.longrepr}\n\n"
        report.outcome = "failed"
        report.longrepr = before + "\n".join(found)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark of a test whose captured log is not searched."""
    config.addinivalue_line("markers", f"{FEEDS}: logs secrets itself, to see them blanked later")


@pytest.fixture(scope="session", autouse=True)
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    """The net of this run; in the end it searches the folders that several tests shared."""
    yield NET
    NET.files(tmp_path_factory.getbasetemp())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Search the files of a test when all its processes have ended."""
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    try:
        return (yield)
    finally:
        NET.watched()
        if isinstance(folder, Path):
            NET.files(folder)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Search what a test showed."""
    report = yield
    judge(report, NET)
    return report
