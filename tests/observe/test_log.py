"""One JSON object a line, whoever writes, and no secret in it."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NoReturn

import orjson
import pytest
import structlog

from rotator.observe import events, log
from rotator.observe.redact import Redactor
from tests.net.plugin import NET
from tests.observe import canary

NOW = datetime(2026, 11, 24, 6, 48, 1, 123456, tzinfo=UTC)


def clock() -> datetime:
    """Return the one instant of these tests."""
    return NOW


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    """Send the log to memory, with every canary known, and put things back after."""
    root = logging.getLogger()
    before = root.level
    buffer = io.BytesIO()
    redactor = Redactor(b"key")
    redactor.remember(*canary.ALL)
    log.configure(buffer, "info", redactor, clock)
    yield buffer
    NET.look("the log", buffer.getvalue())
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.setLevel(before)
    for handler in [h for h in root.handlers if isinstance(h, log.Foreign)]:
        root.removeHandler(handler)


def written(stream: io.BytesIO) -> list[dict[str, Any]]:
    """Return the lines, each read as JSON."""
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_time_level_and_event(stream: io.BytesIO) -> None:
    """The three fields stand first, the rest follows."""
    log.logger(part="engine").info(events.PASS, credentials=12, head="abc")
    assert written(stream) == [
        {
            "at": "2026-11-24T06:48:01.123Z",
            "level": "info",
            "event": "pass",
            "part": "engine",
            "credentials": 12,
            "head": "abc",
        }
    ]
    assert stream.getvalue().startswith(b'{"at":')


def test_a_library_s_line_goes_the_same_way(stream: io.BytesIO) -> None:
    """The standard library's records are lines of the same form."""
    logging.getLogger("some.library").warning("lost %s of %d", "one", 2)
    (line,) = written(stream)
    assert line["event"] == events.FOREIGN
    assert line["logger"] == "some.library"
    assert line["message"] == "lost one of 2"
    assert line["level"] == "warning"


def test_a_library_s_broken_message_is_written_as_it_is(stream: io.BytesIO) -> None:
    """A wrong number of arguments loses nothing."""
    (handler,) = (h for h in logging.getLogger().handlers if isinstance(h, log.Foreign))
    handler.emit(logging.LogRecord("some.library", 30, "file", 1, "%s and %s", ("one",), None))
    assert written(stream)[0]["message"] == "%s and %s"


@pytest.mark.parametrize("name", ["httpx", "apscheduler.scheduler", "urllib3.connectionpool"])
def test_talkative_libraries_are_heard_from_warnings_on(stream: io.BytesIO, name: str) -> None:
    """Their information says every URL."""
    logging.getLogger(name).info("GET https://x/?signature=1")
    logging.getLogger(name).warning("slow")
    assert [line["message"] for line in written(stream)] == ["slow"]


def test_the_level_filters_our_own_lines(stream: io.BytesIO) -> None:
    """Debug lines cost nothing and are not written."""
    log.logger().debug("detail")
    assert written(stream) == []


def test_an_unknown_level_is_refused_with_the_words_that_are_known() -> None:
    """One clear error."""
    with pytest.raises(ValueError, match="use one of debug, info, warning, error"):
        log.configure(io.BytesIO(), "loud", Redactor(), clock)


@pytest.mark.feeds_secrets
def test_no_canary_is_told_in_any_form_by_any_way(stream: io.BytesIO) -> None:
    """Fields, keys, messages, contexts, library records and tracebacks are all searched."""
    ours, theirs = log.logger(), logging.getLogger("some.library")
    for sensitive in canary.ALL:
        for form in canary.encoded(sensitive.reveal()):
            ours.info(form, field=form, deep={"list": [form, {form: form}]}, raw=form.encode())
            theirs.warning("it said %s", form)
            with structlog.contextvars.bound_contextvars(ctx=form):
                ours.error("bound")
            try:
                _fail(form)
            except ValueError:
                ours.exception("failed")
                theirs.exception("failed")
    assert len(written(stream)) > 100
    assert canary.told(stream.getvalue().decode()) == []


def test_a_traceback_shows_where_but_no_local_variable(stream: io.BytesIO) -> None:
    """Locals could hold what nobody told the redactor."""
    try:
        _fail("plain words")
    except ValueError as error:
        log.logger().error("failed", exc_info=error)
    text = written(stream)[0]["exception"]
    assert "plain words" in text
    assert "_fail" in text
    assert "only-in-a-local" not in text.replace('hidden = "only-in-a-local"', "")


def test_hostile_text_stays_on_its_line(stream: io.BytesIO) -> None:
    """A newline in a label from an exchange cannot forge a line."""
    log.logger().info("seen", label='x\n{"event": "forged"}\x1b[2J\udfff')
    assert len(written(stream)) == 1


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    """Lost lines are counted."""
    closed = io.BytesIO()
    sink = log.configure(closed, "info", Redactor(), clock)
    closed.close()
    log.logger().info("lost")
    assert sink.lost == 1
    structlog.reset_defaults()


def test_configuring_again_replaces_the_first_stream(stream: io.BytesIO) -> None:
    """No line is written twice."""
    second = io.BytesIO()
    log.configure(second, "warning", Redactor(), clock)
    logging.getLogger("some.library").warning("once")
    log.logger().warning("mine")
    assert stream.getvalue() == b""
    assert len(written(second)) == 2


def test_context_is_on_every_line_of_the_task(stream: io.BytesIO) -> None:
    """A rotation's id is bound once."""
    log.context(rotation="abcdefgh")
    log.logger().info("one")
    assert written(stream)[0]["rotation"] == "abcdefgh"


def _fail(form: str) -> NoReturn:
    hidden = "only-in-a-local"
    raise ValueError(form[: 10_000 + len(hidden)])
