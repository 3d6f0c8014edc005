"""Loading: precedence, defaults, and one clear problem for each mistake."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from rotator.config import Config, ConfigProblem, load, load_bytes, show
from rotator.config.document import MAX_BYTES
from rotator.config.explain import _found
from rotator.config.problem import suggestion

VAULT = {"VAULT_ADDR": "http://127.0.0.1:8200"}


def good(text: str, environ: dict[str, str] | None = None) -> Config:
    """Load a text that must be right."""
    config = load_bytes(text.encode(), VAULT if environ is None else environ)
    assert isinstance(config, Config), str(config)
    return config


def bad(text: str, environ: dict[str, str] | None = None) -> ConfigProblem:
    """Load a text that must be wrong."""
    problem = load_bytes(text.encode(), VAULT if environ is None else environ)
    assert isinstance(problem, ConfigProblem)
    return problem


DEFAULTS = {
    "store": {
        "vault": {
            "address": "http://127.0.0.1:8200",
            "namespace": None,
            "ca_file": None,
            "auth": {
                "method": "kubernetes",
                "role": "rotator",
                "token_file": "/var/run/secrets/vault/token",
                "mount": "kubernetes",
            },
        },
        "local": None,
        "paths": ["secret/trading/"],
        "state": "secret/rotator/",
        "anchor": {"file": None},
    },
    "rules": [],
    "policies": {},
    "rotation": {
        "armed": [],
        "in_flight": 4,
        "creates_per_hour": 60,
        "spread_backlog": "7d",
        "canary": [],
        "soak": "0s",
    },
    "exchanges": {},
    "every": {"inventory": "5m", "inspect": "1h", "tidy": "15m"},
    "serve": {"listen": "0.0.0.0:9789", "web_config": None, "probes": None},
    "metrics": {"per_credential": "all"},
    "lease": "none",
    "audit": {"file": None},
}


def test_an_empty_file_gives_the_defaults() -> None:
    """With VAULT_ADDR alone, every value is the documented default."""
    assert show(good("")) == DEFAULTS


def test_a_local_store_needs_nothing_else() -> None:
    """`store: local`, an empty mapping and a bare key all mean one encrypted file."""
    for text in ("store: local", "store: {local: {}}", "store: {local: }"):
        local = good(text, {}).store.local
        assert local is not None
        assert local.file == "rotator.db"


def test_environment_wins_over_file_over_defaults() -> None:
    """A ROTATOR_ variable overrides the file, and Vault's own variables only fill gaps."""
    text = "{store: {vault: {address: 'https://file.example'}}, rotation: {in_flight: 2, soak: 1h}}"
    environ = {**VAULT, "ROTATOR_ROTATION__IN_FLIGHT": "7", "VAULT_NAMESPACE": "team"}
    config = good(text, environ)
    assert config.store.vault is not None
    assert config.store.vault.address == "https://file.example"
    assert config.store.vault.namespace == "team"
    assert config.rotation.in_flight == 7
    assert config.rotation.soak == timedelta(hours=1)
    environ["ROTATOR_STORE__VAULT__ADDRESS"] = "https://env.example"
    address = good(text, environ).store.vault
    assert address is not None
    assert address.address == "https://env.example"


def test_variables_hold_yaml() -> None:
    """Lists, null and mappings are written in a variable as in the file."""
    environ = {
        **VAULT,
        "ROTATOR_ROTATION__ARMED": "[secret/a/**, secret/b]",
        "ROTATOR_LEASE": "{file: /run/lock}",
        "ROTATOR_EXCHANGES__BYBIT__SHARE": "0.5",
    }
    config = good("exchanges: {bybit: 3}", environ)
    assert config.rotation.armed == ("secret/a/**", "secret/b")
    assert config.lease.file == "/run/lock"
    assert config.exchange("bybit").share == 0.5
    assert config.exchange("okx").share == 0.2


def test_variables_of_others_are_left_alone() -> None:
    """What Kubernetes sets for a service called rotator is no configuration."""
    environ = {**VAULT, "ROTATOR_PORT": "tcp://10.0.0.1:1", "ROTATOR_CONFIG": "x", "PATH": "y"}
    assert show(good("", environ)) == DEFAULTS


def test_values_keep_their_plain_meaning() -> None:
    """Times, ids with leading zeros and account numbers are not turned into something else."""
    text = """
policies:
  p: {windows: [{days: [Monday], from: 12:30, for: 90m, zone: Europe/Zurich}], max_age: 1d12h}
rules:
  - {match: secret/x, account: 0012}
  - {match: secret/y, account: 12}
"""
    config = good(text)
    assert show(config)["policies"]["p"]["windows"][0] == {
        "days": ["mon"],
        "from": "12:30",
        "for": "90m",
        "zone": "Europe/Zurich",
    }
    assert show(config)["policies"]["p"]["max_age"] == "36h"
    assert [r.account for r in config.rules] == ["0012", "12"]


def test_empty_sections_are_as_absent() -> None:
    """A section whose lines are all commented out takes its defaults."""
    assert show(good("rotation:\nrules:\nlease:\n")) == DEFAULTS


PROBLEMS: list[tuple[str, str, str]] = [
    ("stor: 1", "stor", "Did you mean `store`?"),
    ("rotation: {armd: []}", "rotation.armd", "Did you mean `armed`?"),
    ("rotation: {zzz: []}", "rotation.zzz", "Known here: armed"),
    ("rotation: {in_flight: x}", "rotation.in_flight", "whole number"),
    ("rotation: {in_flight: 0}", "rotation.in_flight", "at least 1"),
    ("rotation: 3", "rotation", "not a mapping"),
    ("policies: {p: {max_aeg: 3d}}", "policies.p.max_aeg", "`max_age`"),
    ("policies: {p: {max_age: 3}}", "policies.p.max_age", "a number and a unit"),
    ("policies: {p: {max_age: 0s}}", "policies.p.max_age", "longer"),
    ("policies: {p: {max_age: 9999w}}", "policies.p.max_age", "ten years"),
    ("policies: {p: {max_age: {trad: 1d}}}", "policies.p.max_age.trad", "matches no scope"),
    ("policies: {p: {strategy: overlp}}", "policies.p.strategy", "`overlap`"),
    ("policies: {p: {strategy: 3}}", "policies.p.strategy", "Write one of: auto, overlap"),
    (
        "policies: {p: {severity: {NoAdressList: info}}}",
        "policies.p.severity.NoAdressList",
        "`NoAddressList`",
    ),
    ("policies: {p: {severity: {x: info}}}", "policies.p.severity.x", "…"),
    ("policies: {p: {scopes: {allow: [trad]}}}", "policies.p.scopes.allow[0]", "no scope"),
    ("policies: {p: {scopes: {allow: read}}}", "policies.p.scopes.allow", "not a list"),
    ("policies: {p: {addresses: {exact: [x]}}}", "policies.p.addresses.exact[0]", "IP address"),
    ("policies: {p: {addresses: {require: 7}}}", "policies.p.addresses.require", "true or false"),
    ("policies: {p: {verify: list, revoke: drain}}", "policies.p.revoke", "acked or manual"),
    (
        "policies: {p: {windows: [{days: [x], from: 02:00, for: 1h}]}}",
        "policies.p.windows[0].days[0]",
        "weekday",
    ),
    (
        "policies: {p: {windows: [{days: [], from: 02:00, for: 1h}]}}",
        "policies.p.windows[0].days",
        "at least one",
    ),
    (
        "policies: {p: {windows: [{days: [mon], from: 25:00, for: 1h}]}}",
        "policies.p.windows[0].from",
        "time of day",
    ),
    (
        "policies: {p: {windows: [{days: [mon], from: 02:00, for: 8d}]}}",
        "policies.p.windows[0].for",
        "at most 7 days",
    ),
    (
        "policies: {p: {windows: [{days: [mon], from: 02:00, for: 0s}]}}",
        "policies.p.windows[0].for",
        "more than",
    ),
    (
        "policies: {p: {windows: [{days: [mon], from: 02:00, for: 1h, zone: Mars/X}]}}",
        "policies.p.windows[0].zone",
        "time zone",
    ),
    (
        "policies: {p: {windows: [{days: [mon], from: 02:00, for: 1h, zone: ../../etc/passwd}]}}",
        "policies.p.windows[0].zone",
        "time zone",
    ),
    (
        "policies: {p: {blackouts: [{from: 2026-12-24, to: x}]}}",
        "policies.p.blackouts[0].from",
        "offset",
    ),
    (
        "policies: {p: {blackouts: [{from: 2026-12-24T00:00:00Z, to: x}]}}",
        "policies.p.blackouts[0].to",
        "offset",
    ),
    (
        "policies: {p: {blackouts: [{from: 2026-12-24T00:00:00Z, to: 2026-12-23T00:00:00Z}]}}",
        "policies.p.blackouts[0].to",
        "later",
    ),
    ("store: {vault: {address: 'https://x'}, local: {}}", "store", "Keep one"),
    ("store: {vault: {address: 'ftp://x'}}", "store.vault.address", "not a URL"),
    ("store: {vault: {address: 'https://u:p@x'}}", "store.vault.address", "user, password"),
    ("store: {vault: {address: 'https://x:99999'}}", "store.vault.address", "not a URL"),
    ("store: {vault: {auth: {method: magic}}}", "store.vault.auth.method", "approle"),
    ("store: {vault: {auth: {role: r}}}", "store.vault.auth", "Set `method`"),
    ("store: {vault: {auth: {method: jwt, role: r}}}", "store.vault.auth.token_file", "Set it"),
    (
        "store: {vault: {auth: {method: jwt, role: r, token_fil: x}}}",
        "store.vault.auth.token_fil",
        "`token_file`",
    ),
    ("store: {vault: 3}", "store.vault", "not a mapping"),
    ("store: {paths: []}", "store.paths", "at least one"),
    ("store: {paths: [/secret]}", "store.paths[0]", "mount first"),
    ("store: 3", "store", "not a mapping"),
    ("rules: {}", "rules", "not a list"),
    ("rules: [{}]", "rules[0].match", "missing"),
    ("rules: [{match: ' a'}]", "rules[0].match", "spaces"),
    ('rules: [{match: "a\\tb"}]', "rules[0].match", "one short line"),
    ("rules: [{match: a/b, policy: dsk}]", "rules[0].policy", "Known here: default"),
    ("rules: [{match: a/b, fields: {key: x}}]", "rules[0].fields.key", "`api_key`"),
    ("rules: [{match: a/b, fields: {api_key: x, api_secret: x}}]", "rules[0].fields", "own field"),
    ("exchanges: {bybit: {share: null}}", "exchanges.bybit.share", "loopback"),
    (
        "exchanges: {bybit: {share: null, base_url: 'https://x.example'}}",
        "exchanges.bybit.share",
        "loopback",
    ),
    ("exchanges: {bybit: {share: 2}}", "exchanges.bybit.share", "at most 1"),
    ("exchanges: {bybit: {share: x}}", "exchanges.bybit.share", "not a number"),
    ("exchanges: {bybit: {base_url: 'http://x.example'}}", "exchanges.bybit.base_url", "https"),
    ("exchanges: {bybit: {proxy: 'ftp://x'}}", "exchanges.bybit.proxy", "proxy"),
    ("rules: [{match: a/b, strategy: overlp}]", "rules[0].strategy", "`overlap`"),
    ("rules: [{match: a/b, environment: pord}]", "rules[0].environment", "`prod`"),
    ("policies: {p: {blackouts: [{from: 3, to: x}]}}", "policies.p.blackouts[0].from", "offset"),
    ("lease: nune", "lease", "none, {file: PATH}"),
    ("lease: {fil: x}", "lease.fil", "`file`"),
    ("lease: {file: x, kubernetes: {}}", "lease", "Keep one"),
    (
        "lease: {kubernetes: {duration: 10s}}",
        "lease.kubernetes.renew_deadline",
        "between the two",
    ),
    ("lease: {kubernetes: {retry: 9s}}", "lease.kubernetes.retry", "several renewals"),
    ("lease: {kubernetes: {retry: 0s}}", "lease.kubernetes.retry", "1 second"),
    ("serve: {listen: '9789'}", "serve.listen", "host:port"),
    ("serve: {listen: 'x:99999'}", "serve.listen", "host:port"),
    ("every: {inspect: 0}", "every.inspect", "at least 1 second"),
    ("metrics: {per_credential: some}", "metrics.per_credential", "all, attention, none"),
    ("[1, 2]", "rotator.yaml", "not a mapping"),
    ("a: 1\na: 2", "rotator.yaml", "line 2, column 1: the key `a` stands twice"),
    ("a: &x [1]\nb: *x", "rotator.yaml", "anchors and aliases"),
    ("a: !!python/name:os.system x", "rotator.yaml", "tags"),
    ("[" * 50, "rotator.yaml", "nested too deeply"),
    ("{[a]: 1}", "rotator.yaml", "a key must be a text"),
    ("a: [", "rotator.yaml", "line 1"),
    ("a: 1\n---\nb: 2", "rotator.yaml", "not YAML"),
    ("a: \x00", "rotator.yaml", "not YAML"),
]


@pytest.mark.parametrize(("text", "field", "words"), PROBLEMS)
def test_each_mistake_has_one_clear_problem(text: str, field: str, words: str) -> None:
    """A mistake gives its dotted field, what is wrong, and a cure."""
    problem = bad(text)
    assert problem.field == field
    assert words in str(problem)
    assert "\n" not in str(problem)
    assert problem.cure.endswith((".", "?"))


def test_a_problem_tells_how_many_more_there_are() -> None:
    """The first problem is told, and the number of the others."""
    problem = bad("{rotation: {in_flight: x, soak: y}, every: {tidy: z}}")
    assert str(problem).endswith("(2 more problems)")
    assert str(bad("rotation: {in_flight: x, soak: y}")).endswith("(1 more problem)")


def test_a_problem_names_the_variable_that_caused_it() -> None:
    """A wrong value from the environment is told with its variable."""
    problem = bad("", {**VAULT, "ROTATOR_ROTATION__IN_FLIGHT": "many"})
    assert problem.field == "rotation.in_flight (from ROTATOR_ROTATION__IN_FLIGHT)"
    broken = bad("", {**VAULT, "ROTATOR_ROTATION__ARMED": "[a"})
    assert broken.field == "ROTATOR_ROTATION__ARMED"
    assert bad("", {"VAULT_ADDR": "x"}).field == "store.vault.address (from VAULT_ADDR)"
    huge = bad("", {**VAULT, "ROTATOR_RULES": "x" * (MAX_BYTES + 1)})
    assert huge.field == "ROTATOR_RULES"
    assert bad("", {**VAULT, "ROTATOR_LEASE": "\udcff"}).field == "ROTATOR_LEASE"


def test_no_store_at_all_is_said() -> None:
    """Without an address, VAULT_ADDR or a local file there is nothing to work on."""
    problem = bad("", {})
    assert problem.field == "store.vault.address"
    assert "VAULT_ADDR" in problem.cure


def test_addresses_are_taken_as_written() -> None:
    """Addresses and networks, of both families, are kept as written."""
    config = good("exchanges: {bybit: {egress: [203.0.113.7, '2001:db8::/32']}}")
    assert config.exchange("bybit").egress == ("203.0.113.7", "2001:db8::/32")


def test_explaining_does_not_fail_where_there_is_nothing_to_find() -> None:
    """A place that the raw values do not have gives no suggestion instead of an error."""
    assert _found(3, ("rotation",)) is None
    assert suggestion("x", []) == "Remove it."


def test_known_exchanges_are_checked_when_given() -> None:
    """A name that no adapter knows is refused with the nearest one."""
    for text in ("exchanges: {bybti: {}}", "rules: [{match: a/b, exchange: bybti}]"):
        problem = load_bytes(text.encode(), VAULT, ["bybit", "binance"])
        assert isinstance(problem, ConfigProblem)
        assert "Did you mean `bybit`?" in problem.cure


def test_a_file_is_read(tmp_path: Path) -> None:
    """A file on disk is loaded; a missing, huge or non-text one is one problem."""
    file = tmp_path / "rotator.yaml"
    assert "cannot be read" in str(load(file, VAULT))
    assert "cannot be read" in str(load(tmp_path, VAULT))
    file.write_text("rotation: {in_flight: 9}")
    config = load(file, VAULT)
    assert isinstance(config, Config)
    assert config.rotation.in_flight == 9
    file.write_bytes(b"a: 1\n\xff\xfe")
    assert "line 2 is not UTF-8" in str(load(file, VAULT))
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    assert "larger than" in str(load(file, VAULT))


CANARY = "canary-secret-9f2c1e"


@pytest.mark.parametrize(
    "text",
    [
        "store: {vault: {address: 'https://user:X@h'}}",
        "store: {vault: {auth: {method: X}}}",
        "store: {vault: {auth: {method: token, token_file: ' X'}}}",
        "rotation: {in_flight: X}",
        "every: {tidy: X}",
        "policies: {p: {strategy: X}}",
        "exchanges: {bybit: {proxy: 'X://u'}}",
        "lease: X",
        "serve: {listen: X}",
        "X",
        "a: 'X",
        "a: [X",
        "? X\n- X",
        'a: "X\\q"',
        "a: X: X",
        "a: @X",
        "%YAML 1.1 X\n---\n",
        "rules: [X]",
    ],
)
def test_no_value_is_repeated(text: str) -> None:
    """Whatever stands in a wrong place, a problem never repeats it."""
    problem = bad(text.replace("X", CANARY))
    assert CANARY not in str(problem)
    assert CANARY not in repr(problem)


def test_a_proxy_s_password_is_not_shown() -> None:
    """A proxy's login reaches the transport but neither repr nor `config show`."""
    config = good(f"exchanges: {{bybit: {{proxy: 'http://u:{CANARY}@proxy.example:3128'}}}}")
    proxy = config.exchange("bybit").proxy
    assert proxy is not None
    assert CANARY in proxy.reveal()
    assert CANARY not in repr(config)
    assert show(config)["exchanges"]["bybit"]["proxy"] == "http://***@proxy.example:3128"
    assert show(good("exchanges: {b: {proxy: 'http://h:1'}}"))["exchanges"]["b"]["proxy"] == (
        "http://h:1"
    )
