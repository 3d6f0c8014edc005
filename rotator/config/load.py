"""Load a configuration: environment over file over defaults, or one clear problem."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rotator.config.document import MAX_BYTES, document, parse
from rotator.config.explain import dotted, explained
from rotator.config.models import Config
from rotator.config.problem import ConfigProblem, Unreadable, named, suggestion
from rotator.config.values import loopback
from rotator.core.policy import Revoke, Verify

PREFIX = "ROTATOR_"
SEPARATOR = "__"

VAULT_VARIABLES: Mapping[str, str] = {
    "VAULT_ADDR": "address",
    "VAULT_NAMESPACE": "namespace",
    "VAULT_CACERT": "ca_file",
}
"""Vault's own variables give what neither file nor ROTATOR_ variables say."""


def load(
    path: Path, environ: Mapping[str, str], known_exchanges: Collection[str] = ()
) -> Config | ConfigProblem:
    """Return the configuration of a file, or the first thing that is wrong with it.

    `known_exchanges` are the names that the caller has adapters for; if given,
    others are refused.  No value of the file or the environment is ever repeated.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        what = f"cannot be read ({error.strerror or type(error).__name__})"
        cure = "Name the file with --config or ROTATOR_CONFIG, or write one: `rotator config init`."
        return ConfigProblem(named(str(path)), what, cure)
    return load_bytes(content, environ, known_exchanges, name=named(path.name))


def load_bytes(
    content: bytes,
    environ: Mapping[str, str],
    known_exchanges: Collection[str] = (),
    *,
    name: str = "rotator.yaml",
) -> Config | ConfigProblem:
    """Return the configuration of a file's content, or the first thing wrong with it."""
    origins: dict[str, str] = {}
    raw: dict[str, Any] = {}
    try:
        raw = _without_empty(document(content, name))
        _overlay(raw, environ, origins)
        _choose_store(raw, environ, origins)
        config = Config.model_validate(raw)
    except Unreadable as error:
        return error.problem
    except ValidationError as error:
        return explained(error, raw, origins)
    problems = [
        ConfigProblem(dotted(loc, origins), what, cure)
        for check in CHECKS
        for loc, what, cure in check(config, known_exchanges)
    ]
    if not problems:
        return config
    first = problems[0]
    return ConfigProblem(first.field, first.what, first.cure, len(problems) - 1)


def _without_empty(raw: dict[str, Any]) -> dict[str, Any]:
    """Drop top-level keys without a value: their lines below are commented out."""
    return {key: value for key, value in raw.items() if value is not None}


def _overlay(raw: dict[str, Any], environ: Mapping[str, str], origins: dict[str, str]) -> None:
    """Put the ROTATOR_ variables over the file's values.

    A variable whose first word is no section is not ours: Kubernetes sets
    ROTATOR_PORT and the like for a service called rotator.
    """
    for variable in sorted(environ):
        if not variable.startswith(PREFIX):
            continue
        parts = variable[len(PREFIX) :].lower().split(SEPARATOR)
        if parts[0] not in Config.model_fields:
            continue
        place = raw
        for part in parts[:-1]:
            inner = place.get(part)
            if not isinstance(inner, dict):
                inner = {}
                place[part] = inner
            place = inner
        place[parts[-1]] = _variable(environ[variable], variable)
        origins[".".join(parts)] = variable


def _variable(text: str, variable: str) -> Any:
    """Read a variable's value as YAML: `[a, b]`, `null`, `30d`."""
    try:
        return document_value(text)
    except (yaml.YAMLError, UnicodeError):
        what = "is not a value"
        raise Unreadable(
            ConfigProblem(named(variable), what, "Write it as in the file, such as [a, b].")
        ) from None


def document_value(text: str) -> Any:
    """Return the value of a YAML text; raises yaml.YAMLError or UnicodeError."""
    if len(text) > MAX_BYTES:
        raise yaml.YAMLError
    text.encode("utf-8")
    return parse(text)


def _choose_store(raw: dict[str, Any], environ: Mapping[str, str], origins: dict[str, str]) -> None:
    """Settle on one store, and take from Vault's own variables what is not said."""
    store = raw.setdefault("store", {})
    if store == "local":
        store = raw["store"] = {"local": {}}
    if not isinstance(store, dict):
        return
    if "local" in store and store["local"] is None and "vault" not in store:
        store["local"] = {}
    local = store.get("local") is not None
    if store.get("vault") is None:
        store.pop("vault", None)
    if local:
        return
    vault = store.setdefault("vault", {})
    if not isinstance(vault, dict):
        return
    for variable, field in VAULT_VARIABLES.items():
        if vault.get(field) is None and environ.get(variable):
            vault[field] = environ[variable]
            origins[f"store.vault.{field}"] = variable
    if vault.get("address") is None:
        cure = "Set it or VAULT_ADDR; or set `store.local` for a file instead of a Vault."
        raise Unreadable(ConfigProblem("store.vault.address", "is missing", cure))


# ---------------------------------------------------------------- checks across fields

RETRY_SPREAD = 1.2
"""How much longer than `retry` a look may be put off, to keep those who wait apart."""

Wrong = tuple[tuple[int | str, ...], str, str]


def _one_store(config: Config, _known: Collection[str]) -> Iterator[Wrong]:
    if config.store.vault is not None and config.store.local is not None:
        yield ("store",), "names two stores", "Keep one of `vault` and `local`."


def _one_lease(config: Config, _known: Collection[str]) -> Iterator[Wrong]:
    if config.lease.file is not None and config.lease.kubernetes is not None:
        yield ("lease",), "names two leases", "Keep one of `file` and `kubernetes`."
    section = config.lease.kubernetes
    if section is None:
        return
    at = ("lease", "kubernetes")
    if section.renew_deadline >= section.duration:
        cure = "Give the holder time to end its work between the two, such as 10s and 15s."
        yield (*at, "renew_deadline"), "is not shorter than `duration`", cure
    if section.retry * RETRY_SPREAD >= section.renew_deadline:
        cure = "Let several renewals fit into it, such as 2s and 10s."
        yield (*at, "retry"), "is too long for `renew_deadline`", cure


def _rules(config: Config, known: Collection[str]) -> Iterator[Wrong]:
    policies = {"default", *config.policies}
    for index, rule in enumerate(config.rules):
        if rule.policy is not None and rule.policy not in policies:
            loc = ("rules", index, "policy")
            yield loc, "names a policy that is not configured", suggestion(rule.policy, policies)
        if known and rule.exchange is not None and rule.exchange not in known:
            loc = ("rules", index, "exchange")
            yield loc, "is not an exchange that Rotator knows", suggestion(rule.exchange, known)
        names = list(rule.fields_.named().values())
        if len(set(names)) < len(names):
            what = "maps two words to one field"
            yield ("rules", index, "fields"), what, "Give each word its own field."


def _policies(config: Config, _known: Collection[str]) -> Iterator[Wrong]:
    for name, policy in config.policies.items():
        if policy.verify is Verify.LIST and policy.revoke is Revoke.DRAIN:
            what = "is drain although `verify` is list, where no sign-in proves the new key"
            yield ("policies", name, "revoke"), what, "Write acked or manual."
        for index, blackout in enumerate(policy.blackouts):
            if blackout.to <= blackout.from_:
                loc = ("policies", name, "blackouts", index, "to")
                yield loc, "is not after `from`", "Write a later time."


def _exchanges(config: Config, known: Collection[str]) -> Iterator[Wrong]:
    for name, exchange in config.exchanges.items():
        url = exchange.base_url
        if known and name not in known:
            loc: tuple[str, ...] = ("exchanges", name)
            yield loc, "is not an exchange that Rotator knows", suggestion(name, known)
        if exchange.share is None and (url is None or not loopback(url)):
            what = "is null, which is for a sandbox on this machine only"
            cure = "Write a share such as 0.2, or a loopback `base_url`."
            yield ("exchanges", name, "share"), what, cure
        if url is not None and url.startswith("http://") and not loopback(url):
            what = "is plain http to another machine"
            yield ("exchanges", name, "base_url"), what, "Write https, or a loopback address."


CHECKS: tuple[Callable[[Config, Collection[str]], Iterator[Wrong]], ...] = (
    _one_store,
    _rules,
    _policies,
    _exchanges,
    _one_lease,
)
