"""`rotate`, `complete`, `resolve`, `hold`, `release`, `resume`: what people ask for."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer
from typer.core import TyperCommand

from rotator.cli.commands import SETTINGS, command, taught
from rotator.cli.failures import FAILED, USAGE, Failed, usage
from rotator.cli.look import Key, span_of
from rotator.cli.options import DEFAULT_CONFIG, ConfigFile, Json, Output, TokenFile, form_of
from rotator.cli.output import Block, Fields, Form, say, show
from rotator.cli.reports import rotations_notes
from rotator.cli.session import configured, on_store

if TYPE_CHECKING:
    from rotator.wiring.orders import Given
    from rotator.wiring.people import People

T = TypeVar("T")

WAIT: Final = "10m"
SPAN: Final = re.compile(r"(?:\d+[smhdw])+|0")
RESUME_EXAMPLES: Final = ("rotator resume", "rotator resume --wait")

Wait = Annotated[
    str | None,
    typer.Option(
        "--wait",
        metavar="[SPAN]",
        help=f"Follow until it is done or a person is asked; {WAIT} unless a span is given.",
    ),
]


class Waits(TyperCommand):
    """A command whose `--wait` may stand without a span."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give a bare `--wait` its span."""
        return super().parse_args(ctx, list(_spelled(args)))


def _spelled(args: list[str]) -> list[str]:
    spelled: list[str] = []
    rest = iter(args)
    for argument in rest:
        if argument != "--wait":
            spelled.append(argument)
            continue
        following = next(rest, None)
        if following is not None and SPAN.fullmatch(following):
            spelled.append(f"--wait={following}")
        else:
            spelled += [f"--wait={WAIT}", *_spelled([following, *rest] if following else [])]
    return spelled


def add(app: typer.Typer) -> None:
    """Add the commands."""
    _waiting(app, "rotate", rotate, "rotator rotate desk0", "rotator rotate bybit/desk0 --wait 5m")
    _waiting(app, "complete", complete, "rotator complete desk0 --wait")
    _waiting(app, "resolve", resolve, "rotator resolve desk0 abort", "rotator resolve desk0 retry")
    command(
        app,
        "hold",
        "rotator hold 'secret/trading/bybit/**' --reason 'exchange migrates' --for 2d",
        "rotator hold desk0 --reason 'trading through the night' --name night",
    )(hold)
    command(app, "release", "rotator release night")(release)
    _waiting(app, "resume", resume, *RESUME_EXAMPLES)


def _waiting(app: typer.Typer, name: str, function: Callable[..., None], *examples: str) -> None:
    import inspect

    said = taught(inspect.cleandoc(function.__doc__ or ""), examples)
    app.command(name, cls=Waits, help=said, context_settings=SETTINGS)(function)


def rotate(
    key: Key,
    *,
    wait: Wait = None,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Ask for a rotation of the key that a path holds now, due or not.

    Written for the daemon under your own login; it obeys at its next pass, if the path is
    armed and nothing blocks it. Asks for no confirmation.
    """
    from rotator.wiring import orders

    _ordered(
        lambda people: orders.rotate(people, key),
        wait,
        config,
        token_file,
        form_of(output, as_json),
    )


def complete(
    key: Key,
    *,
    wait: Wait = None,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Confirm that no consumer uses the old key any more, so that it may be deleted.

    Counts for the rotation and the path version that stand now, and only after the drain.
    Asks for no confirmation.
    """
    from rotator.wiring import orders

    _ordered(
        lambda people: orders.complete(people, key),
        wait,
        config,
        token_file,
        form_of(output, as_json),
    )


def resolve(
    key: Key,
    answer: Annotated[
        str, typer.Argument(metavar="ANSWER", help="adopt, abort or retry, as the question says.")
    ],
    *,
    wait: Wait = None,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Answer the question of a rotation that is QUARANTINED.

    adopt: the new key stays. abort: the old key stays. retry: go on where it stopped. The
    daemon looks at both keys first and refuses an answer that is not safe.
    """
    from rotator.wiring import orders

    _ordered(
        lambda people: orders.resolve(people, key, answer),
        wait,
        config,
        token_file,
        form_of(output, as_json),
    )


def hold(
    match: Annotated[
        str,
        typer.Argument(metavar="MATCH", help="A path glob such as secret/trading/**, or a KEY."),
    ],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is shown everywhere.")],
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="When it ends by itself.")
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="SPAN", help="How long it lasts, such as 2d.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="To release it by; made from MATCH if not given.")
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Hold everything that MATCH covers: nothing there is replaced or deleted.

    Without --until or --for it stands until `rotator release`. Open rotations stop where
    they are safe. Any holder of the people's policy may do the same with `vault kv put`.
    """
    if until is not None and for_ is not None:
        raise usage("--until and --for: give one of them")
    if not reason.strip():
        raise usage("--reason: must not be empty")
    lasts, ends = _span("--for", for_), _time(until)
    from rotator.wiring import holds

    async def task(people: People) -> dict[str, Any]:
        end = ends if lasts is None else people.clock.now() + lasts
        return holds.hold_document(await holds.hold(people, match, reason.strip(), end, name))

    document = _with_people(config, token_file, task)
    show(form_of(output, as_json), document, lambda: [_hold_fields(document, "covers")])
    if not document["covers"]:
        say("it covers no credential that there is now")


def release(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The hold's name.")],
    *,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """End a hold now; what waited for it goes on."""
    from rotator.wiring import holds

    async def task(people: People) -> dict[str, Any]:
        return holds.hold_document(await holds.release(people, name))

    document = _with_people(config, token_file, task)
    show(form_of(output, as_json), document, lambda: [_hold_fields(document)])


def resume(
    *,
    wait: Wait = None,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Let the daemon act again on a store that was restored from a backup.

    First compare the keys in the store with those at the exchanges: rotator check. Counts
    for the epoch that the store shows now.
    """
    span = _span("--wait", wait)
    from rotator.wiring import orders
    from rotator.wiring.following import follow_resume

    async def task(people: People) -> dict[str, Any]:
        resumed = await orders.resume(people)
        obeyed = None
        if resumed.number == 0:
            say("there is nothing to resume: the store is not behind its anchor")
        elif span is not None:
            say(f"written for epoch {resumed.epoch}; waiting for the daemon")
            obeyed = await follow_resume(people, resumed, span.total_seconds())
        return {
            "command": "resume",
            "epoch": resumed.epoch,
            "document": resumed.document,
            "number": resumed.number,
            "obeyed": obeyed,
        }

    document = _with_people(config, token_file, task)
    show(form_of(output, as_json), document, lambda: [Fields(document)])
    if document["obeyed"] is False:
        raise Failed("no daemon has obeyed yet: is one running (rotator run)?")
    if document["number"] and document["obeyed"] is None:
        say("the daemon (or rotator run --once) obeys at its next pass")


def _ordered(
    order: Callable[[People], Awaitable[Given]],
    wait: str | None,
    config: Path,
    token_file: Path | None,
    form: Form,
) -> None:
    """Write an order, follow it if asked to, and print how far it came."""
    span = _span("--wait", wait)
    from rotator.wiring import following, orders

    async def task(people: People) -> tuple[dict[str, Any], str | None]:
        given = await order(people)
        say(f"written: {given.command} of {given.target.name}, as {given.document}")
        if span is None:
            return orders.order_document(people, given, given.before, obeyed=None), None
        end = await following.follow(people, given, span.total_seconds(), say)
        document = orders.order_document(people, given, end.journaled, obeyed=end.obeyed)
        document["next"] = end.sentence
        return document, None if end.fine else end.sentence

    document, failed = _with_people(config, token_file, task)
    show(form, document, lambda: _order_blocks(document))
    if failed is not None:
        raise Failed(failed)


def _order_blocks(document: dict[str, Any]) -> list[Block]:
    kept = ("command", "credential", "rotation", "version", "answer", "next")
    told = {name: document[name] for name in kept if document[name] is not None}
    blocks: list[Block] = [Fields(told)]
    if document["now"] is not None:
        blocks.append(rotations_notes([document["now"]]))
    return blocks


def _hold_fields(document: dict[str, Any], *more: str) -> Fields:
    return Fields({name: document[name] for name in ("hold", "match", "reason", "until", *more)})


def _with_people(
    config: Path, token_file: Path | None, task: Callable[[People], Awaitable[T]]
) -> T:
    """Run a task on the store with a person's login; raises Failed and SetupError."""
    from rotator.engine.clock import SystemClock
    from rotator.wiring.people import People, Refused

    loaded = configured(config, token_file)
    try:
        return on_store(loaded, lambda kv: task(People(loaded, os.environ, kv, SystemClock())))
    except Refused as refused:
        raise Failed(str(refused), USAGE if refused.usage else FAILED) from None


def _span(option: str, text: str | None) -> Any:
    return None if text is None else span_of(text, option)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    from rotator.config.values import moment

    try:
        return moment(text)
    except ValueError as error:
        raise usage(f"--until: {error}") from None
