"""A key is dead by two refusals, one second apart, while another key signs in from here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx

from rotator.core.facts import Validity
from rotator.core.liveness import Liveness
from rotator.core.names import ExchangeName, KeyId, Secrets, Sensitive, SigningKey
from rotator.engine.prober import APART, FRESH, Prober, Witness, used_at
from rotator.exchanges.exchange import Exchange
from tests.engine.rig import ACCOUNT, World

FAR = "203.0.113.9"


class Asked(httpx.AsyncBaseTransport):
    """Notes who asked what, and when."""

    def __init__(self, inner: httpx.AsyncBaseTransport, world: World) -> None:
        self._inner = inner
        self._world = world
        self.calls: list[tuple[str, str, datetime]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        key = request.headers["x-bapi-api-key"]
        what = request.url.path.rpartition("/")[2]
        self.calls.append((key, what, self._world.clock.now()))
        return await self._inner.handle_async_request(request)


@dataclass
class Scene:
    """A prober at the sandbox's Bybit, a key and its parent."""

    world: World
    exchange: Exchange
    prober: Prober
    asked: Asked
    key: SigningKey
    parent: SigningKey
    others: dict[str, SigningKey] = field(default_factory=dict)

    def witness(self, *, may_list: bool = False, known: str | None = None) -> Witness:
        return Witness(self.parent, ACCOUNT, may_list, KeyId(known) if known else None)

    def who(self) -> list[tuple[str, str]]:
        names = {self.key.key_id: "key", self.parent.key_id: "parent"}
        return [(names.get(KeyId(k), "other"), what) for k, what, _ in self.asked.calls]

    def bind(self, *addresses: str) -> None:
        """Let only these addresses in with the key."""
        ledger = self.world.desk.ledger("bybit")
        ledger.change(self.world.key(self.key.key_id), addresses=addresses)


def signing(fields: dict[str, object]) -> SigningKey:
    """Return a seeded key as it signs."""
    secret = Sensitive(str(fields["api_secret"]))
    return SigningKey(KeyId(str(fields["api_key"])), Secrets(api_secret=secret))


def scene(tmp_path: Path, scenario: Callable[[Scene], Awaitable[None]]) -> None:
    """Run a scenario."""

    async def run() -> None:
        world = World.make(tmp_path)
        wires: list[Asked] = []

        def note(inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
            wires.append(Asked(inner, world))
            return wires[-1]

        rig = await world.process(wire=note)
        exchange = rig.tools.exchanges.get(ExchangeName("bybit"), "prod")
        assert exchange is not None
        key, parent = signing(world.desk.key("bybit")), signing(world.desk.parent("bybit"))
        await scenario(Scene(world, exchange, Prober(exchange, world.clock), wires[0], key, parent))
        await world.close()

    asyncio.run(run())


def test_a_key_that_signs_in_is_alive_by_one_look(tmp_path: Path) -> None:
    """One look is enough for alive, and brings the facts; the time is that before the look."""

    async def scenario(s: Scene) -> None:
        before = s.world.clock.moment()
        probe = await s.prober.probe(s.key, s.witness())
        assert probe.liveness is Liveness.ALIVE
        assert probe.facts is not None
        assert probe.facts.label == "desk0"
        assert probe.at.mono == before.mono
        assert probe.detail == "valid"
        assert used_at(probe) is None
        assert s.who() == [("key", "query-api")]

    scene(tmp_path, scenario)


def test_a_dead_key_is_looked_at_twice_a_second_apart(tmp_path: Path) -> None:
    """Dead is two refusals one second apart, with the parent signing in between."""

    async def scenario(s: Scene) -> None:
        s.world.kill(s.key.key_id)
        before = s.world.clock.now()
        probe = await s.prober.probe(s.key, s.witness())
        assert probe.liveness is Liveness.DEAD
        assert probe.at.at == before
        assert s.who() == [("key", "query-api"), ("parent", "query-api"), ("key", "query-api")]
        first, _, second = (at for _, _, at in s.asked.calls)
        assert (second - first).total_seconds() == APART
        assert probe.facts is None
        assert probe.detail.startswith("invalid: ")

    scene(tmp_path, scenario)


def test_a_key_that_just_signed_in_is_the_control(tmp_path: Path) -> None:
    """A key of the exchange that signed in a moment ago spares the parent's look."""

    async def scenario(s: Scene) -> None:
        other = signing(s.world.desk.key("bybit", 1))
        await s.prober.probe(other, s.witness())
        s.world.kill(s.key.key_id)
        assert (await s.prober.probe(s.key, s.witness())).liveness is Liveness.DEAD
        assert ("parent", "query-api") not in s.who()
        s.world.clock.pass_(FRESH + 0.1)
        assert (await s.prober.probe(s.key, s.witness())).liveness is Liveness.DEAD
        assert ("parent", "query-api") in s.who()

    scene(tmp_path, scenario)


def test_a_key_is_not_its_own_control(tmp_path: Path) -> None:
    """Nobody is proved dead by having signed in before, or by being its own parent."""

    async def scenario(s: Scene) -> None:
        await s.prober.probe(s.key, s.witness())
        s.world.kill(s.key.key_id)
        alone = Witness(None, ACCOUNT, may_list=False)
        assert (await s.prober.probe(s.key, alone)).liveness is Liveness.UNKNOWN
        own = Witness(s.key, ACCOUNT, may_list=False)
        assert (await s.prober.probe(s.key, own)).liveness is Liveness.UNKNOWN

    scene(tmp_path, scenario)


def test_without_a_control_nothing_is_dead(tmp_path: Path) -> None:
    """A refusal while the parent is refused too may be about us: unknown."""

    async def scenario(s: Scene) -> None:
        s.world.kill(s.key.key_id)
        s.world.kill(s.parent.key_id)
        assert (await s.prober.probe(s.key, s.witness())).liveness is Liveness.UNKNOWN

    scene(tmp_path, scenario)


def test_a_second_look_that_signs_in_wins(tmp_path: Path) -> None:
    """A key that is refused once and signs in a second later is alive."""

    async def scenario(s: Scene) -> None:
        gone = s.world.key(s.key.key_id)
        s.world.kill(s.key.key_id)
        ledger = s.world.desk.ledger("bybit")

        async def come_back() -> None:
            ledger._keys[gone.id] = gone

        s.world.clock.tick = come_back
        assert (await s.prober.probe(s.key, s.witness())).liveness is Liveness.ALIVE

    scene(tmp_path, scenario)


def test_a_wrong_secret_is_not_death(tmp_path: Path) -> None:
    """A bad signature says that our secret is wrong, not that the key is no more."""

    async def scenario(s: Scene) -> None:
        wrong = SigningKey(s.key.key_id, Secrets(api_secret=Sensitive("other")))
        probe = await s.prober.probe(wrong, s.witness(may_list=True))
        assert probe.liveness is Liveness.UNKNOWN
        assert probe.look.validity is Validity.INVALID
        assert s.who() == [("key", "query-api")]

    scene(tmp_path, scenario)


def test_a_refused_address_is_neither(tmp_path: Path) -> None:
    """A key that leaves our address out is blocked, however often it is asked."""

    async def scenario(s: Scene) -> None:
        s.bind(FAR)
        probe = await s.prober.probe(s.key, s.witness())
        assert probe.liveness is Liveness.BLOCKED
        assert s.who() == [("key", "query-api")]

    scene(tmp_path, scenario)


def test_the_parents_list_speaks_for_a_key_that_refuses_us(tmp_path: Path) -> None:
    """With verify: list the list's facts stand in, and a listed key is alive."""

    async def scenario(s: Scene) -> None:
        s.bind(FAR)
        probe = await s.prober.probe(s.key, s.witness(may_list=True))
        assert probe.liveness is Liveness.ALIVE
        assert probe.facts is not None
        assert probe.facts.ip_allowlist == (FAR,)
        assert s.who() == [("key", "query-api"), ("parent", "sub-apikeys")]

    scene(tmp_path, scenario)


def test_a_list_that_fails_or_has_no_reader_says_nothing(tmp_path: Path) -> None:
    """Without a list a key that refuses us stays blocked."""

    async def scenario(s: Scene) -> None:
        s.bind(FAR)
        s.world.desk.order("bybit", "list", "html")
        assert (await s.prober.probe(s.key, s.witness(may_list=True))).liveness is Liveness.BLOCKED
        nobody = Witness(None, ACCOUNT, may_list=True)
        assert (await s.prober.probe(s.key, nobody)).liveness is Liveness.BLOCKED

    scene(tmp_path, scenario)


def test_no_answer_is_no_proof(tmp_path: Path) -> None:
    """A look without an answer is unknown, by one request."""

    async def scenario(s: Scene) -> None:
        for fault in ("lost_answer", "maintenance", "html", "truncated", "rate_limited"):
            s.asked.calls.clear()
            s.world.desk.order("bybit", "inspect", fault)
            probe = await s.prober.probe(s.key, s.witness())
            assert probe.liveness is Liveness.UNKNOWN
            assert s.who() == [("key", "query-api")]

    scene(tmp_path, scenario)
