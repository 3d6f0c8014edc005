"""`check`, `status`, `explain`, `plan`: what stands where, changing nothing."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rotator.cli.commands import command
from rotator.cli.failures import FAILED, USAGE, Failed, store_sentence, usage
from rotator.cli.options import DEFAULT_CONFIG, ConfigFile, Json, Output, TokenFile, form_of
from rotator.cli.output import Form, show
from rotator.cli.reports import explain_blocks, plan_blocks, put_status
from rotator.cli.session import configured
from rotator.core.outcome import StoreError

if TYPE_CHECKING:
    from datetime import timedelta

    from rotator.wiring.looking import Asked

Key = Annotated[
    str,
    typer.Argument(
        metavar="KEY",
        help="A credential's name, such as secret/trading/bybit/desk0, or any end of it.",
    ),
]
WITHIN = "30d"


def add(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "check", "rotator check", "rotator check -o json > findings.json")(check)
    command(app, "status", "rotator status", "rotator status --token-file ~/.vault-token")(status)
    command(app, "explain", "rotator explain desk0", "rotator explain bybit/desk0 -o json")(explain)
    command(app, "plan", "rotator plan", "rotator plan --within 7d")(plan)


def check(
    *,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Look at every key now and judge it; change nothing anywhere.

    Every key is asked of its exchange, and every account that a parent or lister may list
    is listed. Needs a login that may read the keys, such as the watching daemon's. Ends
    with 3 if a finding is critical.
    """
    from rotator.wiring import looking

    document = asked(config, token_file, looking.check)
    raise typer.Exit(put_status(document, form_of(output, as_json)))


def status(
    *,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Tell what the last pass saw, and where every rotation stands.

    Read from the store: credentials, the facts that the daemon keeps there, records, holds.
    `as_of` is the time of the last pass. Only a key of which the store remembers nothing is
    asked of its exchange. A login that may read no values (the policy for people) gets the
    same, told as the daemon last saw it. What only a list of an account tells (foreign keys,
    strays, full slots) is left to `rotator check`. Ends with 3 if a finding is critical.
    """
    from rotator.wiring import looking

    document = asked(config, token_file, looking.status)
    raise typer.Exit(put_status(document, form_of(output, as_json)))


def explain(
    key: Key,
    *,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Tell all about one credential: its verdict, why, and what happens next.

    Its key is looked at now, and its account listed, if this login may read the key and its
    parent; else it is told as the daemon last saw it.
    """
    from rotator.wiring import looking

    document = asked(config, token_file, lambda given: looking.explain(given, key))
    show(form_of(output, as_json), document, lambda: explain_blocks(document))


def plan(
    *,
    within: Annotated[
        str, typer.Option("--within", metavar="SPAN", help="How far to look ahead, such as 7d.")
    ] = WITHIN,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Tell which rotations are due within a span, the earliest first, and what blocks them.

    Read from the store as `rotator status` does.
    """
    from rotator.wiring import looking

    span = span_of(within, "--within")
    document = asked(config, token_file, lambda given: looking.planned(given, span))
    show(form_of(output, as_json), document, lambda: plan_blocks(document, within))


def asked(
    config: Path, token_file: Path | None, task: Callable[[Asked], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    """Return the document of a looking command; raises Failed and SetupError."""
    from rotator.wiring.looking import Asked
    from rotator.wiring.people import Refused
    from rotator.wiring.stores import check_login_files, explained

    loaded = configured(config, token_file)
    check_login_files(loaded)

    async def run() -> dict[str, Any]:
        return await task(Asked(loaded, os.environ, sys.stderr.buffer))

    try:
        return asyncio.run(run())
    except Refused as refused:
        raise Failed(str(refused), USAGE if refused.usage else FAILED) from None
    except StoreError as error:
        raise Failed(store_sentence(error, explained(error))) from None


def span_of(text: str, option: str) -> timedelta:
    """Return a span such as `30d`; raises Failed naming the option."""
    from rotator.config.values import duration

    try:
        return duration(text)
    except ValueError as error:
        raise usage(f"{option}: {error}") from None
