"""How the time of one inventory and judgement grows with the number of credentials.

Each size has a process of its own: `python -m tests.bench.growth SIZE ROUNDS` fills
a local store, lets the product's instance take it in, tells it of a look at every
key so that none is due, and prints the CPU seconds of each further pass.  It is CPU
and not wall time, so that other work on the machine counts for nothing.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rotator.core.facts import KeyFacts, Look, Validity
from rotator.core.names import KeyId, StorePath
from rotator.core.scopes import Scope
from rotator.stores.local import load_key, open_local, rules
from rotator.stores.local.file import writing
from tests.bench.estate import loaded
from tests.bench.large import as_the_daemon, desk_on
from tests.bench.servers import ROOT

FOLDER: Final = 100
SECONDS: Final = 240.0
AGE: Final = timedelta(days=20)


def measure(sizes: Sequence[int], rounds: int) -> dict[str, float]:
    """Return `growth_exponent`: the slope of log time over log size."""
    times = [statistics.median(_measured(size, _rounds(size, rounds))) for size in sizes]
    return {"growth_exponent": slope(sizes, times)}


def _rounds(size: int, rounds: int) -> int:
    """Small sizes are quick and uneven: they get more rounds."""
    return rounds * 5 if size < 5_000 else rounds


def slope(sizes: Sequence[float], times: Sequence[float]) -> float:
    """Return the exponent of the power law that fits best."""
    return statistics.linear_regression([math.log(s) for s in sizes], [math.log(t) for t in times])[
        0
    ]


def _measured(size: int, rounds: int) -> list[float]:
    command = [sys.executable, "-m", "tests.bench.growth", str(size), str(rounds)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=SECONDS)
    return [float(seconds) for seconds in json.loads(done.stdout)]


async def passes(folder: Path, size: int, rounds: int) -> list[float]:
    """Return the CPU seconds of each pass over a store of so many credentials."""
    file, key_file = folder / "store.db", folder / "store.key"
    key_file.write_text(bytes(range(32)).hex())
    key_file.chmod(0o600)
    await _fill(file, key_file, size)
    config = loaded(_document(file, key_file, folder))
    spent: list[float] = []
    with as_the_daemon():
        async with desk_on(config) as desk:
            taken = await desk.passes.hub.take()
            for entry in taken.result.entries:
                desk.passes.looks.note(entry, _look(entry.stored.key_id))
            await desk.look()
            gc.collect()
            gc.freeze()
            for _ in range(rounds):
                began = time.process_time()
                snapshot = await desk.look()
                spent.append(time.process_time() - began)
                if len(snapshot.credentials) != size or snapshot.looks:
                    raise RuntimeError("the pass looked at keys, or did not see all")
    return spent


def _document(file: Path, key_file: Path, folder: Path) -> dict[str, Any]:
    return {
        "store": {
            "local": {"file": str(file), "key_file": str(key_file)},
            "anchor": {"file": str(folder / "anchor")},
        },
        "rules": [{"match": "secret/trading/**", "exchange": "binance"}],
        "every": {"inspect": "1d"},
    }


def _look(key_id: KeyId | None) -> Look:
    now = datetime.now(UTC)
    facts = KeyFacts(
        key_id,
        scopes=frozenset({Scope.READ, Scope.TRADE_SPOT}),
        native=("enableReading", "enableSpotAndMarginTrading"),
        ip_restricted=True,
        created_at=now - AGE,
    )
    return Look(Validity.VALID, facts)


async def _fill(file: Path, key_file: Path, size: int) -> None:
    """Write all secrets in one transaction: one by one they would take minutes."""
    kv = open_local(file, load_key(key_file, {}), lambda: datetime.now(UTC))
    tables = kv._tables

    def fill() -> None:
        with writing(tables._connection):
            for number in range(size):
                path = StorePath(f"secret/trading/binance/desk{number // FOLDER}/key{number}")
                data = {"api_key": f"key-{number:012d}", "api_secret": f"secret-{number:024d}"}
                tables._add_version(path, 1, timedelta(0), rules.encoded(path, data))
            tables._connection.execute("UPDATE paths SET current = 1, oldest = 1")

    await kv._run("write", fill)
    await kv.close()


def main() -> None:
    """Print the CPU seconds of each pass as a JSON list."""
    size, rounds = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(passes(Path(folder), size, rounds))))


if __name__ == "__main__":
    main()
