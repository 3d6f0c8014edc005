"""The commented configuration that `rotator config init` writes."""

from __future__ import annotations

EXAMPLE = """\
# Rotator's configuration.  Every field is here with its default, unless it says "example".
# Durations: 30s, 5m, 6h, 30d, 2w.  A variable such as ROTATOR_ROTATION__IN_FLIGHT overrides
# a field.  `rotator config check` tells what is wrong, `rotator config show` what is in force.

store:
  vault:
    address: https://vault.example:8200  # example; default: the variable VAULT_ADDR
    namespace: null                      # Vault Enterprise; default: VAULT_NAMESPACE
    ca_file: null                        # a private CA; default: VAULT_CACERT, else the system's
    auth:                                # how Rotator signs in; secrets stand in files only
      # or {method: jwt, role: R, token_file: F}, {method: token, token_file: F},
      # {method: approle, role_id_file: F, secret_id_file: F}, {method: cert, cert_file: F,
      # key_file: F, role: R}; each but token takes the `mount` of its auth method
      method: kubernetes
      role: rotator
      token_file: /var/run/secrets/vault/token
      mount: kubernetes
  # local: {file: rotator.db, key_file: rotator.key}   # instead of vault: one encrypted file
  paths: [secret/trading/]               # folders to walk, mount first
  state: secret/rotator/                 # Rotator's own documents; never read as credentials
  anchor:                                # the epoch outside the store, so that a restored
    file: null                           # store is noticed; default: the lease, else a state file

rules:                                   # example; first match wins, and a path's own
  - match: secret/trading/bybit/**       # custom_metadata wins over its rule
    exchange: bybit
    account: null                        # the exchange's id of the account; null = as found
    policy: desk                         # default: the built-in policy `default`
    parent: secret/trading/bybit/master  # whose key may create and delete this account's keys
    lister: null                         # whose key may only list them
    owner: null                          # a label for alerts
    strategy: null                       # null = as the policy says
    consumers: null                      # null = as the policy says
    environment: null                    # prod, testnet or demo; null = prod
    managed: null                        # false: neither judged nor rotated, still a parent
    name: null                           # makes the credential path#name of a shared secret
    fields:                              # the secret's own names; default: the words themselves
      api_key: key
      api_secret: secret
      passphrase: null
      private_key: null

policies:
  desk:                                  # example; what is left out is as below
    max_age: 90d                         # or by widest scope: {"trade:*": 30d, default: 90d}
    warn_before: 7d                      # how long before that a key counts as due soon
    scopes:                              # read, trade:spot, trade:margin, trade:derivatives,
      allow: ["*"]                       # transfer, withdraw, manage, earn, other; * = any part
      require: []
      forbid: []                         # a new key is made without these
    addresses:
      require: false                     # true: a key must have an address list
      exact: null                        # [203.0.113.7]: exactly this list
      subset: null                       # [203.0.113.0/24]: nothing outside of these
    expiry:
      min_left: 7d                       # due so long before the exchange ends the key
    strategy: auto                       # overlap, client_key, reset, assisted, native, observe
    verify: self                         # list: the parent's list may stand in for a sign-in
    revoke: manual                       # which proof the old key's deletion needs: manual (a
                                         # person), acked (its consumers), drain (time alone)
    drain: 2h                            # how long both keys live, so that consumers can move
    windows: []                          # [{days: [mon, tue], from: "02:00", for: 2h, zone: UTC}]
    blackouts: []                        # [{from: 2026-12-24T00:00:00Z, to: 2027-01-02T00:00:00Z}]
    consumers: []                        # who reads these keys
    on_violation: alert                  # rotate: replace a key that has a forbidden scope;
                                         # freeze: as alert, and the cure says so
    severity: {}                         # {NoAddressList: critical}
    key_type: null                       # warn about keys of another type
    dormant_after: 90d                   # a key unused for so long is reported

rotation:
  armed: []                              # path globs that may be rotated; empty = watch only
  in_flight: 4                           # open rotations at once: the size of an accident
  creates_per_hour: 60                   # per exchange
  spread_backlog: 7d                     # keys that were due before they were armed take turns
  canary: []                             # path globs that go first
  soak: 0s                               # how long the others wait after a canary is done

exchanges:
  bybit:                                 # example; any exchange takes these
    proxy: null                          # http://proxy.example:3128: an address that keys allow
    egress: []                           # our own addresses, to explain a refusal
    share: 0.2                           # of the exchange's rate limit; the bots need the rest
    base_url: null                       # only for a sandbox or a testnet

every:
  inventory: 5m                          # how often the store is read
  inspect: 1h                            # how often each key is looked at
  tidy: 15m                              # how often left-over keys are looked for

serve:
  listen: 0.0.0.0:9789                   # metrics, health and the read-only API
  web_config: null                       # TLS and passwords, as Prometheus exporters take them
  probes: null                           # host:port of a plain port for probes alone, where
                                         # web_config asks for passwords or certificates

metrics:
  per_credential: all                    # attention (only those with findings), none

lease: none                              # one daemon works, others wait: {file: PATH}, or in a
                                         # pod {kubernetes: {name: rotator, namespace: null,
                                         # duration: 15s, renew_deadline: 10s, retry: 2s,
                                         # service_account: FOLDER}}; a null namespace is its own

audit:
  file: null                             # a copy of the audit trail outside the store
"""


def commented_example() -> str:
    """Return a configuration with every field, a comment to each, that loads as it is."""
    return EXAMPLE
