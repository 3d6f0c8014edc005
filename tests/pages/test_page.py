"""The status page of the real daemon in a real browser, in each state."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.pages import scenes
from tests.pages.scene import Running, Scene
from tests.pages.viewer import look_over, looking
from tests.processes.program import Sandbox, until
from tests.servers.vault_server import VaultServer
from tests.told import Tell

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(400)]

SERVER_MS = 300
IDLE_MS = 10
VIEWS = ("/", "/?sort=due", "/?q=key7&per_page=250", "/?page=50", "/api/v1/status")


def tells_no_secret(scene: Scene, daemon: Running) -> None:
    """Fail if page or API show a secret, or a key id beyond its last four characters."""
    assert scene.key_ids
    assert scene.secrets
    paths = ("/", "/?per_page=1000", "/?sort=due", "/api/v1/status", "/api/v1/strays")
    told = "".join(daemon.get(path) for path in paths)
    assert [s for s in scene.secrets | scene.key_ids if s in told or s[:-4] in told] == []


def test_an_empty_store(browser: Browser, sandbox: Sandbox, tmp_path: Path, pictures: Path) -> None:
    """Nothing is there, and the page says so without alarm."""
    with Scene(tmp_path / "empty", sandbox).daemon() as daemon:
        daemon.looked(0)
        assert "No credential here." in daemon.get()
        look_over(browser, daemon.url, "empty", pictures)


def test_a_healthy_fleet(
    browser: Browser, sandbox: Sandbox, tmp_path: Path, pictures: Path
) -> None:
    """Nothing is wrong, and the page says so."""
    scene = scenes.healthy(tmp_path / "healthy", sandbox)
    with scene.daemon() as daemon:
        daemon.looked(13)
        assert "No check found anything critical" in daemon.get()
        look_over(browser, daemon.url, "healthy", pictures)
        tells_no_secret(scene, daemon)


def test_trouble(browser: Browser, sandbox: Sandbox, tmp_path: Path, pictures: Path) -> None:
    """Each kind of trouble is one entry, and a rotation that asks shows what to type."""
    scene = scenes.trouble(tmp_path / "trouble", sandbox)
    with scene.daemon() as daemon:
        daemon.wait("rotations", "two waiting", lambda d: _waiting(d, "rotator complete") == 2)
        third = scene.key("third", str(scenes.FIRST_ACCOUNT + 101))
        scene.put(("bybit/maker1", third, {}))
        assert scene.command("complete", "maker1") == 0
        daemon.wait("rotations", "a question", lambda d: any(r["question"] for r in d["rotations"]))
        daemon.wait("findings", "dead keys", lambda d: "Invalid" in _codes(d))
        look_over(browser, daemon.url, "trouble", pictures)
        tells_no_secret(scene, daemon)
        # No script is needed for anything: it is switched off here.
        with looking(browser, daemon.url, java_script_enabled=False) as seen:
            text = seen.text()
            assert "Invalid at bybit: 40 credentials" in text
            assert "rotator resolve secret/trading/bybit/maker1 abort" in text
            seen.page.get_by_label("Search").fill("binance/treasury")
            seen.page.get_by_role("button", name="Show").click()
            assert "1 to 1 of 1 credential" in seen.text()
            seen.page.get_by_role("link", name="Show all").click()
            seen.page.get_by_role("link", name="Due", exact=True).click()
            heading = seen.page.get_by_role("columnheader", name="Due")
            assert heading.get_attribute("aria-sort") == "ascending"


def test_the_keyboard_reaches_everything(
    browser: Browser, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The first stop skips to the content, and each stop can be seen."""
    scene = scenes.healthy(tmp_path / "keys", sandbox)
    with scene.daemon() as daemon:
        daemon.looked(13)
        with looking(browser, daemon.url) as seen:
            seen.page.keyboard.press("Tab")
            skip = seen.page.locator(":focus")
            assert skip.text_content() == "Skip to what is wrong"
            assert skip.bounding_box()["x"] >= 0  # type: ignore[index]
            seen.page.keyboard.press("Enter")
            assert seen.page.url.endswith("#main")
            for _ in range(20):
                seen.page.keyboard.press("Tab")
                outline = seen.page.locator(":focus").evaluate(
                    "e => getComputedStyle(e).outlineStyle"
                )
                assert outline != "none"


def test_hostile_texts(browser: Browser, sandbox: Sandbox, tmp_path: Path, pictures: Path) -> None:
    """Names, owners and labels that would like to be markup are texts."""
    scene = scenes.hostile(tmp_path / "hostile", sandbox)
    with scene.daemon() as daemon:
        daemon.looked(4)
        daemon.wait("findings", "the foreign key", lambda d: "ForeignKey" in _codes(d))
        look_over(browser, daemon.url, "hostile", pictures)
        with looking(browser, daemon.url) as seen:
            assert scenes.MARKUP in seen.text()
            assert "<i>\\u202elabel" in seen.text()
            assert seen.page.locator("script, img, main i").count() == 0


def test_five_thousand_credentials(
    browser: Browser, sandbox: Sandbox, tmp_path: Path, pictures: Path, tell: Tell
) -> None:
    """The first view takes the server less than 300 ms, and any further one."""
    # A hold, or its end, is a new state, whose views are first ones again.  The least of
    # three counts, because other work on the machine makes the same work dearer.
    scene = scenes.large(tmp_path / "large", sandbox)
    with scene.daemon() as daemon:
        daemon.wait("health", "the first pass", lambda d: d["as_of"] is not None)
        rounds = [_spent(daemon)]
        assert (
            scene.command("hold", "secret/trading/bitmex/**", "--reason", "x", "--name", "all") == 0
        )
        daemon.wait("status", "the hold", lambda d: d["holds"])
        rounds.append(_spent(daemon))
        assert scene.command("release", "all") == 0
        daemon.wait("status", "no hold", lambda d: not d["holds"])
        rounds.append(_spent(daemon))
        least = {path: min(spent[path] for spent in rounds) for path in VIEWS}
        tell(f"processor time of a first view in ms: {least}")
        assert max(least.values()) < SERVER_MS
        assert len(daemon.get()) < 400_000
        look_over(browser, daemon.url, "large", pictures)


def _spent(daemon: Running) -> dict[str, float]:
    """Return the processor time in ms that each view takes a daemon that rests."""
    spent: dict[str, float] = {}
    readings = [0.0]

    def rests() -> bool:
        readings.append(daemon.cpu_ms())
        return readings[-1] - readings[-2] < IDLE_MS

    for path in VIEWS:
        until(rests, "a daemon without other work")
        before = daemon.cpu_ms()
        text = daemon.get(path)
        spent[path] = daemon.cpu_ms() - before
        assert len(text) > 10_000
    return spent


@pytest.mark.real
def test_a_sealed_vault(
    browser: Browser, sandbox: Sandbox, vault: VaultServer, tmp_path: Path, pictures: Path
) -> None:
    """A Vault that is sealed while the daemon runs, and one that was sealed before."""
    mount = vault.fresh_mount()
    token = tmp_path / "token"
    token.write_text(vault.root_token)
    auth = {"method": "token", "token_file": str(token)}
    store = {
        "vault": {"address": vault.address, "auth": auth},
        "paths": [f"{mount}/"],
        "state": f"{mount}/rotator/",
    }
    rules = [{"match": f"{mount}/**", "exchange": "bybit"}]
    scene = Scene(tmp_path / "sealed", sandbox, store=store, settings={"rules": rules})
    key = scene.key("sealed", str(scenes.FIRST_ACCOUNT + 500))
    vault.write(f"{mount}/data/trading/bybit/desk0", {"data": key})
    try:
        with scene.daemon() as daemon:
            daemon.looked(1)
            vault.seal()
            until(lambda: "The store is sealed" in daemon.get(), "the page tells")
            look_over(browser, daemon.url, "sealed", pictures)
            assert daemon.json("health")["store"]["sealed"] is True
        with scene.daemon() as daemon:
            until(lambda: "The store is sealed" in daemon.get(), "the page tells from the start")
            assert "Nothing was looked at yet." in daemon.get()
            look_over(browser, daemon.url, "sealed-from-the-start", pictures)
    finally:
        vault.unseal()


def _waiting(document: dict[str, object], words: str) -> int:
    return str(document["rotations"]).count(words)


def _codes(document: dict[str, list[dict[str, str]]]) -> set[str]:
    return {finding["code"] for finding in document["findings"]}
