"""The names of log events: constants, so that a log query can rely on them."""

from __future__ import annotations

from typing import Final

STARTED: Final = "started"
STOPPING: Final = "stopping"
STOPPED: Final = "stopped"
CONFIG_READ: Final = "config_read"
CONFIG_REFUSED: Final = "config_refused"
CONFIG_NOTICE: Final = "config_notice"

PASS: Final = "pass"
"""The one line of a pass: counts, how long, and the head of the audit chain."""

STEP: Final = "step"
"""The one line of a step of a rotation: phase, effect, event, next phase."""

ROTATION_OPENED: Final = "rotation_opened"
ROTATION_CLOSED: Final = "rotation_closed"
ROTATION_HELD: Final = "rotation_held"
ROTATION_QUARANTINED: Final = "rotation_quarantined"
ANSWER_REFUSED: Final = "answer_refused"
EVENT_UNEXPECTED: Final = "event_unexpected"
RECORD_CONFLICT: Final = "record_conflict"

FINDING_OPENED: Final = "finding_opened"
FINDING_CLOSED: Final = "finding_closed"

TIDY: Final = "tidy"
STRAY_DELETED: Final = "stray_deleted"

STORE_DOWN: Final = "store_down"
STORE_BACK: Final = "store_back"
STORE_LOGIN: Final = "store_login"
EXCHANGE_DOWN: Final = "exchange_down"
EXCHANGE_BACK: Final = "exchange_back"
EXCHANGE_BANNED: Final = "exchange_banned"
CLOCK_SKEW: Final = "clock_skew"
CLOCK_SET: Final = "clock_set"

COMMAND: Final = "command"
LEADER: Final = "leader"
STANDBY: Final = "standby"
LEASE_LOST: Final = "lease_lost"
STOOD_DOWN: Final = "stood_down"
"""All work of a leader has ended; only after it the lease is given back."""

AUDIT_FAILED: Final = "audit_failed"
LISTENING: Final = "listening"
PROBES_LISTENING: Final = "probes_listening"
FOREIGN: Final = "library"
"""A line that a library wrote; its text is in `message`, its source in `logger`."""
