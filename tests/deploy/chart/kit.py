"""The chart as a real Helm renders it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deploy.chart.__main__ import CHART

CASES = tuple(sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").iterdir()))
RELEASE = "rotator"
NAMESPACE = "keys"
KUBE = "1.36.0"

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Helm:
    """One Helm binary with a home of its own."""

    binary: Path
    home: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it, without any cluster to ask."""
        homes = {f"HELM_{kind}_HOME": str(self.home / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), **homes}
        return subprocess.run(
            [str(self.binary), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def lint(self, case: str) -> subprocess.CompletedProcess[str]:
        """Lint the chart strictly with the values of one case."""
        return self.run("lint", str(CHART), "--strict", "--values", str(values_file(case)))

    def render(
        self,
        values: str | Mapping[str, Any] = "default",
        *,
        chart: Path = CHART,
        apis: Sequence[str] = (),
        kube: str = KUBE,
    ) -> Rendered:
        """Render with the values of a case, or with a mapping; `apis` are what the cluster has.

        Renderings are kept: copy an object before changing it.
        """
        text = values_file(values).read_text() if isinstance(values, str) else _yaml(values)
        return _rendered(self, text, chart, tuple(apis), kube)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one rendering gave: objects, or what Helm said instead."""

    ok: bool
    text: str
    message: str = field(repr=False)
    objects: tuple[Object, ...] = field(repr=False)

    def every(self, kind: str) -> list[Object]:
        """Return the objects of a kind."""
        assert self.ok, self.message
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> Object:
        """Return the only object of a kind, or the one of a name."""
        found = [e for e in self.every(kind) if name is None or e["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} of {kind} {name or ''}"
        return found[0]

    @property
    def pod(self) -> Object:
        """The spec of the daemon's pod."""
        spec: Object = self.one("Deployment")["spec"]["template"]["spec"]
        return spec

    @property
    def daemon(self) -> Object:
        """The daemon's container."""
        return next(c for c in self.pod["containers"] if c["name"] == "rotator")

    @property
    def config(self) -> str:
        """The daemon's configuration file."""
        text: str = self.one("ConfigMap", RELEASE)["data"]["rotator.yaml"]
        return text


def values_file(case: str) -> Path:
    """Return the values of a case."""
    return CHART / "ci" / f"{case}-values.yaml"


def _documents(text: str) -> Iterator[Object]:
    loaded: Iterable[Object | None] = yaml.load_all(text, Loader=_Unique)
    return (document for document in loaded if document is not None)


class _Unique(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping, as strict decoders do."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; raise ConstructorError for a repeated key."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value} twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _yaml(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(values))


@cache
def _rendered(helm: Helm, values: str, chart: Path, apis: tuple[str, ...], kube: str) -> Rendered:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "values.yaml"
        file.write_text(values, encoding="utf-8")
        done = helm.run(
            *("template", RELEASE, str(chart), "--namespace", NAMESPACE),
            *("--values", str(file), "--kube-version", kube),
            *(option for api in apis for option in ("--api-versions", api)),
        )
    objects = tuple(_documents(done.stdout)) if done.returncode == 0 else ()
    return Rendered(done.returncode == 0, done.stdout, done.stderr, objects)
