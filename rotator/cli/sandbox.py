"""`rotator sandbox`: exchanges to try things on, on this machine."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from rotator.cli.commands import command
from rotator.cli.options import DEFAULT_CONFIG, ConfigFile, Json, Output, form_of
from rotator.cli.output import Block, Form, Table, json_text, put, show


class Limits(StrEnum):
    """Whether the exchanges' rate limits hold."""

    ON = "on"
    OFF = "off"


PortBase = Annotated[
    int,
    typer.Option(
        min=0, max=65_000, metavar="PORT", help="The control port; one port per exchange follows."
    ),
]


def add(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "sandbox", "rotator sandbox --port-base 9800 -o json")(sandbox)


def sandbox(
    port_base: PortBase = 0,
    limits: Annotated[Limits, typer.Option(help="The exchanges' rate limits.")] = Limits.ON,
    config: ConfigFile = DEFAULT_CONFIG,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Play exchanges on this machine, with accounts and keys to try.

    Says where the exchanges are and which keys they know once it is ready (-o json: on one
    line, secrets of the made-up keys included), then serves until SIGTERM or Ctrl-C. Logs
    are JSON lines on standard error. Without --port-base the system chooses free ports.
    """
    del config  # nothing of it concerns a sandbox
    from rotator.wiring.sandbox import serve_sandbox

    form = form_of(output, as_json)

    def emit(announced: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # it serves, whoever stopped listening
            if form is Form.JSON:
                put(json_text(announced))
            else:
                show(form, announced, lambda: _blocks(announced))

    limited = limits is Limits.ON
    raise typer.Exit(serve_sandbox(port_base, emit, sys.stderr.buffer, limits=limited))


def _blocks(announced: dict[str, Any]) -> Iterator[Block]:
    exchanges = announced["exchanges"]
    rows = [[name, e["base_url"], len(e["keys"])] for name, e in sorted(exchanges.items())]
    yield Table(("exchange", "base_url", "keys"), [["(control)", announced["control"], ""], *rows])
    yield "The keys and their secrets are in the JSON form: -o json."
