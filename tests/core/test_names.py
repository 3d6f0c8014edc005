"""A secret cannot leave by accident."""

from __future__ import annotations

import copy

import pytest

from rotator.core.names import Secrets, Sensitive, shown

SECRET = "not-a-real-secret"


def test_a_secret_is_never_shown() -> None:
    """Printing, formatting and representing a secret show nothing of it."""
    secret = Sensitive(SECRET)
    shapes = (repr(secret), str(secret), f"{secret}", f"{secret:>40}", repr(Secrets(secret)))
    assert not any(SECRET in shape for shape in shapes)
    assert secret.reveal() == SECRET


def test_a_secret_is_never_serialised() -> None:
    """A secret refuses the protocol by which objects are copied and pickled."""
    with pytest.raises(TypeError):
        copy.copy(Sensitive(SECRET))


def test_a_secret_is_compared_with_secrets_alone() -> None:
    """Two secrets may be equal; a secret never equals its plain text, and has no hash."""
    assert Sensitive(SECRET) == Sensitive(SECRET)
    assert Sensitive(SECRET) != Sensitive("another")
    assert Sensitive(SECRET) != SECRET
    with pytest.raises(TypeError):
        hash(Sensitive(SECRET))


def test_an_empty_secret_is_none() -> None:
    """An empty secret counts as absent."""
    assert not Sensitive("")
    assert Secrets(Sensitive(""), Sensitive(SECRET)).values() == (Sensitive(SECRET),)


def test_a_key_id_shows_its_end_alone() -> None:
    """Of a key id its last four characters are shown, of a short one nothing."""
    assert shown("abcdefghijkl") == "…ijkl"
    assert shown("abcd") == "…"
