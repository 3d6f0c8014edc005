"""Modules are small, names say something, tests speak and do not mock."""

from __future__ import annotations

import ast
import re
import statistics

from tests.house import tree

LONGEST_MODULE = 500
MEDIAN_MODULE = 150
MOCKS_PER_TEST = 0.05
EMPTY_WORDS = re.compile(r"(Manager|Helpers?|Utils?|Base|Impl)$|^Base[A-Z]")
EMPTY_MODULES = re.compile(r"(^|_)(manager|helpers?|utils?|base|impl|misc|common)$")
MOCKING = {"Mock", "MagicMock", "AsyncMock", "NonCallableMock", "create_autospec", "mock_open"}
MOCKING_FIXTURES = {"monkeypatch", "mocker"}


def test_no_module_is_long() -> None:
    """No module, of the product or of its tests, has more than 500 lines."""
    sources = tree.modules() + tree.test_modules()
    long = {s.name: len(s.lines()) for s in sources if len(s.lines()) > LONGEST_MODULE}
    assert not long


def test_most_modules_fit_three_screens() -> None:
    """The median module of the product has at most 150 lines."""
    sizes = [len(source.lines()) for source in tree.modules() if source.text.strip()]
    assert statistics.median(sizes) <= MEDIAN_MODULE


def test_classes_are_named_by_what_they_are() -> None:
    """No class of the product is called a Manager, Helper, Utils, Base or Impl."""
    empty = [
        f"{source.name}:{node.lineno} {node.name}"
        for source in tree.modules()
        for node in ast.walk(source.tree())
        if isinstance(node, ast.ClassDef) and EMPTY_WORDS.search(node.name)
    ]
    assert not empty


def test_modules_are_named_by_what_they_hold() -> None:
    """No module of the product is called utils, helpers, base, misc or common."""
    empty = [
        source.name
        for source in tree.modules()
        if EMPTY_MODULES.search(source.name.rsplit("/", 1)[-1].removesuffix(".py"))
    ]
    assert not empty


def test_every_test_says_its_behaviour() -> None:
    """Every test has a docstring of one paragraph that ends with a full stop."""
    silent = [where for where, function in tree.tests() if not _speaks(function)]
    assert not silent


def _speaks(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    said = ast.get_docstring(function) or ""
    return said.endswith(".") and "\n\n" not in said


def test_tests_use_real_parts_and_fakes() -> None:
    """There is at most one mock, patch or monkeypatch for twenty tests."""
    count = sum(1 for _ in tree.tests())
    mocks = [
        f"{source.name}:{getattr(node, 'lineno', 0)}"
        for source in tree.test_modules()
        for node in ast.walk(source.tree())
        if _mocks(node)
    ]
    assert len(mocks) <= MOCKS_PER_TEST * count, mocks


def _mocks(node: ast.AST) -> bool:
    if isinstance(node, ast.arg):
        return node.arg in MOCKING_FIXTURES
    if isinstance(node, ast.ImportFrom):
        return node.module == "unittest.mock"
    if isinstance(node, ast.Name | ast.Attribute):
        name = node.id if isinstance(node, ast.Name) else node.attr
        return name in MOCKING
    return False


def test_nothing_is_skipped_for_good() -> None:
    """No test is marked skip without a condition."""
    skipped = [
        where
        for where, function in tree.tests()
        for decorator in function.decorator_list
        if ast.unparse(decorator).startswith(("pytest.mark.skip(", "unittest.skip("))
        or ast.unparse(decorator) == "pytest.mark.skip"
    ]
    assert not skipped
