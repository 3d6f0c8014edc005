"""`rotator config`: write, check and show the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rotator.cli.commands import command, group
from rotator.cli.failures import Failed
from rotator.cli.options import DEFAULT_CONFIG, ConfigFile, Json, Output, form_of
from rotator.cli.output import Fields, Form, put, say, show, yaml_text

if TYPE_CHECKING:
    from rotator.config import Config, ConfigProblem


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
    problem = loaded if isinstance(loaded, ConfigProblem) else _unusable(loaded)
    told = {
        "file": str(config),
        "ok": problem is None,
        "problem": None if problem is None else asdict(problem),
    }
    form = form_of(output, as_json)
    if problem is None:
        show(form, told, lambda: [f"{config} can be used."])
        return
    if form is not Form.TABLE:
        show(form, told, list)
    raise Failed(str(problem))


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
    form = form_of(output, as_json)
    show(form, document, lambda: [yaml_text(document)])


def _unusable(config: Config) -> ConfigProblem | None:
    """Return what only shows when the exchanges are opened as configured."""
    from rotator.config import ConfigProblem
    from rotator.engine.clock import SystemClock
    from rotator.wiring import SetupError
    from rotator.wiring.exchanges import open_exchange_for

    asked = [(name, "prod") for name in config.exchanges]
    asked += [
        (rule.exchange, rule.environment or "prod")
        for rule in config.rules
        if rule.exchange is not None
    ]
    for name, environment in asked:
        try:
            open_exchange_for(config, name, environment, SystemClock())
        except SetupError as error:
            field, _, rest = str(error).partition(": ")
            return ConfigProblem(field, rest, "") if rest else ConfigProblem(name, field, "")
    return None


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
