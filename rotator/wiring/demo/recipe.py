"""The configuration that the demo runs with; a person may read it as an example."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rotator.wiring.demo.estate import ESTATE

TEMPLATE: Final = """\
# Written by `rotator demo`.  The daemon reads it as it would read any other; what is
# unusual is only how short its times are, and that its exchanges are on this machine.
store:
  {backend}
  paths: [{walked}]
  state: {state}
  anchor: {{file: anchor}}

rules:
  - match: {trading}bybit/master
    exchange: bybit
    policy: parents
  - match: {trading}bybit/**
    exchange: bybit
    parent: {trading}bybit/master
    policy: desk
  - match: {trading}research/**
    exchange: bybit
    parent: {trading}bybit/master
    policy: desk
  - match: {trading}binance/**
    exchange: binance
    policy: desk
  - match: {trading}bitmex/**
    exchange: bitmex
    policy: desk

policies:
  desk:
    max_age: 30d
    warn_before: 5d
    scopes: {{allow: [read, "trade:*"], forbid: [withdraw]}}
    addresses: {{require: true}}
    expiry: {{min_left: 14d}}
    revoke: drain                    # time alone; the default is manual
    drain: 3s                        # the default is 2h
    consumers: [trading-bots]
  parents:
    max_age: 365d
    scopes: {{allow: [read, transfer, manage]}}
    addresses: {{require: true}}
    consumers: [rotator]

rotation:
  armed:
{armed}
  spread_backlog: 0s                 # the default is 7d

exchanges:
  bybit: {{base_url: "{bybit}", share: 0.5}}       # the default is 0.2
  binance: {{base_url: "{binance}", share: 0.5}}
  bitmex: {{proxy: "http://127.0.0.1:9"}}   # nothing of a demo leaves this machine

every: {{inventory: 5s, inspect: 15s, tidy: 20s}}
serve: {{listen: "127.0.0.1:{port}"}}
audit: {{file: audit.jsonl}}
"""

LOCAL: Final = "local: {file: rotator.db, key_file: rotator.key}"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the demo's secrets stand: the store's line in the configuration, and the folders."""

    backend: str = LOCAL
    walked: str = "secret/"
    trading: str = "secret/trading/"
    state: str = "secret/rotator/"


def vault_shelf(address: str, token_file: str, below: str = "") -> Shelf:
    """Return a shelf in a Vault; `below` keeps it apart in a Vault that is somebody's own."""
    auth = f"{{method: token, token_file: {json.dumps(token_file)}}}"
    backend = f"vault: {{address: {json.dumps(address)}, auth: {auth}}}"
    if not below:
        return Shelf(backend)
    return Shelf(backend, f"{below}trading/", f"{below}trading/", f"{below}rotator/")


def configuration(shelf: Shelf, announced: Mapping[str, Any], port: int) -> str:
    """Return the text of the configuration; port 0 lets the kernel choose."""
    exchanges = announced["exchanges"]
    return TEMPLATE.format(
        backend=shelf.backend,
        walked=shelf.walked,
        trading=shelf.trading,
        state=shelf.state,
        armed="\n".join(f"    - {shelf.trading}{p.path}" for p in ESTATE if p.armed),
        bybit=exchanges["bybit"]["base_url"],
        binance=exchanges["binance"]["base_url"],
        port=port,
    )
