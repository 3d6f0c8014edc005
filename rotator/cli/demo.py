"""`rotator demo`: the sandbox, a store full of troubles, and the real daemon on them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rotator.cli.commands import command
from rotator.cli.failures import INTERRUPTED, Failed, store_sentence
from rotator.cli.options import DEFAULT_CONFIG, ConfigFile
from rotator.cli.output import is_terminal
from rotator.core.outcome import StoreError

if TYPE_CHECKING:
    from rotator.cli.demo_stage import Shown
    from rotator.wiring.demo import Demo

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "demo", "rotator demo", "rotator demo --once --keep demo")(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the due rotations.")] = False,
    vault: Annotated[
        bool,
        typer.Option(
            "--vault",
            help="Keep the secrets in a real Vault: that of VAULT_ADDR and ~/.vault-token, "
            "else one in memory, started with the `vault` program.",
        ),
    ] = False,
    port_base: Annotated[
        int,
        typer.Option(
            min=0,
            max=65_000,
            metavar="PORT",
            help="Rotator's port; the sandbox's ports follow. 0: the system chooses.",
        ),
    ] = 0,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Put the files into this new folder and leave it there."),
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Watch keys being found, judged and rotated for real, on this machine alone.

    Starts the sandbox and puts keys with all kinds of trouble into a local store, writes a
    configuration and runs the real daemon on it. Then it prints the findings with their
    cures, and goes on until Ctrl-C; without a terminal, or with --once, it ends by itself.
    """
    del config  # it writes its own
    from rotator.cli.demo_stage import staged

    stays = not once and is_terminal(sys.stdout) and is_terminal(sys.stderr)
    with staged(stays=stays) as stage:
        stage.tell("starting the sandbox, which plays the exchanges on this machine")
        from rotator.wiring.demo import Demo, DemoFailed, Plan

        plan = Plan(stays=stays, vault=vault, port_base=port_base, keep=keep)
        try:
            code = asyncio.run(_played(Demo(plan, stage, os.environ), stage))
        except DemoFailed as failed:
            where = f". Its log: {failed.log}" if failed.log is not None else ""
            raise Failed(f"{failed}{where}") from None
        except StoreError as error:
            raise Failed(store_sentence(error)) from None
    raise typer.Exit(code)


async def _played(demo: Demo, stage: Shown) -> int:
    """Play it until it ends or a signal ends it; a second signal hurries."""
    loop = asyncio.get_running_loop()
    playing = asyncio.create_task(demo.run())
    asked = False

    def end() -> None:
        nonlocal asked
        if asked:
            demo.hurry()
            return
        asked = True
        playing.cancel()
        with contextlib.suppress(OSError):  # a terminal that was closed
            stage.ending()

    for number in ENDINGS:
        loop.add_signal_handler(number, end)
    try:
        await playing
    except asyncio.CancelledError:
        return 0 if stage.summed_up else INTERRUPTED
    return 0
