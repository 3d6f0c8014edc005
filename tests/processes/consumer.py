"""A consumer as promise one knows it: reads the path, signs in with what it read."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import urllib3

LOOK_SECONDS = 0.1
DEAD = frozenset({10003, 10004, 10005, 10007, 33004})
"""What Bybit answers to a key that does not work."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the path gave: a version and the key in it."""

    version: int
    api_key: str
    api_secret: str = field(repr=False)


@dataclass
class Consumer:
    """Looks at one path, with its own login and its own connections, until it is told to stop.

    A look whose key does not sign in is looked at again: only a key that is still the
    current version, and still dead, is a violation.  A store or an exchange that gives
    no answer is none.
    """

    vault: str
    token: str = field(repr=False)
    path: str
    exchange: str
    violations: list[str] = field(default_factory=list)
    looks: int = 0
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=3))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="consumer", daemon=True)

    def start(self) -> Consumer:
        """Begin to look."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._http.clear()

    def look(self) -> None:
        """Read and sign in, once."""
        held = self._read()
        if held is None:
            return
        works = self._signs_in(held)
        self.looks += works is not None
        self.seen.add(held.api_key)
        if works is not False:
            return
        again = self._read()
        if again is not None and again.version == held.version and self._signs_in(again) is False:
            self.violations.append(f"version {held.version} holds …{held.api_key[-4:]}, dead")

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self.look()

    def _read(self) -> Held | None:
        mount, _, rest = self.path.partition("/")
        url = f"{self.vault}/v1/{mount}/data/{rest}"
        answer = self._ask(url, {"X-Vault-Token": self.token})
        data = (answer or {}).get("data") or {}
        fields = data.get("data") or {}
        if not {"api_key", "api_secret"} <= set(fields):
            return None
        return Held(data["metadata"]["version"], fields["api_key"], fields["api_secret"])

    def _signs_in(self, held: Held) -> bool | None:
        """Say whether a key works; None if the exchange does not say."""
        at, window = str(int(time.time() * 1000)), "5000"
        message = (at + held.api_key + window).encode()
        signature = hmac.new(held.api_secret.encode(), message, hashlib.sha256).hexdigest()
        headers = {
            "X-BAPI-API-KEY": held.api_key,
            "X-BAPI-TIMESTAMP": at,
            "X-BAPI-RECV-WINDOW": window,
            "X-BAPI-SIGN": signature,
        }
        answer = self._ask(f"{self.exchange}/v5/user/query-api", headers)
        code = None if answer is None else answer.get("retCode")
        return True if code == 0 else False if code in DEAD else None

    def _ask(self, url: str, headers: dict[str, str]) -> dict[str, Any] | None:
        try:
            answer = self._http.request("GET", url, headers=headers)
            found = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError):
            return None
        return found if isinstance(found, dict) else None
