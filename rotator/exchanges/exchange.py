"""The face of one exchange that the rest of the product sees.

Above this module nothing raises: a look is a `Look`, everything else a result
or a `Failure`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

import httpx

from rotator import __version__
from rotator.core.facts import KeyFacts, Look, Validity
from rotator.core.issue import IssuedKey, KeySpec
from rotator.core.names import AccountId, ExchangeName, KeyId, SigningKey
from rotator.core.outcome import ExchangeError, Failure, Happened, Meaning
from rotator.core.sharing import Shared
from rotator.exchanges.budget import Budget, Monotonic, Sleep
from rotator.exchanges.origin import Origin, SettingsError
from rotator.exchanges.port import (
    Capabilities,
    Inspector,
    Issuer,
    Lister,
    Listing,
    Operation,
    SignatureTime,
)
from rotator.exchanges.transport import OnAnswer, Profile, Route, Transport

T = TypeVar("T")

CLOSED: Final = "closed"
"""Code of the failure of an exchange that is closed: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One exchange: what it says of itself, how its adapter is built, what its calls cost."""

    profile: Profile
    build: Callable[[Transport, SignatureTime], Inspector]
    routes: Mapping[Operation, Route]


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """`exchanges.X` of the configuration, and the environment of the credentials.

    `egress` are our own addresses as the exchange sees them; `share` None means
    no budget of our own, on loopback only.
    """

    base_url: str | None = None
    proxy: str | None = field(default=None, repr=False)
    environment: str = "prod"
    share: float | None = 0.2
    egress: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Clocks:
    """The time as an exchange needs it.

    `now` is our clock (aware, UTC); `sign` the time that reading calls are signed
    with, the same unless a command fixes it.
    """

    now: Callable[[], datetime]
    sign: SignatureTime
    monotonic: Monotonic
    sleep: Sleep


def silent(operation: Operation, outcome: str, seconds: float, date: datetime | None) -> None:
    """Observe nothing."""
    del operation, outcome, seconds, date


class Exchange:
    """One exchange in one environment, over one client."""

    def __init__(
        self,
        entry: Entry,
        origin: Origin,
        settings: ExchangeSettings,
        clocks: Clocks,
        observer: OnAnswer,
        *,
        wire: httpx.AsyncBaseTransport | None,
    ) -> None:
        self.settings = settings
        self.origin = origin
        self._entry = entry
        self._clocks = clocks
        self._observer = observer
        self._offset: timedelta | None = None
        self._shared = Shared()
        profile = entry.profile
        try:
            self._budget = Budget(profile.rates, settings.share, clocks.monotonic, clocks.sleep)
            self._transport = Transport(
                origin,
                profile,
                self._budget,
                clocks.monotonic,
                self._answered,
                wire=wire,
                proxy=_proxy(profile.name, settings.proxy),
                agent=f"rotator/{__version__}",
            )
        except ValueError as error:
            raise SettingsError(f"exchanges.{profile.name}: {error}") from None
        self._adapter = entry.build(self._transport, clocks.sign)
        self._issuer = self._adapter if isinstance(self._adapter, Issuer) else None

    @property
    def name(self) -> ExchangeName:
        """The exchange's name."""
        return self._entry.profile.name

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self._entry.profile.capabilities

    @property
    def environment(self) -> str:
        """The environment whose host is asked."""
        return self.settings.environment

    @property
    def issuer(self) -> Issuer | None:
        """The adapter as an issuer, None if it cannot create keys."""
        return self._issuer

    @property
    def clock_offset(self) -> timedelta | None:
        """The exchange's `Date` less our clock, from the last answer; None before one."""
        return self._offset

    def banned_for(self) -> timedelta | None:
        """Return how long nothing may be sent, None if it may."""
        return self._budget.stopped_for()

    def banned_until(self) -> datetime | None:
        """Return until when nothing may be sent, None if it may."""
        left = self._budget.stopped_for()
        return None if left is None else self._clocks.now() + left

    def budget_used(self) -> float | None:
        """Return the used part of our share of the rate limits, 0 to 1; None without a share."""
        return self._budget.used_ratio()

    def closed(self) -> Failure | None:
        """Return the failure of an exchange whose real hosts must not be asked any more."""
        status = self.capabilities.status
        if self.origin.loopback or not status.closed(self._clocks.now()):
            return None
        return Failure.of(
            Meaning.OTHER,
            f"not sent: {self.name} is closed ({status.source})",
            code=CLOSED,
            happened=Happened.REFUSED,
        )

    async def inspect(self, key: SigningKey) -> Look:
        """Look at the key that signs; never raises."""
        told = await self._told(lambda: self._adapter.inspect(key))
        if isinstance(told, Failure):
            return Look.failed(told)
        if told.account_id is not None:
            self._budget.learn(key.key_id, told.account_id)
        return Look(Validity.VALID, self._shared.facts(told))

    async def list_keys(self, parent: SigningKey, account: AccountId | None) -> Listing | Failure:
        """Return the keys of an account, or of all accounts that `parent` manages."""
        adapter = self._adapter
        if not isinstance(adapter, Lister):
            return self._cannot("list keys")
        told = await self._told(lambda: adapter.list_keys(parent, account))
        if isinstance(told, Failure):
            return told
        return replace(told, keys=tuple(self._shared.facts(key) for key in told.keys))

    async def take(self, operation: Operation, key: SigningKey) -> Failure | None:
        """Wait for the budget of one call that will follow, signed by `key`."""
        route = self._entry.routes.get(operation)
        if route is None:
            return self._cannot(operation.value)
        return await self._told(lambda: self._budget.take(route.costs, key.key_id))

    async def create_key(
        self,
        parent: SigningKey,
        spec: KeySpec,
        label: str,
        signed_at: datetime,
        *,
        budgeted: bool = False,
    ) -> IssuedKey | Failure:
        """Create one key; `budgeted` says that `take` was awaited before `signed_at`."""
        issuer = self.issuer
        if issuer is None:
            return self._cannot("create keys")
        longest = self.capabilities.label_length
        if longest is not None and len(label) > longest:
            return Failure.of(Meaning.BAD_REQUEST, f"not sent: the label is over {longest} long")
        waited = None if budgeted else await self.take(Operation.CREATE, parent)
        if waited is not None:
            return waited
        return await self._told(lambda: issuer.create_key(parent, spec, label, signed_at))

    async def delete_key(
        self,
        parent: SigningKey,
        account: AccountId,
        key_id: KeyId,
        signed_at: datetime,
        *,
        budgeted: bool = False,
    ) -> Failure | None:
        """Delete one key; None means that it is gone, also if it was before."""
        issuer = self.issuer
        if issuer is None:
            return self._cannot("delete keys")
        waited = None if budgeted else await self.take(Operation.DELETE, parent)
        if waited is not None:
            return waited
        return await self._told(lambda: issuer.delete_key(parent, account, key_id, signed_at))

    def respec(self, facts: KeyFacts, forbid: Sequence[str] = ()) -> KeySpec | str:
        """Return the spec of a key like this one, less what `forbid` covers, or why not.

        `forbid` are scope patterns of a policy.
        """
        issuer = self.issuer
        if issuer is None:
            return f"{self.name} creates no keys by API"
        return issuer.respec(facts, forbid)

    def reproducible(self, facts: KeyFacts, forbid: Sequence[str] = ()) -> str | None:
        """Return why create cannot make this key again, None if it can."""
        spec = self.respec(facts, forbid)
        return spec if isinstance(spec, str) else None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _told(self, call: Callable[[], Awaitable[T]]) -> T | Failure:
        closed = self.closed()
        if closed is not None:
            return closed
        try:
            return await call()
        except ExchangeError as error:
            return error.failure

    def _cannot(self, what: str) -> Failure:
        return Failure.of(Meaning.BAD_REQUEST, f"not sent: {self.name} cannot {what} by API")

    def _answered(
        self, operation: Operation, outcome: str, seconds: float, date: datetime | None
    ) -> None:
        if date is not None:
            self._offset = date - self._clocks.now()
        self._observer(operation, outcome, seconds, date)


def _proxy(name: str, proxy: str | None) -> str | None:
    """Return a usable proxy URL; its text may hold a password and is not repeated."""
    if proxy is None:
        return None
    try:
        url = httpx.URL(proxy)
        usable = url.scheme in {"http", "https"} and bool(url.host)
    except httpx.InvalidURL:
        usable = False
    if not usable:
        raise SettingsError(f"exchanges.{name}.proxy must be http://host:port or https://host:port")
    return proxy
