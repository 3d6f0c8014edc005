"""Plays one rotation whose process meets its end, or falls asleep, at one request."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.processes.estate import Estate, estate
from tests.processes.gate import Fate, Side, Stop
from tests.processes.program import Program, Sandbox
from tests.processes.verdict import assert_done, leaks
from tests.servers.vault_server import VaultServer

AT_ONCE = 4
"""Cases played side by side: they mostly wait."""

SLEEP_SECONDS = 6.2
"""Longer than any receive window, and than the 5 s after which a guard is stale."""

LATE_SECONDS = 3.0
"""How late a lost request arrives: within the receive window."""


class End(StrEnum):
    """What becomes of the process, and of the request at which it happens."""

    KILLED = "killed"
    UNANSWERED = "alive, but unanswered"
    LATE = "killed, and its request arrives later"
    ASLEEP = "asleep for 6 s"
    OVERTAKEN = "asleep while another one takes over"


@dataclass(frozen=True, slots=True)
class Case:
    """One end at one request; `label` None counts every request of the rotation."""

    end: End
    side: Side
    label: str | None
    count: int = 1
    creates: int = 1

    def __str__(self) -> str:
        return f"{self.end}, {self.side.value}: {self.label or 'request'} {self.count}"


def play(case: Case, server: VaultServer, sandbox: Sandbox, folder: Path) -> None:
    """Play one case to its end and judge it."""
    with estate(server, sandbox, folder) as there:
        consumer = there.consumer()
        stop = Stop(case.label, case.side, case.count)
        there.road.stop_at(stop)
        first = there.daemon()
        assert stop.reached.wait(40), f"it never came: {there.road.labels()}\n{first.log()}"
        consumer.look()
        last = _meets(case, there, first, stop)
        there.wait_for_phase("DONE")
        told = last.metrics().encode() + last.command_line()
        assert not leaks(there, "metrics or arguments", told)
        for program in there.programs:
            assert not program.alive or program.stop() == 0
        consumer.stop()
        assert_done(there, creates=case.creates)


def _meets(case: Case, there: Estate, first: Program, stop: Stop) -> Program:
    """Let the process meet its end; return the one that leads the rotation on."""
    match case.end:
        case End.KILLED:
            first.kill()
            stop.end(Fate.LOST)
            return there.daemon()
        case End.UNANSWERED:
            stop.end(Fate.LOST)
            return first
        case End.LATE:
            first.kill()
            second = there.daemon()
            time.sleep(LATE_SECONDS)
            stop.end(Fate.GO_ON)
            return second
        case End.ASLEEP:
            first.freeze()
            time.sleep(SLEEP_SECONDS)
            stop.end(Fate.GO_ON)
            first.thaw()
            return first
        case End.OVERTAKEN:
            first.freeze()
            second = there.daemon(config=there.instance("second"))
            time.sleep(SLEEP_SECONDS)
            stop.end(Fate.GO_ON)
            first.thaw()
            return second


class Plays:
    """Cases that are played side by side; each test waits for its own."""

    def __init__(
        self, cases: Iterable[Case], server: VaultServer, sandbox: Sandbox, folder: Path
    ) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="play")
        self._played: dict[Case, Future[None]] = {
            case: self._pool.submit(play, case, server, sandbox, folder / f"case{number}")
            for number, case in enumerate(cases)
        }

    def judge(self, case: Case) -> None:
        """Wait for the end of a case; raises what it found wrong."""
        self._played[case].result(timeout=120)

    def close(self) -> None:
        """Drop the cases that have not begun."""
        self._pool.shutdown(cancel_futures=True)
