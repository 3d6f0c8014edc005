"""Opens exchanges as the configuration, or a command's options, say."""

from __future__ import annotations

from datetime import datetime

from rotator.config import Config
from rotator.engine.clock import Clock
from rotator.exchanges.exchange import Clocks, Exchange, ExchangeSettings, silent
from rotator.exchanges.origin import SettingsError, pinned
from rotator.exchanges.registry import EXCHANGES, exchange_names, open_exchange
from rotator.exchanges.transport import OnAnswer
from rotator.wiring import SetupError

PROD = "prod"

__all__ = ["exchange_names", "exchange_settings", "open_exchange_for", "open_exchange_with"]


def exchange_settings(
    config: Config,
    name: str,
    environment: str = PROD,
    *,
    base_url: str | None = None,
    proxy: str | None = None,
) -> ExchangeSettings:
    """Return `exchanges.<name>` for one environment; `base_url` and `proxy` win over it.

    The configured proxy leads to the real exchange: a `base_url` on this machine
    is reached without it.
    """
    section = config.exchange(name)
    configured = section.proxy.reveal() if section.proxy is not None else None
    if base_url is not None and _on_this_machine(name, environment, base_url):
        configured = None
    return ExchangeSettings(
        base_url=base_url or section.base_url,
        proxy=proxy or configured,
        environment=environment,
        share=section.share,
        egress=section.egress,
    )


def open_exchange_for(
    config: Config, name: str, environment: str, clock: Clock, observer: OnAnswer = silent
) -> Exchange:
    """Return the exchange of a credential, as configured.  Raises SetupError."""
    return open_exchange_with(name, exchange_settings(config, name, environment), clock, observer)


def open_exchange_with(
    name: str,
    settings: ExchangeSettings,
    clock: Clock,
    observer: OnAnswer = silent,
    *,
    sign_at: datetime | None = None,
) -> Exchange:
    """Return an exchange; `sign_at` fixes the time of signatures.  Raises SetupError."""
    sign = clock.now if sign_at is None else lambda: sign_at
    clocks = Clocks(clock.now, sign, clock.monotonic, clock.sleep)
    try:
        return open_exchange(name, settings, clocks, observer)
    except SettingsError as error:
        raise SetupError(str(error)) from None


def _on_this_machine(name: str, environment: str, base_url: str) -> bool:
    entry = EXCHANGES.get(name)
    try:
        hosts = entry.profile.hosts if entry else {}
        return pinned(name, hosts, environment, base_url).loopback
    except SettingsError:
        return False
