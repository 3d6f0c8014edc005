"""What all dashboards have in common: their variables, the links between them, their JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as parts
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from deploy.monitoring.dashboards.parts import SOURCE
from deploy.monitoring.panels import FIRST_OTHER, NUMBERS

TAG: Final = "rotator-mixin"
TITLES: Final = {
    "rotator-fleet": "Rotator: fleet",
    "rotator-credential": "Rotator: one credential",
    "rotator-rotations": "Rotator: rotations",
    "rotator-exchanges": "Rotator: exchanges",
    "rotator-daemon": "Rotator: the daemon",
}
"""Every dashboard by its uid, in the order of the links."""

Panels = Sequence[Builder[dashboard.Panel]]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable: the values of `label` in a series; `one` = a single value, no `All`."""

    label: str
    within: str
    what: str
    one: bool = False


JOB: Final = Choice("job", "rotator_build_info", "Which Rotator, by its scrape job.")
EXCHANGE: Final = Choice(
    "exchange", 'rotator_credentials{job=~"$job"}', "Narrows every panel that knows exchanges."
)
ACCOUNT: Final = Choice(
    "account",
    'rotator_credential_info{job=~"$job", exchange=~"$exchange"}',
    "Narrows the tables of credentials; counts are per exchange.",
)
FLEET: Final = (JOB, EXCHANGE, ACCOUNT)


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard before it is written."""

    uid: str
    what: str
    choices: tuple[Choice, ...]
    panels: Panels

    def as_json(self) -> Json:
        """Return it in Grafana's Classic model."""
        built = (
            parts.Dashboard(TITLES[self.uid])
            .uid(self.uid)
            .description(self.what)
            .tags([TAG])
            .readonly()
            .timezone("browser")
            .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
            .time("now-6h", "now")
            .refresh("30s")
            .with_variable(_source())
        )
        for choice in self.choices:
            built.with_variable(_variable(choice))
        for uid, title in TITLES.items():
            if uid != self.uid:
                built.link(_link(uid, title))
        for panel in self.panels:
            built.with_panel(panel)
        return _tidied(json.loads(json.dumps(built.build(), cls=JSONEncoder)))


def _source() -> parts.DatasourceVariable:
    return (
        parts.DatasourceVariable("datasource")
        .label("Data source")
        .description("The Prometheus that scrapes Rotator.")
        .type("prometheus")
    )


def _variable(choice: Choice) -> parts.QueryVariable:
    query = f"label_values({choice.within}, {choice.label})"
    variable = (
        parts.QueryVariable(choice.label)
        .label(choice.label.capitalize())
        .description(choice.what)
        .datasource(SOURCE)
        .query({"query": query, "refId": choice.label})
        .definition(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )
    if choice.one:
        return variable
    everything = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])
    return variable.multi(True).include_all(True).all_value(".*").current(everything)


def _link(uid: str, title: str) -> parts.DashboardLink:
    return (
        parts.DashboardLink(title.removeprefix("Rotator: ").capitalize())
        .type(dashboard.DashboardLinkType.LINK)
        .url(f"/d/{uid}")
        .tooltip(f"Open {title}")
        .keep_time(True)
        .include_vars(True)
    )


def _tidied(document: Json) -> Json:
    """Number the panels, and take out what the builders set for other kinds of object."""
    others = count(FIRST_OTHER)
    for panel in document["panels"]:
        known = NUMBERS.get((document["uid"], panel["title"]))
        panel["id"] = next(others) if known is None else known
        panel.pop("repeatDirection", None)
    for variable in document["templating"]["list"]:
        for name in ("auto", "auto_min", "auto_count"):
            variable.pop(name, None)
    for link in document["links"]:
        link.pop("placement", None)
    document["annotations"] = {"list": []}
    return document
