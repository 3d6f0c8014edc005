"""What a running daemon shows on its pages, searched for secrets."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import urllib3

from tests.net.plugin import NET

PAGES = ("/", "/metrics")
HTTP = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=2))


def see_pages(log: str) -> None:
    """Search the pages of a daemon that logged where it listens.

    One that does not answer shows nothing.
    """
    for port in _ports(log):
        for page in PAGES:
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                answer = HTTP.request("GET", f"http://127.0.0.1:{port}{page}")
                NET.look(f"the page {page}", answer.data)


def _ports(log: str) -> Iterator[int]:
    for line in log.splitlines():
        if '"listening"' in line and line.endswith("}"):
            event = json.loads(line)
            if event.get("event") == "listening":
                yield int(event["port"])
