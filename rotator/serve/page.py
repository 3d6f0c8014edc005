"""The page at `/`: what is wrong, what is under way, the fleet, the health.

What hangs on the clock is written at each request; the rest, which may be large, once
per state of the fleet and query.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from typing import Final

from rotator.serve.kept import Kept
from rotator.serve.markup import Node, el, written
from rotator.serve.page_findings import findings_section
from rotator.serve.page_fleet import fleet_section
from rotator.serve.page_health import health_section
from rotator.serve.page_rotations import rotations_section
from rotator.serve.page_style import STYLE
from rotator.serve.page_top import summary, title, top
from rotator.serve.query import Wanted
from rotator.serve.view import Fleet, Live, Sight

STYLE_HASH: Final = b64encode(sha256(STYLE.encode()).digest()).decode()

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{STYLE_HASH}'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy: no script, nothing from elsewhere, our own style sheet alone."""

FRAME: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to what is wrong</a>
{top}<main id="main" tabindex="-1">
{summary}{body}{health}</main>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """Writes the page; CPU work, to be called in a worker thread."""

    version: str
    kept: Kept

    def html(self, live: Live, sight: Sight | None, asked: Wanted) -> bytes:
        """Return the page of a moment."""
        fleet = sight.fleet() if sight is not None else None
        body = ""
        if sight is not None and fleet is not None:
            kept = self.kept.get(sight.version, ("page", asked), lambda: _body(fleet, asked))
            body = kept.decode()
        return FRAME.format(
            title=escape(title(fleet)),
            style=STYLE,
            top=written(top(live, fleet, self.version)),
            summary=written(summary(live, fleet)),
            body=body,
            health=written(health_section(live, fleet)),
        ).encode()

    def refusal(self, why: str) -> bytes:
        """Return the page of a query that is refused."""
        main: Node = [el("p", why, class_="alarm warning"), el("p", el("a", "Show all", href="./"))]
        return FRAME.format(
            title="Not understood \u2013 Rotator",
            style=STYLE,
            top=written(el("header", el("h1", "Rotator"))),
            summary=written(main),
            body="",
            health="",
        ).encode()


def _body(fleet: Fleet, asked: Wanted) -> bytes:
    sections = (findings_section(fleet), rotations_section(fleet), fleet_section(fleet, asked))
    return written(sections).encode()
