"""`rotator inspect`: what an exchange says of one key."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rotator.cli.commands import command
from rotator.cli.failures import usage
from rotator.cli.options import DEFAULT_CONFIG, ConfigFile, Json, Output, form_of
from rotator.cli.output import Block, Fields, Form, Table, say, show
from rotator.core.outcome import Failure

if TYPE_CHECKING:
    from rotator.exchanges.exchange import Exchange
    from rotator.exchanges.inspection import Presented

KEY_COLUMNS = ("key_id", "label", "account_id", "scopes", "ip_allowlist", "created_at", "enabled")

BaseUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Ask this host instead, such as a sandbox or a testnet."),
]
Environment = Annotated[
    str, typer.Option(metavar="NAME", help="The exchange's environment: prod, testnet or demo.")
]
Proxy = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Go by this proxy; one with a password is configured."),
]
Now = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Sign with this time, such as 2026-11-24T07:00:00Z."),
]
Keys = Annotated[bool, typer.Option("--keys", help="List the keys that this key may see instead.")]


def add(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "inspect",
        "rotator inspect bybit -o json < key.json",
        "vault kv get -format=json -field=data secret/desk0 | rotator inspect bybit",
        "rotator inspect bybit --keys < master.json",
    )(inspect)


def inspect(
    exchange: Annotated[
        str, typer.Argument(metavar="EXCHANGE", help="Its name, such as bybit or binance.")
    ],
    *,
    base_url: BaseUrl = None,
    keys: Keys = False,
    now: Now = None,
    environment: Environment = "prod",
    proxy: Proxy = None,
    config: ConfigFile = DEFAULT_CONFIG,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Ask an exchange what a key is.

    Does it work, what may it do, from which addresses, until when? Reads one credential as
    JSON on standard input: api_key and one of api_secret and private_key (PEM), optionally
    passphrase and account; on a terminal it asks for them. Only reading calls are sent.
    Ends with 0 once it has printed what the exchange says, good or bad.
    """
    asked = _exchange(exchange, config, _options(base_url, environment, proxy), _time(now))
    presented = _credential()
    document, failure = asyncio.run(_asked(asked, presented, keys=keys))
    if failure is not None and failure.message:
        say(failure.message)
    show(form_of(output, as_json), document, lambda: _blocks(document))


def _options(base_url: str | None, environment: str, proxy: str | None) -> dict[str, Any]:
    if proxy is not None and "@" in proxy:
        raise usage(
            "--proxy: holds a password, which every program on this machine could read. "
            "Set exchanges.<name>.proxy in the configuration instead."
        )
    return {"base_url": base_url, "environment": environment, "proxy": proxy}


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    from rotator.config.values import moment

    try:
        return moment(text)
    except ValueError as error:
        raise usage(f"--now: {error}") from None


def _exchange(
    name: str, config: Any, options: dict[str, Any], sign_at: datetime | None
) -> Exchange:
    from rotator.engine.clock import SystemClock
    from rotator.wiring import SetupError
    from rotator.wiring.exchanges import exchange_names, exchange_settings, open_exchange_with
    from rotator.wiring.settings import read_config_or_defaults

    if name not in exchange_names():
        raise usage(f"EXCHANGE: must be one of {', '.join(exchange_names())}")
    loaded = read_config_or_defaults(config, os.environ)
    settings = exchange_settings(loaded, name, **options)
    try:
        return open_exchange_with(name, settings, SystemClock(), sign_at=sign_at)
    except SetupError as error:
        raise usage(str(error)) from None


def _credential() -> Presented:
    from rotator.exchanges.inspection import MAX_CREDENTIAL, CredentialError, parse_credential

    if sys.stdin is None:
        raise usage("standard input is closed: give the credential as JSON there")
    text = _typed() if sys.stdin.isatty() else sys.stdin.buffer.read(MAX_CREDENTIAL + 1)
    try:
        return parse_credential(text)
    except CredentialError as error:
        raise usage(f"standard input: {error}") from None


def _typed() -> bytes:
    """Ask for a credential on the terminal, the secrets hidden."""
    import json

    told = {
        "api_key": getpass.getpass("api_key: "),
        "api_secret": getpass.getpass("api_secret: "),
        "passphrase": getpass.getpass("passphrase (empty for none): "),
    }
    return json.dumps(told).encode()


async def _asked(
    exchange: Exchange, presented: Presented, *, keys: bool
) -> tuple[dict[str, object], Failure | None]:
    """Return the document to print, and why it does not say more."""
    from rotator.exchanges.inspection import listing_document, look_document

    try:
        if keys:
            told = await exchange.list_keys(presented.key, presented.account)
            failure = told if isinstance(told, Failure) else None
            return listing_document(exchange.name, told), failure
        look = await exchange.inspect(presented.key)
        return look_document(exchange.name, look), look.failure
    finally:
        await exchange.aclose()


def _blocks(document: dict[str, Any]) -> Iterator[Block]:
    keys = document.get("keys")
    if keys is None:
        yield Fields(document)
        return
    rows = [[key[name] for name in KEY_COLUMNS] for key in keys]
    yield Table(KEY_COLUMNS, rows, empty="no keys")
    if not document["complete"]:
        yield "The list may not be complete."
