"""A record's pins are compared with what the configuration and the exchange say now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rotator.core.facts import Credential
from rotator.core.names import AccountId, CredentialName
from rotator.core.record import Pins
from rotator.engine.opener import Opened
from rotator.engine.pinned import pins_problem
from tests.engine.estate import MASTER, MASTER_ID, Estate, play
from tests.engine.rig import PARENT, World
from tests.engine.steps import run

MINE, OTHER = AccountId(MASTER_ID), AccountId("77777777")


async def opened(world: World, owner: AccountId | None) -> tuple[Pins, Credential]:
    """Open a rotation while the exchange tells this account of the parent's key."""
    rig = await world.process()
    rig.opener = replace(rig.opener, owner=lambda name: owner if str(name) == PARENT else None)
    result = await rig.open()
    assert isinstance(result, Opened)
    written = (await rig.tools.journal.read(result.record.path)).record
    assert written is not None
    return written.pins, rig.credential


def test_a_record_pins_its_parents_account(world: World) -> None:
    """The account that the exchange told of the parent's key is in the record."""

    async def scenario() -> None:
        pins, credential = await opened(world, MINE)
        assert pins.parent_account == MINE
        assert pins_problem(pins, credential, MINE) is None
        assert "parent's account changed" in (pins_problem(pins, credential, OTHER) or "")

    run(scenario())


@pytest.mark.parametrize(("then", "now"), [(None, OTHER), (MINE, None), (None, None)])
def test_an_unknown_account_contradicts_nothing(
    world: World, then: AccountId | None, now: AccountId | None
) -> None:
    """Where the account was not known, or is not known now, the rotation goes on."""

    async def scenario() -> None:
        pins, credential = await opened(world, then)
        assert pins_problem(pins, credential, now) is None

    run(scenario())


def test_every_changed_pin_is_named(world: World) -> None:
    """What the configuration says otherwise than at the opening is named."""

    async def scenario() -> None:
        pins, credential = await opened(world, MINE)
        other = replace(
            credential, parent=CredentialName("secret/other"), environment="demo", fields={}
        )
        said = pins_problem(pins, other, MINE) or ""
        assert "environment, parent, field map changed" in said

    run(scenario())


def test_a_pass_knows_the_parents_account(tmp_path: Path) -> None:
    """The account of a parent's key is what the exchange told of the key that is there now."""

    async def scenario(estate: Estate) -> None:
        assert estate.runner.owner(MASTER) is None
        await estate.master()
        await estate.desk(0)
        await estate.run()
        assert estate.runner.owner(MASTER) == MASTER_ID
        assert estate.runner.owner(CredentialName("secret/nobody")) is None

    play(tmp_path, scenario)
