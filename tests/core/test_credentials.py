"""Rules and custom_metadata make credentials without a guess."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from rotator.core.credentials import OWN_NAMES, Globs, Rule, RuleBook, compile_glob
from rotator.core.names import StorePath

DESK = StorePath("secret/trading/bybit/desk0")


@pytest.mark.parametrize(
    ("glob", "path", "covers"),
    [
        ("secret/*", "secret/a", True),
        ("secret/*", "secret/a/b", False),
        ("secret/**", "secret/a/b/c", True),
        ("secret/**", "secret", False),
        ("secret/", "secret/a/b", True),
        ("**", "a/b", True),
        ("**/desk*", "a/b/desk1", True),
        ("**/desk*", "desk1", True),
        ("**/desk*", "a/desk1/b", False),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("a/**/z", "a/bz", False),
        ("a/**/m/**/z", "a/m/m/z", True),
        ("a/**/m/**/z", "a/x/z", False),
        ("a/**/b/c/**", "a/b/b/c/d", True),
        ("a/**/**/z", "a/z", True),
        ("a/b*c*d", "a/bXcYd", True),
        ("a/b*c*d", "a/bXc/d", False),
        ("a/*b*b", "a/xbb", True),
        ("a/x**y", "a/xzy", True),
        ("a/x**y", "a/x/y", False),
        ("a/b.c", "a/bxc", False),
        ("a/[b]", "a/b", False),
        ("a/b", "a/b\n", False),
    ],
)
def test_globs(glob: str, path: str, covers: bool) -> None:
    """`*` stays in its segment, `**` crosses segments, all else is literal."""
    assert bool(compile_glob(glob).fullmatch(path)) is covers


def slow_match(glob: list[str], path: list[str]) -> bool:
    """Match the plain way, by trying everything."""
    if not glob:
        return not path
    if glob[0] == "**":
        rest = glob[1:]
        first = 1 if not rest else 0
        return any(slow_match(rest, path[n:]) for n in range(first, len(path) + 1))
    return bool(path) and slow_segment(glob[0], path[0]) and slow_match(glob[1:], path[1:])


def slow_segment(glob: str, text: str) -> bool:
    """Match one segment the plain way."""
    if not glob:
        return not text
    if glob[0] == "*":
        return any(slow_segment(glob[1:], text[n:]) for n in range(len(text) + 1))
    return bool(text) and glob[0] == text[0] and slow_segment(glob[1:], text[1:])


@given(
    st.lists(st.sampled_from(["**", "*", "a", "b", "a*", "*b", "a*b*a"]), min_size=1, max_size=5),
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=6),
)
def test_globs_match_as_the_plain_way_does(glob: list[str], path: list[str]) -> None:
    """The compiled pattern agrees with trying everything."""
    if all(g == "**" for g in glob):
        glob = ["**"]
    elif glob[-1] == "**":
        while glob[-2:] == ["**", "**"]:
            glob = glob[:-1]
    expected = slow_match(glob, path)
    assert bool(compile_glob("/".join(glob)).fullmatch("/".join(path))) is expected


@pytest.mark.timeout(5)
def test_no_glob_is_slow() -> None:
    """A hostile glob over a hostile path ends at once."""
    assert not compile_glob("*a" * 200 + "b").fullmatch("a" * 1000)
    assert not compile_glob("**/a/" * 60 + "b").fullmatch("a/" * 500 + "a")
    assert not compile_glob("**/*a*/" * 60 + "b").fullmatch("aa/" * 300 + "a")


def test_table_of_globs() -> None:
    """A table gives the first, or all, values whose glob covers a path."""
    table = Globs([("a/**", 1), ("a/b", 2)])
    assert (table.first("a/b"), table.first("x/y"), table.all("a/b")) == (1, None, (1, 2))


def test_defaults() -> None:
    """Only the exchange is needed; the rest has its default."""
    (credential,) = RuleBook([]).resolve(DESK, {"exchange": "bybit"})
    assert credential.path == DESK
    assert str(credential.name) == DESK
    assert credential.exchange == "bybit"
    assert (credential.policy, credential.environment, credential.managed) == (
        "default",
        "prod",
        True,
    )
    assert (credential.account, credential.parent, credential.strategy) == (None, None, None)
    assert (credential.consumers, credential.malformed) == ((), ())
    assert credential.fields == OWN_NAMES


def test_no_exchange_is_no_credential() -> None:
    """Without an exchange from rule or metadata a secret is no credential."""
    assert RuleBook([Rule("**", owner="ana")]).resolve(DESK, {"owner": "bob"}) == ()


def test_metadata_wins_over_the_rule() -> None:
    """What the path says itself counts, the rule supplies the rest; only the first rule does."""
    book = RuleBook(
        [
            Rule("secret/trading/*/desk0", "bybit", owner="ana", parent="secret/m/one"),
            Rule("**", "okx", account="77"),
        ]
    )
    (credential,) = book.resolve(DESK, {"owner": "bob", "account": "42", "other": "x"})
    assert (credential.exchange, credential.owner) == ("bybit", "bob")
    assert (credential.account, credential.parent) == ("42", "secret/m/one")
    assert book.resolve(DESK, {})[0].account is None


def test_everything_from_metadata() -> None:
    """Every key of the contract is read."""
    custom = {
        "exchange": "okx",
        "account": "a 1",
        "policy": "desk",
        "parent": "secret/okx/master#trade",
        "lister": "secret/okx/lister",
        "owner": "desk a",
        "strategy": "assisted",
        "consumers": "bot-a, bot-b,,bot-a",
        "environment": "testnet",
        "managed": "false",
    }
    (got,) = RuleBook([]).resolve(DESK, custom)
    assert (got.account, got.policy, got.owner) == ("a 1", "desk", "desk a")
    assert (got.parent, got.lister) == ("secret/okx/master#trade", "secret/okx/lister")
    assert (got.strategy, got.environment, got.managed) == ("assisted", "testnet", False)
    assert (got.consumers, got.malformed) == (("bot-a", "bot-b"), ())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("exchange", "By/bit"),
        ("exchange", "BYBIT"),
        ("exchange", ""),
        ("account", " 42"),
        ("account", "4\u200b2"),
        ("account", "x" * 513),
        ("policy", "a b"),
        ("parent", "master"),
        ("parent", "/secret/x"),
        ("parent", "secret/x#"),
        ("lister", "secret//x"),
        ("owner", "\n"),
        ("strategy", "magic"),
        ("environment", "PROD"),
        ("managed", "0"),
        ("managed", "False"),
        ("consumers", "a\x00b"),
        ("consumers", "x" * 600),
    ],
)
def test_malformed_values(key: str, value: str) -> None:
    """A value that is not valid is told, counts as absent, and the rule's does not step in."""
    rule = Rule("**", "okx", "1", "p", "s/p", "s/l", "o", "reset", ("c",), "demo", managed=False)
    (got,) = RuleBook([rule]).resolve(DESK, {key: value})
    assert [k for k, _ in got.malformed] == [key]
    absent = {"policy": "default", "environment": "prod", "managed": True, "consumers": ()}
    assert getattr(got, key) == absent.get(key)


def test_malformed_rule() -> None:
    """A rule's own values are held to the same."""
    (got,) = RuleBook([Rule("**", exchange="?", consumers=("a", " "))]).resolve(DESK, {})
    assert {key for key, _ in got.malformed} == {"exchange", "consumers"}


def test_fields() -> None:
    """A rule's field names replace ours, and the words it does not map keep their names."""
    book = RuleBook([Rule("**", "okx", fields={"api_key": "key", "api_secret": "passphrase"})])
    (got,) = book.resolve(DESK, {})
    assert got.fields == {
        "api_key": "key",
        "api_secret": "passphrase",
        "private_key": "private_key",
    }


@pytest.mark.parametrize(
    "fields",
    [{"apikey": "k"}, {"api_key": ""}, {"api_key": "x" * 129}, {"api_key": "k", "api_secret": "k"}],
)
def test_malformed_fields(fields: dict[str, str]) -> None:
    """A field map with unknown words, bad names or one field for two words is told."""
    (got,) = RuleBook([Rule("**", "okx", fields=fields)]).resolve(DESK, {})
    assert [key for key, _ in got.malformed] == ["fields"]


def test_names() -> None:
    """Named rules make several credentials, each with its own fields only."""
    book = RuleBook(
        [
            Rule("**/desk0", "okx", name="a", fields={"api_key": "k1", "api_secret": "s1"}),
            Rule("**/desk0", "bybit", name="b", fields={"api_key": "k2", "api_secret": "s2"}),
            Rule("**/desk0", "gate", name="b", fields={"api_key": "k3"}),
            Rule("**", "binance"),
        ]
    )
    one, other = book.resolve(DESK, {"owner": "ana"})
    assert (one.name, one.exchange, one.owner) == (f"{DESK}#a", "okx", "ana")
    assert (other.name, other.exchange) == (f"{DESK}#b", "bybit")
    assert one.fields == {"api_key": "k1", "api_secret": "s1"}
    (plain,) = book.resolve(StorePath("secret/x/y"), {})
    assert (plain.name, plain.exchange) == ("secret/x/y", "binance")


def test_an_unnamed_rule_that_comes_first_wins() -> None:
    """The first match decides: an unnamed rule before the named ones makes one credential."""
    book = RuleBook([Rule("**", "okx"), Rule("**", "okx", name="a")])
    assert [str(c.name) for c in book.resolve(DESK, {})] == [DESK]


def test_bad_name() -> None:
    """A name that could not stand behind the # is told."""
    (got,) = RuleBook([Rule("**", "okx", name="a#b")]).resolve(DESK, {})
    assert str(got.name) == DESK
    assert [key for key, _ in got.malformed] == ["name"]


@given(
    st.dictionaries(
        st.sampled_from(["exchange", "account", "policy", "parent", "managed", "consumers", "x"]),
        st.one_of(st.text(max_size=700), st.integers(), st.none()),
    )
)
def test_hostile_metadata_never_crashes(custom: dict[str, Any]) -> None:
    """Whatever stands in custom_metadata, the answer is credentials, and they are bounded."""
    for credential in RuleBook([Rule("**", "okx")]).resolve(DESK, custom):
        for text in (credential.account, credential.policy, credential.parent):
            assert text is None or len(text.encode()) <= 512
