"""A pass over a large estate in this process: its speed, and how long it blocks the loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import statistics
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from rotator.config import Config
from rotator.engine.clock import SystemClock
from rotator.engine.desk import Desk
from rotator.stores.vault import paths
from rotator.stores.vault.kv import VaultKv
from rotator.wiring.daemon import prepared
from rotator.wiring.desk import Surroundings, new_metrics, open_desk
from rotator.wiring.tuning import tune
from tests.bench.heart import Heart, percentile


@contextlib.contextmanager
def as_the_daemon() -> Iterator[None]:
    """Have threads, garbage and memory as the daemon has them; the last for good."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    tune()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(interval)


@contextlib.asynccontextmanager
async def desk_on(config: Config) -> AsyncIterator[Desk]:
    """Open the product's instance on a configuration; its logs go nowhere."""
    clock = SystemClock()
    redactor = prepared(io.BytesIO(), clock, "error")
    desk = await open_desk(Surroundings(config, {}, clock, redactor, new_metrics(config)))
    try:
        yield desk
    finally:
        await desk.close()


async def measure(config: Config, rounds: int) -> dict[str, float]:
    """Return `loop_block_p99_ms` and `inventory_ratio`.

    The first pass reads every value and looks at every key; the second is what
    the daemon does every five minutes.  The worse of the two counts.
    """
    with as_the_daemon():
        async with desk_on(config) as desk:
            first = await _heard(desk)
            gc.freeze()
            second = await _heard(desk)
            ratio = await _inventory_ratio(desk, rounds)
    return {"loop_block_p99_ms": max(first, second), "inventory_ratio": ratio}


async def _heard(desk: Desk) -> float:
    heart = Heart()
    async with heart.beating():
        await desk.look()
        await desk.render()
    return percentile(heart.late_ms, 99)


async def _inventory_ratio(desk: Desk, rounds: int) -> float:
    """Compare whole inventories with bare loops over the same paths.

    Half of the bare loop runs before and half after, so that a machine which gets
    slower or faster meanwhile counts for both.
    """
    kv, snapshot = desk.kv, desk.snapshot
    assert isinstance(kv, VaultKv)
    assert snapshot is not None
    names = sorted({seen.credential.path for seen in snapshot.credentials})
    targets = [_target(kv, name) for name in names]
    ratios: list[float] = []
    for _ in range(rounds):
        bare = await asyncio.to_thread(bare_loop, kv, targets[::2])
        began = time.perf_counter()
        await desk.passes.hub.take()
        ours = time.perf_counter() - began
        bare += await asyncio.to_thread(bare_loop, kv, targets[1::2])
        ratios.append(bare / ours)
    return statistics.median(ratios)


def _target(kv: VaultKv, name: str) -> str:
    mount, _, rest = name.partition("/")
    return paths.url(f"{mount}/", "metadata", rest)


def bare_loop(kv: VaultKv, targets: Sequence[str]) -> float:
    """GET every target on the store's own urllib3 pool with as many threads, and nothing else.

    Returns the seconds.
    """
    pool = kv._client._requests._http._pool
    headers = {
        "X-Vault-Request": "true",
        "X-Vault-Token": kv._client._tokens.current().reveal(),
    }
    queue = deque(targets)

    def lane() -> None:
        while True:
            try:
                target = queue.popleft()
            except IndexError:
                return
            answer = pool.urlopen("GET", target, headers=headers, retries=False)
            if answer.status != 200 or not answer.data:
                raise RuntimeError(f"Vault answered {answer.status}")

    began = time.perf_counter()
    with ThreadPoolExecutor(kv._workers) as threads:
        for done in [threads.submit(lane) for _ in range(kv._workers)]:
            done.result()
    return time.perf_counter() - began
