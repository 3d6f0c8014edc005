"""Rotations against a real Vault and the sandbox: what they send, and how fast they are.

The same requests are then sent by a bare loop for a twin of every credential: the
same methods, paths and bodies, with the twin's name, account and keys in place of
the credential's, so that each compare-and-set fits and each key exists.  Both run
with the same HTTP clients and as many rotations at once.

Waits are excluded: a clock whose sleeps of up to a second (between the two looks
at a key) return at once.  It is the right time otherwise; nothing in an
overlap rotation without a drain waits longer.
"""

from __future__ import annotations

import asyncio
import io
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rotator.config import Config
from rotator.core.names import ExchangeName
from rotator.core.record import Phase
from rotator.engine.clock import SystemClock
from rotator.engine.desk import Desk
from rotator.exchanges.exchange import Clocks, Exchange
from rotator.exchanges.registry import open_exchange
from rotator.observe.wrap import exchange_answers, store_requests
from rotator.stores.vault.client import VaultClient
from rotator.stores.vault.kv import VaultKv
from rotator.stores.vault.login import TokenFile
from rotator.stores.vault.requests import Requests
from rotator.stores.vault.settings import TokenFileAuth
from rotator.wiring.daemon import prepared
from rotator.wiring.desk import Surroundings, _Builder, new_metrics
from rotator.wiring.exchanges import exchange_settings
from rotator.wiring.stores import vault_settings
from tests.bench.estate import FIRST_SUB, Place, Planted, parents, plant
from tests.bench.goals import Sizes
from tests.bench.large import as_the_daemon
from tests.bench.replay import Replay, Twin, pairs_of
from tests.bench.servers import TRADING, TWINS, Filler
from tests.bench.tape import Sent, Tape, TapedHttp, TapedWire

IN_FLIGHT: Final = 16
LONG_AGO: Final = 200
"""Age in days of the keys to rotate: past the 90 days of the policy."""

POLICIES: Final = {"default": {"revoke": "drain", "drain": "0s"}}
ROTATION: Final = {
    "armed": ["**"],
    "in_flight": IN_FLIGHT,
    "creates_per_hour": 100_000,
    "spread_backlog": "0s",
}
END_SECONDS: Final = 120.0


class Hasty(SystemClock):
    """The machine's clock, but a wait of up to a second takes no time."""

    async def sleep(self, seconds: float) -> None:
        """Wait if it is long; else give others their turn."""
        await super().sleep(seconds if seconds > 1.0 else 0)


@dataclass(slots=True)
class _TapedBuilder(_Builder):
    """Builds the product's instance on clients with a tape."""

    tape: Tape

    def _open_exchange(self, name: ExchangeName, environment: str) -> Exchange:
        around = self.around
        clock = around.clock
        return open_exchange(
            name,
            exchange_settings(around.config, name, environment),
            Clocks(clock.now, clock.now, clock.monotonic, clock.sleep),
            exchange_answers(around.metrics, name, clock.now),
            wire=TapedWire(self.tape),
        )


async def open_taped(config: Config, tape: Tape) -> Desk:
    """Return the product's instance; everything that it sends is on the tape."""
    clock = Hasty()
    around = Surroundings(
        config, {}, clock, prepared(io.BytesIO(), clock, "error"), new_metrics(config)
    )
    assert config.store.vault is not None
    settings = vault_settings(config.store.vault)
    assert isinstance(settings.auth, TokenFileAuth)
    http = TapedHttp(settings, tape)
    requests = Requests(http, None, time.monotonic, store_requests(around.metrics))
    tokens = TokenFile(settings.auth, time.monotonic)
    kv = VaultKv(VaultClient(requests, tokens, settings, time.sleep), settings.workers)
    return await _TapedBuilder(around, kv, tape).build()


async def rotate_all(desk: Desk, expected: int) -> float:
    """Rotate everything that is due; return the seconds, from the first opening to the last end."""
    began = time.perf_counter()
    while True:
        ended = desk.rotations.ended
        await desk.open_due()
        if not (desk.opening or desk.rotations.running):
            break
        async with asyncio.timeout(END_SECONDS):
            await ended.wait()
    seconds = time.perf_counter() - began
    done = [r for r in desk.rotations.records() if r.phase is Phase.DONE]
    if len(done) != expected:
        told = [(r.phase, r.waits_for, r.reason) for r in desk.reports()][:5]
        raise RuntimeError(f"{len(done)} of {expected} rotations were done; others: {told}")
    return seconds


def counts(sent: Sequence[Sent]) -> dict[str, float]:
    """Count the requests of the only rotation on a tape, from CREATING to the tombstone."""
    writes = [n for n, one in enumerate(sent) if one.method == "POST" and _is_record(one.target)]
    counted = [one for one in sent[writes[0] : writes[-1] + 1] if not one.inventory]
    to_exchange = sum(one.to_exchange for one in counted)
    return {
        "store_requests_per_rotation": len(counted) - to_exchange,
        "exchange_requests_per_rotation": to_exchange,
    }


def _is_record(target: str) -> bool:
    return "/data/rotator/rotations/" in target


async def count(place: Place, filler: Filler) -> dict[str, float]:
    """Rotate one key and count what was sent."""
    [parent] = parents(1, first=12_000_001)
    [sub] = _subs([parent], 1, FIRST_SUB + 900_000, "one")
    plant(filler, place.mount, [parent, sub])
    tape = Tape(place.mount)
    desk = await _looked(place, tape)
    try:
        tape.cut()
        await rotate_all(desk, 1)
        return counts(tape.cut())
    finally:
        await desk.close()


async def _looked(place: Place, tape: Tape) -> Desk:
    desk = await open_taped(place.config(policies=POLICIES, rotation=ROTATION), tape)
    await desk.feel()
    await desk.look(force=True)
    return desk


async def ratio(places: Sequence[Place], filler: Filler, sizes: Sizes) -> dict[str, float]:
    """Return `rotation_ratio`: the median over the places, each used for one round."""
    ratios = [await _round(place, filler, sizes, n) for n, place in enumerate(places)]
    return {"rotation_ratio": statistics.median(ratios)}


async def _round(place: Place, filler: Filler, sizes: Sizes, number: int) -> float:
    masters = parents(sizes.parents, first=13_000_001 + 1_000 * number)
    base = FIRST_SUB + 1_000_000 * (number + 1)
    subs = _subs(masters, sizes.subs_per_parent, base, "sub")
    others = _subs(masters, sizes.subs_per_parent, base + 500_000, "two", TWINS)
    keys = plant(filler, place.mount, [*masters, *subs])
    twin_keys = plant(filler, place.mount, others)
    twins = _twins(subs, others, keys, twin_keys)
    tape = Tape(place.mount)
    with as_the_daemon():
        desk = await _looked(place, tape)
        try:
            tape.cut()
            ours = await rotate_all(desk, len(subs))
            sent = tape.cut()
        finally:
            await desk.close()
        replay = Replay(place, [keys[m.name] for m in masters])
        try:
            bare = await replay.run(pairs_of(sent, twins), IN_FLIGHT)
        finally:
            await replay.close()
    return bare / ours


def _subs(
    masters: Sequence[Planted], each: int, first: int, word: str, folder: str = TRADING
) -> list[Planted]:
    """Return old keys on sub-accounts of their own; names are of one length."""
    found: list[Planted] = []
    for number in range(len(masters) * each):
        parent = masters[number % len(masters)]
        name = f"{folder}/bybit/{word}{number:05d}"
        account = str(first + number)
        found.append(Planted(name, "bybit", account, parent.account, parent.name, days=LONG_AGO))
    return found


def _twins(
    subs: Sequence[Planted],
    others: Sequence[Planted],
    keys: Mapping[str, dict[str, Any]],
    twin_keys: Mapping[str, dict[str, Any]],
) -> list[Twin]:
    return [
        Twin(
            name=sub.name,
            account=sub.account,
            key_id=str(keys[sub.name]["api_key"]),
            twin_name=other.name,
            twin_account=other.account,
            twin_key=twin_keys[other.name],
        )
        for sub, other in zip(subs, others, strict=True)
    ]
