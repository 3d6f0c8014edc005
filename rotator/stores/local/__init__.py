"""The embedded store: KV v2 semantics in one SQLite file with encrypted values."""

from __future__ import annotations

from rotator.stores.local.keyfile import KEY_VARIABLE, load_key
from rotator.stores.local.kv import LocalKv, open_local
from rotator.stores.local.observer import Observer

__all__ = ["KEY_VARIABLE", "LocalKv", "Observer", "load_key", "open_local"]
