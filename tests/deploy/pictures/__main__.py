"""`python -m tests.deploy.pictures` draws the dashboards of a daemon at work.

The daemon, the sandbox, the store and Prometheus are real and run for some minutes; the
pictures go to docs/pictures.  Grafana is not run: the renderer is our own.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, sync_playwright

from deploy.monitoring.dashboards import BOARDS
from tests.deploy import story
from tests.deploy.asking import Span, asked, choices
from tests.deploy.fleet import TRADING, fleet
from tests.deploy.pictures.page import WIDTH, page
from tests.deploy.prometheus import Prometheus, prometheus
from tests.servers.build import packaged

FOLDER: Final = Path(__file__).parents[3] / "docs" / "pictures"
CHOSEN: Final = f"{TRADING}/bybit/basis"
MORE_SECONDS: Final = 45.0


def draw(server: Prometheus, span: Span, folder: Path) -> list[Path]:
    """Ask every panel and write each dashboard as a page; return the files."""
    files = []
    for board in BOARDS:
        document: dict[str, Any] = board.as_json()
        values = choices(document, credential=CHOSEN)
        answers = {p["id"]: asked(server, p, span, values) for p in document["panels"]}
        chosen = ", ".join(
            f"{name}: {'all' if value == '.*' else value}"
            for name, value in values.items()
            if name != "datasource"
        )
        file = folder / f"{board.uid}.html"
        file.write_text(page(document, answers, span, chosen), encoding="utf-8")
        files.append(file)
    return files


def photograph(files: list[Path], folder: Path) -> None:
    """Take a picture of every page with the system's Chromium."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=packaged("chromium"), args=["--no-sandbox"]
        )
        shown: Page = browser.new_page(viewport={"width": WIDTH, "height": 800})
        for file in files:
            shown.goto(file.as_uri())
            picture = folder / f"{file.stem}.png"
            shown.screenshot(path=str(picture), full_page=True)
            print(picture, picture.stat().st_size)
        browser.close()


def main(folder: Path) -> None:
    """Let everything happen, then draw it."""
    with tempfile.TemporaryDirectory(prefix="rotator-pictures-") as name:
        scratch = Path(name)
        with fleet(scratch) as there:
            story.begin(there)
            with prometheus(scratch, there.port) as server:
                start = time.time()
                story.go_on(there)
                story.watch(MORE_SECONDS)
                files = draw(server, Span(start, time.time()), scratch)
        photograph(files, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
