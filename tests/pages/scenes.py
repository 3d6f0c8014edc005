"""The states in which the page is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.pages.scene import Scene, Secret
from tests.processes.program import Sandbox

FIRST_ACCOUNT = 30_000_000
BYBIT_SLOTS = 10
MARKUP = "<script>alert(1)</script>'\"&amp;<b>"
DESKS = ("market-making", "arbitrage", "options", "research")
LARGE = 5_000
OWN_KEYS = 400


def healthy(folder: Path, sandbox: Sandbox) -> Scene:
    """A master key and a dozen fresh keys."""
    scene = Scene(folder, sandbox)
    scene.put_master()
    scene.put(*_fresh(scene, 12, "calm"))
    return scene


def trouble(folder: Path, sandbox: Sandbox) -> Scene:
    """Dead, forgotten, over-scoped and overdue keys, and one rotation that asks a person."""
    policy = {"revoke": "manual", "drain": "0s"}
    armed = ["secret/trading/bybit/maker*"]
    scene = Scene(folder, sandbox, armed=armed, policy=policy)
    scene.put_master()
    scene.put(*_fresh(scene, 8, "calm"))
    for number in range(2):
        old = scene.key(f"maker{number}", str(FIRST_ACCOUNT + 100 + number), days=47)
        scene.put((f"bybit/maker{number}", old, {"owner": "market-making"}))
    for number in range(40):
        dead = scene.key(f"dead{number}", str(FIRST_ACCOUNT + 200 + number // 5))
        sandbox.post("/kill", exchange="bybit", key_id=dead["api_key"])
        scene.put((f"bybit/dead{number}", dead, {"owner": DESKS[number % len(DESKS)]}))
    treasury = scene.known(sandbox.seeded("binance"))
    scene.put(("binance/treasury", treasury, {"owner": "treasury"}))
    twin = scene.key("twin", str(FIRST_ACCOUNT + 300))
    scene.put(("bybit/twin-a", twin, {}), ("bybit/twin-b", twin, {"owner": "research"}))
    scene.put(("bybit/news", scene.key("news", str(FIRST_ACCOUNT + 301)), {"policy": "gold"}))
    scene.put(("bitmex/desk", {"api_key": "made-up-id-0001", "api_secret": "made-up-secret"}, {}))
    scene.key("contractor", str(FIRST_ACCOUNT), days=210)
    return scene


def hostile(folder: Path, sandbox: Sandbox) -> Scene:
    """Names, owners and labels that would like to be markup."""
    scene = Scene(folder, sandbox)
    scene.put_master()
    account = str(FIRST_ACCOUNT + 400)
    scene.put(
        ("bybit/<img src=x onerror=alert(2)>", scene.key("calm", account), {"owner": "x" * 300}),
        ("bybit/\u05d0\u05d1\u05d2.key", scene.key("other", account), {"owner": MARKUP}),
        ("bybit/" + "long-" * 60, scene.key("third", account), {"policy": MARKUP}),
    )
    scene.key("<i>\u202elabel", account, days=3)
    return scene


def large(folder: Path, sandbox: Sandbox) -> Scene:
    """5,000 credentials: some hundred keys at work, the others of an exchange that closed."""
    scene = Scene(folder, sandbox, settings={"every": {"inventory": "1h", "tidy": "1h"}})
    scene.put_master()
    scene.put(*_fresh(scene, OWN_KEYS, "busy"), *_closed(LARGE - OWN_KEYS - 1))
    return scene


def _fresh(scene: Scene, count: int, name: str) -> list[Secret]:
    def secret(number: int) -> Secret:
        account = str(FIRST_ACCOUNT + number // (BYBIT_SLOTS - 2))
        owner = DESKS[number % len(DESKS)]
        return f"bybit/{name}{number}", scene.key(f"{name}{number}", account), {"owner": owner}

    return [secret(number) for number in range(count)]


def _closed(count: int) -> list[Secret]:
    def secret(number: int) -> Secret:
        data: dict[str, Any] = {"api_key": f"closed-{number:05}-id", "api_secret": f"no-{number}"}
        return f"bitmex/desk{number // 200}/key{number}", data, {"owner": f"desk{number % 37}"}

    return [secret(number) for number in range(count)]
