"""Alerts about credentials: a page per exchange, code and owner, never one per credential."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.alerts.promql import CREDENTIAL, none_of, one_of, owners, series
from deploy.monitoring.alerts.rule import Alert, Group, Severity
from rotator.core.findings import Code

PAGED_ELSEWHERE: Final = (
    Code.WITHDRAW_ENABLED,
    Code.FOREIGN_KEY,
    Code.INVALID,
    Code.EXPIRED,
    Code.EXPIRY_IMMINENT,
    Code.ROTATION_STUCK,
    Code.REVOCATION_OWED,
    Code.MASS_INVALIDATION,
    Code.STORE_RESTORED,
)
"""Critical codes with an alert of their own."""

TOLD_ELSEWHERE: Final = (
    Code.OVERDUE,
    Code.EXPIRES_SOON,
    Code.AGE_UNKNOWN,
    Code.STRAY_KEY,
    Code.EXCHANGE_CLOSING,
    Code.EXCHANGE_CLOSED,
)
"""Codes of severity warning with an alert of their own."""

CRITICAL: Final = 'severity="critical"'
WARNING: Final = 'severity="warning"'
BY_OWNER: Final = ("exchange", "code", "owner")
BY_KEY: Final = ("exchange", "account", "credential", "owner")
OWNER: Final = '{{ or $labels.owner "no named owner" }}'
THEIRS: Final = "{{ $value }} credential(s) of " + OWNER + " at {{ $labels.exchange }}"
NAMED: Final = (
    "{{ if $labels.credential }}{{ $labels.credential }} at {{ $labels.exchange }} (account"
    ' {{ or $labels.account "unknown" }}, ' + OWNER + "){{ else }}A credential at"
    " {{ $labels.exchange }}{{ end }}"
)
EXPIRATION = series("rotator_credential_expiration_timestamp_seconds")
LEFT = f"max by ({CREDENTIAL}) ({EXPIRATION}) - time()"
NEXT_LEFT = f"min by (exchange) ({series('rotator_next_expiration_timestamp_seconds')}) - time()"
DUE = series("rotator_credential_rotation_due_timestamp_seconds")
INSPECTED = series("rotator_credential_last_inspected_timestamp_seconds")
DEAD = series("rotator_finding", one_of((Code.INVALID, Code.EXPIRED)))
CLOSED = series("rotator_findings", one_of((Code.EXCHANGE_CLOSED,)))


def _found(name: str, hold: str, codes: tuple[Code, ...], summary: str, what: str) -> Alert:
    """Return the page about credentials with one of these critical findings."""
    expr = owners(CRITICAL, one_of(codes))
    return Alert(name, Severity.CRITICAL, hold, expr, summary, f"{THEIRS} {what}", by=BY_OWNER)


PAGES = (
    Alert(
        "RotatorMassInvalidation",
        Severity.CRITICAL,
        "1m",
        "max by (exchange, code) ("
        f"{series('rotator_findings', one_of((Code.MASS_INVALIDATION,)))}) > 0",
        "Many keys of one exchange have died at about the same time.",
        "{{ $value }} keys at {{ $labels.exchange }} have died at about the same time. Nothing"
        " is rotated or deleted anywhere until this is cleared.",
        by=("exchange", "code"),
    ),
    _found(
        "RotatorWithdrawEnabled",
        "5m",
        (Code.WITHDRAW_ENABLED,),
        "A key that may withdraw funds is in use.",
        "may withdraw funds, and their policy does not name that.",
    ),
    _found(
        "RotatorForeignKey",
        "5m",
        (Code.FOREIGN_KEY,),
        "An account holds a key that nobody knows.",
        "manage accounts with keys that stand in no secret and in no record. Somebody made them"
        " elsewhere.",
    ),
    _found(
        "RotatorCredentialInvalid",
        "5m",
        (Code.INVALID, Code.EXPIRED),
        "An exchange refuses a key that Vault hands out.",
        "hold a key that the exchange refuses ({{ $labels.code }}). Their consumers cannot trade.",
    ),
    Alert(
        "RotatorCredentialExpiryImminent",
        Severity.CRITICAL,
        "5m",
        f"""\
count by (exchange, owner) (
  {LEFT} < 86400
  unless on ({CREDENTIAL})
  {DEAD}
)
or
(
  count by (exchange) (({NEXT_LEFT} < 86400) > 0)
  unless on (exchange)
  {EXPIRATION}
)""",
        "An exchange ends a key within a day.",
        f"{THEIRS} hold a key that the exchange ends within a day.",
        by=("exchange", "owner"),
    ),
    Alert(
        "RotatorCriticalFinding",
        Severity.CRITICAL,
        "5m",
        owners(CRITICAL, none_of(PAGED_ELSEWHERE)),
        "Credentials have a critical finding.",
        f"{THEIRS} have the critical finding {{{{ $labels.code }}}}.",
        by=BY_OWNER,
    ),
)

TICKETS = (
    Alert(
        "RotatorCredentialExpiring",
        Severity.WARNING,
        "1h",
        f"""\
(
  {LEFT} < 7 * 86400
) >= 86400
or
(
  {NEXT_LEFT} < 7 * 86400
  unless on (exchange)
  {EXPIRATION}
) >= 86400""",
        "An exchange ends a key within a week.",
        f"{NAMED} ends in {{{{ $value | humanizeDuration }}}} and has not been replaced.",
        by=BY_KEY,
    ),
    Alert(
        "RotatorCredentialOverdue",
        Severity.WARNING,
        "1h",
        f"""\
time() - max by ({CREDENTIAL}) ({DUE}) > 86400
or
(
  (max by (exchange) ({series("rotator_overdue")}) > 0) * 0 + 86400
  unless on (exchange)
  {DUE}
)""",
        "A key should have been replaced a day ago or earlier.",
        f"{NAMED} has been due for {{{{ $value | humanizeDuration }}}} or longer.",
        by=BY_KEY,
    ),
    Alert(
        "RotatorFinding",
        Severity.WARNING,
        "1h",
        owners(WARNING, none_of(TOLD_ELSEWHERE)),
        "Credentials have a finding that a person should look at.",
        f"{THEIRS} have the finding {{{{ $labels.code }}}}.",
        by=BY_OWNER,
    ),
    Alert(
        "RotatorUnknownTooLong",
        Severity.WARNING,
        "24h",
        f"max by (exchange, what) ({series('rotator_unknown')}) > 0",
        "For a day nobody has been able to tell what a key is.",
        "Of {{ $value }} credential(s) at {{ $labels.exchange }} the {{ $labels.what }} has been"
        " unknown for a day, although the exchange tells it.",
        by=("exchange", "what"),
    ),
    Alert(
        "RotatorInspectionStale",
        Severity.WARNING,
        "1h",
        f"""\
count by (exchange, owner) (
  time() - max by ({CREDENTIAL}) ({INSPECTED}) > 86400
)
unless on (exchange)
{CLOSED} > 0""",
        "An exchange has told nothing of a key for a day.",
        f"Of {THEIRS} the exchange has told nothing for a day or longer; what is shown of them"
        " is that old.",
        by=("exchange", "owner"),
    ),
    Alert(
        "RotatorStrays",
        Severity.WARNING,
        "2h",
        f"max by (exchange) ({series('rotator_strays')}) > 0",
        "Leftover keys of rotations are not removed.",
        "{{ $value }} key(s) at {{ $labels.exchange }} are useless leftovers of rotations, and the"
        " tidy has not removed them for two hours.",
        by=("exchange",),
    ),
    Alert(
        "RotatorExchangeClosed",
        Severity.WARNING,
        "1h",
        owners(WARNING, one_of((Code.EXCHANGE_CLOSING, Code.EXCHANGE_CLOSED))),
        "An exchange closes or has closed, and keys of it are still in Vault.",
        f"{THEIRS} have the finding {{{{ $labels.code }}}}: funds must be moved, consumers"
        " stopped and the secrets taken out of the store.",
        by=BY_OWNER,
    ),
)

CREDENTIALS = Group("rotator.credentials", PAGES + TICKETS)
