"""Prometheus' own check of web configs: what we take it takes, and what it refuses we refuse."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rotator.serve.webconfig_live import LiveWebConfig
from rotator.wiring.web import parse
from tests.serve.test_webconfig import REFUSED, TAKEN
from tests.serve.web import Folder
from tests.servers.build import ServerMissing, packaged

pytestmark = pytest.mark.real

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
NEWER = re.compile(r"field (client_allowed_sans|rate_limit|client_ca|cert|key) not found")
"""What promtool says of fields that exporters got after the Prometheus that Debian packages."""


@pytest.fixture(scope="module")
def promtool() -> Path:
    """Give promtool, or skip and say what to install."""
    try:
        return packaged("promtool")
    except ServerMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def refusal(promtool: Path, file: Path) -> str:
    """Return what promtool says against a web config, empty if it takes it."""
    done = subprocess.run(
        [promtool, "check", "web-config", file], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def ours(folder: Folder, text: str) -> str:
    """Return what we say against a web config, empty if we take it."""
    return str(LiveWebConfig(folder.write(text), parse).first() or "")


@pytest.mark.parametrize("text", TAKEN)
def test_promtool_takes_what_we_take(promtool: Path, folder: Folder, text: str) -> None:
    """Or says that it is too old to know a field."""
    assert ours(folder, text) == ""
    said = refusal(promtool, folder.file)
    assert not said or NEWER.search(said), said


def test_we_refuse_what_promtool_refuses(promtool: Path, folder: Folder) -> None:
    """Over all texts of these tests; it refuses many and takes some that we refuse as unsafe."""
    said = {text: refusal(promtool, folder.write(text)) for text, _, _ in REFUSED}
    refused = [text for text, sentence in said.items() if sentence]
    assert all(ours(folder, text) for text in said)
    assert len(refused) >= 25
    assert len(refused) < len(said)


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("web-config*.yaml")), ids=lambda p: p.name)
def test_the_examples_are_sound_for_both(promtool: Path, folder: Folder, example: Path) -> None:
    """With certificate files where they say, and with what they comment out."""
    for name, source in {
        "tls.crt": "server.pem",
        "tls.key": "server.key",
        "ca.crt": "ca.pem",
    }.items():
        shutil.copy(folder.path / source, folder.path / name)
    text = example.read_text()
    assert ours(folder, text) == ""
    assert refusal(promtool, folder.file) == ""
    whole = re.sub(r"^( +)# (client_\w+: )", r"\1\2", text, flags=re.MULTILINE)
    assert whole != text
    assert ours(folder, whole) == ""
