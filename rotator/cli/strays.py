"""`strays`: the keys at the exchanges that no path serves."""

from __future__ import annotations

import typer

from rotator.cli.commands import command
from rotator.cli.look import asked
from rotator.cli.options import DEFAULT_CONFIG, ConfigFile, Json, Output, TokenFile, form_of
from rotator.cli.output import Form, show
from rotator.cli.reports import strays_blocks


def add(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "strays", "rotator strays", "rotator strays -o json")(strays)


def strays(
    *,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """List the keys at the exchanges that no path of the store serves; delete nothing.

    Every account whose parent or lister is known is listed now. The kinds: stray = its own
    record proves it useless, the daemon's tidy removes it; foreign = no credential and no
    record knows it; unserved = a finished rotation made it, but no path holds it. The last
    two are for a person.
    """
    from rotator.wiring import looking

    document = asked(config, token_file, looking.strays)
    show(form_of(output, as_json), document, lambda: strays_blocks(document))
