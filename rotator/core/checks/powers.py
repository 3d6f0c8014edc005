"""Checks of what the key may do, and from where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from rotator.core.checks.inputs import Case
from rotator.core.checks.said import Said
from rotator.core.cures import keys_page
from rotator.core.facts import KeyFacts
from rotator.core.findings import Code
from rotator.core.policy import OnViolation
from rotator.core.scopes import Scope
from rotator.core.words import key_told, listed, told

Network = IPv4Network | IPv6Network


def _policy(case: Case) -> str:
    return f"policy {told(case.policy.name)}"


def _unfrozen(case: Case) -> str:
    """Return the sentence for who counts on a freeze: no adapter strips a power."""
    if case.policy.on_violation is not OnViolation.FREEZE:
        return ""
    return "Nothing was stripped: Rotator cannot do that, so `freeze` only alerts. "


def withdraw_enabled(case: Case) -> Iterator[Said]:
    """Report that the key may move funds out of the exchange, and no policy names that."""
    facts = case.powers
    if facts is None or facts.scopes is None or Scope.WITHDRAW not in facts.scopes:
        return
    if case.policy.scopes.names(Scope.WITHDRAW):
        return
    yield Said(
        f"The {key_told(case.key_id)} may withdraw funds from the exchange.",
        f"{_unfrozen(case)}Take that permission away at {keys_page(case.context.traits)}; "
        f"or, if it is meant, name `withdraw` itself under `scopes.allow` of {_policy(case)}.",
    )


def overscoped(case: Case) -> Iterator[Said]:
    """Report that the key may do more than its policy allows, or something that no table knows."""
    facts = case.powers
    if facts is None:
        return
    rules = case.policy.scopes
    excess = {s.value for s in rules.excess(facts.scopes or frozenset())}
    unknown = () if rules.names(Scope.OTHER) else facts.unknown_native
    if excess:
        yield Said(
            f"The key may do more than {_policy(case)} allows: {listed(excess)}.",
            f"{_unfrozen(case)}Take it away at {keys_page(case.context.traits)}, "
            "or allow it in the policy.",
        )
    if unknown:
        yield Said(
            f"The key has permissions that Rotator does not know: {listed(unknown)}.",
            "Find out what they do; then take them away, or name `other` under `scopes.allow`.",
        )


def underscoped(case: Case) -> Iterator[Said]:
    """Report that the key lacks a power that its policy requires."""
    facts = case.powers
    if facts is None or facts.scopes is None:
        return
    missing = case.policy.scopes.missing(facts.scopes)
    if missing:
        yield Said(
            f"The key may not do what {_policy(case)} requires: {listed(missing)}.",
            f"Give it that permission at {keys_page(case.context.traits)}, "
            "or take it out of `scopes.require`.",
        )


def scope_drift(case: Case) -> Iterator[Said]:
    """Report that somebody changed the key's permissions since the last look."""
    facts, last = case.facts, case.last
    if facts is None or last is None:
        return
    before, now = _power_words(last), _power_words(facts)
    if before is None or now is None or before == now:
        return
    parts = [
        f"{word} {listed(names)}"
        for word, names in (("gained", now - before), ("lost", before - now))
        if names
    ]
    yield Said(
        f"The key's permissions changed at the exchange: it {' and '.join(parts)}.",
        "Find out who changed them; if nobody knows, treat the account as compromised.",
    )


def no_address_list(case: Case) -> Iterator[Said]:
    """Report that the policy wants an address list and the key has none."""
    facts = case.powers
    if facts is None or not case.policy.addresses.demands or not _without_list(facts):
        return
    yield Said(
        f"The {key_told(case.key_id)} works from every address; {_policy(case)} wants a list.",
        f"Bind it to the consumers' addresses at {keys_page(case.context.traits)}.",
    )


def address_unknown(case: Case) -> Iterator[Said]:
    """Report that the policy demands addresses that the exchange does not tell."""
    facts, rules = case.powers, case.policy.addresses
    if facts is None or not rules.demands or _without_list(facts) or facts.ip_allowlist:
        return
    if facts.ip_restricted and rules.exact is None and rules.subset is None:
        return
    yield Said(
        f"The exchange does not tell the key's addresses, on which {_policy(case)} has a rule.",
        f"Compare the list by eye at {keys_page(case.context.traits)}.",
    )


def address_drift(case: Case) -> Iterator[Said]:
    """Report that the list is not what the policy says, or it changed since the last look."""
    facts = case.powers
    if facts is None or facts.ip_allowlist is None:
        return
    page, rules = keys_page(case.context.traits), case.policy.addresses
    if facts.ip_allowlist and (rules.exact is not None or rules.subset is not None):
        extra, lacking = _against(facts.ip_allowlist, rules.exact, rules.subset)
        if extra or lacking:
            yield Said(
                f"The key's addresses differ from {_policy(case)}:{_differences(extra, lacking)}.",
                f"Correct the list at {page}, or `addresses` in the policy.",
            )
    last = case.last.ip_allowlist if case.last else None
    if case.facts is facts and last is not None and set(last) != set(facts.ip_allowlist):
        changes = _differences(
            set(facts.ip_allowlist) - set(last), set(last) - set(facts.ip_allowlist)
        )
        yield Said(
            f"The key's addresses changed at the exchange:{changes}.",
            f"Find out who changed them; if nobody knows, put the old list back at {page} "
            "and treat the account as compromised.",
        )


def weak_key_type(case: Case) -> Iterator[Said]:
    """Report that the policy wants another type of key."""
    wanted, facts = case.policy.key_type, case.powers
    if wanted is None or facts is None or facts.key_type is None:
        return
    if facts.key_type.casefold() == wanted.casefold():
        return
    yield Said(
        f"The key is of type {told(facts.key_type)}, {_policy(case)} wants {told(wanted)}.",
        f"Create a key of type {told(wanted)} at {keys_page(case.context.traits)}.",
    )


def _power_words(facts: KeyFacts) -> frozenset[str] | None:
    """Return the native permissions, or the scopes where there are none."""
    if facts.native is not None:
        flags = (f"{k}={v}" for k, v in facts.native_flags)
        return frozenset((*facts.native, *flags))
    return None if facts.scopes is None else frozenset(s.value for s in facts.scopes)


def _without_list(facts: KeyFacts) -> bool:
    return facts.ip_restricted is False or facts.ip_allowlist == ()


def _differences(extra: Iterable[str], lacking: Iterable[str]) -> str:
    parts = [
        f" {word} {listed(items)}"
        for word, items in (("has", list(extra)), ("lacks", list(lacking)))
        if items
    ]
    return ",".join(parts)


def _against(
    have: tuple[str, ...], exact: tuple[str, ...] | None, subset: tuple[str, ...] | None
) -> tuple[list[str], list[str]]:
    """Return the entries that are too many, and those that `exact` misses."""
    extra: list[str] = []
    lacking: list[str] = []
    if exact is not None:
        wanted = {_normal(a) for a in exact}
        mine = {_normal(a) for a in have}
        extra += [a for a in have if _normal(a) not in wanted]
        lacking += [a for a in exact if _normal(a) not in mine]
    if subset is not None:
        networks = [n for n in map(_network, subset) if n is not None]
        extra += [a for a in have if not _within(a, networks)]
    return extra, lacking


def _network(address: str) -> Network | None:
    """Return an address or CIDR block as a network; None for what is neither."""
    try:
        return ip_network(address.strip(), strict=False)
    except ValueError:
        return None


def _normal(address: str) -> str:
    network = _network(address)
    return address if network is None else str(network)


def _within(address: str, networks: list[Network]) -> bool:
    inner = _network(address)
    if inner is None:
        return False
    return any(_contains(outer, inner) for outer in networks)


def _contains(outer: Network, inner: Network) -> bool:
    if isinstance(outer, IPv4Network) and isinstance(inner, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(outer, IPv6Network) and isinstance(inner, IPv6Network):
        return inner.subnet_of(outer)
    return False


CHECKS = (
    (Code.WITHDRAW_ENABLED, withdraw_enabled),
    (Code.OVERSCOPED, overscoped),
    (Code.UNDERSCOPED, underscoped),
    (Code.NO_ADDRESS_LIST, no_address_list),
    (Code.ADDRESS_DRIFT, address_drift),
    (Code.SCOPE_DRIFT, scope_drift),
    (Code.WEAK_KEY_TYPE, weak_key_type),
    (Code.ADDRESS_UNKNOWN, address_unknown),
)
