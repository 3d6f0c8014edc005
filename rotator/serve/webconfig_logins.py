"""Checks passwords against bcrypt hashes, beside the event loop and one at a time.

A check that succeeded is remembered under a keyed hash, so a client that comes
every few seconds costs one bcrypt.  A check that failed is followed by a rest,
so guessing takes a quarter of one core at most, and scrapes go on.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Mapping
from enum import Enum
from typing import Final

import bcrypt

REMEMBERED: Final = 256
WAITING: Final = 32
"""Passwords that may wait for their check, from all addresses together."""

WAITING_PER_ADDRESS: Final = 4
REST: Final = 3.0
"""The rest after a failed check, in lengths of that check."""

LONGEST_REST: Final = 5.0
BCRYPT_BYTES: Final = 72
"""bcrypt reads no further, and neither do the tools that make the hashes."""


class Login(Enum):
    """What became of a name and password."""

    GOOD = "good"
    BAD = "bad"
    LATER = "too many are waiting to be checked"


class Logins:
    """All checks of one port; `key` is fresh for each process and never leaves it."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._running: dict[bytes, asyncio.Task[bool]] = {}
        self._waiting: Counter[str] = Counter()
        self._turn = asyncio.Semaphore(1)

    async def check(
        self, users: Mapping[str, bytes], name: str, password: bytes, address: str
    ) -> Login:
        """Say whether a user has this password; an unknown name takes as long as a known one."""
        hashed = users.get(name)
        against = hashed if hashed is not None else self._stand_in(users, name)
        mark = self._mark(name.encode(), against, password)
        if mark in self._good:
            self._good.move_to_end(mark)
            return Login.GOOD
        running = self._running.get(mark)
        if running is None:
            place = _neighbourhood(address)
            if len(self._running) >= WAITING or self._waiting[place] >= WAITING_PER_ADDRESS:
                return Login.LATER
            checking = self._checked(mark, against, password, place, known=hashed is not None)
            self._waiting[place] += 1
            running = self._running[mark] = asyncio.create_task(checking)
        return Login.GOOD if await asyncio.shield(running) else Login.BAD

    async def _checked(
        self, mark: bytes, against: bytes, password: bytes, place: str, *, known: bool
    ) -> bool:
        loop = asyncio.get_running_loop()
        try:
            await self._turn.acquire()
            began, good = loop.time(), False
            try:
                good = await asyncio.to_thread(_matches, password, against) and known
            finally:
                rest = 0.0 if good else min(REST * (loop.time() - began), LONGEST_REST)
                loop.call_later(rest, self._turn.release)
        finally:
            del self._running[mark]
            self._waiting[place] -= 1
            self._waiting += Counter()  # drops what is down to 0
        if good:
            self._good[mark] = None
            if len(self._good) > REMEMBERED:
                self._good.popitem(last=False)
        return good

    def _mark(self, *parts: bytes) -> bytes:
        keyed = hashlib.blake2b(key=self._key, digest_size=32)
        for part in parts:
            keyed.update(len(part).to_bytes(8, "big") + part)
        return keyed.digest()

    def _stand_in(self, users: Mapping[str, bytes], name: str) -> bytes:
        """Return a hash that nothing matches, as dear as one user's; a name keeps its own."""
        costs = sorted(hashed[4:6] for hashed in users.values())
        drawn = int.from_bytes(self._mark(name.encode())[:8], "big")
        return b"$2b$" + costs[drawn % len(costs)] + b"$" + b"." * 53


def _matches(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:BCRYPT_BYTES], hashed)
    except ValueError:
        return False


def _neighbourhood(address: str) -> str:
    """Return what one client can send from: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 4:
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known.packed[:8] + bytes(8), 64)))
