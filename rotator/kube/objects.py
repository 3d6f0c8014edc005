"""A Lease as the API server has it: what we read of it, and what we write.

Times in it are for people: nobody here decides anything by another's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

API_VERSION: Final = "coordination.k8s.io/v1"
RELEASED_SECONDS: Final = 1
"""What a released Lease says of its duration: other electors take it at once."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One Lease; `version` is its resourceVersion, empty before it is created.

    `spec` is as the API server gives it, fields that we do not know included, so that
    two looks can be compared; `metadata` keeps labels and the like at a write.
    """

    name: str
    namespace: str
    version: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def holder(self) -> str:
        """Who holds it, empty for nobody."""
        found = self.spec.get("holderIdentity")
        return found if isinstance(found, str) else ""

    @property
    def seconds(self) -> float | None:
        """How long it holds after a renewal; None where it does not say."""
        found = self.spec.get("leaseDurationSeconds")
        if not isinstance(found, int) or isinstance(found, bool) or found <= 0:
            return None
        return float(found)

    @property
    def annotations(self) -> Mapping[str, str]:
        """Its annotations."""
        found = self.metadata.get("annotations")
        return found if isinstance(found, dict) else {}

    def held_by(self, holder: str, seconds: int, now: datetime) -> Lease:
        """Return it as taken, or as renewed if this one holds it already."""
        spec = dict(self.spec)
        if self.holder != holder:
            spec["acquireTime"] = micro_time(now)
            spec["leaseTransitions"] = self._transitions() + bool(self.version)
        spec |= {
            "holderIdentity": holder,
            "leaseDurationSeconds": seconds,
            "renewTime": micro_time(now),
        }
        return replace(self, spec=spec)

    def released(self, now: datetime) -> Lease:
        """Return it as held by nobody."""
        changes = {
            "holderIdentity": "",
            "leaseDurationSeconds": RELEASED_SECONDS,
            "renewTime": micro_time(now),
        }
        return replace(self, spec={**self.spec, **changes})

    def annotated(self, name: str, value: str) -> Lease:
        """Return it with one annotation set."""
        annotations = {**self.annotations, name: value}
        return replace(self, metadata={**self.metadata, "annotations": annotations})

    def anew(self) -> Lease:
        """Return it as it must be created again: its annotations stay."""
        kept = {"annotations": dict(self.annotations)} if self.annotations else {}
        return Lease(self.name, self.namespace, "", dict(self.spec), kept)

    def document(self) -> dict[str, Any]:
        """Return what is sent."""
        metadata = {**self.metadata, "name": self.name, "namespace": self.namespace}
        metadata.pop("managedFields", None)
        if self.version:
            metadata["resourceVersion"] = self.version
        return {
            "apiVersion": API_VERSION,
            "kind": "Lease",
            "metadata": metadata,
            "spec": dict(self.spec),
        }

    def _transitions(self) -> int:
        found = self.spec.get("leaseTransitions")
        return found if isinstance(found, int) and not isinstance(found, bool) else 0


def lease_from(document: object, name: str, namespace: str) -> Lease | None:
    """Return the Lease in an answer; None for anything else."""
    if not isinstance(document, dict) or document.get("kind") != "Lease":
        return None
    metadata, spec = document.get("metadata"), document.get("spec") or {}
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        return None
    version = metadata.get("resourceVersion")
    if metadata.get("name") != name or not isinstance(version, str) or not version:
        return None
    return Lease(name, namespace, version, spec, metadata)


def micro_time(at: datetime) -> str:
    """Return a time as MicroTime is written: always six digits, always UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
