"""`run`: the daemon, or one whole pass."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from typing import Annotated, Any

import typer

from rotator.cli.commands import command
from rotator.cli.failures import Failed, store_sentence
from rotator.cli.options import DEFAULT_CONFIG, ConfigFile, Json, Output, form_of
from rotator.cli.output import Form
from rotator.core.outcome import StoreError

WAIT = "60s"


def add(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "run",
        "rotator run --config rotator.yaml",
        "rotator run --once --wait 5m -o json",
    )
    def run(
        once: Annotated[
            bool, typer.Option("--once", help="One whole pass, then end; opens no port.")
        ] = False,
        wait: Annotated[
            str, typer.Option(help="With --once: how long rotations may take to end.")
        ] = WAIT,
        config: ConfigFile = DEFAULT_CONFIG,
        output: Output = Form.TABLE,
        as_json: Json = False,
    ) -> None:
        """Watch the keys and rotate what is due on armed paths.

        Without --once it runs until SIGTERM or Ctrl-C and serves metrics and
        health; SIGHUP reads the configuration anew.  With --once it exits 0
        whenever every key was judged, whatever is still open.
        """
        from rotator.wiring.settings import read_config

        if once:
            _once(read_config(config, os.environ), _seconds(wait), form_of(output, as_json))
            return
        from rotator.wiring.daemon import forever

        read_config(config, os.environ)
        code = asyncio.run(
            forever(lambda: read_config(config, os.environ), config, os.environ, sys.stderr.buffer)
        )
        raise typer.Exit(code)


def _once(config: Any, wait: timedelta, form: Form) -> None:
    from rotator.cli.reports import put_run
    from rotator.wiring.daemon import once
    from rotator.wiring.stores import explained

    try:
        document = asyncio.run(once(config, os.environ, sys.stderr.buffer, wait.total_seconds()))
    except StoreError as error:
        raise Failed(store_sentence(error, explained(error))) from None
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None  # SIGTERM ends as Ctrl-C does
    put_run(document, form)


def _seconds(text: str) -> timedelta:
    from rotator.config.values import duration

    try:
        return duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"--wait: {error}") from None
