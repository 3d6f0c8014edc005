"""The tables of README.md that are generated from the code.

`python -m tests.house.tables` writes them anew; a test fails when one is stale.
"""

from __future__ import annotations

from pathlib import Path

from deploy.monitoring.alerts.catalogue import alert_table
from rotator.core.saga.table import as_markdown
from rotator.exchanges.port import Capabilities, ExpiryKind, Trading
from rotator.exchanges.registry import capabilities_of, exchange_names
from rotator.observe.catalogue import metric_table

README = Path(__file__).parents[2] / "README.md"

EXPIRY = {
    ExpiryKind.NONE: "none documented",
    ExpiryKind.FIXED: "fixed",
    ExpiryKind.EXTENDABLE: "extendable by hand",
    ExpiryKind.IDLE: "when idle",
    ExpiryKind.UNKNOWN: "unknown",
}


def exchanges() -> str:
    """Return the table of exchanges."""
    lines = [
        "| exchange | looks | lists | rotates | tells | keys end | state | checked |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in exchange_names():
        can = capabilities_of(name)
        assert can is not None
        lines.append(
            f"| [{name}]({can.documentation}) | {_yes(bool(can.shows))} | {_yes(can.lists_keys)} "
            f"| {_rotates(can)} | {', '.join(sorted(can.shows)) or '-'} | {_expiry(can)} "
            f"| {_state(can)} | {can.checked} |"
        )
    return "\n".join(lines) + "\n"


def _rotates(can: Capabilities) -> str:
    if can.creates_keys and can.deletes_keys:
        return "sub-account keys, by their parent's" if can.needs_parent else "yes"
    return "a person does"


def _expiry(can: Capabilities) -> str:
    span = can.expiry_without_addresses
    return f"{span.days} days without an address list" if span else EXPIRY[can.expiry]


def _state(can: Capabilities) -> str:
    if can.status.trading is Trading.OPEN or can.status.at is None:
        return can.status.trading.value
    return f"{can.status.trading.value} {can.status.at:%Y-%m-%d}"


def _yes(value: bool) -> str:
    return "yes" if value else "-"


TABLES = {
    "alerts": alert_table,
    "exchanges": exchanges,
    "metrics": metric_table,
    "phases": as_markdown,
}


def rendered(text: str) -> str:
    """Return README's text with every table as the code gives it now."""
    for name, table in TABLES.items():
        block = f"<!-- {name} -->\n{table().strip()}\n<!-- /{name} -->"
        start, _, rest = text.partition(f"<!-- {name} -->\n")
        _, _, end = rest.partition(f"<!-- /{name} -->")
        text = start + block + end
    return text


if __name__ == "__main__":
    README.write_text(rendered(README.read_text(encoding="utf-8")), encoding="utf-8")
