"""Walks that nothing slows."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def untraced() -> Iterator[None]:
    """Walk without coverage: its trace of each line makes a walk several times as long.

    The marker `no_cover` of pytest-cov does not stop it in the processes of pytest-xdist.
    """
    trace = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(trace)
