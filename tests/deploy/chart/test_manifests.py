"""The objects hold against the schemas of Kubernetes and of other people's CRDs."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from yamllint import linter
from yamllint.config import YamlLintConfig

from deploy.chart.__main__ import CHART
from tests.deploy.chart.kit import CASES, Helm, Object
from tests.servers.checkov import failed_checks
from tests.servers.crd_schemas import Schema

pytestmark = pytest.mark.real

KUBERNETES = ["1.33", "1.34", "1.35", "1.36", "1.37"]
FOREIGN = ("monitoring.coreos.com/", "autoscaling.k8s.io/")
YAML = YamlLintConfig(
    "{extends: default, rules: {line-length: {max: 120}, document-start: disable,"
    " braces: {max-spaces-inside: 0}}}"
)


def validate(each: Object, version: str) -> None:
    """Hold one object against one Kubernetes; raise ValidationError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        kubernetes_validate.validate(copy.deepcopy(each), version, strict=True)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("case", CASES)
def test_kubernetes_knows_every_field(helm4: Helm, case: str, version: str) -> None:
    """Each object is valid, strictly, in each Kubernetes from 1.33 to 1.37."""
    rendered = helm4.render(case)
    native = [each for each in rendered.objects if not each["apiVersion"].startswith(FOREIGN)]
    assert len(native) >= 5
    for each in native:
        validate(each, version)


def test_a_wrong_field_is_noticed(helm4: Helm) -> None:
    """The validation refuses a field that Kubernetes does not know."""
    deployment = copy.deepcopy(helm4.render().one("Deployment"))
    deployment["spec"]["template"]["spec"]["enableServiceLink"] = False
    with pytest.raises(jsonschema.ValidationError):
        validate(deployment, "1.36")


@pytest.mark.parametrize("case", CASES)
def test_crd_objects_obey_their_crds(
    helm4: Helm, case: str, schemas: Mapping[tuple[str, str], Schema]
) -> None:
    """Monitors, rules and the autoscaler have no field that their CRD does not name."""
    for each in helm4.render(case).objects:
        if each["apiVersion"].startswith(FOREIGN):
            schema = schemas[each["apiVersion"], each["kind"]]
            jsonschema.Draft202012Validator(schema).validate(each)


def test_the_examples_have_each_foreign_kind(helm4: Helm) -> None:
    """No kind of a CRD goes unchecked."""
    kinds = {
        each["kind"]
        for case in CASES
        for each in helm4.render(case).objects
        if each["apiVersion"].startswith(FOREIGN)
    }
    assert kinds == {"ServiceMonitor", "PodMonitor", "PrometheusRule", "VerticalPodAutoscaler"}


def test_a_field_that_a_crd_does_not_name_is_noticed(
    helm4: Helm, schemas: Mapping[tuple[str, str], Schema]
) -> None:
    """The CRD schemas are strict."""
    monitor = copy.deepcopy(helm4.render("service-monitor").one("ServiceMonitor"))
    monitor["spec"]["endpoints"][0]["intervall"] = "15s"
    schema = schemas["monitoring.coreos.com/v1", "ServiceMonitor"]
    with pytest.raises(jsonschema.ValidationError, match="intervall"):
        jsonschema.Draft202012Validator(schema).validate(monitor)


SKIPPED: dict[str, str] = {
    "CKV_K8S_11": "no CPU limit: a throttled leader loses its lease",
    "CKV_K8S_15": "IfNotPresent: a tag of ours is never pushed twice, and `image.digest` pins it",
    "CKV_K8S_43": "the digest is known when the image is built, so its place is `image.digest`",
}
"""checkov's checks that the chart fails on purpose, with the reason."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_checkov_has_nothing_against_the_pods(helm4: Helm, checkov: Path, tmp_path: Path) -> None:
    """Checkov finds nothing in any example but what is skipped with a reason."""
    for case in ("network-policy", "high-availability", "rollout-restart", "web-config"):
        rendered = helm4.render(_with_policy(case))
        (tmp_path / f"{case}.yaml").write_text(yaml.safe_dump_all(rendered.objects))
    assert failed_checks(checkov, tmp_path, sorted(SKIPPED)) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_checkov_is_skipped_no_further_than_needed(
    helm4: Helm, checkov: Path, tmp_path: Path
) -> None:
    """Each check that is skipped would fail, and checkov finds a weakened pod."""
    weak = {"securityContext": {"allowPrivilegeEscalation": True}}
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(helm4.render(weak).objects))
    failed = {check for check, _, _ in failed_checks(checkov, tmp_path, ())}
    assert set(SKIPPED) <= failed
    assert "CKV_K8S_20" in failed


def _with_policy(case: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CHART / "ci" / f"{case}-values.yaml").read_text())
    return values | {"networkPolicy": {"enabled": True}}


YAML_FILES = sorted(
    [CHART / "Chart.yaml", CHART / "values.yaml", *(CHART / "ci").glob("*.yaml")],
    key=lambda path: path.name,
)


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_yamllint_is_silent(path: Path) -> None:
    """The YAML files that people edit are tidy."""
    assert [str(problem) for problem in linter.run(path.read_text(), YAML)] == []
