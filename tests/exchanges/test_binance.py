"""Binance's inspector against the published sample and scripted answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator.core.facts import KeyFacts, Look, Validity
from rotator.core.issue import KeySpec
from rotator.core.names import AccountId, KeyId
from rotator.core.outcome import Failure, Meaning
from rotator.core.scopes import Scope
from rotator.exchanges.binance import ERRORS, SCOPES, scopes_of
from tests.exchanges.fakes import NOW, Step, Ticks, Wire, hmac_key, opened, raw, reply, run

KEY = hmac_key()
OWN: dict[str, Any] = {
    "ipRestrict": False,
    "createTime": 1623840271000,
    "enableReading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": True,
    "enableMargin": False,
    "enableFutures": False,
    "permitsUniversalTransfer": True,
    "enableVanillaOptions": False,
    "enableFixApiTrade": False,
    "enableFixReadOnly": True,
    "enableSpotAndMarginTrading": False,
    "enablePortfolioMarginTrading": True,
}
"""The documents' sample of `apiRestrictions`."""

AMBIGUOUS = (
    Meaning.INVALID_KEY,
    Meaning.IP_BLOCKED,
    Meaning.PERMISSION_DENIED,
    Meaning.EXPIRED,
)


def error(code: int, status: int = 400, **headers: str) -> Step:
    """Return an answer in Binance's error form."""
    return reply({"code": code, "msg": "canary"}, status, **headers)


def looked(*steps: Step) -> Look:
    """Return the look that scripted answers make."""
    return run(opened("binance", Wire(*steps)).inspect(KEY))


def facts_of(**changes: object) -> KeyFacts:
    """Return the facts of the sample with some fields changed; None takes a field out."""
    told = {k: v for k, v in {**OWN, **changes}.items() if v is not ...}
    facts = looked(reply(told)).facts
    assert facts is not None
    return facts


def test_the_published_sample() -> None:
    """Each fact of the documents' sample is read, and what it does not say is unknown."""
    facts = facts_of()
    assert facts == KeyFacts(
        key_id=KEY.key_id,
        scopes=frozenset({Scope.READ, Scope.TRANSFER, Scope.TRADE_MARGIN, Scope.TRADE_DERIVATIVES}),
        native=(
            "enableFixReadOnly",
            "enableInternalTransfer",
            "enablePortfolioMarginTrading",
            "enableReading",
            "permitsUniversalTransfer",
        ),
        ip_restricted=False,
        ip_allowlist=(),
        created_at=datetime(2021, 6, 16, 10, 44, 31, tzinfo=UTC),
        enabled=True,
        key_type="hmac",
    )


@pytest.mark.parametrize(("native", "scopes"), sorted(SCOPES.items()))
def test_each_flag_gives_its_scopes(native: str, scopes: frozenset[Scope]) -> None:
    """Each flag of the sheet gives its scopes in any spelling."""
    assert scopes_of(native.upper()) == scopes


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"ipRestrict": True}, "ip_restricted", True),
        ({"ipRestrict": True}, "ip_allowlist", None),
        ({"ipRestrict": "true"}, "ip_restricted", True),
        ({"ipRestrict": ...}, "ip_restricted", None),
        ({"ipRestrict": ...}, "ip_allowlist", None),
        ({"createTime": ...}, "created_at", None),
        ({"createTime": "x"}, "created_at", None),
        ({"createTime": 10**18}, "created_at", None),
        ({"createTime": -5}, "created_at", None),
        ({"enableWithdrawals": ...}, "scopes", None),
        ({"enableWithdrawals": "maybe"}, "scopes", None),
        ({"enableWithdrawals": "maybe"}, "native", None),
        ({"enableFutures": ...}, "key_id", KEY.key_id),
        ({"enableMoonShot": True}, "unknown_native", ("enableMoonShot",)),
        ({"enableMoonShot": False}, "unknown_native", ()),
        (
            {"tradingAuthorityExpirationTime": 1628985600000},
            "native_flags",
            (("tradingAuthorityExpirationTime", "1628985600000"),),
        ),
        ({"tradingAuthorityExpirationTime": None}, "native_flags", ()),
        ({"tradingAuthorityExpirationTime": 1628985600000}, "expires_at", None),
    ],
)
def test_unknown_is_null(changes: dict[str, object], field: str, expected: object) -> None:
    """A field that is absent or of a wrong kind is unknown, and only that."""
    assert getattr(facts_of(**changes), field) == expected


def test_an_unknown_flag_that_is_on_is_other() -> None:
    """A power that no table knows is `other`."""
    scopes = facts_of(enableMoonShot=True).scopes
    assert scopes is not None
    assert Scope.OTHER in scopes


def test_the_ambiguous_refusal_stays_unknown() -> None:
    """-2015 twice has four candidates, the sheet's first as reason, and proves nothing."""
    wire = Wire(error(-2015, 401), error(-2015, 401))
    look = run(opened("binance", wire).inspect(KEY))
    assert look.validity is Validity.UNKNOWN
    assert look.reason is Meaning.INVALID_KEY
    assert look.failure is not None
    assert look.failure.candidates == AMBIGUOUS
    paths = [r.url.path for r in wire.requests]
    assert paths == ["/sapi/v1/account/apiRestrictions", "/api/v3/account"]


@pytest.mark.parametrize("code", [-2015, -1099])
def test_a_second_probe_that_succeeds_means_permission(code: int) -> None:
    """A key that signs in elsewhere is real: what it lacks is the permission to look."""
    look = looked(error(code, 401), reply({"balances": []}))
    assert (look.validity, look.reason) == (
        Validity.PERMISSION_DENIED,
        Meaning.PERMISSION_DENIED,
    )
    assert look.failure is not None
    assert look.failure.candidates == ()


@pytest.mark.parametrize(
    "second", [raw(b"<html>", 502), error(-1003, 429), error(-1021), error(-2014)]
)
def test_a_second_probe_that_fails_changes_nothing(second: Step) -> None:
    """Whatever else the second probe says, the first answer stays what it was."""
    look = looked(error(-2015, 401), second)
    assert look.failure is not None
    assert look.failure.candidates == AMBIGUOUS


def test_a_clear_refusal_is_not_asked_twice() -> None:
    """An answer with one meaning is not followed by a second probe."""
    assert looked(error(-1022)).reason is Meaning.BAD_SIGNATURE


@pytest.mark.parametrize(("code", "row"), sorted(ERRORS.codes.items()))
def test_each_code_of_the_sheet(code: int, row: Any) -> None:
    """Each error code of the sheet gives its meaning, in our words and not in Binance's."""
    look = looked(error(code), error(code))
    assert look.reason is row.meaning
    assert look.failure is not None
    assert "canary" not in look.failure.message


@pytest.mark.parametrize(
    ("step", "validity"),
    [
        (error(-2008), Validity.INVALID),
        (error(-1022), Validity.INVALID),
        (error(-1021), Validity.UNKNOWN),
        (error(-1002), Validity.PERMISSION_DENIED),
        (error(-3001), Validity.PERMISSION_DENIED),
        (error(-1011), Validity.IP_BLOCKED),
        (error(-1004), Validity.EXCHANGE_DOWN),
        (error(-1007), Validity.EXCHANGE_DOWN),
        (error(-1003, 429), Validity.THROTTLED),
        (error(-1003, 418), Validity.THROTTLED),
        (raw(b"<html>waf", 403), Validity.THROTTLED),
        (error(-2008, 500), Validity.EXCHANGE_DOWN),
        (raw(b"<html>", 404), Validity.UNKNOWN),
        (reply([]), Validity.EXCHANGE_DOWN),
        (reply({"code": 0}), Validity.EXCHANGE_DOWN),
        (reply({"code": -4242}), Validity.UNKNOWN),
    ],
)
def test_each_validity(step: Step, validity: Validity) -> None:
    """Each way in which a look can end is its validity."""
    assert looked(step).validity is validity


@pytest.mark.parametrize(
    ("status", "headers", "span"),
    [
        (429, {"retry_after": "7"}, timedelta(seconds=7)),
        (429, {}, timedelta(minutes=1)),
        (418, {"retry_after": "120"}, timedelta(minutes=2)),
        (418, {}, timedelta(minutes=2)),
        (403, {}, timedelta(minutes=5)),
    ],
)
def test_a_ban_lasts_as_long_as_it_says(
    status: int, headers: dict[str, str], span: timedelta
) -> None:
    """429, 418 and 403 stop everything, for `Retry-After` or the sheet's time."""

    async def ask() -> timedelta | None:
        exchange = opened("binance", Wire(error(-1003, status, **headers)), Ticks())
        await exchange.inspect(KEY)
        return exchange.banned_for()

    assert run(ask()) == span


def test_what_binance_cannot_do_is_a_failure() -> None:
    """Listing, creating and deleting are refused without a request."""
    wire = Wire()

    async def ask() -> list[object]:
        exchange = opened("binance", wire)
        spec = KeySpec(AccountId("1"), ("canTrade",))
        assert exchange.issuer is None
        assert exchange.reproducible(KeyFacts(key_id=None)) is not None
        return [
            await exchange.list_keys(KEY, None),
            await exchange.create_key(KEY, spec, "x", NOW),
            await exchange.delete_key(KEY, AccountId("1"), KeyId("k"), NOW),
        ]

    assert all(isinstance(told, Failure) for told in run(ask()))
    assert wire.requests == []
