"""The example, the schema, what is shown, and what the core receives."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, strategies as st

from rotator.config import (
    Config,
    ConfigProblem,
    commented_example,
    config_schema,
    limits,
    load_bytes,
    policies,
    rules,
    show,
)
from rotator.config.document import scalar
from rotator.config.values import duration, duration_text, loopback
from rotator.core.findings import Code, Severity
from rotator.core.policy import DEFAULT_POLICY, AddressRules, Revoke, ScopeRules, Strategy, Verify
from rotator.core.schedule import Limits
from rotator.core.windows import Blackout, Calendar, Window

VAULT = {"VAULT_ADDR": "http://127.0.0.1:8200"}
DAY = timedelta(days=1)

PUBLIC_FORM = """
store:
  vault:
    address: https://vault.example:8200
    namespace: null
    ca_file: null
    auth: {method: kubernetes, role: rotator, token_file: /var/run/secrets/vault/token}
  paths: [secret/trading/]
  state: secret/rotator/
  anchor: {file: null}
rules:
  - match: secret/trading/bybit/**
    exchange: bybit
    parent: secret/trading/bybit/master
    policy: desk
    fields: {api_key: key, api_secret: secret}
policies:
  desk:
    max_age: 30d
    warn_before: 7d
    scopes: {allow: [read, "trade:*"], require: [read], forbid: [withdraw]}
    addresses: {require: true}
    expiry: {min_left: 7d}
    strategy: auto
    verify: self
    revoke: manual
    drain: 2h
    windows: [{days: [mon, tue], from: "02:00", for: 2h, zone: Europe/Zurich}]
    blackouts: [{from: 2026-12-24T00:00:00Z, to: 2027-01-02T00:00:00Z}]
    consumers: []
rotation:
  armed: []
  in_flight: 4
  creates_per_hour: 60
  spread_backlog: 7d
  canary: []
  soak: 0s
exchanges:
  bybit: {proxy: null, egress: [], share: 0.2, base_url: null}
every: {inventory: 5m, inspect: 1h, tidy: 15m}
serve: {listen: "0.0.0.0:9789", web_config: null}
metrics: {per_credential: all}
lease: none
audit: {file: null}
"""


def good(text: str) -> Config:
    """Load a text that must be right."""
    config = load_bytes(text.encode(), VAULT)
    assert isinstance(config, Config), str(config)
    return config


def test_the_public_form_loads_into_the_core() -> None:
    """The documented configuration gives exactly these policies, rules and limits."""
    config = good(PUBLIC_FORM)
    found = policies(config)
    assert set(found) == {"default", "desk"}
    assert found["default"] == DEFAULT_POLICY
    desk = found["desk"]
    assert (desk.name, desk.max_age, desk.max_age_of) == ("desk", 30 * DAY, ())
    assert desk.scopes == ScopeRules(("read", "trade:*"), ("read",), ("withdraw",))
    assert desk.addresses == AddressRules(require=True)
    assert (desk.strategy, desk.verify, desk.revoke) == (
        Strategy.AUTO,
        Verify.SELF,
        Revoke.MANUAL,
    )
    assert desk.calendar == Calendar(
        (Window(frozenset({0, 1}), time(2), timedelta(hours=2), ZoneInfo("Europe/Zurich")),),
        (Blackout(datetime(2026, 12, 24, tzinfo=UTC), datetime(2027, 1, 2, tzinfo=UTC)),),
    )
    (rule,) = rules(config)
    assert (rule.match, rule.exchange, rule.policy) == ("secret/trading/bybit/**", "bybit", "desk")
    assert rule.fields == {"api_key": "key", "api_secret": "secret"}
    assert (rule.strategy, rule.managed, rule.consumers) == (None, None, None)
    assert limits(config) == Limits()


def test_an_empty_policy_is_the_built_in_one() -> None:
    """A configured policy without a word in it has the built-in defaults."""
    found = policies(good("policies: {default: {}}"))
    assert found["default"] == DEFAULT_POLICY


def test_ages_by_scope_reach_the_core() -> None:
    """A table of ages keeps its order, and its default replaces the built-in one."""
    text = "policies: {p: {max_age: {withdraw: 7d, 'trade:*': 30d, default: 60d}}}"
    policy = policies(good(text))["p"]
    assert policy.max_age == 60 * DAY
    assert policy.max_age_of == (("withdraw", 7 * DAY), ("trade:*", 30 * DAY))
    shown = show(good(text))["policies"]["p"]["max_age"]
    assert shown == {"withdraw": "7d", "trade:*": "30d", "default": "60d"}
    assert policies(good("policies: {p: {max_age: {read: 7d}}}"))["p"].max_age == 90 * DAY


def test_severities_and_rule_words_reach_the_core() -> None:
    """Severity overrides and a rule's strategy arrive as the core's own words."""
    text = """
policies: {p: {severity: {NoAddressList: critical}}}
rules: [{match: a/b, strategy: observe, managed: false, consumers: [x], name: one}]
"""
    config = good(text)
    assert policies(config)["p"].severity == {Code.NO_ADDRESS_LIST: Severity.CRITICAL}
    (rule,) = rules(config)
    assert (rule.strategy, rule.managed, rule.consumers, rule.name) == (
        "observe",
        False,
        ("x",),
        "one",
    )


def test_a_kubernetes_lease_has_the_defaults_of_client_go() -> None:
    """Fifteen, ten and two seconds, in the pod's own namespace, with its own account."""
    assert show(good("lease: {kubernetes: {name: desk}}"))["lease"]["kubernetes"] == {
        "name": "desk",
        "namespace": None,
        "duration": "15s",
        "renew_deadline": "10s",
        "retry": "2s",
        "service_account": "/var/run/secrets/kubernetes.io/serviceaccount",
    }


def test_the_example_loads_and_is_all_defaults() -> None:
    """The commented example is valid, and its values are the defaults but for the examples."""
    example = load_bytes(commented_example().encode(), {})
    assert isinstance(example, Config), str(example)
    assert policies(example)["desk"] == _renamed(DEFAULT_POLICY)
    shown, plain = show(example), show(good(""))
    for section in ("rotation", "every", "serve", "metrics", "lease", "audit"):
        assert shown[section] == plain[section]
    assert shown["exchanges"]["bybit"] == show(good("exchanges: {bybit: {}}"))["exchanges"]["bybit"]


def _renamed(policy: Any) -> Any:
    return policies(good("policies: {desk: {}}"))["desk"] if policy else None


def _keys(value: Any, at: str = "") -> set[str]:
    if isinstance(value, dict):
        return {f"{at}.{k}" for k in value} | {
            key for k, v in value.items() for key in _keys(v, f"{at}.{k}")
        }
    if isinstance(value, list):
        return {key for item in value for key in _keys(item, at)}
    return set()


def test_the_example_names_every_field_with_a_comment() -> None:
    """No field is missing from the example, and every leaf has its comment."""
    written = _keys(yaml.safe_load(commented_example()))
    example = load_bytes(commented_example().encode(), {})
    assert isinstance(example, Config)
    assert _keys(show(example)) - written == {".store.local"}
    comments = commented_example().count("#")
    assert comments > 60
    assert all(len(line) <= 100 for line in commented_example().splitlines())


def test_what_is_shown_can_be_loaded_again() -> None:
    """`config show` prints a configuration that loads to the same one."""
    config = good(PUBLIC_FORM)
    assert load_bytes(json.dumps(show(config)).encode(), {}) == config


def test_the_schema_is_json_and_names_the_fields() -> None:
    """The schema is plain JSON, refuses unknown keys, and uses the public names."""
    schema = json.loads(json.dumps(config_schema()))
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(show(good("")))
    assert "from" in schema["$defs"]["WindowSection"]["properties"]
    assert "fields" in schema["$defs"]["RuleSection"]["properties"]


@pytest.mark.parametrize(
    ("text", "span"),
    [("30s", 30), ("5m", 300), ("6h", 21600), ("2w", 1209600), ("1h30m", 5400), ("0s", 0)],
)
def test_durations(text: str, span: int) -> None:
    """A duration is numbers with units."""
    assert duration(text) == timedelta(seconds=span)


@given(st.integers(0, 10**7))
def test_a_written_duration_reads_back(seconds: int) -> None:
    """What is shown of a duration reads back as the same one."""
    span = timedelta(seconds=seconds)
    assert duration(duration_text(span)) == span


@pytest.mark.parametrize(
    "value", ["", "3", "d", "-3d", "3 d", "3y", "\u0661d", True, 5, None, [], "1d" * 9]
)
def test_what_is_no_duration(value: object) -> None:
    """Anything else is refused, bare numbers included."""
    with pytest.raises(ValueError, match="is not a duration"):
        duration(value)


def test_loopback_is_this_machine() -> None:
    """localhost, 127.0.0.0/8 and ::1 are this machine; names that look like it are not."""
    for url in ("http://localhost:1", "http://127.1.2.3", "http://[::1]:8080"):
        assert loopback(url)
    for url in ("http://localhost.evil.example", "http://10.0.0.1", "http://", "http://[x"):
        assert not loopback(url)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_configuration_or_one_problem(content: bytes) -> None:
    """Whatever a file holds, loading returns and never raises."""
    assert isinstance(load_bytes(content, VAULT), Config | ConfigProblem)


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["vault", "auth", "method", "max_age", "desk", "windows", "from", "bybit", "share"]
            )
            | st.text(max_size=5),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(Config.model_fields)), values, max_size=3))
def test_any_values_give_a_configuration_or_one_problem(raw: dict[str, Any]) -> None:
    """Whatever values stand under the known keys, one problem names one field."""
    result = load_bytes(json.dumps(raw).encode(), VAULT)
    if isinstance(result, ConfigProblem):
        assert result.field
        assert str(result).isprintable()


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "ROTATOR_STORE",
                "ROTATOR_LEASE",
                "ROTATOR_RULES__0__MATCH",
                "ROTATOR_STORE__",
                "VAULT_ADDR",
            ]
        ),
        st.text(max_size=20),
    )
)
def test_any_environment_gives_a_configuration_or_one_problem(environ: dict[str, str]) -> None:
    """Whatever the variables hold, loading returns and never raises."""
    assert isinstance(load_bytes(b"", environ), Config | ConfigProblem)


@given(st.text(max_size=20))
def test_a_plain_word_is_itself_or_a_simple_value(text: str) -> None:
    """A plain word is null, a boolean, a number or itself."""
    assert isinstance(scalar(text), type(None) | bool | int | float | str)
