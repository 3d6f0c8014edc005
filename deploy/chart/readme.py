"""The table of values in the chart's README.md, between its two marks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from deploy.chart.values import Value

START: Final = "<!-- values -->\n"
END: Final = "<!-- /values -->"
LONGEST: Final = 60
"""A longer default is not repeated: it stands in values.yaml."""


def with_table(readme: str, values: Sequence[Value]) -> str:
    """Return a README's text with the table of values as values.yaml gives it now."""
    before, _, rest = readme.partition(START)
    _, _, after = rest.partition(END)
    return before + START + "".join(f"{line}\n" for line in _table(values)) + END + after


def _table(values: Sequence[Value]) -> Iterator[str]:
    for section, inside in groupby(values, key=lambda value: value.section):
        yield from (f"### {section}", "", "| value | default | meaning |", "|---|---|---|")
        for value in inside:
            yield f"| `{'.'.join(value.path)}` | {_default(value.default)} | {_meaning(value)} |"
        yield ""


def _default(default: Any) -> str:
    text = json.dumps(default, ensure_ascii=False)
    return f"`{text}`" if len(text) <= LONGEST else "see values.yaml"


def _meaning(value: Value) -> str:
    words = [word for word in value.narrowed.get("enum", ()) if word]
    choice = f" ({', '.join(f'`{word}`' for word in words)})" if words else ""
    return (value.about + choice).replace("|", "\\|")
