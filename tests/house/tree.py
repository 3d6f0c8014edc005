"""What the house rules are checked on: the files of the project, read once."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Source:
    """One text file; `name` is its path from the project's root."""

    name: str
    text: str

    def lines(self) -> list[str]:
        """Return the lines of the file."""
        return self.text.splitlines()

    def tree(self) -> ast.Module:
        """Return the file as Python reads it."""
        return ast.parse(self.text, self.name)


@cache
def files() -> tuple[Source, ...]:
    """Return every text file that is committed or could be (not ignored)."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    found = [_read(name) for name in sorted(set(listed.split("\0"))) if name]
    return tuple(source for source in found if source is not None)


def _read(name: str) -> Source | None:
    path = ROOT / name
    if not path.is_file():
        return None
    data = path.read_bytes()
    return None if b"\0" in data else Source(name, data.decode())


@cache
def modules() -> tuple[Source, ...]:
    """Return the modules of the product."""
    return _python("rotator/")


@cache
def test_modules() -> tuple[Source, ...]:
    """Return the Python files of the tests."""
    return _python("tests/")


def _python(folder: str) -> tuple[Source, ...]:
    return tuple(s for s in files() if s.name.startswith(folder) and s.name.endswith(".py"))


def tests() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield each test as "file:line name" with its function."""
    for source in test_modules():
        if not source.name.rsplit("/", 1)[-1].startswith("test_"):
            continue
        for node in ast.walk(source.tree()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
                "test_"
            ):
                yield f"{source.name}:{node.lineno} {node.name}", node


@cache
def project() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())
