"""The lock by a Lease, in made time: one holder at most, whatever fails."""

from __future__ import annotations

import asyncio
import functools
import itertools
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings, strategies as st

from rotator.kube.lock import LeaseLock, Terms
from rotator.kube.objects import Lease
from tests.kube.books import Books, Fault, Way, chancy, sound
from tests.kube.virtual import VirtualClock, VirtualLoop, run

TERMS = Terms()
HOLD = TERMS.duration.total_seconds()
DEADLINE = TERMS.renew_deadline.total_seconds()
RETRY = TERMS.retry.total_seconds()


def lock_on(way: Way, name: str, off: float = 0.0) -> LeaseLock:
    """Return a process's lock; its wall clock may be off."""
    return LeaseLock(way, name, TERMS, VirtualClock(off), lambda: 1.1)


def told() -> list[str]:
    """Return a list for what is heard."""
    return []


def now() -> float:
    """Return the made time."""
    return asyncio.get_running_loop().time()


def holder(books: Books) -> str:
    """Return who stands in the Lease."""
    assert books.lease is not None
    return books.lease.holder


def test_a_free_lease_is_taken_at_once() -> None:
    """Where there is no Lease, or nobody holds it, the first who asks has it."""

    async def work() -> None:
        books = Books()
        first = lock_on(Way(books), "one")
        await first.acquire(pytest.fail)
        assert (holder(books), now() < 0.1) == ("one", True)
        await first.release()
        assert holder(books) == ""
        second = lock_on(Way(books), "two")
        await second.acquire(pytest.fail)
        assert books.lease is not None
        assert books.lease.spec["leaseTransitions"] == 1
        await second.release()

    run(work())


def test_it_is_renewed_and_others_wait() -> None:
    """While the holder lives nobody else gets it, and who waits is told once by whom."""

    async def work() -> None:
        books, heard = Books(), told()
        first, second = lock_on(Way(books), "one"), lock_on(Way(books), "two")
        await first.acquire(heard.append)
        waiting = asyncio.create_task(second.acquire(heard.append))
        await asyncio.sleep(10 * HOLD)
        assert not waiting.done()
        assert heard == ["one leads"]
        assert books.writes > 10 * HOLD / RETRY * 0.8
        began = now()
        await first.release()
        await waiting
        assert now() - began < 0.2
        await second.release()

    run(work())


def test_without_a_watch_it_is_looked_at_each_retry() -> None:
    """Where the watch is refused, a released Lease is found at the next look."""

    async def work() -> None:
        books = Books()
        blind = Way(books, lambda call: "refused" if call == "changed" else "")
        first, second = lock_on(Way(books), "one"), lock_on(blind, "two")
        await first.acquire(told().append)
        waiting = asyncio.create_task(second.acquire(told().append))
        await asyncio.sleep(3 * HOLD)
        began = now()
        await first.release()
        await waiting
        assert now() - began < RETRY * 1.2
        assert len(blind.calls) < 4 * HOLD / RETRY
        await second.release()

    run(work())


@pytest.mark.parametrize("off", [-86_400.0, 86_400.0])
def test_a_dead_holder_is_waited_out_whatever_the_clocks_say(off: float) -> None:
    """A Lease that is seen to rest for its duration is taken, by our own monotonic time."""

    async def work() -> None:
        books = Books()
        first, second = lock_on(Way(books), "one"), lock_on(Way(books), "two", off)
        await first.acquire(told().append)
        waiting = asyncio.create_task(second.acquire(told().append))
        await asyncio.sleep(HOLD)
        assert first._renewing is not None
        first._renewing.cancel()  # its process was killed
        died = now()
        await waiting
        assert HOLD - RETRY - 0.1 < now() - died < HOLD + 0.3
        await second.release()

    run(work())


def test_the_duration_that_counts_is_the_holders() -> None:
    """In a rollout that changes the duration, who waits goes by what the Lease says."""

    async def work() -> None:
        books = Books(Lease("rotator", "trading", "1", {"holderIdentity": "old"} | seconds(40)))
        lock = lock_on(Way(books), "new")
        await lock.acquire(told().append)
        assert 40 <= now() < 41
        await lock.release()

    run(work())


def seconds(count: int) -> dict[str, int]:
    """Return the part of a spec that says how long it holds."""
    return {"leaseDurationSeconds": count}


def test_a_holder_that_cannot_renew_gives_up_in_time() -> None:
    """It is lost at the renew deadline, with the rest of the duration left to end the work."""

    async def work() -> None:
        books = Books()
        way = Way(books)
        lock = lock_on(way, "one")
        await lock.acquire(told().append)
        await asyncio.sleep(7)
        written = now()
        way.fault = lambda call: "hang"
        lost = await lock.lost()
        assert DEADLINE - RETRY <= now() - written <= DEADLINE
        assert "no answer" in lost.why
        assert abs(lost.seconds - (HOLD - DEADLINE)) < 0.1
        await lock.release()

    run(work())


def test_an_outage_shorter_than_the_deadline_changes_nothing() -> None:
    """An API server that is away for a while does not cost the lead."""

    async def work() -> None:
        books = Books()
        way = Way(books)
        lock = lock_on(way, "one")
        await lock.acquire(told().append)
        for fate in ("lost", "hang", "refused"):
            way.fault = lambda call, fate=fate: fate  # type: ignore[misc]
            await asyncio.sleep(DEADLINE - 2 * RETRY)
            way.fault = sound
            await asyncio.sleep(HOLD)
        assert holder(books) == "one"
        assert lock._lost is not None
        assert not lock._lost.done()
        await lock.release()

    run(work())


def test_a_conflict_after_our_own_write_landed_is_no_loss() -> None:
    """A renewal whose answer was lost, or a new annotation, is found at the next look."""

    async def work() -> None:
        books = Books()
        way = Way(books)
        lock = lock_on(way, "one")
        await lock.acquire(told().append)
        for _ in range(5):
            fates = iter(["lost"])
            way.fault = lambda call, fates=fates: next(fates, "")  # type: ignore[misc]
            await asyncio.sleep(HOLD)
            assert books.lease is not None
            books.replace(books.lease.annotated("rotator/epoch", "7"))
        assert lock._lost is not None
        assert not lock._lost.done()
        assert books.lease is not None
        assert books.lease.annotations == {"rotator/epoch": "7"}
        await lock.release()

    run(work())


def test_a_lease_that_somebody_else_took_is_lost_at_once() -> None:
    """Whoever finds another name in it has no time left."""

    async def work() -> None:
        books = Books()
        lock = lock_on(Way(books), "one")
        await lock.acquire(told().append)
        assert books.lease is not None
        books.replace(books.lease.held_by("two", 15, VirtualClock().now()))
        lost = await lock.lost()
        assert (lost.seconds, now() < RETRY + 0.1) == (0.0, True)
        assert "two" in lost.why
        await lock.release()
        assert holder(books) == "two"

    run(work())


def test_a_lease_that_was_deleted_is_made_again_with_its_annotations() -> None:
    """Deleted under its holder, it comes back with the epoch that it kept."""

    async def work() -> None:
        books = Books()
        lock = lock_on(Way(books), "one")
        await lock.acquire(told().append)
        assert books.lease is not None
        books.replace(books.lease.annotated("rotator/epoch", "7"))
        await asyncio.sleep(HOLD)
        books.delete()
        await asyncio.sleep(HOLD)
        assert holder(books) == "one"
        assert books.lease is not None
        assert books.lease.annotations == {"rotator/epoch": "7"}
        await lock.release()

    run(work())


def test_a_frozen_holder_knows_when_it_wakes() -> None:
    """After standing still for longer than the deadline it is lost before anything is sent."""

    async def work() -> None:
        books = Books()
        way = Way(books)
        lock = lock_on(way, "one")
        await lock.acquire(told().append)
        sent = len(way.calls)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.leap(2 * HOLD)
        lost = await lock.lost()
        assert (lost.seconds, "stood still" in lost.why) == (0.0, True)
        assert len(way.calls) == sent
        await lock.release()

    run(work())


def test_an_error_in_the_renewal_is_a_loss() -> None:
    """A holder whose renewal breaks does not drive on: the lease is lost."""

    async def work() -> None:
        way = Way(Books())
        lock = lock_on(way, "one")
        await lock.acquire(told().append)

        def broken(call: str) -> str:
            raise ValueError(call)

        way.fault = broken
        assert "ValueError" in (await lock.lost()).why
        way.fault = sound
        await lock.release()

    run(work())


def test_a_stop_in_the_middle_of_taking_leaves_no_holder() -> None:
    """Who is stopped while its taking is under way gives back what may have landed."""

    async def work() -> None:
        books = Books()
        fates = iter(["", "lost"])
        way = Way(books, lambda call: next(fates, ""))
        lock = lock_on(way, "one")
        taking = asyncio.create_task(lock.acquire(told().append))
        await asyncio.sleep(1)
        assert holder(books) == "one"
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        await lock.release()
        assert holder(books) == ""
        assert way.closed == 1

    run(work())


def test_release_does_not_wait_for_an_api_server_that_is_away() -> None:
    """Giving back is tried for a few seconds at most."""

    async def work() -> None:
        way = Way(Books())
        lock = lock_on(way, "one")
        await lock.acquire(told().append)
        way.fault = lambda call: "hang"
        began = now()
        await lock.release()
        assert now() - began <= TERMS.call_seconds + 0.1

    run(work())


def test_a_refusal_is_told_once_and_tried_again() -> None:
    """Who may not read the Lease waits, says why once, and leads as soon as it may."""

    async def work() -> None:
        way, heard = Way(Books(), lambda call: "refused"), told()
        lock = lock_on(way, "one")
        waiting = asyncio.create_task(lock.acquire(heard.append))
        await asyncio.sleep(10 * RETRY)
        assert heard == ["the API server refuses"]
        way.fault = sound
        await waiting
        await lock.release()

    run(work())


@pytest.mark.parametrize("lives", [True, False])
def test_one_try(lives: bool) -> None:
    """A single try ends at a holder's first renewal; a holder that never renews is waited out."""

    async def work() -> None:
        books = Books()
        first, second = lock_on(Way(books), "one"), lock_on(Way(books), "two")
        await first.acquire(told().append)
        if not lives:
            assert first._renewing is not None
            first._renewing.cancel()
        why = await second.try_acquire()
        if lives:
            assert (why, now() < 2 * RETRY) == ("one leads", True)
        else:
            assert (why, HOLD <= now() < HOLD + 1) == (None, True)
        await second.release()

    run(work())


@pytest.mark.parametrize("fate", ["hang", "refused"])
def test_one_try_without_an_api_server(fate: str) -> None:
    """A single try says at once why it could not ask."""

    async def work() -> None:
        lock = lock_on(Way(Books(), lambda call: fate), "one")
        assert await lock.try_acquire() in ("no answer", "the API server refuses")
        await lock.release()

    run(work())


# ---------------------------------------------------------------- everything at once


@dataclass
class Candidate:
    """A process that leads whenever it can, works, and stands down when it must."""

    name: str
    way: Way
    off: float
    spans: list[tuple[float, float]] = field(default_factory=list)

    async def live(self) -> None:
        while True:
            lock = lock_on(self.way, self.name, self.off)
            began = None
            try:
                await lock.acquire(told().append)
                began = now()
                lost = await lock.lost()
                await asyncio.sleep(lost.seconds * 0.99)  # the work ends as late as it may
            finally:
                if began is not None:
                    self.spans.append((began, now()))
                await lock.release()


@given(
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.integers(2, 4),
)
@settings(max_examples=60, deadline=None)
def test_never_two(seed: int, rate: float, count: int) -> None:
    """Whatever is lost, hangs, is slow or is cut off, no two processes work at one time."""
    chance = random.Random(seed)

    async def work() -> list[Candidate]:
        books = Books()
        found = [_candidate(f"p{n}", books, chancy(chance, rate), chance) for n in range(count)]
        tasks = [asyncio.create_task(one.live()) for one in found]
        for _ in range(12):
            await asyncio.sleep(chance.uniform(2, 30))
            number = _leader(books) if chance.random() < 0.7 else chance.randrange(count)
            found[number].way.fault = chance.choice([_cut_off, _deaf])
            await asyncio.sleep(chance.uniform(5, 25))
            found[number].way.fault = chancy(chance, rate)
            if chance.random() < 0.3:  # a pod is replaced
                tasks[number].cancel()
                await asyncio.gather(tasks[number], return_exceptions=True)
                tasks[number] = asyncio.create_task(found[number].live())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return found

    candidates = run(work())
    spans = sorted(span for one in candidates for span in one.spans)
    for (_, end), (begin, _) in itertools.pairwise(spans):
        assert end <= begin, spans
    if rate == 0.0:
        assert len(spans) > 1


def _candidate(name: str, books: Books, fault: Fault, chance: random.Random) -> Candidate:
    """Return a process with a fast or a slow way, and any wall clock."""
    delay = functools.partial(chance.uniform, 0.0, chance.choice([0.02, 3.0]))
    return Candidate(name, Way(books, fault, delay), chance.uniform(-1e5, 1e5))


def _leader(books: Books) -> int:
    name = books.lease.holder if books.lease is not None else ""
    return int(name.removeprefix("p") or 0)


def _cut_off(call: str) -> str:
    """Nothing arrives any more."""
    return "hang"


def _deaf(call: str) -> str:
    """Everything arrives, and no answer comes back."""
    return "lost"
