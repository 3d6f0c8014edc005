"""What a person sees: the page at each width, light and dark, and what a browser says of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

View = tuple[int, Literal["light", "dark"]]
"""A width in pixels, and a colour scheme."""

VIEWS: tuple[View, ...] = ((390, "light"), (1280, "light"), (1280, "dark"), (1920, "light"))
JUDGED: tuple[View, ...] = ((390, "light"), (1280, "dark"))
"""Where axe judges, seconds each: once per scheme, and both the narrow and the wide layout."""


@dataclass
class Seen:
    """A page in a browser, and what it asked for and complained of."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return what can be read, folded parts included."""
        return str(self.page.locator("body").text_content())

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def unfold(self) -> None:
        """Open what is folded."""
        self.page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")

    def violations(self) -> list[str]:
        """Return what axe finds."""
        found: list[dict[str, Any]] = Axe().run(self.page).response["violations"]
        return [f"{v['id']}: {v['nodes'][0]['html'][:200]} ({len(v['nodes'])})" for v in found]


@contextmanager
def looking(browser: Browser, url: str, width: int = 1280, **options: Any) -> Iterator[Seen]:
    """Open a page for the length of a block."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    try:
        page = context.new_page()
        seen = Seen(page)
        page.on("request", lambda request: seen.asked.append(request.url))
        page.on("console", lambda message: seen.complaints.append(message.text))
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.goto(url)
        yield seen
    finally:
        context.close()


def look_over(browser: Browser, url: str, name: str, pictures: Path) -> None:
    """Look at a page at each width, light and dark; leave pictures, and fail on what is bad."""
    for width, scheme in VIEWS:
        with looking(browser, url, width, color_scheme=scheme) as seen:
            where = f"{name} at {width} px, {scheme}"
            seen.page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png", full_page=True)
            assert seen.overflow() <= 0, f"{where} is too wide"
            seen.unfold()
            assert seen.overflow() <= 0, f"{where} is too wide when unfolded"
            if (width, scheme) in JUDGED:
                assert seen.violations() == [], f"{where}, unfolded"
            assert seen.complaints == [], where
            assert {asked.removeprefix(url) for asked in seen.asked} <= {"/", "/favicon.ico"}
