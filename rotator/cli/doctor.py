"""`doctor`: says whether everything is there that a daemon needs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from rotator.cli.commands import command
from rotator.cli.failures import FAILED, Failed
from rotator.cli.options import DEFAULT_CONFIG, ConfigFile, Json, Output, TokenFile, form_of
from rotator.cli.output import Block, Form, Note, Notes, show
from rotator.cli.session import configured, on_store
from rotator.wiring import SetupError


def add(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "doctor", "rotator doctor", "rotator doctor -o json")(doctor)


def doctor(
    *,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Ask store, exchanges and this machine for all that a daemon needs.

    Run it as the daemon runs: same user, same configuration, same login. Writes nothing.
    One key per exchange signs one reading call. Ends with 1 if anything is not as it
    must be.
    """
    checks = _checks(config, token_file)
    show(form_of(output, as_json), {"checks": checks}, lambda: _blocks(checks))
    if not all(check["ok"] for check in checks):
        raise typer.Exit(FAILED)


def _checks(file: Path, token_file: Path | None) -> list[dict[str, Any]]:
    from rotator.engine.clock import SystemClock
    from rotator.wiring.checked import bad, good
    from rotator.wiring.doctor import examine, files
    from rotator.wiring.people import People

    try:
        config = configured(file, token_file)
    except SetupError as error:
        return [bad("config", str(error), f"correct it: rotator config check {file}").document()]
    found = [good("config", f"{file} reads")]
    try:
        found += on_store(config, lambda kv: examine(People(config, os.environ, kv, SystemClock())))
    except SetupError as error:
        found += [bad("login", str(error), "see `store:` in the configuration")]
        found += files(config, os.environ)
    except Failed as failed:
        found += [bad("store", str(failed), "see `store:` in the configuration")]
        found += files(config, os.environ)
    return [check.document() for check in found]


def _blocks(checks: list[dict[str, Any]]) -> list[Block]:
    return [Notes([_note(check) for check in sorted(checks, key=lambda c: c["ok"])])]


def _note(check: dict[str, Any]) -> Note:
    if check["ok"]:
        return Note(("ok", f"{check['name']}: {check['message']}"))
    return Note(("failed", f"{check['name']}: {check['message']}"), (f"Cure: {check['cure']}",))
