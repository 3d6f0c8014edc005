"""The life of Vault's token: obtained, renewed, re-read, obtained again.

Time is monotonic seconds given by the caller.  All methods may be called from
many threads; one login or renewal runs at a time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from rotator.core.names import Sensitive
from rotator.core.outcome import StoreError
from rotator.stores.vault.adapter import VaultAway
from rotator.stores.vault.settings import TokenFileAuth

RENEW_AT = 0.7
RELOGIN_AT = 0.8
RELOGIN_GAP_S = 10.0
"""A refusal right after a login is policy, not a dead token."""
FILE_LOOK_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
FILE_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login or renewal gave; a `ttl` of zero never expires."""

    token: Sensitive
    ttl: timedelta
    renewable: bool


class Authority(Protocol):
    """Gives tokens; every method raises StoreError."""

    def login(self) -> Grant:
        """Log in with what the files hold now."""
        ...

    def renew(self, token: Sensitive) -> Grant:
        """Extend a token's life."""
        ...


class Tokens(Protocol):
    """Where requests get their token from."""

    @property
    def expires_at(self) -> datetime | None:
        """When the token ends; None = never or unknown."""
        ...

    def current(self) -> Sensitive:
        """Return a token to use now; raise StoreError if there is none."""
        ...

    def after_denied(self, used: Sensitive) -> bool:
        """Say, after a 403, whether another token is there to try once more."""
        ...


@dataclass(frozen=True, slots=True)
class _Held:
    grant: Grant
    due: float
    expires: float
    expires_at: datetime | None
    full_ttl: timedelta


class Session:
    """A token of our own, from one auth method."""

    def __init__(
        self,
        authority: Authority,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._authority = authority
        self._now = now
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._last_login = -math.inf
        self._pause_s = FIRST_PAUSE_S
        self._not_before = -math.inf
        self._last_fault: StoreError | None = None

    @property
    def expires_at(self) -> datetime | None:
        """When the token ends by our clock; None = never, or no token yet."""
        held = self._held
        return held.expires_at if held else None

    def current(self) -> Sensitive:
        """Return a living token, renewed or newly obtained if that is due."""
        held, now = self._held, self._monotonic()
        if held is not None and now < held.due:
            return held.grant.token
        if held is None or now >= held.expires:
            with self._lock:
                return self._refreshed().grant.token
        if not self._lock.acquire(blocking=False):
            return held.grant.token
        try:
            return self._refreshed().grant.token
        finally:
            self._lock.release()

    def after_denied(self, used: Sensitive) -> bool:
        """Log in again unless somebody just did; False if the refusal must be policy."""
        with self._lock:
            held = self._held
            if held is not None and held.grant.token != used:
                return True
            if self._monotonic() < self._last_login + RELOGIN_GAP_S:
                return False
            self._log_in()
            return True

    def _refreshed(self) -> _Held:
        held, now = self._held, self._monotonic()
        if held is not None and now < held.due:
            return held
        if held is None or now >= held.expires:
            return self._log_in()
        try:
            return self._renew(held) if held.grant.renewable else self._log_in()
        except StoreError:
            return self._put_off(held, now)

    def _put_off(self, held: _Held, now: float) -> _Held:
        """Keep a token that still lives; near its end only a login helps."""
        total = held.full_ttl.total_seconds()
        left = held.expires - now
        renewable = held.grant.renewable and left > (1 - RELOGIN_AT) * total
        waited = replace(
            held,
            grant=replace(held.grant, renewable=renewable),
            due=min(held.expires, now + max(left * 0.1, FIRST_PAUSE_S)),
        )
        self._held = waited
        return waited

    def _renew(self, held: _Held) -> _Held:
        grant = self._authority.renew(held.grant.token)
        extended = grant.ttl == timedelta(0) or grant.ttl * 2 > held.full_ttl
        grant = replace(grant, renewable=grant.renewable and extended)
        return self._keep(grant, held.full_ttl)

    def _log_in(self) -> _Held:
        now = self._monotonic()
        if now < self._not_before and self._last_fault is not None:
            raise _lost(self._last_fault)
        try:
            grant = self._authority.login()
        except StoreError as fault:
            self._failed(fault, now)
            raise _lost(fault) from None
        self._last_login, self._pause_s, self._last_fault = now, FIRST_PAUSE_S, None
        return self._keep(grant, grant.ttl)

    def _failed(self, fault: StoreError, now: float) -> None:
        """Stay away for a while: longer each time where Vault itself says no."""
        self._last_fault = fault
        if fault.status is None or fault.sealed:
            return
        self._not_before = now + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    def _keep(self, grant: Grant, full_ttl: timedelta) -> _Held:
        now, ttl = self._monotonic(), grant.ttl.total_seconds()
        if ttl <= 0:
            held = _Held(grant, math.inf, math.inf, None, full_ttl)
        else:
            share = RENEW_AT if grant.renewable else RELOGIN_AT
            ends = self._now() + grant.ttl
            held = _Held(grant, now + share * ttl, now + ttl, ends, full_ttl)
        self._held = held
        return held


class TokenFile:
    """A token that somebody else keeps: read again when its file changes, never renewed."""

    expires_at: datetime | None = None

    def __init__(self, auth: TokenFileAuth, monotonic: Callable[[], float]) -> None:
        self._file = auth.token_file
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token: Sensitive | None = None
        self._seen_ns = -1
        self._look_at = -math.inf

    def current(self) -> Sensitive:
        """Return the file's token, looked at again at most once a second."""
        token, now = self._token, self._monotonic()
        if token is not None and now < self._look_at:
            return token
        with self._lock:
            self._look_at = now + FILE_LOOK_S
            return self._read()

    def after_denied(self, used: Sensitive) -> bool:
        """Read the file at once; True if it holds another token."""
        with self._lock:
            self._seen_ns = -1
            return self._read() != used

    def _read(self) -> Sensitive:
        try:
            stamp = self._file.stat().st_mtime_ns
        except OSError as fault:
            raise VaultAway(f"the token file cannot be read: {type(fault).__name__}") from None
        if self._token is None or stamp != self._seen_ns:
            self._token = read_secret_file(self._file)
            self._seen_ns = stamp
        return self._token


def read_secret_file(path: Path) -> Sensitive:
    """Return the one-line secret of a file; raise StoreError without naming its content."""
    try:
        with path.open("rb") as file:
            text = file.read(FILE_LIMIT + 1).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise VaultAway(f"{path.name} cannot be read: {type(fault).__name__}") from None
    if not text or len(text) > FILE_LIMIT or not text.isprintable():
        raise VaultAway(f"{path.name} does not hold one line of text")
    return Sensitive(text)


def _lost(fault: StoreError) -> VaultAway:
    return VaultAway(
        f"the login at Vault is lost: {fault}",
        status=fault.status,
        sealed=fault.sealed,
        retry_after=fault.retry_after,
    )
