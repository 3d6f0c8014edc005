"""A folder with certificates, made once for a module, since keys cost time."""

from __future__ import annotations

import pytest

from tests.serve.web import Folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Give a folder with a CA and a server's pair; a test writes its own web config there."""
    return Folder(tmp_path_factory.mktemp("web"))
