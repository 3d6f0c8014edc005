"""The kinds of values in a configuration: durations, times, patterns, addresses, URLs.

No message repeats the value that it refuses.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from ipaddress import ip_address, ip_network
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from rotator.core.names import Sensitive
from rotator.core.scopes import Scope, matches
from rotator.core.windows import DAY_NAMES

UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
PART = re.compile(r"([0-9]{1,9})([smhdw])")
DURATION = re.compile(r"(?:[0-9]{1,9}[smhdw]){1,5}")
CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]*):([0-9]{1,5})")
DEFAULT_AGE = "default"
LONGEST = timedelta(days=3650)
MAX_TEXT = 512


def duration(value: Any) -> timedelta:
    """Read `30d`, `6h`, `1h30m`; raises ValueError."""
    if value == 0 and not isinstance(value, bool):
        return timedelta(0)
    if not isinstance(value, str) or not DURATION.fullmatch(value):
        raise ValueError("is not a duration; write a number and a unit: 30s, 5m, 6h, 30d, 2w")
    total = sum((int(n) * UNITS[u] for n, u in PART.findall(value) if int(n)), timedelta(0))
    if total > LONGEST:
        raise ValueError("is longer than ten years; write a shorter duration")
    return total


def duration_text(span: timedelta) -> str:
    """Return a duration in the greatest unit that divides it: `30d`, `90m`, `0s`."""
    seconds = int(span.total_seconds())
    for unit in "dhm":
        size = int(UNITS[unit].total_seconds())
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def clock(value: Any) -> time:
    """Read a time of day such as `02:00`; raises ValueError."""
    match = CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a time of day; write hours and minutes such as 02:00")
    return time(int(match[1]), int(match[2]))


def moment(value: Any) -> datetime:
    """Read an ISO time with its offset; raises ValueError."""
    wrong = "is not a time with its offset; write it such as 2026-12-24T00:00:00Z"
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError(wrong)
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(wrong) from None
    raise ValueError(wrong)


def zone(value: Any) -> str:
    """Check the name of a time zone; raises ValueError."""
    wrong = "is not a time zone; write a name such as Europe/Zurich or UTC"
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_+/-]{1,64}", value):
        raise ValueError(wrong)
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(wrong) from None
    return value


def text(value: Any) -> str:
    """Check a short text of one line, without spaces around it; raises ValueError."""
    word = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(word, str) or not word or word != word.strip():
        raise ValueError("must be a text without spaces around it")
    if not word.isprintable() or len(word) > MAX_TEXT:
        raise ValueError("must be one short line of text")
    return word


def secret_path(value: Any) -> str:
    """Check a path of the store, mount first; raises ValueError."""
    path = text(value)
    if path.startswith("/") or "//" in path:
        raise ValueError("is not a path of the store; write the mount first, such as secret/bybit")
    return path


def folder(value: Any) -> str:
    """Check a folder of the store; a `/` at its end is added; raises ValueError."""
    path = secret_path(value)
    return path if path.endswith("/") else path + "/"


def pattern(value: Any) -> str:
    """Check that a scope pattern covers at least one scope; raises ValueError."""
    if isinstance(value, str) and any(matches(scope, value) for scope in Scope):
        return value
    words = ", ".join(scope.value for scope in Scope)
    raise ValueError(f"matches no scope; the scopes are {words}, and * stands for any part")


def age_table(value: Any) -> Any:
    """Read a single `max_age` as a table with the one entry `default`."""
    return value if isinstance(value, dict) else {DEFAULT_AGE: value}


def age_text(table: dict[str, timedelta]) -> str | dict[str, str]:
    """Write a table of ages as short as it can be read."""
    if set(table) == {DEFAULT_AGE}:
        return duration_text(table[DEFAULT_AGE])
    return {key: duration_text(age) for key, age in table.items()}


def age_key(value: Any) -> str:
    """Check a key of a table of ages: a scope pattern or `default`; raises ValueError."""
    return DEFAULT_AGE if value == DEFAULT_AGE else pattern(value)


def positive(span: timedelta) -> timedelta:
    """Refuse a duration of zero; raises ValueError."""
    if span <= timedelta(0):
        raise ValueError("is zero; write a longer duration")
    return span


def network(value: Any) -> str:
    """Check an IP address or CIDR block; raises ValueError."""
    wrong = "is not an IP address or network; write it such as 203.0.113.7 or 203.0.113.0/24"
    try:
        ip_network(value if isinstance(value, str) else "", strict=False)
    except ValueError:
        raise ValueError(wrong) from None
    return str(value)


def weekday(value: Any) -> str:
    """Check a weekday's short name; raises ValueError."""
    if isinstance(value, str) and value.lower()[:3] in DAY_NAMES:
        return value.lower()[:3]
    raise ValueError(f"is not a weekday; write one of {', '.join(DAY_NAMES)}")


def split_url(value: str) -> SplitResult | None:
    """Return a URL's parts, or None if it is none with a host."""
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - reading it raises for a port that is none
    except ValueError:
        return None
    return parts if parts.hostname else None


def web_url(value: Any) -> str:
    """Check an http(s) URL without a user, password or query; raises ValueError."""
    parts = split_url(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in ("http", "https"):
        raise ValueError("is not a URL; write it such as https://vault.example:8200")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must hold no user, password, query or fragment; leave them out")
    return text(value).rstrip("/")


def proxy_url(value: Any) -> Sensitive:
    """Check a proxy's URL; it may hold a user and password; raises ValueError."""
    parts = split_url(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in ("http", "https", "socks5", "socks5h"):
        raise ValueError("is not a proxy URL; write it such as http://proxy.example:3128")
    return Sensitive(text(value))


def without_login(url: str) -> str:
    """Return a URL with its user and password replaced by `***`."""
    parts = urlsplit(url)
    if parts.username is None and parts.password is None:
        return url
    return parts._replace(netloc=f"***@{parts.netloc.rpartition('@')[2]}").geturl()


def loopback(url: str) -> bool:
    """Say whether a URL's host is this machine."""
    parts = split_url(url)
    host = parts.hostname if parts else None
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def listen(value: Any) -> str:
    """Check `host:port`; raises ValueError."""
    match = LISTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[2]) > 65535:
        raise ValueError("is not an address to listen on; write host:port such as 0.0.0.0:9789")
    return str(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^([0-9]+[smhdw])+$", "examples": ["30d", "6h"]}),
]
Clock = Annotated[
    time,
    BeforeValidator(clock),
    PlainSerializer(lambda t: f"{t:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}$", "examples": ["02:00"]}),
]
Moment = Annotated[
    datetime,
    BeforeValidator(moment),
    PlainSerializer(lambda t: t.isoformat().replace("+00:00", "Z"), return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Zone = Annotated[str, BeforeValidator(zone)]
Text = Annotated[str, BeforeValidator(text)]
SecretPath = Annotated[str, BeforeValidator(secret_path)]
Folder = Annotated[str, BeforeValidator(folder)]
Pattern = Annotated[str, BeforeValidator(pattern)]
Network = Annotated[str, BeforeValidator(network)]
Weekday = Annotated[str, BeforeValidator(weekday)]
WebUrl = Annotated[str, BeforeValidator(web_url)]
ProxyUrl = Annotated[
    Sensitive,
    BeforeValidator(proxy_url),
    PlainSerializer(lambda url: without_login(url.reveal()), return_type=str),
    WithJsonSchema({"type": "string", "examples": ["http://proxy.example:3128"]}),
]
"""A `Sensitive`, because a proxy's URL may hold a password."""

MaxAge = Annotated[
    dict[Annotated[str, BeforeValidator(age_key)], Annotated[Duration, AfterValidator(positive)]],
    BeforeValidator(age_table),
    PlainSerializer(age_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": "^([0-9]+[smhdw])+$"},
                {"type": "object", "additionalProperties": {"type": "string"}},
            ]
        }
    ),
]
"""One duration, or durations by scope pattern and `default`; always read as the latter."""
Listen = Annotated[str, BeforeValidator(listen)]
