"""`strays` lists what no path serves, and only looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.firm import DESK, LONG_AGO, Firm
from tests.cli.kit import Sandbox

STRAY = {"exchange", "account", "key_id", "label", "kind"}


@pytest.fixture
def firm(tmp_path: Path, own_sandbox: Sandbox) -> Firm:
    """A firm without any key."""
    return Firm(tmp_path, own_sandbox)


def test_foreign_keys_are_listed(firm: Firm) -> None:
    """A key of the account that no credential has is foreign; the stored key is not listed."""
    stored = firm.desk()
    other = firm.sandbox.new_key("bybit", label="whose", scopes=["read"], addresses=None)
    before = firm.creates()
    told = firm.json("strays")
    assert set(told) >= {"strays"}
    assert {frozenset(s) for s in told["strays"]} == {frozenset(STRAY)}
    by = {s["key_id"]: s for s in told["strays"]}
    assert by[other["api_key"]] == {
        "exchange": "bybit",
        "account": other["account_id"],
        "key_id": other["api_key"],
        "label": "whose",
        "kind": "foreign",
    }
    assert stored["api_key"] not in by
    assert firm.creates() == before
    assert firm.documents() == {}
    assert other["api_key"] in firm.do("strays").out


def test_a_finished_rotation_whose_key_no_path_holds(firm: Firm) -> None:
    """The key of a DONE record that was taken off its path is unserved; exit code 0."""
    firm.settings["policies"]["desk"]["revoke"] = "drain"
    firm.write()
    firm.desk(age=LONG_AGO)
    assert firm.once()["rotations"][0]["phase"] == "DONE"
    mine = {s["key_id"] for s in firm.json("strays")["strays"]}
    key = firm.sandbox.new_key("bybit", label="by-hand", scopes=["read"], addresses=None)
    firm.store(DESK, key)
    [unserved] = [s for s in firm.json("strays")["strays"] if s["key_id"] not in mine]
    assert unserved["kind"] == "unserved"
    assert unserved["label"].startswith("rk")


def test_an_account_that_cannot_be_listed(firm: Firm) -> None:
    """An account whose parent is refused is a sentence, not an empty list without a word."""
    firm.desk()
    firm.kill("bybit", firm.sandbox.parent("bybit"))
    told = firm.json("strays")
    assert told["strays"] == []
    assert "could not be listed" in told["problems"][0]
    assert "could not be listed" in firm.do("strays").out


def test_without_parents_nothing_is_listed(firm: Firm) -> None:
    """With no parent and no lister there is nothing to list."""
    firm.store("secret/trading/binance/own", firm.sandbox.key("binance"))
    assert firm.json("strays")["strays"] == []
    assert "no key without a place" in firm.do("strays").out
