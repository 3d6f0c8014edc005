"""The composition root: the only part that names concrete classes."""

from __future__ import annotations


class SetupError(Exception):
    """A part cannot be built as the configuration says; the text names field and cure."""
