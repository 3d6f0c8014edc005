"""Opens the web config of the port, and follows its files while the daemon runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rotator.config import Config, ConfigProblem, mapping_of
from rotator.engine.clock import Clock
from rotator.observe import events
from rotator.observe.log import logger
from rotator.observe.metrics import Metrics
from rotator.serve.webconfig_live import InForce, LiveWebConfig
from rotator.serve.webconfig_values import WebProblem
from rotator.wiring import SetupError


class WebRefused(SetupError):
    """A web config file that cannot be used."""

    def __init__(self, file: Path, problem: ConfigProblem) -> None:
        super().__init__(str(problem))
        self.file = file
        self.problem = problem


def open_web_config(config: Config) -> LiveWebConfig | None:
    """Return the web config that the configuration names, None if it names none.

    Reads it and the files that it names.  Raises WebRefused.
    """
    if config.serve.web_config is None:
        return None
    live = LiveWebConfig(Path(config.serve.web_config), parse)
    problem = live.first()
    if problem is not None:
        raise WebRefused(live.file, placed(live.file, problem))
    return live


def placed(file: Path, problem: WebProblem) -> ConfigProblem:
    """Return a problem of a web config with the file that it stands in."""
    of_the_file = problem.field == file.name
    field = problem.field if of_the_file else f"{file.name}: {problem.field}"
    return ConfigProblem(field, problem.what, problem.cure)


def parse(content: bytes, name: str) -> Mapping[str, Any] | WebProblem:
    """Return a web config file's plain values; YAML is read as in the configuration."""
    read = mapping_of(content, name)
    if isinstance(read, ConfigProblem):
        return WebProblem(read.field, read.what, read.cure)
    return read


class Readings:
    """What became of the last reading of the configuration and of the web config.

    The one metric of both says whether what runs is what the files say.
    """

    def __init__(self, metrics: Metrics, clock: Clock, web: LiveWebConfig | None) -> None:
        self.web = web
        self._metrics = metrics
        self._clock = clock
        self._log = logger()
        self._config_broken = False
        self._web_broken = False
        self._read(web)

    def in_force(self) -> InForce:
        """Return what the port goes by."""
        return self.web.in_force if self.web is not None else InForce()

    def accepted(self, web: LiveWebConfig | None, file: Path) -> None:
        """Note that both were read anew and are used."""
        self._config_broken = self._web_broken = False
        self._log.info(events.CONFIG_READ, file=file.name)
        self._read(web)

    def refused(self, error: SetupError) -> None:
        """Note that one of them cannot be used; the old ones stay."""
        if isinstance(error, WebRefused) and self.web is not None and error.file == self.web.file:
            self._web_broken = True
        else:
            self._config_broken = True
        self._tell()
        self._log.error(events.CONFIG_REFUSED, message=str(error))

    async def look_at_web(self) -> None:
        """Read the web config's files again, and take what is new in them."""
        web = self.web
        if web is None:
            return
        news = await asyncio.to_thread(web.again)
        if isinstance(news, WebProblem):
            self.refused(WebRefused(web.file, placed(web.file, news)))
        elif news is not None or (self._web_broken and web.sound):
            self._web_broken = False
            self._log.info(events.CONFIG_READ, file=web.file.name)
            self._read(web)

    def _read(self, web: LiveWebConfig | None) -> None:
        self.web = web
        for notice in web.in_force.config.notices if web is not None else ():
            self._log.warning(events.CONFIG_NOTICE, message=notice)
        self._tell()

    def _tell(self) -> None:
        broken = self._config_broken or self._web_broken
        self._metrics.config_read(succeeded=not broken, at=self._clock.now())
