"""`rotator config`: write, check and show the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rotator.cli.commands import command, group
from rotator.cli.failures import Failed
from rotator.cli.options import DEFAULT_CONFIG, ConfigFile, Json, Output, form_of
from rotator.cli.output import Fields, Form, json_text, put, say, show, yaml_text

if TYPE_CHECKING:
    from rotator.config import Config


def add(app: typer.Typer) -> None:
    """Add the group."""
    inner = group(app, "config", "Write, check and show the configuration.")
    command(inner, "init", "rotator config init --config rotator.yaml")(init)
    command(inner, "check", "rotator config check --config rotator.yaml")(check)
    command(inner, "show", "rotator config show -o json")(show_config)
    command(inner, "schema", "rotator config schema > rotator.schema.json")(schema)


def init(
    config: ConfigFile = DEFAULT_CONFIG,
    to_stdout: Annotated[
        bool, typer.Option("--stdout", help="Print it instead of writing the file.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a configuration with every field, its default and a comment."""
    from rotator.config import commented_example

    text = commented_example()
    if to_stdout:
        put(text)
        return
    try:
        with config.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Failed(f"{config}: is there already. Name another file, or add --force.") from None
    except OSError as error:
        raise Failed(f"{config}: cannot be written ({error.strerror}).") from None
    say(f"wrote {config}; next: set what it marks as an example, then rotator config check")


def check(
    config: ConfigFile = DEFAULT_CONFIG, output: Output = Form.TABLE, as_json: Json = False
) -> None:
    """Say whether the configuration can be used, and if not, the first thing to correct."""
    from rotator.config import ConfigProblem
    from rotator.wiring.settings import check_config

    loaded = check_config(config, os.environ)
    if isinstance(loaded, ConfigProblem):
        problem, sentence = asdict(loaded), str(loaded)
    else:
        problem, sentence = _unusable(loaded)
        if not problem:
            problem, sentence = _web_config(config, os.environ)
    told = {"file": str(config), "ok": not problem, "problem": problem or None}
    form = form_of(output, as_json)
    if problem and form is Form.TABLE:
        raise Failed(sentence)
    show(form, told, lambda: [f"{config} can be used."])
    if problem:
        raise Failed(sentence)


def show_config(
    config: ConfigFile = DEFAULT_CONFIG, output: Output = Form.YAML, as_json: Json = False
) -> None:
    """Print the configuration that is in force: environment over file over defaults.

    A password in a proxy's URL is left out; other secrets stand only in files.
    """
    from rotator.config import ConfigProblem, show as shown
    from rotator.wiring.settings import check_config

    loaded = check_config(config, os.environ)
    if isinstance(loaded, ConfigProblem):
        raise Failed(str(loaded))
    document = shown(loaded)
    show(form_of(output, as_json), document, lambda: [Fields(_flat(document))])


def schema(
    config: ConfigFile = DEFAULT_CONFIG, output: Output = Form.JSON, as_json: Json = False
) -> None:
    """Print the JSON schema of the configuration, for editors and charts."""
    del config  # the schema is the same for all
    from rotator.config import config_schema

    document = config_schema()
    if form_of(output, as_json) is Form.JSON:
        put(json_text(document, indent=2))
    else:
        put(yaml_text(document))


def _unusable(config: Config) -> tuple[dict[str, Any], str]:
    """Return what only shows when the exchanges are opened as configured; nothing is sent."""
    from rotator.engine.clock import SystemClock
    from rotator.wiring import SetupError
    from rotator.wiring.exchanges import open_exchange_for

    spoken_of = {
        (rule.exchange, rule.environment or "prod") for rule in config.rules if rule.exchange
    }
    for name, environment in sorted({*spoken_of, *((name, "prod") for name in config.exchanges)}):
        try:
            open_exchange_for(config, name, environment, SystemClock())
        except SetupError as error:
            field = f"exchanges.{name}"
            return {"field": field, "what": str(error), "cure": "", "more": 0}, str(error)
    return {}, ""


def _web_config(file: Path, environ: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """Return what is wrong with the web config that is named; tell its notices."""
    from rotator.wiring.settings import read_config
    from rotator.wiring.web import WebRefused, open_web_config

    try:
        web = open_web_config(read_config(file, environ))
    except WebRefused as refused:
        return asdict(refused.problem), str(refused)
    for notice in web.in_force.config.notices if web is not None else ():
        say(f"note: {notice}")
    return {}, ""


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return every leaf of a document by its dotted name."""
    return dict(_leaves(value, prefix))


def _leaves(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        dotted = f"{prefix}{name}"
        if isinstance(inner, dict) and inner:
            yield from _leaves(inner, f"{dotted}.")
        else:
            yield dotted, inner
