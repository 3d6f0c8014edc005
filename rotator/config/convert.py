"""From the configuration to what the core works with, and to what may be shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from rotator.config.models import Config, PolicySection, RuleSection, WindowSection
from rotator.config.values import DEFAULT_AGE, duration_text
from rotator.core.credentials import Rule
from rotator.core.policy import DEFAULT_POLICY, AddressRules, Policy, ScopeRules
from rotator.core.schedule import Limits
from rotator.core.windows import DAY_NAMES, Blackout, Calendar, Window


def policies(config: Config) -> dict[str, Policy]:
    """Return every policy by name; `default` is the built-in one unless configured."""
    named = {name: _policy(name, section) for name, section in config.policies.items()}
    return {DEFAULT_POLICY.name: DEFAULT_POLICY, **named}


def rules(config: Config) -> tuple[Rule, ...]:
    """Return the rules in order."""
    return tuple(_rule(section) for section in config.rules)


def limits(config: Config) -> Limits:
    """Return the blast radius."""
    section = config.rotation
    return Limits(
        armed=section.armed,
        in_flight=section.in_flight,
        creates_per_hour=section.creates_per_hour,
        spread_backlog=section.spread_backlog,
        canary=section.canary,
        soak=section.soak,
    )


def show(config: Config) -> dict[str, Any]:
    """Return the configuration in its public form, without a proxy's password."""
    return config.model_dump(mode="json", by_alias=True)


class _Schema(GenerateJsonSchema):
    """Writes defaults as the configuration spells them: `5m`, not `PT5M`."""

    def encode_default(self, dft: Any) -> Any:
        """Return a default in the public form."""
        if isinstance(dft, timedelta):
            return duration_text(dft)
        if isinstance(dft, BaseModel):
            return dft.model_dump(mode="json", by_alias=True)
        return super().encode_default(dft)


def config_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration."""
    schema = Config.model_json_schema(by_alias=True, schema_generator=_Schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _rule(section: RuleSection) -> Rule:
    return Rule(
        match=section.match,
        exchange=section.exchange,
        account=section.account,
        policy=section.policy,
        parent=section.parent,
        lister=section.lister,
        owner=section.owner,
        strategy=section.strategy.value if section.strategy else None,
        consumers=section.consumers,
        environment=section.environment,
        managed=section.managed,
        name=section.name,
        fields=section.fields_.named(),
    )


def _policy(name: str, section: PolicySection) -> Policy:
    ages = dict(section.max_age)
    return Policy(
        name=name,
        max_age=ages.pop(DEFAULT_AGE, DEFAULT_POLICY.max_age),
        max_age_of=tuple(ages.items()),
        warn_before=section.warn_before,
        scopes=ScopeRules(section.scopes.allow, section.scopes.require, section.scopes.forbid),
        addresses=AddressRules(
            section.addresses.require, section.addresses.exact, section.addresses.subset
        ),
        min_left=section.expiry.min_left,
        strategy=section.strategy,
        verify=section.verify,
        revoke=section.revoke,
        drain=section.drain,
        calendar=Calendar(
            tuple(_window(w) for w in section.windows),
            tuple(Blackout(b.from_, b.to) for b in section.blackouts),
        ),
        consumers=section.consumers,
        on_violation=section.on_violation,
        severity=dict(section.severity),
        key_type=section.key_type,
        dormant_after=section.dormant_after,
    )


def _window(section: WindowSection) -> Window:
    days = frozenset(DAY_NAMES.index(day) for day in section.days)
    return Window(days, section.from_, section.for_, ZoneInfo(section.zone))
