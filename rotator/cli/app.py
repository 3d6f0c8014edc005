"""The command line as a whole: its groups, and what becomes of errors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from rotator import __version__
from rotator.cli import (
    act,
    audit,
    config,
    demo,
    doctor,
    inspect,
    look,
    run as run_command,
    sandbox,
    store,
    strays,
)
from rotator.cli.commands import new_app
from rotator.cli.failures import EXIT_CODES, FAILED, Failed, store_sentence
from rotator.cli.output import put, say
from rotator.core.outcome import StoreError
from rotator.wiring import SetupError

PARTS = (
    demo,
    run_command,
    look,
    act,
    strays,
    doctor,
    inspect,
    store,
    config,
    audit,
    sandbox,
)
"""The modules of commands, in the order of the help; each has `add(app)`."""

SUMMARY = (
    "Watches, judges and rotates the exchange API keys that a Vault keeps.\n\n"
    "Data goes to standard output, messages to standard error. Secrets are taken from files, "
    "standard input or a hidden prompt, never from options. " + EXIT_CODES
)


def build() -> typer.Typer:
    """Return the whole command line."""
    app = new_app(SUMMARY)
    app.callback()(_root)
    for part in PARTS:
        part.add(app)
    return app


def run(arguments: Sequence[str]) -> int:
    """Obey one command line and return its exit code; no expected error leaves this."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _obeyed(arguments)
    except Failed as failed:
        return _ended(str(failed), failed.code)
    except SetupError as error:
        return _ended(str(error), FAILED)
    except StoreError as error:
        return _ended(store_sentence(error), FAILED)


def _obeyed(arguments: Sequence[str]) -> int:
    command = typer.main.get_command(build())
    try:
        command.main(list(arguments), prog_name="rotator")
    except SystemExit as ended:
        code = ended.code
        return code if isinstance(code, int) else FAILED
    return 0


def _ended(sentence: str, code: int) -> int:
    try:
        say(sentence)
    except OSError:
        return code  # nobody reads standard error any more; the exit code still tells
    return code


def _version(asked: bool) -> None:
    if asked:
        put(f"rotator {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Take the options that stand before any command."""
