"""Wire: the sandbox takes what the adapter signs, and nothing else; no secret travels."""

from __future__ import annotations

import base64
from datetime import timedelta
from urllib.parse import quote

import httpx
import pytest

from rotator.core.facts import Validity
from rotator.core.names import Secrets, Sensitive, SigningKey
from rotator.core.outcome import Meaning
from rotator.sandbox.seeds import KeyType
from tests.conformance.harness import HOUSES, House, Town
from tests.exchanges.fakes import run

EACH = pytest.mark.parametrize("house", HOUSES, ids=lambda h: h.name)
KINDS = pytest.mark.parametrize(
    ("house", "kind"),
    [(h, k) for h in HOUSES for k in h.kinds],
    ids=lambda v: v.name if isinstance(v, House) else v,
)


@KINDS
def test_each_kind_of_key_signs_in(house: House, kind: KeyType) -> None:
    """A key of each kind that the exchange has is valid, and its kind is known."""
    town = Town(house)
    look = run(town.exchange.inspect(town.key(kind=kind)))
    assert look.validity is Validity.VALID
    assert look.facts is not None
    assert look.facts.key_type == kind


@KINDS
def test_an_altered_byte_is_refused(house: House, kind: KeyType) -> None:
    """A request whose query, path or time is altered after signing is refused."""

    def longer(request: httpx.Request) -> None:
        query = request.url.query.decode()
        request.url = request.url.copy_with(query=f"x=1&{query}".rstrip("&").encode())

    town = Town(house, change=longer)
    look = run(town.exchange.inspect(town.key(kind=kind)))
    assert look.reason is Meaning.BAD_SIGNATURE


@EACH
def test_a_wrong_secret_is_refused(house: House) -> None:
    """A key that signs with another key's secret is refused as a bad signature."""
    town = Town(house)
    one, other = town.key(), town.key()
    look = run(town.exchange.inspect(SigningKey(one.key_id, other.secrets)))
    assert (look.validity, look.reason) == (Validity.INVALID, Meaning.BAD_SIGNATURE)


@EACH
@pytest.mark.parametrize("seconds", [-7, 2])
def test_a_wrong_time_is_refused(house: House, seconds: int) -> None:
    """A request signed too long ago, or in the future, is refused for its time."""
    town = Town(house)
    key = town.key()
    exchange = town.exchange
    exchange._adapter._now = (  # type: ignore[attr-defined]
        lambda: town.ticks.now() + timedelta(seconds=seconds)
    )
    look = run(exchange.inspect(key))
    assert (look.validity, look.reason) == (Validity.UNKNOWN, Meaning.CLOCK_SKEW)


def spellings(secret: str) -> set[str]:
    """Return the forms in which a secret could travel or be shown."""
    raw = secret.encode()
    return {secret, raw.hex(), base64.b64encode(raw).decode().rstrip("="), quote(secret, safe="")}


@KINDS
def test_no_secret_leaves(house: House, kind: KeyType) -> None:
    """Neither URL, header, body nor any text of the look holds the secret in any form."""
    town = Town(house)
    key = town.key(kind=kind)
    look = run(town.exchange.inspect(key))
    told = [repr(look), repr(key), repr(town.exchange.settings)]
    for request in town.requests:
        told += [str(request.url), str(request.headers.raw), request.content.decode()]
    for secret in key.secrets.values():
        for spelling in spellings(secret.reveal()):
            assert not any(spelling in text for text in told)


@EACH
def test_every_request_goes_to_the_pinned_host(house: House) -> None:
    """Nothing but the address that was configured is asked."""
    town = Town(house)
    run(town.exchange.inspect(town.key()))
    assert {r.url.host for r in town.requests} == {"127.0.0.1"}


@EACH
def test_an_unknown_key_is_refused(house: House) -> None:
    """A key that the exchange does not know is invalid where the exchange says so clearly."""
    town = Town(house)
    unknown = SigningKey(
        type(town.parent.key_id)("K" * 18), Secrets(api_secret=Sensitive("canary-secret"))
    )
    look = run(town.exchange.inspect(unknown))
    assert look.reason is Meaning.INVALID_KEY
    assert look.failure is not None
    ambiguous = bool(look.failure.candidates)
    assert look.validity is (Validity.UNKNOWN if ambiguous else Validity.INVALID)
