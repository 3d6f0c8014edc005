"""Rotations under way: where each stands, what it waits for, and what a person can type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rotator.core.cures import command as command_text
from rotator.serve.markup import Element, Node, el
from rotator.serve.page_words import command, counted, name_of, section, sentence, when
from rotator.serve.view import Fleet, HoldRow, RotationRow

OPENLY: Final = 10
"""Rotations that stand on the page; further ones are folded."""

MOST: Final = 200


def rotations_section(fleet: Fleet) -> Element:
    """Return the section of open rotations, those that wait for a person first."""
    found = fleet.rotations
    people = sum(r.person for r in found)
    waits = f" {people:,} of them wait for a person." if people else ""
    return section(
        "rotations",
        "Rotations under way",
        el("p", f"{counted(len(found), 'rotation')} open.{waits}")
        if found
        else el("p", "None.", class_="quiet"),
        [_rotation(r) for r in found[:OPENLY]],
        _folded(found[OPENLY:]),
        _holds(fleet.holds),
    )


def _folded(rotations: Sequence[RotationRow]) -> Node:
    if not rotations:
        return None
    left = len(rotations) - MOST
    more = el("p", f"and {left:,} more: ", el("a", "api/v1/rotations", href="api/v1/rotations"))
    return el(
        "details",
        el("summary", f"{len(rotations):,} more"),
        [_rotation(r) for r in rotations[:MOST]],
        more if left > 0 else None,
    )


def _rotation(row: RotationRow) -> Element:
    kind = "warning" if row.person else "info"
    return el(
        "article",
        el("h3", el("span", row.phase, class_=f"mark {kind}"), " ", name_of(row.credential)),
        el("p", _waits(row)),
        _answers(row),
        el(
            "p",
            "Rotation ",
            name_of(row.rotation),
            f", {row.strategy}, because: ",
            name_of(row.reason, "text"),
            ". Begun ",
            when(row.started_at),
            [", in this phase since ", when(row.phase_since)] if row.phase_since else None,
            ".",
            class_="quiet",
        ),
        class_=f"entry {kind}",
    )


def _waits(row: RotationRow) -> Node:
    if row.question is not None:
        return [el("strong", "It asks: "), sentence(row.question)]
    if row.waits_for is not None:
        return [el("strong", "It waits for: "), sentence(row.waits_for)]
    return "It is at work."


def _answers(row: RotationRow) -> Node:
    if not row.answers:
        return None
    typed = (command(command_text("resolve", row.credential, answer)) for answer in row.answers)
    return el("ul", [el("li", one) for one in typed], class_="answers")


def _holds(holds: Sequence[HoldRow]) -> Node:
    if not holds:
        return None
    return el(
        "div",
        el("h3", "Holds"),
        el("ul", [_hold(hold) for hold in holds[:MOST]]),
        class_="entry info",
    )


def _hold(hold: HoldRow) -> Element:
    return el(
        "li",
        name_of(hold.match),
        " is held (",
        name_of(hold.reason, "text"),
        ") until ",
        when(hold.until, "it is released"),
        ": ",
        command(command_text("release", hold.name)),
    )
