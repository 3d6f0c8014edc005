"""Alerts about the daemon itself: somebody must look, or all other alerts are worth nothing."""

from __future__ import annotations

from deploy.monitoring.alerts.promql import series
from deploy.monitoring.alerts.rule import Alert, Group, Severity

PASSED = f"last_over_time({series('rotator_pass_last_success_timestamp_seconds')}[1h])"
LOOKS = series("rotator_exchange_requests_total", 'operation="inspect"', 'outcome="ok"')
PASSES = "rotator_passes_total"

DAEMON = Group(
    "rotator.daemon",
    (
        Alert(
            "RotatorDown",
            Severity.CRITICAL,
            "10m",
            f"absent({series('up')} == 1)",
            "No Rotator answers; nobody looks at the exchange keys.",
            "Prometheus has reached no Rotator for 10 minutes. Keys are neither watched nor"
            " rotated, and no other alert about them can fire.",
        ),
        # A crash loop starts a new process before the old age is reached, so what counts
        # is the last success of any of them.
        Alert(
            "RotatorPassStalled",
            Severity.CRITICAL,
            "10m",
            f"""\
time() - max by (namespace) ({PASSED}) > 900
or
(
  count by (namespace) (max_over_time({series("up")}[15m])) * 0 + 3600
  unless on (namespace)
  {PASSED}
)""",
            "Rotator runs but has stopped looking at the keys.",
            "No pass over the keys has succeeded for {{ $value | humanizeDuration }} or longer;"
            " three should have. What the metrics say of the keys is that old.",
            by=("namespace",),
        ),
        # A pass that may read nothing succeeds, and accounts are listed by a remembered key:
        # only the missing looks show it.  What was first scraped later than that is too young.
        Alert(
            "RotatorNothingInspected",
            Severity.CRITICAL,
            "5m",
            f"""\
sum by (namespace) (increase({LOOKS}[3h])) == 0
and on (namespace)
group by (namespace) ({LOOKS} offset 3h)""",
            "Rotator runs but looks at no key.",
            "In three hours no exchange has told Rotator anything of any key, though it did before."
            " What the metrics say of the keys is that old.",
            by=("namespace",),
        ),
        Alert(
            "RotatorNoLeader",
            Severity.CRITICAL,
            "5m",
            f"""\
count by (namespace) ({series("up")} == 1)
unless on (namespace)
sum by (namespace) ({series("rotator_leader")}) > 0""",
            "Rotator runs but none of its processes leads.",
            "{{ $value }} process(es) of Rotator answer and none leads: all wait for the"
            " lease, or for the store. Nothing is watched or rotated.",
            by=("namespace",),
        ),
        Alert(
            "RotatorAuditFailing",
            Severity.CRITICAL,
            "0m",
            f"sum by (namespace) (increase({series('rotator_audit_write_failures_total')}[15m]))"
            " > 0",
            "Rotator cannot write its audit trail.",
            "About {{ $value | humanize }} audit lines could not be written in 15 minutes."
            " Rotations go on; their steps are still in history/ and in the logs.",
            by=("namespace",),
        ),
        Alert(
            "RotatorSeveralLeaders",
            Severity.WARNING,
            "5m",
            f"sum by (namespace) ({series('rotator_leader')}) > 1",
            "More than one Rotator leads.",
            "{{ $value }} processes lead at once. The store's compare-and-set keeps them from"
            " rotating a key twice, but they share no rate limit and double every look.",
            by=("namespace",),
        ),
        Alert(
            "RotatorInventoryIncomplete",
            Severity.WARNING,
            "30m",
            f"""\
sum by (namespace) (increase({series(PASSES, 'result="incomplete"')}[30m])) > 0
unless on (namespace)
sum by (namespace) (increase({series(PASSES, 'result="complete"')}[30m])) > 0""",
            "Rotator cannot read a part of the store.",
            "Every pass of the last half hour left out a folder or secret that could not be read."
            " Keys there are not watched, and no old key is deleted anywhere until it can be.",
            by=("namespace",),
        ),
        Alert(
            "RotatorConfigReloadFailed",
            Severity.WARNING,
            "10m",
            "min by (namespace, pod, instance)"
            f" ({series('rotator_config_last_reload_successful')}) == 0",
            "Rotator refused its changed configuration.",
            "{{ $labels.instance }} could not use the changed configuration and goes on with the"
            " one before; at its next start it will not come up.",
            by=("namespace", "pod", "instance"),
        ),
    ),
)
