"""The web config while the daemon runs: followed, kept, told in the one metric."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from rotator.config import Config
from rotator.engine.clock import SystemClock
from rotator.observe.metrics import Metrics
from rotator.wiring import SetupError
from rotator.wiring.daemon import prepared
from rotator.wiring.desk import new_metrics
from rotator.wiring.settings import read_config
from rotator.wiring.web import Readings, WebRefused, open_web_config
from tests.serve.web import hashed

GOOD = f'basic_auth_users: {{ann: "{hashed()}"}}\n'
OTHER = f'basic_auth_users: {{bob: "{hashed()}"}}\n'
BROKEN = "basic_auth_users: {ann: mallard}\n"


class Scene:
    """A configuration with a web config, and what is told of them."""

    def __init__(self, folder: Path) -> None:
        self.web = folder / "web.yaml"
        self.web.write_text(GOOD)
        self.file = folder / "rotator.yaml"
        self.file.write_text("store: {local: {}}\nserve: {web_config: web.yaml}\n")
        self.logs = BytesIO()
        clock = SystemClock()
        prepared(self.logs, clock)
        self.metrics: Metrics = new_metrics(self.config())
        self.readings = Readings(self.metrics, clock, open_web_config(self.config()))

    def config(self) -> Config:
        """Read the configuration."""
        return read_config(self.file, {})

    def users(self) -> set[str]:
        """Return who may log in now."""
        return set(self.readings.in_force().config.users)

    def sound(self) -> bool:
        """Return what the metric says."""
        text = self.metrics.text(gzip=False).decode()
        return "\nrotator_config_last_reload_successful 1" in text

    def refusals(self) -> int:
        """Count the lines that say that something is refused."""
        assert b"mallard" not in self.logs.getvalue()
        return self.logs.getvalue().count(b'"config_refused"')

    async def looks(self, text: str, times: int = 3) -> None:
        """Write the web config and look at it some times."""
        self.web.write_text(text)
        for _ in range(times):
            await self.readings.look_at_web()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Give a scene whose web config is sound."""
    return Scene(tmp_path)


def after(scene: Scene, *steps: Callable[[], object]) -> None:
    """Run steps in one event loop."""

    async def run() -> None:
        for step in steps:
            done = step()
            if asyncio.iscoroutine(done):
                await done

    asyncio.run(run())


def test_a_changed_web_config_is_taken(scene: Scene) -> None:
    """At the next look."""
    assert (scene.users(), scene.sound()) == ({"ann"}, True)
    after(scene, lambda: scene.looks(OTHER, 1))
    assert (scene.users(), scene.sound(), scene.refusals()) == ({"bob"}, True, 0)


def test_a_broken_web_config_keeps_the_old_and_is_told_once(scene: Scene) -> None:
    """The metric falls, one line says what to correct; repaired, the metric rises."""
    after(scene, lambda: scene.looks(BROKEN, 5))
    assert (scene.users(), scene.sound(), scene.refusals()) == ({"ann"}, False, 1)
    after(scene, lambda: scene.looks(GOOD, 1))
    assert (scene.users(), scene.sound(), scene.refusals()) == ({"ann"}, True, 1)


def test_a_file_that_is_broken_for_a_moment_is_not_told(scene: Scene) -> None:
    """A certificate and its key are written one after the other."""
    after(scene, lambda: scene.looks(BROKEN, 1), lambda: scene.looks(GOOD, 2))
    assert (scene.users(), scene.sound(), scene.refusals()) == ({"ann"}, True, 0)


def test_a_web_config_that_is_gone_keeps_the_old(scene: Scene) -> None:
    """The port does not open because a file was deleted."""
    scene.web.unlink()

    async def looks() -> None:
        for _ in range(3):
            await scene.readings.look_at_web()

    asyncio.run(looks())
    assert (scene.users(), scene.sound(), scene.refusals()) == ({"ann"}, False, 1)


def test_a_reload_with_a_broken_web_config_is_refused_as_a_whole(scene: Scene) -> None:
    """And is sound again with the file repaired, without another reload."""
    scene.web.write_text(BROKEN)
    with pytest.raises(WebRefused) as refused:
        open_web_config(scene.config())
    scene.readings.refused(refused.value)
    assert not scene.sound()
    after(scene, lambda: scene.looks(GOOD, 1))
    assert scene.sound()


def test_a_sound_web_config_does_not_hide_a_broken_configuration(scene: Scene) -> None:
    """The metric is of both."""
    scene.readings.refused(SetupError("every.inspect: is not a duration"))
    after(scene, lambda: scene.looks(OTHER, 2))
    assert (scene.users(), scene.sound()) == ({"bob"}, False)
    scene.readings.accepted(open_web_config(scene.config()), scene.file)
    assert scene.sound()
