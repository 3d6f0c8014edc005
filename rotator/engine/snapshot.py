"""All credentials at one instant, judged and planned.  Holds no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rotator.core.checks import Incident, Judgement
from rotator.core.facts import Credential, KeyFacts, Look, StoredKey
from rotator.core.findings import Finding, Severity
from rotator.core.names import CredentialName, ExchangeName, StorePath
from rotator.core.schedule import Planned, Surroundings
from rotator.engine.listings import Listed
from rotator.stores.epoch import Going, Restored, Standing
from rotator.stores.port import StoreFault


@dataclass(frozen=True, slots=True)
class Seen:
    """One credential as a pass saw it.

    `look` is the last look at the key that it holds now, `looked_at` its time;
    `facts` are the newest facts of that key, from an earlier look if need be.
    """

    credential: Credential
    stored: StoredKey
    look: Look | None
    looked_at: datetime | None
    facts: KeyFacts | None
    created_at: datetime | None
    judgement: Judgement
    planned: Planned | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one pass came to.

    `standing` None = nobody could tell whether the store was restored, so nothing
    is done.  `complete` speaks of the inventory; `faults` are its unread places.
    `findings` are those of the estate first, then of each credential.  `problems`
    are sentences on what else failed: the facts' memory, a void command.
    """

    at: datetime
    standing: Standing | None
    complete: bool
    credentials: tuple[Seen, ...]
    findings: tuple[Finding, ...]
    incidents: tuple[Incident, ...] = ()
    plan: tuple[Planned, ...] = ()
    around: Surroundings = field(default_factory=Surroundings)
    creates: Mapping[ExchangeName, tuple[datetime, ...]] = field(default_factory=dict)
    listed: tuple[Listed, ...] = ()
    others: int = 0
    other_paths: tuple[StorePath, ...] = ()
    faults: tuple[StoreFault, ...] = ()
    problems: tuple[str, ...] = ()
    looks: int = 0
    by_name: Mapping[CredentialName, Seen] = field(default_factory=dict, repr=False)

    @property
    def acts(self) -> bool:
        """Say whether anything may be rotated or deleted at all."""
        return isinstance(self.standing, Going)

    @property
    def restored(self) -> str | None:
        """Return why the store looks restored, None if it does not."""
        return self.standing.message if isinstance(self.standing, Restored) else None

    @property
    def critical(self) -> bool:
        """Say whether a finding is critical."""
        return any(f.severity is Severity.CRITICAL for f in self.findings)
