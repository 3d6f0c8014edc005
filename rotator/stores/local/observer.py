"""Tells whoever counts of every request to the embedded store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from rotator.core.outcome import StoreConflict, StoreError
from rotator.stores.port import OnRequest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Observer:
    """Times requests by `monotonic` and tells `tell` of each, in the store's own thread.

    The operations are those of Vault's; the code is `ok`, `conflict` (compare-and-set
    refused), `refused` (by the rules of KV v2) or `failed`.
    """

    tell: OnRequest
    monotonic: Callable[[], float]

    def observed(self, operation: str, work: Callable[[], T]) -> T:
        """Do the work of one request."""
        began, code = self.monotonic(), "failed"
        try:
            done = work()
            code = "ok"
        except StoreConflict:
            code = "conflict"
            raise
        except StoreError as error:
            code = "failed" if error.status is None else "refused"
            raise
        finally:
            self.tell(operation, code, self.monotonic() - began)
        return done
