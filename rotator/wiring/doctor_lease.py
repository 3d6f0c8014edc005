"""Whether this pod may take part in the election, as `doctor` asks the API server.

Nothing is changed: the writes are dry runs, which pass through the same authorisation.
"""

from __future__ import annotations

from collections.abc import Mapping

from rotator.config import Config
from rotator.core.words import told
from rotator.engine.clock import Clock
from rotator.kube.client import Answer, Away, Found, LeaseClient, Refused
from rotator.wiring import SetupError
from rotator.wiring.checked import Check, bad, good
from rotator.wiring.leading import cluster_of

SECONDS = 5.0
CURE = "bind the chart's Role to this service account, or see `lease.kubernetes`"


async def lease(config: Config, environ: Mapping[str, str], clock: Clock) -> list[Check]:
    """Return whether the Lease may be read and written; empty without a Kubernetes lease."""
    section = config.lease.kubernetes
    if section is None:
        return []
    try:
        cluster = cluster_of(section, environ)
    except SetupError as error:
        return [good("lease", "not asked for: only a pod sees it", str(error))]
    client = LeaseClient(cluster, section.name, clock.monotonic)
    try:
        return [await _asked(client)]
    finally:
        await client.aclose()


async def _asked(client: LeaseClient) -> Check:
    seen = await client.get(SECONDS)
    answers: list[Answer] = [seen, await client.create(client.blank(), SECONDS, dry=True)]
    if isinstance(seen, Found):
        answers.append(await client.replace(seen.lease, SECONDS, dry=True))
    for answer in answers:
        if isinstance(answer, Refused | Away):
            return bad("lease", answer.why, CURE)
    holder = seen.lease.holder if isinstance(seen, Found) else ""
    who = f"{told(holder)} leads" if holder else "nobody leads"
    return good("lease", f"it can be read and written; {who}")
