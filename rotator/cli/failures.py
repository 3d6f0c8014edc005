"""How a command ends: exit codes, and the one sentence that says why it failed."""

from __future__ import annotations

from typing import Final

from rotator.core.outcome import Happened, StoreConflict, StoreDenied, StoreError

FINE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
CRITICAL: Final = 3
"""Findings of severity critical (`check`, `status`)."""

INTERRUPTED: Final = 130

EXIT_CODES: Final = (
    "Exit codes: 0 fine, 1 failed, 2 usage, 3 findings of severity critical (check, status), "
    "130 interrupted."
)


class Failed(Exception):
    """Ends the command with one sentence on standard error and an exit code."""

    def __init__(self, sentence: str, code: int = FAILED) -> None:
        super().__init__(sentence)
        self.code = code


def usage(sentence: str) -> Failed:
    """Return the error of a command line or an input that cannot be used."""
    return Failed(sentence, USAGE)


def store_sentence(error: StoreError, told: str = "") -> str:
    """Return what a store's error means for the person who typed the command.

    `told` stands in for the error's own text where somebody can say more.
    """
    said = told or str(error)
    if error.sealed:
        return f"{said}. Unseal it: vault operator unseal"
    if isinstance(error, StoreConflict):
        return f"{said}. Somebody else wrote in between; look, then type the command again."
    if isinstance(error, StoreDenied):
        return f"{said}. The policy of this login does not allow it."
    if error.happened is Happened.UNKNOWN:
        return f"{said}. It may have been written: look before you type the command again."
    return said
