"""Alerts about the store: Vault must answer, let us in, and be the Vault that we know."""

from __future__ import annotations

from deploy.monitoring.alerts.promql import series
from deploy.monitoring.alerts.rule import Alert, Group, Severity
from rotator.core.findings import Code

SEALED = f"max by (namespace) ({series('rotator_store_sealed')}) == 1"
RESTORED = series("rotator_findings", f'code="{Code.STORE_RESTORED}"')

STORE = Group(
    "rotator.store",
    (
        Alert(
            "RotatorStoreDown",
            Severity.CRITICAL,
            "5m",
            f"""\
max by (namespace) ({series("rotator_store_up")}) == 0
unless on (namespace)
{SEALED}""",
            "Vault gives Rotator no answer, or refuses its login.",
            "Rotator has had no working login at its store for 5 minutes. Consumers may be cut"
            " off as well. Rotations wait at a safe place.",
            by=("namespace",),
        ),
        Alert(
            "RotatorStoreSealed",
            Severity.CRITICAL,
            "5m",
            SEALED,
            "Vault is sealed.",
            "Vault says that it is sealed: nobody can read a key from it. Rotations wait at a"
            " safe place.",
            by=("namespace",),
        ),
        # A login is renewed with 30 % of its life left, or made anew with 20 %: this is
        # past both for every login that lives 25 minutes or longer.
        Alert(
            "RotatorStoreTokenExpiring",
            Severity.CRITICAL,
            "1m",
            f"min by (namespace) ({series('rotator_store_token_expiration_timestamp_seconds')})"
            " - time() < 300",
            "Rotator's login at Vault is about to end and is not renewed.",
            "Rotator's Vault token ends in {{ $value | humanizeDuration }} and neither renewal"
            " nor a new login has worked.",
            by=("namespace",),
        ),
        Alert(
            "RotatorStoreRestored",
            Severity.CRITICAL,
            "1m",
            f"max by (code) ({RESTORED}) > 0",
            "Vault was restored from an older state; Rotator only watches.",
            "The store is older than what Rotator saw of it. It may hold dead keys. Nothing is"
            " rotated or deleted until a person says `rotator resume`.",
            by=("code",),
        ),
    ),
)
