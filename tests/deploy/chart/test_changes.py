"""What an upgrade between two sets of values would change, by comparing their objects.

The upgrade itself, and the way back, need an API server.
"""

from __future__ import annotations

from typing import Any

import pytest

from deploy.chart.__main__ import CHART
from tests.deploy.chart.kit import KUBE, Helm, Rendered, values_file

pytestmark = pytest.mark.real

Named = dict[tuple[str, str, str], dict[str, Any]]


def by_name(rendered: Rendered) -> Named:
    """Return the objects by kind, namespace and name; none stands twice."""
    named = {
        (each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]): each
        for each in rendered.objects
    }
    assert len(named) == len(rendered.objects)
    return named


def test_arming_a_path_changes_the_configuration_alone(helm: Helm) -> None:
    """Arming a path touches one ConfigMap and restarts no pod."""
    before = by_name(helm.render())
    armed = {"config": {"rotation": {"armed": ["secret/trading/bybit/desk0"]}}}
    after = by_name(helm.render(armed))
    assert before.keys() == after.keys()
    changed = [name[0] for name, each in after.items() if before[name] != each]
    assert changed == ["ConfigMap"]


def test_a_selector_never_changes(helm: Helm) -> None:
    """What a Deployment may not change after its making is the same for every example's feature."""
    first = helm.render().one("Deployment")["spec"]["selector"]
    for case in ("high-availability", "web-config", "scheduling", "extension", "alerts"):
        assert helm.render(case).one("Deployment")["spec"]["selector"] == first


def test_two_renderings_are_alike(helm: Helm) -> None:
    """Nothing in the chart is drawn by chance, so that a second upgrade changes nothing."""
    values = ("--values", str(values_file("web-config")), "--kube-version", KUBE)
    first, second = (helm.run("template", "rotator", str(CHART), *values) for _ in range(2))
    assert first.stdout == second.stdout
    assert "kind: Deployment" in first.stdout
