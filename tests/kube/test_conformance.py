"""One behaviour of the right to drive, whatever keeps it: nobody, a file, a real API server."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.engine.clock import SystemClock
from rotator.engine.lease import FileLease, Lease, NoLease
from rotator.kube.client import LeaseClient
from rotator.kube.cluster import in_cluster
from rotator.kube.lock import LeaseLock, Terms
from tests.kube.conftest import ACCOUNT
from tests.servers.kube_server import KubeServer, Pod

Make = Callable[[], Lease]
"""Makes the part of a further process."""

SHORT = Terms(timedelta(seconds=3), timedelta(seconds=2), timedelta(seconds=0.4))
REAL = pytest.param("kube", marks=pytest.mark.real)
FILE_AND_LEASE = pytest.mark.parametrize("kind", ["file", REAL])
EVERY_KIND = pytest.mark.parametrize("kind", ["none", "file", REAL])


@pytest.fixture
def make(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Make:
    """Make leases of one kind that are about the same right."""
    clock = SystemClock()
    if kind == "none":
        return NoLease
    if kind == "file":
        return lambda: FileLease(tmp_path / "lease", clock)
    pod: Pod = request.getfixturevalue("pod")
    return lambda: lock_in(pod)


def lock_in(pod: Pod) -> LeaseLock:
    """Return the part of one process of a pod."""
    clock = SystemClock()
    client = LeaseClient(in_cluster(pod.environ, pod.folder, None), "rotator", clock.monotonic)
    return LeaseLock(client, secrets.token_hex(4), SHORT, clock, lambda: 1.0)


def play(work: Awaitable[None]) -> None:
    """Run a scenario."""

    async def run() -> None:
        async with asyncio.timeout(30):
            await work

    asyncio.run(run())


def nobody(why: str) -> None:
    """Hear why one waits, where nobody should have to."""
    pytest.fail(why)


@EVERY_KIND
def test_who_is_first_has_it(make: Make) -> None:
    """A free right is had at once, is not lost by itself, and can be had again after it."""

    async def work() -> None:
        for _ in range(2):
            lease = make()
            await lease.acquire(nobody)
            lost = asyncio.ensure_future(lease.lost())
            done, _pending = await asyncio.wait([lost], timeout=0.5)
            assert not done
            lost.cancel()
            await lease.release()
            await lease.release()

    play(work())


@EVERY_KIND
def test_one_try_at_a_free_one(make: Make) -> None:
    """A single try takes what is free, and leaves it free."""

    async def work() -> None:
        for _ in range(2):
            lease = make()
            assert await lease.try_acquire() is None
            await lease.release()

    play(work())


async def kept(lease: Lease) -> None:
    """See that a lease is not lost in half a second, and give it back."""
    lost = asyncio.ensure_future(lease.lost())
    done, _ = await asyncio.wait([lost], timeout=0.5)
    assert not done
    lost.cancel()
    await lease.release()


@EVERY_KIND
def test_giving_back_what_one_never_had(make: Make) -> None:
    """Who was stopped while waiting gives back nothing that is another's."""

    async def work() -> None:
        first, second = make(), make()
        await second.release()
        await first.acquire(nobody)
        await second.release()
        await kept(first)

    play(work())


@FILE_AND_LEASE
def test_the_second_waits(make: Make) -> None:
    """The second is told once why it waits, and has the right soon after it is given back."""

    async def work() -> None:
        first, second, heard = make(), make(), list[str]()
        await first.acquire(nobody)
        waiting = asyncio.ensure_future(second.acquire(heard.append))
        done, _ = await asyncio.wait([waiting], timeout=3.5)
        assert not done
        assert len(heard) == 1
        assert heard[0].endswith(" leads")
        await first.release()
        await asyncio.wait_for(waiting, 2)
        await second.release()

    play(work())


@FILE_AND_LEASE
def test_one_try_at_a_held_one(make: Make) -> None:
    """A single try while another holds it fails within a moment, and says so."""

    async def work() -> None:
        first, second = make(), make()
        await first.acquire(nobody)
        why = await asyncio.wait_for(second.try_acquire(), 2.5)
        assert why is not None
        await second.release()
        await kept(first)

    play(work())


@FILE_AND_LEASE
def test_many_take_turns(make: Make) -> None:
    """Of many who want it one has it at a time, and each has its turn."""

    async def work() -> None:
        inside, most, turns = 0, 0, 0

        async def live() -> None:
            nonlocal inside, most, turns
            lease = make()
            await lease.acquire(lambda why: None)
            inside += 1
            most, turns = max(most, inside), turns + 1
            await asyncio.sleep(0.05)
            inside -= 1
            await lease.release()

        await asyncio.gather(*(live() for _ in range(5)))
        assert (most, turns) == (1, 5)

    play(work())


@pytest.mark.real
def test_a_role_without_watch(kube: KubeServer, tmp_path: Path) -> None:
    """Without the verb `watch` a hand-over takes up to one look longer, and all else works."""
    namespace = kube.namespace()
    kube.account(namespace, ACCOUNT)
    kube.allow_leases(namespace, ACCOUNT, ("get", "update"))
    pod = kube.pod(tmp_path, namespace, ACCOUNT)

    async def work() -> None:
        first, second = lock_in(pod), lock_in(pod)
        await first.acquire(nobody)
        waiting = asyncio.ensure_future(second.acquire(lambda why: None))
        done, _ = await asyncio.wait([waiting], timeout=3.5)
        assert not done
        assert not await second.leases.changed("1", 2)
        await first.release()
        await asyncio.wait_for(waiting, 2)
        await second.release()

    play(work())
