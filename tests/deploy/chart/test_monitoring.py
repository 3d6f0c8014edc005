"""What the chart hands to Prometheus and Grafana."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.chart.__main__ import CHART, alert_names
from tests.deploy.chart.kit import NAMESPACE, Helm, Rendered
from tests.servers.build import packaged

pytestmark = pytest.mark.real

FILE = CHART / "files" / "alerts.yaml"
SELECTED = f'job="rotator",namespace="{NAMESPACE}"'


def alerts(rendered: Rendered) -> dict[str, dict[str, Any]]:
    """Return the alerts of the PrometheusRule by name."""
    groups = rendered.one("PrometheusRule")["spec"]["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def texts(value: Any) -> Iterator[str]:
    """Yield every string in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for each in value.values() for text in texts(each))
    elif isinstance(value, list):
        yield from (text for each in value for text in texts(each))


@pytest.mark.parametrize("case", ["service-monitor", "alerts", "own-alerts"])
def test_promtool_takes_the_rules(helm4: Helm, case: str, tmp_path: Path) -> None:
    """What stands in the PrometheusRule passes `promtool check rules`, every lint included."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump(helm4.render(case).one("PrometheusRule")["spec"]))
    promtool = packaged("promtool")
    done = subprocess.run(
        [str(promtool), "check", "rules", "--lint=all", "--lint-fatal", str(rules)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_rendered(helm4: Helm) -> None:
    """Each alert of the one source is in the rule, over this release alone, with no mark left."""
    rendered = helm4.render("service-monitor")
    found = alerts(rendered)
    names = alert_names(FILE)
    assert list(found) == names
    assert len(names) >= 20
    unselected = [name for name, alert in found.items() if SELECTED not in alert["expr"]]
    assert unselected == []
    spec = rendered.one("PrometheusRule")["spec"]
    assert [text for text in texts(spec) if re.search("%[A-Z]+%", text)] == []
    assert rendered.one("PrometheusRule")["metadata"]["labels"]["release"] == (
        "kube-prometheus-stack"
    )


def test_links_are_there_if_their_addresses_are_known(helm4: Helm) -> None:
    """Runbook and dashboard links are written when their address is given, else left out."""
    without = alerts(helm4.render("service-monitor"))["RotatorDown"]["annotations"]
    assert "runbook_url" not in without
    assert "dashboard_url" not in without
    given = alerts(helm4.render("alerts"))
    for name, alert in given.items():
        if name.startswith("DeskRotator"):
            page = f"https://wiki.example/runbooks/{name.removeprefix('Desk')}.md"
            assert alert["annotations"]["runbook_url"] == page
            assert alert["annotations"]["dashboard_url"].startswith("https://grafana.example/d/")


def test_an_alert_can_be_changed_in_every_way(helm4: Helm) -> None:
    """Severity, labels, annotations, expression and `for` of one alert change it and no other."""
    before, after = alerts(helm4.render("service-monitor")), alerts(helm4.render("alerts"))
    down = after["DeskRotatorDown"]
    assert down["labels"] == {"severity": "warning", "team": "trading", "page": "no"}
    assert down["annotations"]["summary"] == "The watcher of the keys is gone."
    assert down["annotations"]["channel"] == "keys"
    assert down["for"] == before["RotatorDown"]["for"]
    assert down["expr"] == before["RotatorDown"]["expr"].replace(SELECTED, 'job="keys"')
    store = after["DeskRotatorStoreDown"]
    assert store["expr"] == 'max(rotator_store_up{job="keys"}) == 0'
    assert store["for"] == "1m"
    assert store["labels"]["severity"] == before["RotatorStoreDown"]["labels"]["severity"]
    assert set(after) == {f"Desk{name}" for name in before if name != "RotatorStoreSealed"} | {
        "DeskKeysGone"
    }


def test_the_built_in_alerts_can_be_left_out(helm4: Helm) -> None:
    """With `disableBuiltinAlertGroup` only the user's groups stand."""
    groups = helm4.render("own-alerts").one("PrometheusRule")["spec"]["groups"]
    assert [group["name"] for group in groups] == ["desk"]


def test_a_recording_rule_stays(helm4: Helm, tmp_path: Path) -> None:
    """Recording rules are kept as they are, filled in, even without the alerts."""
    chart = _copy(tmp_path)
    rule = {"record": "job:up:sum", "expr": "sum(up{%SELECTOR%})"}
    alert = {"name": "Gone", "expr": "absent(up{%SELECTOR%})"}
    groups = [{"name": "mixed", "interval": "1m", "rules": [rule], "alerts": [alert]}]
    (chart / "files" / "alerts.yaml").write_text(yaml.safe_dump({"groups": groups}))
    on = {"create": True, "renderMode": "alwaysRender"}
    (group,) = helm4.render({"prometheusRule": on}, chart=chart).one("PrometheusRule")["spec"][
        "groups"
    ]
    assert group["interval"] == "1m"
    assert group["rules"][0] == {"record": "job:up:sum", "expr": f"sum(up{{{SELECTED}}})"}
    assert group["rules"][1]["alert"] == "Gone"
    assert group["rules"][1]["expr"] == f"absent(up{{{SELECTED}}})"
    off = {"prometheusRule": {**on, "disableBuiltinAlertGroup": True}}
    (group,) = helm4.render(off, chart=chart).one("PrometheusRule")["spec"]["groups"]
    assert [next(iter(each.values())) for each in group["rules"]] == [group["rules"][0]["expr"]]


def test_a_chart_without_its_alerts_says_so(helm4: Helm, tmp_path: Path) -> None:
    """A chart that was packed without its rules is refused, not installed without alerts."""
    chart = _copy(tmp_path)
    (chart / "files" / "alerts.yaml").unlink()
    values = {"prometheusRule": {"create": True, "renderMode": "alwaysRender"}}
    rendered = helm4.render(values, chart=chart)
    assert not rendered.ok
    assert "the chart has no files/alerts.yaml" in rendered.message


def _copy(folder: Path) -> Path:
    """Copy the chart without its schema, whose alert names are those of the real file."""
    target = folder / "rotator"
    for path in CHART.rglob("*"):
        if path.is_file() and path.name != "values.schema.json":
            copied = target / path.relative_to(CHART)
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_bytes(path.read_bytes())
    return target


def test_the_service_monitor_finds_the_service(helm4: Helm) -> None:
    """The ServiceMonitor selects our Service by labels, port name and namespace."""
    rendered = helm4.render("service-monitor")
    monitor, service = rendered.one("ServiceMonitor"), rendered.one("Service")
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    spec = monitor["spec"]
    assert spec["namespaceSelector"] == {"matchNames": [NAMESPACE]}
    assert spec["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = spec["endpoints"]
    assert endpoint["port"] == service["spec"]["ports"][0]["name"]
    assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("15s", "10s")
    assert endpoint["honorLabels"] is True
    assert endpoint["relabelings"][0]["regex"] == "endpoint"
    assert endpoint["metricRelabelings"][0]["action"] == "drop"
    assert service["metadata"]["labels"][spec["jobLabel"]] == "rotator"


def test_the_pod_monitor_finds_the_pods(helm4: Helm) -> None:
    """The PodMonitor selects our pods and gives them the same job as a ServiceMonitor would."""
    rendered = helm4.render("pod-monitor")
    spec = rendered.one("PodMonitor")["spec"]
    labels = rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert labels[spec["jobLabel"]] == "rotator"
    assert spec["podMetricsEndpoints"][0]["port"] == rendered.daemon["ports"][0]["name"]
    assert rendered.every("Service") == []


def test_a_guarded_port_is_scraped_with_its_login(helm4: Helm) -> None:
    """TLS and basic auth of the scrape stand in the endpoint."""
    (endpoint,) = helm4.render("web-config").one("ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["scheme"] == "https"
    assert endpoint["tlsConfig"]["serverName"] == "rotator.rotator.svc"
    assert endpoint["basicAuth"]["password"] == {"name": "rotator-scrape", "key": "password"}


def test_each_dashboard_is_a_config_map(helm4: Helm) -> None:
    """Each dashboard of files/ is there byte for byte, labelled for Grafana's sidecar."""
    files = sorted((CHART / "files" / "dashboards").glob("*.json"))
    found = helm4.render("grafana").every("ConfigMap")
    maps = {name: each for each in found for name in each["data"] if name.endswith(".json")}
    assert sorted(maps) == [file.name for file in files]
    assert files
    for file in files:
        metadata = maps[file.name]["metadata"]
        assert json.loads(maps[file.name]["data"][file.name]) == json.loads(file.read_text())
        assert metadata["labels"]["grafana_dashboard"] == "1"
        assert metadata["labels"]["team"] == "trading"
        assert metadata["annotations"] == {"grafana_folder": "Rotator"}
        assert metadata["namespace"] == "monitoring"
        assert len(maps[file.name]["data"][file.name]) < 1024 * 1024


def test_grafana_gets_the_alerts_as_its_own(helm4: Helm, tmp_path: Path) -> None:
    """The Grafana-managed rules are filled in and labelled; its own templates stay."""
    chart = _copy(tmp_path)
    rule = {
        "uid": "rotator-down",
        "data": [{"datasourceUid": "%DATASOURCE%", "model": {"expr": "absent(up{%SELECTOR%})"}}],
        "annotations": {
            "description": "{{ $labels.exchange }} is gone",
            "runbook_url": "%RUNBOOKS%/RotatorDown.md",
        },
    }
    groups = [{"orgId": 1, "name": "rotator", "folder": "X", "interval": "1m", "rules": [rule]}]
    (chart / "files" / "grafana-alerts.yaml").write_text(
        yaml.safe_dump({"apiVersion": 1, "groups": groups})
    )
    on = {"enabled": True, "datasourceUid": "mimir", "folder": "Keys"}
    found = helm4.render({"grafanaAlerts": on}, chart=chart).one("ConfigMap", "rotator-alerts")
    assert found["metadata"]["labels"]["grafana_alert"] == "1"
    document = yaml.safe_load(found["data"]["rotator-alerts.yaml"])
    (group,) = document["groups"]
    assert document["apiVersion"] == 1
    assert group["folder"] == "Keys"
    (filled,) = group["rules"]
    assert filled["data"][0]["datasourceUid"] == "mimir"
    assert filled["data"][0]["model"]["expr"] == f"absent(up{{{SELECTED}}})"
    assert filled["annotations"] == {"description": "{{ $labels.exchange }} is gone"}


def test_both_kinds_of_alerts_are_the_same_alerts(helm4: Helm) -> None:
    """Grafana's own rules are those of the PrometheusRule, by name, expression and severity."""
    prometheus = alerts(helm4.render("service-monitor"))
    text = helm4.render("grafana-alerts").one("ConfigMap", "rotator-alerts")["data"]
    document = yaml.safe_load(text["rotator-alerts.yaml"])
    managed = {rule["title"]: rule for group in document["groups"] for rule in group["rules"]}
    assert set(managed) == set(prometheus)
    for name, rule in managed.items():
        assert rule["data"][0]["model"]["expr"] == prometheus[name]["expr"]
        assert rule["labels"]["severity"] == prometheus[name]["labels"]["severity"]
        assert rule["data"][0]["datasourceUid"] == "mimir"
        assert rule["annotations"]["runbook_url"] == f"https://wiki.example/runbooks/{name}.md"
    assert [each for each in texts(document) if re.search("%[A-Z]+%", each)] == []
