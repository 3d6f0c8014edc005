from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import table
from tests.bench.goals import GOALS, Goal
from tests.bench.growth import slope
from tests.bench.heart import percentile
from tests.bench.servers import ROOT
from tests.bench.tape import Sent, Tape
from tests.servers.kube_server import KubeServer
from tests.servers.vault_server import VaultServer


def test_a_goal_is_a_floor_or_a_ceiling() -> None:
    """A value on the bound is good, one beyond it is not, on the side that the goal names."""
    assert Goal(0.8, least=True).met(0.8)
    assert not Goal(0.8, least=True).met(0.79)
    assert Goal(22).met(22)
    assert not Goal(22).met(22.1)


def test_the_exponent_is_that_of_the_power_law() -> None:
    """Times that grow as n to the power of 1.5 give 1.5."""
    sizes = [100.0, 1_000.0, 10_000.0]
    assert slope(sizes, [3 * n**1.5 for n in sizes]) == pytest.approx(1.5)


def test_a_percentile_is_one_of_the_values() -> None:
    """The 99th percentile of a hundred values is the largest, and of two hundred the third."""
    assert percentile(list(range(100)), 99) == 99
    assert percentile(list(range(200)), 99) == 198


def test_an_inventory_is_told_from_a_guard_by_where_it_looks() -> None:
    """Only the credentials' own paths and folders count as inventory, state documents do not."""
    tape = Tape("kv")
    assert tape.is_credential("/v1/kv/metadata/trading/bybit/desk0")
    assert tape.is_credential("/v1/kv/data/trading/bybit/desk0?version=2")
    assert not tape.is_credential("/v1/kv/metadata/rotator/holds/?list=true")
    assert not Sent("GET", "/v1/kv/config", None).to_exchange


def test_the_table_says_what_is_missed() -> None:
    """A number that misses its goal has NO behind it; one without a goal has nothing."""
    lines = table({"rss_mib": 151.0, "scrape_cpu_ms": 3.0, "other": 1.0}).splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["NO", "yes", "1.000"]


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_quick_bench_measures_every_number(
    vault: VaultServer, kube: KubeServer, tmp_path: Path
) -> None:
    """With tiny sizes it runs to its end and writes each promised name with a number."""
    file = tmp_path / "bench.json"
    command = [sys.executable, "-m", "tests.bench", "--quick", "--to", str(file)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    numbers = json.loads(file.read_text())
    assert set(GOALS) <= set(numbers)
    assert all(isinstance(value, int | float) and value > 0 for value in numbers.values())
    for name in ("store_requests_per_rotation", "exchange_requests_per_rotation"):
        assert GOALS[name].met(numbers[name])
