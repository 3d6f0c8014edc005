"""The options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from rotator.cli.output import Form

DEFAULT_CONFIG: Final = Path("rotator.yaml")

ConfigFile = Annotated[
    Path,
    typer.Option(
        "--config",
        envvar="ROTATOR_CONFIG",
        metavar="FILE",
        help="The configuration.",
    ),
]
Output = Annotated[
    Form, typer.Option("--output", "-o", help="How to print data to standard output.")
]
Json = Annotated[bool, typer.Option("--json", help="The same as -o json.")]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="ROTATOR_TOKEN_FILE",
        metavar="FILE",
        help="Use the Vault token in this file (as ~/.vault-token) instead of `store.vault.auth`.",
    ),
]


def form_of(output: Form, as_json: bool) -> Form:
    """Return the form that `-o` and `--json` ask for together."""
    return Form.JSON if as_json else output
