"""Tables, JSON and YAML."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from rotator.cli.output import Fields, Table, cell, clean, json_text, plain_text, yaml_text

TEXTS = st.text(st.characters())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def test_columns_are_aligned() -> None:
    """A table's columns begin below each other and nothing is cut."""
    text = plain_text(Table(("name", "age"), [["a" * 150, 1], ["b", None]], title="keys"))
    title, head, first, second = text.splitlines()
    assert title == "keys"
    assert head.index("AGE") == first.index("1") == second.index("-") == 152


def test_nothing_to_show() -> None:
    """A table without rows says so in words."""
    assert plain_text(Table(("name",), [], empty="no keys")) == "no keys\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        ([], "none"),
        (["read", "trade:spot"], "read, trade:spot"),
        ({}, "none"),
        ({"a": None}, "a=-"),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01T12:00:00Z"),
        ("red\x1b[31m\n\x9b\u202e", "red\\x1b[31m\\n\\x9b\\u202e"),
    ],
)
def test_cells(value: object, shown: str) -> None:
    """Unknown is a dash, empty is none, and nothing unprintable is shown."""
    assert cell(value) == shown


@given(TEXTS)
def test_no_text_steers_a_terminal(text: str) -> None:
    """Whatever an exchange calls a key, only printable characters are shown."""
    assert clean(text).isprintable()
    assert plain_text(Fields({"label": text})).count("\n") == 1
    assert json_text({"label": text}).isascii()


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_documents_come_back(document: dict[str, Any]) -> None:
    """JSON and YAML say the same document, in ASCII."""
    text = json_text(document)
    assert json.loads(text) == document
    assert text.isascii()
    assert yaml_text(document).isascii()


def test_yaml_is_read_back() -> None:
    """YAML keeps types and order."""
    document = {"b": [None, True, 1], "a": {"on": "yes", "when": "2026-01-01"}}
    text = yaml_text(document)
    assert yaml.safe_load(text) == document
    assert text.startswith("b:")


def test_times_and_sets_in_documents() -> None:
    """Times are ISO 8601 in UTC, sets are sorted lists, anything else is a mistake."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert json.loads(json_text({"at": at, "s": {"b", "a"}})) == {
        "at": "2026-03-01T12:00:00Z",
        "s": ["a", "b"],
    }
    with pytest.raises(TypeError):
        json_text({"x": object()})
