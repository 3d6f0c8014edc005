"""The dashboards' files: fresh, whole, and asking only for what is exported."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from deploy.monitoring import dashboards
from deploy.monitoring.dashboards.board import TITLES
from deploy.monitoring.panels import PANELS as ALERT_PANELS
from rotator.observe.catalogue import METRICS, Kind
from tests.deploy.asking import VARIABLE, Span, choices, filled

ROOT = Path(__file__).parents[2]
FILES = dashboards.files()
DOCUMENTS = {
    document["uid"]: document
    for document in (json.loads(FILES[n]) for n in FILES if n.startswith(dashboards.CHART))
}
PANELS = [(uid, panel) for uid, document in DOCUMENTS.items() for panel in document["panels"]]
NAMES = [f"{uid}: {panel['title']}" for uid, panel in PANELS]
KINDS = {"stat", "table", "timeseries", "bargauge"}
SUFFIXES = ("_bucket", "_sum", "_count")
RECORDED = re.compile(r"exchange:rotator_exchange_requests:error_ratio_rate(5m|30m|1h|6h)")
NAMED = re.compile(r"[a-z_:]*rotator_[a-z0-9_:]*")
every_panel = pytest.mark.parametrize(("uid", "panel"), PANELS, ids=NAMES)
every_board = pytest.mark.parametrize("uid", DOCUMENTS)


def exported() -> set[str]:
    """Return every name that a query may use."""
    found: set[str] = set()
    for metric in METRICS:
        histogram = metric.kind is Kind.HISTOGRAM
        found |= {metric.full_name + s for s in SUFFIXES} if histogram else {metric.full_name}
    return found


def strings(value: Any) -> Iterator[str]:
    """Yield every text in a document."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def sources(value: Any) -> Iterator[Any]:
    """Yield every data source that a document names."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "datasource":
                yield inner
            else:
                yield from sources(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from sources(inner)


@pytest.mark.parametrize("name", FILES)
def test_the_files_follow_from_the_code(name: str) -> None:
    """Each written file is what the code makes now (`python -m deploy.monitoring dashboards`)."""
    assert (ROOT / name).read_text() == FILES[name]


def test_no_file_is_left_over() -> None:
    """The generated folders hold nothing that the code no longer makes."""
    folders = ("deploy/grafana/dashboards", dashboards.CHART, "deploy/grafana/provisioning")
    there = {
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "alerting" not in path.parts
    }
    assert there == set(FILES)


def test_writing_twice_gives_the_same(tmp_path: Path) -> None:
    """The files are written below any folder, and the same each time."""
    dashboards.write(tmp_path)
    dashboards.write(tmp_path)
    assert {name: (tmp_path / name).read_text() for name in FILES} == dashboards.files()


@every_board
def test_the_frame(uid: str) -> None:
    """A dashboard is Classic, read-only, tagged, with a short unique uid and a description."""
    document = DOCUMENTS[uid]
    assert document["schemaVersion"] == 42
    assert document["editable"] is False
    assert document["tags"] == ["rotator-mixin"]
    assert len(uid) <= 40
    assert document["title"] == TITLES[uid]
    assert document["description"].endswith(".")


@every_board
def test_ids_and_titles_are_unique(uid: str) -> None:
    """No two panels of a dashboard have one id or one title."""
    panels = DOCUMENTS[uid]["panels"]
    assert len({p["id"] for p in panels}) == len({p["title"] for p in panels}) == len(panels)


@every_board
def test_panels_lie_side_by_side(uid: str) -> None:
    """Panels lie within 24 columns, do not overlap and leave no hole."""
    cells: dict[str, set[tuple[int, int]]] = {}
    for panel in DOCUMENTS[uid]["panels"]:
        at = panel["gridPos"]
        columns, rows = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
        assert 0 <= columns.start < columns.stop <= 24
        cells[panel["title"]] = {(x, y) for x in columns for y in rows}
    assert not [pair for pair in combinations(cells, 2) if cells[pair[0]] & cells[pair[1]]]
    covered = set().union(*cells.values())
    assert len(covered) == 24 * (1 + max(y for _, y in covered))


@every_board
def test_variables(uid: str) -> None:
    """Every variable is used and every one that is used is there; each says what it does."""
    document = DOCUMENTS[uid]
    variables = document["templating"]["list"]
    names = [variable["name"] for variable in variables]
    assert names[:2] == ["datasource", "job"]
    assert all(variable["label"] and variable["description"] for variable in variables)
    used = {
        name
        for text in strings([document["panels"], variables])
        for name in re.findall(r"\$\{?(\w+)", text)
        if not name.startswith("__")
    }
    assert used == set(names)


@every_board
def test_the_data_source_is_chosen_by_the_reader(uid: str) -> None:
    """Panels, queries and variables name the variable `datasource`, never a data source."""
    found = list(sources(DOCUMENTS[uid]))
    assert len(found) > 2 * len(DOCUMENTS[uid]["panels"])
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in found)


@every_board
def test_dashboards_lead_to_each_other(uid: str) -> None:
    """Each dashboard has a link to each other one that keeps time and variables."""
    links = DOCUMENTS[uid]["links"]
    assert [link["url"] for link in links] == [f"/d/{other}" for other in TITLES if other != uid]
    assert all(link["keepTime"] and link["includeVars"] for link in links)


@every_panel
def test_a_panel_says_what_to_do(uid: str, panel: dict[str, Any]) -> None:
    """A panel is of a known kind and has a title, a unit, and a description in sentences."""
    assert panel["type"] in KINDS
    assert panel["title"]
    assert len(panel["description"].split()) >= 10
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert [t["refId"] for t in panel["targets"]] == sorted({t["refId"] for t in panel["targets"]})


@every_panel
def test_unknown_is_never_good(uid: str, panel: dict[str, Any]) -> None:
    """A missing value has a word that is not a number, and a colour that is grey."""
    looks = [panel["fieldConfig"]["defaults"], *_columns(panel)]
    for look in looks:
        assert look["thresholds"]["steps"][0] == {"value": None, "color": "#808080"}
        for mapping in look["mappings"]:
            if mapping["type"] == "special":
                assert mapping["options"]["result"]["color"] == "#808080"
    missing = panel["fieldConfig"]["defaults"]["noValue"]
    assert re.search("unknown|nothing known|none", missing)
    assert not re.search(r"\d", missing)
    if panel["type"] == "table":
        assert re.search("unknown|nothing known", missing)


def _columns(panel: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the looks of the columns that have one of their own."""
    found = [
        {p["id"]: p["value"] for p in o["properties"]} for o in panel["fieldConfig"]["overrides"]
    ]
    return [look for look in found if "thresholds" in look]


@every_panel
def test_queries_parse(uid: str, panel: dict[str, Any]) -> None:
    """Every query is PromQL once its variables are filled in."""
    values = {**Span(0, 3600, 15).built_in, **choices(DOCUMENTS[uid])}
    for target in panel["targets"]:
        promql_parser.parse(filled(target["expr"], values))
        assert 'job=~"$job"' in target["expr"]
        assert not re.search(r"\[\d", target["expr"]), "a rate goes by $__rate_interval"


@every_panel
def test_only_exported_metrics_are_asked_for(uid: str, panel: dict[str, Any]) -> None:
    """Every metric of a query is in the catalogue, or one of the recording rules."""
    for target in panel["targets"]:
        names = set(NAMED.findall(target["expr"]))
        assert names
        assert not {n for n in names - exported() if not RECORDED.fullmatch(n)}


def test_every_metric_is_on_some_dashboard() -> None:
    """Nothing is exported that no panel shows."""
    asked = " ".join(target["expr"] for _, panel in PANELS for target in panel["targets"])
    names = {m.full_name for m in METRICS}
    assert not {n for n in names if not re.search(rf"\b{n}(_bucket|_sum|_count)?{{", asked)}


@every_panel
def test_a_credential_is_a_link(uid: str, panel: dict[str, Any]) -> None:
    """A table's column of credentials leads to the credential's page."""
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] != "credential":
            continue
        links = {p["id"]: p["value"] for p in override["properties"]}["links"]
        assert links[0]["url"].startswith("/d/rotator-credential?var-credential=${__data.fields.")


def test_tables_of_findings_name_code_owner_and_credential() -> None:
    """Every table of findings has severity, code, owner and credential."""
    tables = [p for _, p in PANELS if "rotator_finding{" in p["targets"][0]["expr"]]
    shown = [set(p["transformations"][0]["options"]["indexByName"]) for p in tables if _rows(p)]
    assert len(shown) == 4
    assert all({"code", "owner", "credential", "Value"} <= names for names in shown)


def _rows(panel: dict[str, Any]) -> bool:
    return bool(panel["type"] == "table")


@pytest.mark.parametrize("alert", ALERT_PANELS)
def test_alerts_find_their_panels(alert: str) -> None:
    """The panel that an alert leads to is there, under the number in its link."""
    panel = ALERT_PANELS[alert]
    titles = {p["id"]: p["title"] for p in DOCUMENTS[panel.dashboard]["panels"]}
    assert titles.get(panel.number) == panel.title


def test_provisioning_finds_what_compose_mounts() -> None:
    """Grafana is told one Prometheus, and the folder of the dashboards."""
    folder = "deploy/grafana/provisioning"
    source = yaml.safe_load(FILES[f"{folder}/datasources/prometheus.yaml"])
    provider = yaml.safe_load(FILES[f"{folder}/dashboards/rotator.yaml"])
    assert [d["type"] for d in source["datasources"]] == ["prometheus"]
    assert provider["providers"][0]["options"]["path"] == "/etc/grafana/dashboards"


def test_variables_are_told_from_text() -> None:
    """Filling in replaces exactly the variables, and an unknown one is an error."""
    assert VARIABLE.findall('x{job=~"$job"}[$__range]') == ["job", "__range"]
    with pytest.raises(KeyError):
        filled("$nobody", {})


def test_the_pictures_are_small() -> None:
    """The README shows every picture that is there and no other; each is of bounded size."""
    readme = (ROOT / "README.md").read_text()
    pictures = re.findall(r"\((docs/pictures/[^)]*\.png)\)", readme)
    assert set(pictures) == {f"docs/pictures/{p.name}" for p in (ROOT / "docs/pictures").glob("*")}
    sizes = {name: (ROOT / name).stat().st_size for name in pictures}
    assert all(10_000 < size < 300_000 for size in sizes.values()), sizes
