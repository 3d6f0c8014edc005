"""Fixtures of the engine's tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.rig import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A store, an exchange and a clock."""
    made = World.make(tmp_path)
    yield made
    asyncio.run(made.close())
