"""`/api/v1`: the JSON forms of the command line, read-only, from memory.

Documented by `openapi.json` beside this module.  A query that is refused is 400, a
credential that is not there 404, and 503 is told before the first pass; each with
`{"error": one sentence}`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, TypeAlias

import orjson

from rotator.core.words import listed, told
from rotator.serve import selection
from rotator.serve.api_forms import (
    credential_form,
    exchanges_form,
    finding_form,
    health_form,
    part_form,
    rotation_form,
    time_form,
)
from rotator.serve.kept import Kept
from rotator.serve.query import (
    BadQuery,
    Pairs,
    nothing_wanted,
    wanted,
    wanted_findings,
    wanted_span,
)
from rotator.serve.view import Document, Live, Sight

ROOT: Final = "/api/v1"
MEDIA_TYPE: Final = "application/json"


class Absent(Exception):
    """What was asked for is not there; its text is one sentence."""


class NothingYet(Exception):
    """There was no pass yet."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request: its parameters, and what is known at this moment."""

    live: Live
    known: Sight | None
    pairs: Pairs
    kept: Kept

    @property
    def sight(self) -> Sight:
        """Return the fleet; raises NothingYet."""
        if self.known is None:
            raise NothingYet
        return self.known

    def once(self, what: Hashable, make: Callable[[Sight], Document]) -> bytes:
        """Return a document as JSON, written once per state of the fleet."""
        sight = self.sight
        return self.kept.get(sight.version, what, lambda: _json(make(sight)))


Ask: TypeAlias = Callable[[Question], bytes]
"""Answers a question with JSON; raises BadQuery, Absent and NothingYet."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and a JSON text."""

    status: int
    body: bytes


def answer(ask: Ask, question: Question) -> Answer:
    """Return the answer to one request; CPU work, to be called in a worker thread."""
    try:
        return Answer(200, ask(question))
    except BadQuery as refused:
        return _error(400, str(refused))
    except Absent as absent:
        return _error(404, str(absent))
    except NothingYet:
        return _error(503, question.live.why_empty)


def openapi(asked: Question) -> bytes:
    """Describe the API."""
    nothing_wanted(asked.pairs)
    return description()


def health(asked: Question) -> bytes:
    """Tell how old what is shown is, and how store and process are."""
    nothing_wanted(asked.pairs)
    return _json(health_form(asked.live, asked.known))


def status(asked: Question) -> bytes:
    """Tell all: what `rotator status` prints."""
    nothing_wanted(asked.pairs)
    return asked.once("status", lambda sight: sight.status())


def findings(asked: Question) -> bytes:
    """Tell what is wrong, the gravest first, page by page."""
    query = wanted_findings(asked.pairs)

    def make(sight: Sight) -> Document:
        fleet = sight.fleet()
        return part_form(fleet, "findings", selection.findings(fleet, query), finding_form)

    return asked.once(query, make)


def credentials(asked: Question) -> bytes:
    """Tell the credentials, filtered and sorted, page by page."""
    query = wanted(asked.pairs)

    def make(sight: Sight) -> Document:
        fleet = sight.fleet()
        return part_form(fleet, "credentials", selection.credentials(fleet, query), credential_form)

    return asked.once(query, make)


def credential(name: str) -> Ask:
    """Tell all about one credential: what `rotator explain` prints."""

    def ask(asked: Question) -> bytes:
        nothing_wanted(asked.pairs)
        found = asked.sight.named(name)
        if not found:
            raise Absent(f"There is no credential {told(name, 200)}.")
        if len(found) > 1:
            raise Absent(f"{told(name, 200)} may be {listed(found)}: give more of its name.")
        return _json(asked.sight.explain(found[0]))

    return ask


def rotations(asked: Question) -> bytes:
    """Tell the open rotations, those that wait for a person first."""
    nothing_wanted(asked.pairs)

    def make(sight: Sight) -> Document:
        fleet = sight.fleet()
        rows = [rotation_form(row) for row in fleet.rotations]
        return {"as_of": time_form(fleet.at), "rotations": rows}

    return asked.once("rotations", make)


def plan(asked: Question) -> bytes:
    """Tell the rotations to come: what `rotator plan` prints."""
    within = wanted_span(asked.pairs)
    return asked.once(("plan", within), lambda sight: sight.plan(within))


def strays(asked: Question) -> bytes:
    """Tell the keys without a place: what `rotator strays` prints, key ids shortened."""
    nothing_wanted(asked.pairs)
    return asked.once("strays", lambda sight: sight.strays())


def exchanges(asked: Question) -> bytes:
    """Tell how each exchange is."""
    nothing_wanted(asked.pairs)
    return _json(exchanges_form(asked.live, asked.sight.fleet()))


PATHS: Final[dict[str, Ask]] = {
    "/openapi.json": openapi,
    "/health": health,
    "/status": status,
    "/findings": findings,
    "/credentials": credentials,
    "/rotations": rotations,
    "/plan": plan,
    "/strays": strays,
    "/exchanges": exchanges,
}
"""Each path below ROOT, apart from a credential's own."""


@cache
def description() -> bytes:
    """Return the OpenAPI document."""
    return files("rotator.serve").joinpath("openapi.json").read_bytes()


def _error(code: int, sentence: str) -> Answer:
    return Answer(code, _json({"error": sentence}))


def _json(document: Document) -> bytes:
    return orjson.dumps(document, default=str) + b"\n"
