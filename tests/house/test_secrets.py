"""Nothing in the tree is, or looks like, somebody's secret, machine or registry."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.house import tree

PUBLISHED = "tests/house/published_samples.txt"
HASHES = re.compile(r"(^|/)go\.(sum|mod)$|^requirements/.*\.txt$")
PIN = re.compile(r"@(?:sha256:[0-9a-f]{64}|[0-9a-f]{40})(?=$|\s)")
"""What pins an image or an action to its content."""

TOKEN = re.compile(r"(?<![A-Za-z0-9+])[A-Za-z0-9+]{32,}={0,2}(?![A-Za-z0-9+])")
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
HEX = re.compile(r"[0-9a-fA-F]+")
DISTINCT_IN_HEX = 9
DISTINCT_IN_TEXT = 16

# Written in pieces so that this file does not name them either.
MACHINES = re.compile(
    r"/(?:wo" + r"rk|ro" + r"ot|Us" + r"ers)/[A-Za-z0-9.]|/tm" + r"p/(?:venv|brief)\b"
)
REGISTRIES = re.compile(
    r"pypi\." + r"org|pythonhosted\." + r"org|npmjs\." + r"(?:org|com)|proxy\.golang\." + r"org"
    r"|crates\." + r"io|--(?:extra-)?index-" + r"url[ =]|--find-" + r"links[ =]"
)
SPEAKING = {"print", "echo", "secho", "log", "debug", "info", "warning", "error", "exception"}


def published() -> frozenset[str]:
    """Return the strings that an exchange or a standard publishes as samples."""
    text = (tree.ROOT / PUBLISHED).read_text()
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    return frozenset(line for line in lines if line)


def looks_secret(token: str) -> bool:
    """Say whether a word is too random for one that a person would write."""
    word = token.rstrip("=")
    if _counts_up(word):
        return False
    if HEX.fullmatch(word) or UUID.fullmatch(word):
        hexadecimal = set(word.lower()) - {"-"}
        return len(hexadecimal) >= DISTINCT_IN_HEX and any(c.isdigit() for c in hexadecimal)
    mixed = (
        any(c.islower() for c in word)
        and any(c.isupper() for c in word)
        and sum(c.isdigit() for c in word) > 1
    )
    return mixed and len(set(word)) >= DISTINCT_IN_TEXT


def _counts_up(word: str) -> bool:
    """Say whether a word is mostly a run such as 0123 or abcd."""
    steps = [ord(b) - ord(a) for a, b in pairwise(word)]
    return 2 * steps.count(1) > len(steps)


def suspects(text: str) -> Iterator[str]:
    """Yield the words of a text that look like a key, a secret or a token."""
    for pattern in (TOKEN, UUID):
        yield from (word for word in pattern.findall(text) if looks_secret(word))


def test_the_tree_holds_no_secret() -> None:
    """No file holds a random-looking string, but for the published samples on the list."""
    known = published()
    found = [
        f"{source.name}:{number} {word[:6]}…"
        for source in tree.files()
        if source.name != PUBLISHED and not HASHES.search(source.name)
        for number, line in enumerate(source.lines(), 1)
        for word in suspects(PIN.sub("", line))
        if word not in known
    ]
    assert not found, f"make it plainly artificial, or add it to {PUBLISHED} with its source"


@pytest.mark.parametrize(
    ("word", "secret"),
    [
        ("9f3c71e05ab8d246" + "c81e07b35fa9d624", True),
        ("Zq3vX8mN1cT7rB5y" + "K2wL9dG4hJ6pF0sA", True),
        ("9f3c71e0-5ab8-4d24-" + "86c8-1e07b35fa9d6", True),
        ("0123456789abcdef" * 2, False),
        ("00000000-0000-4000-8000-000000000001", False),
        ("X" * 64, False),
        ("aFunctionWithARatherLongNameThatNobodyWouldType", False),
    ],
)
def test_the_search_for_secrets_can_tell(word: str, secret: bool) -> None:
    """The search takes random strings for secrets and plainly made-up ones for none."""
    assert (word in list(suspects(f'"{word}"'))) is secret


def test_every_published_sample_names_its_source() -> None:
    """Each string on the list of published samples says who publishes it."""
    lines = (tree.ROOT / PUBLISHED).read_text().splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in entries if not line.partition("#")[2].strip()] == []


def test_every_published_sample_is_used() -> None:
    """No string stays on the list of published samples that no file holds any more."""
    texts = [source.text for source in tree.files() if source.name != PUBLISHED]
    assert [word for word in sorted(published()) if not any(word in text for text in texts)] == []


@pytest.mark.parametrize("pattern", [MACHINES, REGISTRIES], ids=["machine", "registry"])
def test_the_tree_names_no_machine_and_no_registry(pattern: re.Pattern[str]) -> None:
    """No file names a path of the machine it was written on, or a package registry."""
    found = [
        f"{source.name}:{number} {line.strip()[:80]}"
        for source in tree.files()
        for number, line in enumerate(source.lines(), 1)
        if pattern.search(line)
    ]
    assert not found


def test_a_secret_is_never_revealed_to_be_shown() -> None:
    """No `reveal()` stands in a print, a log call or a raised error."""
    shown = [
        f"{source.name}:{node.lineno}"
        for source in tree.modules()
        for node in ast.walk(source.tree())
        if isinstance(node, ast.Call | ast.Raise) and _speaks(node) and _reveals(node)
    ]
    assert not shown


def _speaks(node: ast.Call | ast.Raise) -> bool:
    if isinstance(node, ast.Raise):
        return True
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in SPEAKING


def _reveals(node: ast.AST) -> bool:
    return any(isinstance(n, ast.Attribute) and n.attr == "reveal" for n in ast.walk(node))
