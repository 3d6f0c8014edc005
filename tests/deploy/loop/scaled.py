"""The shipped rules and routes, made fast enough for a test.

`for` is divided by 60 and is 20 seconds at most; range windows and offsets are divided by
20 and are 40 seconds at most.
Expressions stay as they are, but for two thresholds that are spans of the daemon's own
rhythm, which the test makes faster too: the age of the last pass and the rest of the
login's life.  Every stage gets a copy of the rules for its own scrape job, and a label
that tells the copies apart.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from tests.house.tree import ROOT

RULES: Final = ROOT / "deploy/prometheus/rotator.rules.yaml"
ROUTES: Final = ROOT / "deploy/prometheus/alertmanager.yaml"
HOLD: Final = 60
LONGEST_HOLD: Final = 20
WINDOW: Final = 20
LONGEST_WINDOW: Final = 40
SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
THRESHOLDS: Final = {
    "RotatorPassStalled": ("> 900", "> 15"),
    "RotatorStoreTokenExpiring": ("< 300", "< 5"),
}
STAGE: Final = "stage"


def rules(stage: str) -> str:
    """Return the rules for the scrape job of a stage."""
    document = yaml.safe_load(RULES.read_text())
    for group in document["groups"]:
        group["name"] += f".{stage}"
        for rule in group["rules"]:
            _quicken(rule, stage)
    return yaml.safe_dump(document)


def _quicken(rule: dict[str, Any], stage: str) -> None:
    rule["for"] = _shorter(rule["for"], HOLD, LONGEST_HOLD)
    rule["labels"][STAGE] = stage
    text = rule["expr"].replace('job="rotator"', f'job="{stage}"')
    text = re.sub(
        r"(?<=\[)\w+(?=\])|(?<=offset )\w+",
        lambda found: _shorter(found[0], WINDOW, LONGEST_WINDOW),
        text,
    )
    before, after = THRESHOLDS.get(rule["alert"], ("", ""))
    assert before in text
    rule["expr"] = text.replace(before, after) if before else text


def _shorter(span: str, factor: int, most: int) -> str:
    seconds = int(span[:-1]) * SECONDS[span[-1]]
    return f"{min(-(-seconds // factor), most)}s"


def routes(page: str, ticket: str) -> str:
    """Return the example's routes with these receivers, a second of patience, and stages apart."""
    document = yaml.safe_load(ROUTES.read_text())
    pace = {"group_wait": "1s", "group_interval": "1s"}
    document["route"] |= pace
    document["route"]["group_by"].append(STAGE)
    for route in document["route"]["routes"]:
        route.update(pace)
    for receiver in document["receivers"]:
        url = page if receiver["name"] == "rotator-page" else ticket
        receiver["webhook_configs"][0]["url"] = url
    for rule in document["inhibit_rules"]:
        rule.setdefault("equal", []).append(STAGE)
    return yaml.safe_dump(document)
