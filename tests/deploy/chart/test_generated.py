"""What is generated follows from values.yaml, the alerts and the daemon's configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from deploy.chart.__main__ import CHART, generated
from deploy.chart.readme import with_table
from deploy.chart.schema import values_schema
from deploy.chart.values import ChartFault, documented
from rotator import __version__
from rotator.config import commented_example
from tests.deploy.chart.kit import CASES, values_file

VALUES = documented((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())


def chart_yaml() -> dict[str, Any]:
    """Return Chart.yaml."""
    loaded: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text())
    return loaded


@pytest.mark.parametrize("name", ["README.md", "values.schema.json"])
def test_the_generated_files_are_not_stale(name: str) -> None:
    """`make chart` would change nothing."""
    assert (CHART / name).read_text() == generated()[CHART / name]


def test_the_chart_installs_the_version_it_lies_beside() -> None:
    """The chart's appVersion is the daemon's version."""
    assert chart_yaml()["appVersion"] == __version__


def test_the_schema_is_draft_07() -> None:
    """The schema is a valid draft-07 schema without words of a newer draft."""
    Draft7Validator.check_schema(SCHEMA)
    assert "$defs" not in json.dumps(SCHEMA)
    assert "2020-12" not in json.dumps(SCHEMA)


def test_every_object_of_our_own_is_closed() -> None:
    """Each group of values refuses what it does not know, but for `global`."""
    groups = {value.path[:-1] for value in VALUES}
    for path in groups:
        schema = SCHEMA
        for key in path:
            schema = schema["properties"][key]
        assert schema["additionalProperties"] is (path == ("global",)), path


@pytest.mark.parametrize("case", CASES)
def test_the_examples_obey_the_schema(case: str) -> None:
    """Each values file in ci/ is valid over the defaults, and its first line says what it shows."""
    text, defaults = values_file(case).read_text(), (CHART / "values.yaml").read_text()
    Draft7Validator(SCHEMA).validate(_over(_read(defaults), _read(text)))
    assert text.startswith("# ")


def _read(text: str) -> Any:
    return _AsHelm(text).get_single_data()


def _over(defaults: Any, values: Any) -> Any:
    """Lay values over defaults, map by map, as Helm does."""
    if not isinstance(defaults, dict) or not isinstance(values, dict):
        return values
    return defaults | {key: _over(defaults.get(key), value) for key, value in values.items()}


class _AsHelm(yaml.SafeLoader):
    """Reads a timestamp as the text that Helm passes on."""


_AsHelm.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def test_the_daemons_own_example_is_a_config() -> None:
    """What `rotator config init` writes is accepted as `config`."""
    example = _read(commented_example())
    Draft7Validator(SCHEMA).validate({"config": example})


@pytest.mark.parametrize(
    "config",
    [
        {"store": {"vault": {"address": "https://v"}}, "rotations": {}},
        {"store": {"vault": {"address": "https://v", "auth": {"method": "guess"}}}},
        {"store": {"vault": {"address": "https://v"}}, "every": {"inspect": "hourly"}},
        {},
    ],
    ids=["unknown key", "unknown login", "no duration", "no store"],
)
def test_the_schema_knows_the_daemons_configuration(config: dict[str, Any]) -> None:
    """A configuration that the daemon refuses is refused before anything is installed."""
    assert not Draft7Validator(SCHEMA).is_valid({"config": config})


def test_a_value_without_a_comment_is_refused() -> None:
    """A value that nobody describes stops the program, which names it."""
    with pytest.raises(ChartFault, match=r"values\.yaml:4: here\.there has no"):
        documented("# @section One\n\nhere:\n  there: 1\n")


def test_a_null_value_must_say_its_type() -> None:
    """A value that is null by default is refused without a type in its comment."""
    values = documented("# @section One\n\n# -- Speed\nspeed: null\n")
    with pytest.raises(ChartFault, match="speed is null"):
        values_schema(values, [])


def test_an_unknown_definition_is_refused() -> None:
    """A comment that names a definition which is none stops the program."""
    values = documented("# @section One\n\n# -- Speed\n# @schema {definition: Speed}\nspeed: 1\n")
    with pytest.raises(ChartFault, match="no definition Speed"):
        values_schema(values, [])


def test_the_comment_becomes_row_and_schema() -> None:
    """Description, default and choices of a value reach table and schema."""
    text = (
        "# @section One\n\n# -- How fast,\n# at most\n# @schema {enum: [slow, fast]}\nspeed: slow\n"
    )
    values = documented(text)
    table = with_table("head\n<!-- values -->\nold\n<!-- /values -->\ntail\n", values)
    assert '| `speed` | `"slow"` | How fast, at most (`slow`, `fast`) |' in table
    assert table.startswith("head\n")
    assert table.endswith("tail\n")
    assert "old" not in table
    assert values_schema(values, [])["properties"]["speed"] == {
        "description": "How fast, at most",
        "default": "slow",
        "type": "string",
        "enum": ["slow", "fast"],
    }


def test_the_chart_brings_no_crd() -> None:
    """The chart has no crds/ folder and no template of one."""
    assert not (CHART / "crds").exists()
    templates = "".join(path.read_text() for path in Path(CHART / "templates").rglob("*.*"))
    assert "CustomResourceDefinition" not in templates
    assert "ClusterRole" not in templates


FAMILIAR = """
global.imageRegistry global.imagePullSecrets nameOverride fullnameOverride namespaceOverride
commonLabels image.registry image.repository image.tag image.digest image.pullPolicy
imagePullSecrets replicaCount revisionHistoryLimit strategy resources livenessProbe.enabled
livenessProbe.spec readinessProbe.enabled readinessProbe.spec nodeSelector tolerations affinity
topologySpreadConstraints priorityClassName runtimeClassName schedulerName hostUsers dnsPolicy
dnsConfig podAnnotations podLabels deploymentAnnotations podSecurityContext securityContext
verticalPodAutoscaler.enabled serviceAccount.create serviceAccount.name
serviceAccount.annotations serviceAccount.automount rbac.create podDisruptionBudget.enabled
podDisruptionBudget.minAvailable podDisruptionBudget.maxUnavailable networkPolicy.enabled
networkPolicy.ingress networkPolicy.egress listen.probePort extraEnv extraEnvFrom extraArgs
extraVolumes extraVolumeMounts extraContainers extraInitContainers podSpecExtra extraObjects config
existingConfigMap serviceMonitor.enabled serviceMonitor.namespace serviceMonitor.additionalLabels
serviceMonitor.interval serviceMonitor.scrapeTimeout serviceMonitor.honorLabels
serviceMonitor.relabelings serviceMonitor.metricRelabelings serviceMonitor.scheme
serviceMonitor.tlsConfig serviceMonitor.renderMode prometheusRule.create
prometheusRule.rulePrefix prometheusRule.extraLabels prometheusRule.alertExtraLabels
prometheusRule.alertExtraAnnotations prometheusRule.alertExprOverrides
prometheusRule.alertForOverrides prometheusRule.disableBuiltinAlertGroup
prometheusRule.extraAlertGroups grafanaDashboard.enabled grafanaDashboard.sidecarLabel
grafanaDashboard.sidecarLabelValue grafanaDashboard.annotations grafanaDashboard.extraLabels
"""
"""Values as cert-manager, external-secrets and x509-certificate-exporter spell them."""


def test_values_are_spelled_as_people_know_them() -> None:
    """A user of other charts finds each value under the name that those charts give it."""
    ours = {".".join(value.path) for value in VALUES}
    assert [name for name in FAMILIAR.split() if name not in ours] == []
