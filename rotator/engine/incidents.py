"""Many keys of one exchange that died at once: nothing destructive until that is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rotator.core.checks import Incident, Watched, mass_invalidation
from rotator.core.checks.inputs import DEAD
from rotator.core.names import ExchangeName


@dataclass(slots=True)
class Incidents:
    """The incidents of the last pass; each stays while its condition holds.

    `suspected` are exchanges where one more look that says dead would make an
    incident.  They are not told, but nothing is deleted meanwhile: so a restart
    in the middle of an incident opens no door.
    """

    confirmed: tuple[Incident, ...] = ()
    suspected: frozenset[ExchangeName] = field(default_factory=frozenset)

    def judge(self, watched: Sequence[Watched]) -> tuple[Incident, ...]:
        """Judge all keys anew."""
        if not any(key.validity in DEAD for key in watched):
            self.confirmed, self.suspected = (), frozenset()
            return ()
        self.confirmed = mass_invalidation(watched)
        sooner = (
            replace(key, dead_looks=key.dead_looks + 1) if key.validity in DEAD else key
            for key in watched
        )
        self.suspected = frozenset(i.exchange for i in mass_invalidation(sooner))
        return self.confirmed

    @property
    def any(self) -> bool:
        """Say whether there is an incident, or the suspicion of one."""
        return bool(self.confirmed or self.suspected)

    def of(self, exchange: ExchangeName) -> Incident | None:
        """Return the incident of an exchange."""
        return next((i for i in self.confirmed if i.exchange == exchange), None)

    def sentence(self) -> str | None:
        """Say why nothing may be deleted anywhere now; None if it may."""
        if not self.any:
            return None
        names = sorted({i.exchange for i in self.confirmed} | self.suspected)
        return f"many keys of {', '.join(names)} died at about the same time"
