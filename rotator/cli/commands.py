"""How a command is added: its docstring is its help, followed by its examples."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, TypeVar

import typer

F = TypeVar("F", bound=Callable[..., Any])

SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
AS_WRITTEN: Final = "\b\n"
"""Tells the help's formatter to leave the lines of a paragraph as they are."""


def new_app(summary: str) -> typer.Typer:
    """Return a group of commands; called without one of them it prints its help."""
    return typer.Typer(
        help=summary,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        pretty_exceptions_show_locals=False,
        context_settings=SETTINGS,
    )


def group(app: typer.Typer, name: str, summary: str) -> typer.Typer:
    """Add a group of commands to an app and return it."""
    inner = new_app(summary)
    app.add_typer(inner, name=name)
    return inner


def command(app: typer.Typer, name: str, *examples: str) -> Callable[[F], F]:
    """Return a decorator that adds a function as a command with examples in its help."""

    def add(function: F) -> F:
        said = inspect.cleandoc(function.__doc__ or "")
        app.command(name, help=taught(said, examples), context_settings=SETTINGS)(function)
        return function

    return add


def taught(said: str, examples: tuple[str, ...]) -> str:
    """Return a help text with examples, each as a line to type."""
    if not examples:
        return said
    title = "Example:" if len(examples) == 1 else "Examples:"
    lines = "\n".join(f"  {example}" for example in examples)
    return f"{said}\n\n{AS_WRITTEN}{title}\n{lines}"
