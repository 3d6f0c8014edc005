"""The pieces that the alerts' expressions are put together from.

Every selector begins with `SELECTOR`, which each file replaces by its own.  Series of
a credential come from the leader alone; still they are brought together over
replicas (`group by`, `max by`), so that a change of leader does not fire anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import indent

from rotator.core.findings import Code

SELECTOR = "%SELECTOR%"
CREDENTIAL = "exchange, account, credential, owner"


def series(name: str, *matchers: str) -> str:
    """Return a selector of one metric."""
    return f"{name}{{{', '.join([SELECTOR, *matchers])}}}"


def one_of(codes: Iterable[Code]) -> str:
    """Return the matcher of these reason codes."""
    text = "|".join(codes)
    return f'code=~"{text}"' if "|" in text else f'code="{text}"'


def none_of(codes: Iterable[Code]) -> str:
    """Return the matcher of all reason codes but these."""
    return f'code!~"{"|".join(codes)}"'


def of_leader(name: str) -> str:
    """Return a metric as the process that leads now has it; former leaders remember old values."""
    return f"({series(name)} and on (instance) {series('rotator_leader')} == 1)"


def owners(*matchers: str) -> str:
    """Return how many credentials have such a finding, by exchange, code and owner.

    Without series per credential (`metrics.per_credential`) the owner is unknown and
    the count per exchange stands in, so that no setting makes an alert silent.
    """
    open_ = series("rotator_finding", *matchers)
    return f"""\
count by (exchange, code, owner) (
  group by ({CREDENTIAL}, code) ({open_})
)
or
(
  max by (exchange, code) ({series("rotator_findings", *matchers)}) > 0
  unless on (exchange, code)
  {open_}
)"""


def owned(count: str, code: Code) -> str:
    """Return a count by exchange once per owner of a credential there with this finding.

    The finding is as old as the last pass, the count is not: until a pass has told
    the owner, or without series per credential, the count stands alone.
    """
    finding = series("rotator_finding", f'code="{code}"')
    return f"""\
(
{indent(count, "  ")}
)
* on (exchange) group_right ()
group by (exchange, owner) ({finding})
or
(
  (
{indent(count, "    ")}
  )
  unless on (exchange)
  {finding}
)"""


def quarantined() -> str:
    """Return how many rotations ask a question, by exchange."""
    open_ = series("rotator_rotations_open", 'phase="QUARANTINED"')
    return f"max by (exchange) ({open_})"


def error_ratio(window: str) -> str:
    """Return the part of an exchange's answers that were failures of its own, 0 to 1."""
    failed = series(
        "rotator_exchange_requests_total", 'outcome=~"maintenance|unknown_outcome|other"'
    )
    every = series("rotator_exchange_requests_total")
    return f"""\
  sum by (exchange) (rate({failed}[{window}]))
/
  sum by (exchange) (rate({every}[{window}]))"""


def burn(long: str, short: str, factor: float, slo: float = 0.99) -> str:
    """Return the error ratio of the long window where both windows burn so fast.

    `factor` 1 uses up the error budget of 30 days in 30 days.
    """
    limit = f"{factor * (1 - slo):.3f}"
    return f"""\
(
{error_ratio(long)}
) > {limit}
and
(
{error_ratio(short)}
) > {limit}"""
