"""The project's own files are complete and agree with each other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest
from importlinter import api as import_linter
from importlinter.application import use_cases
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house import tree

TARGETS = (
    "help demo test test-fast cover lint format bench monitoring pictures server chart lock"
    " check-stale clean"
)
LOCKS = ["base", "build", "dev", "peers", "deploy"]
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    """Return name to version of one file of requirements/."""
    text = (tree.ROOT / "requirements" / f"{lock}.txt").read_text()
    return {canonicalize_name(name): version for name, version in PIN.findall(text)}


def declared() -> Iterator[tuple[str, Requirement]]:
    """Yield each dependency of pyproject.toml with the lock that pins it."""
    project = tree.project()
    for line in project["project"]["dependencies"]:
        yield "base", Requirement(line)
        yield "dev", Requirement(line)
    for group, lines in project["dependency-groups"].items():
        yield from ((group, Requirement(line)) for line in lines if isinstance(line, str))


@pytest.mark.parametrize(
    "name",
    [
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "SECURITY.md",
        "rotator/py.typed",
    ],
)
def test_the_files_that_a_stranger_looks_for_exist(name: str) -> None:
    """Licence, readme, changelog and the rest are there; only the type marker may be empty."""
    path = tree.ROOT / name
    assert path.is_file()
    assert path.suffix == ".typed" or path.read_text().strip()


def test_the_licence_is_apache_2() -> None:
    """LICENSE is the full Apache License 2.0, as pyproject.toml says."""
    text = (tree.ROOT / "LICENSE").read_text()
    assert tree.project()["project"]["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert "The Rotator authors" in text


def test_the_layers_hold() -> None:
    """Every import contract of pyproject.toml is kept."""
    assert import_linter.read_configuration(str(tree.ROOT / "pyproject.toml"))
    assert use_cases.lint_imports(
        config_filename=str(tree.ROOT / "pyproject.toml"), cache_dir=None, no_logo=True
    )


def test_core_may_use_none_of_our_dependencies() -> None:
    """The contract that keeps core pure forbids each dependency of the product by name."""
    contracts = tree.project()["tool"]["importlinter"]["contracts"]
    forbidden = next(c["forbidden_modules"] for c in contracts if c["id"] == "core")
    ours = {canonicalize_name(r.name) for lock, r in declared() if lock == "base"}
    imported = {
        module
        for module, distributions in packages_distributions().items()
        if not module.startswith("_") and ours & {canonicalize_name(d) for d in distributions}
    }
    assert imported - set(forbidden) == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_each_dependency_is_locked_as_declared(lock: str) -> None:
    """Each dependency stands in its lock with a version that pyproject.toml allows."""
    locked = pins(lock)
    wrong = [
        str(requirement)
        for name, requirement in declared()
        if name == lock
        and locked.get(canonicalize_name(requirement.name), "") not in requirement.specifier
    ]
    assert not wrong, "run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_each_pin_carries_hashes(lock: str) -> None:
    """Each pin of a lock is followed by at least one SHA-256, and by nothing else."""
    text = (tree.ROOT / "requirements" / f"{lock}.txt").read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text)[1:]
    whole = re.compile(r"[^\n]+ \\(\n    --hash=sha256:[0-9a-f]{64}( \\)?)+\n?")
    assert [e.split(" ")[0] for e in entries if not whole.fullmatch(e)] == []
    assert len(entries) == len(pins(lock))


def test_the_locks_agree() -> None:
    """No package is locked at two versions, so that all locks fit one environment."""
    seen: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, version in pins(lock).items():
            seen.setdefault(name, set()).add(version)
    assert {name: versions for name, versions in seen.items() if len(versions) > 1} == {}


def test_every_lint_exception_has_a_reason() -> None:
    """Each rule that ruff is told to ignore stands with its reason."""
    text = (tree.ROOT / "pyproject.toml").read_text()
    block = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.flake8")]
    ignored = re.findall(r'^  "[A-Z]+[0-9]*",.*$', block, re.MULTILINE)
    assert ignored
    assert [line for line in ignored if "# " not in line] == []


@pytest.mark.parametrize("target", TARGETS.split())
def test_make_explains_its_targets(target: str) -> None:
    """Each target that people use says in `make help` what it does."""
    makefile = (tree.ROOT / "Makefile").read_text()
    assert re.search(rf"^{target}:.* ## .+", makefile, re.MULTILINE)


def test_ci_calls_what_the_readme_says() -> None:
    """CI's program is executable, and README.md has the test command where it looks for it."""
    assert os.access(tree.ROOT / ".ci" / "run", os.X_OK)
    readme = (tree.ROOT / "README.md").read_text()
    section = re.search(r"^#+ +Test.*?^```\w*\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert section[1].split("#")[0].strip().splitlines()[0] == "make test"
