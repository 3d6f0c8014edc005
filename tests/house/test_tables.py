"""The generated tables are not stale."""

from __future__ import annotations

from tests.house.tables import README, TABLES, rendered


def test_every_table_has_its_place_in_the_readme() -> None:
    """Each generated table stands between its two marks."""
    text = README.read_text(encoding="utf-8")
    assert all(f"<!-- {name} -->" in text and f"<!-- /{name} -->" in text for name in TABLES)


def test_the_readmes_tables_follow_from_the_code() -> None:
    """`python -m tests.house.tables` would change nothing."""
    text = README.read_text(encoding="utf-8")
    assert rendered(text) == text
