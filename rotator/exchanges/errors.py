"""What an exchange's refusals mean: a table per exchange, one reader for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from rotator.core.outcome import Failure, Meaning
from rotator.exchanges.reading import http_date, mapping, quoted, wait_time


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, read within its bounds.

    `document` is the parsed JSON; where the body is none, `unreadable` says why
    (HTML, truncated, too large) and `document` is None.  Header names are lower
    case.
    """

    status: int
    document: object
    headers: Mapping[str, str]
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a sheet's error table; `also` are the other meanings it may have."""

    meaning: Meaning
    text: str
    also: tuple[Meaning, ...] = ()


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """A sheet's errors: by the exchange's own code, then by HTTP status.

    `stops` are the statuses that ban us from the whole exchange, with the time
    to stay away where the answer itself names none; they win over any code.
    """

    exchange: str
    codes: Mapping[int, Row]
    statuses: Mapping[int, Row]
    stops: Mapping[int, timedelta]

    def failure(self, answer: Answer, code: int | None, said: object) -> Failure | None:
        """Return why `answer` is no success, None if it is one.

        `code` is the exchange's error code in it (None: it shows none), `said` its
        words.  A 5xx is always an unknown outcome; so is a 200 that is no JSON.
        """
        status = answer.status
        if status in self.stops:
            return self._of(answer, self.statuses[status], code)
        if status >= 500:
            return self._of(answer, Row(Meaning.UNKNOWN_OUTCOME, "server error"), code)
        if code is not None:
            unknown = Row(Meaning.OTHER, f"unknown code: {quoted(said)}")
            return self._of(answer, self.codes.get(code, unknown), code)
        if status in self.statuses:
            return self._of(answer, self.statuses[status], None)
        if not 200 <= status < 300:
            meaning = Meaning.OTHER if status >= 400 else Meaning.UNKNOWN_OUTCOME
            return self._of(answer, Row(meaning, "unexpected status"), None)
        if answer.unreadable:
            return self._of(answer, Row(Meaning.UNKNOWN_OUTCOME, answer.unreadable), None)
        return None

    def _of(self, answer: Answer, row: Row, code: int | None) -> Failure:
        date = http_date(answer.headers.get("date"))
        wait = wait_time(answer.headers.get("retry-after"), date)
        shown = f"HTTP {answer.status}" if code is None else str(code)
        return Failure.of(
            row.meaning,
            f"{self.exchange} answered {shown}: {row.text}",
            code=shown,
            candidates=(row.meaning, *row.also) if row.also else (),
            retry_after=wait if wait is not None else self.stops.get(answer.status),
        )


def unusable(exchange: str, what: str) -> Failure:
    """Return the failure of a success whose content is not what the sheet says."""
    return Failure.of(Meaning.UNKNOWN_OUTCOME, f"{exchange} answered {what}", code="unusable")


def field_of(answer: Answer, name: str) -> object:
    """Return one field of the answer's top object, None if there is none."""
    return mapping(answer.document).get(name)
