"""`rotator store`: put, get and list secrets of the configured store."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rotator.cli.commands import command, group
from rotator.cli.failures import FAILED, Failed, usage
from rotator.cli.options import DEFAULT_CONFIG, ConfigFile, Json, Output, TokenFile, form_of
from rotator.cli.output import Block, Fields, Form, Table, clean, is_terminal, say, show
from rotator.cli.session import configured, on_store
from rotator.core.names import Sensitive, StorePath, shown

if TYPE_CHECKING:
    from rotator.config import Config
    from rotator.stores.port import KvStore, Secret, Walk

MAX_INPUT: Final = 1024 * 1024
OURS: Final = "rotator_"
MASK: Final = "***"
PROMPTS: Final = ("api_key", "api_secret")

PathArgument = Annotated[
    str, typer.Argument(metavar="PATH", help="Mount first, such as secret/trading/bybit/desk0.")
]


def add(app: typer.Typer) -> None:
    """Add the group."""
    inner = group(app, "store", "Put, get and list secrets of the configured store.")
    command(
        inner,
        "put",
        "rotator store put secret/trading/bybit/desk0 --metadata exchange=bybit",
        "rotator store put secret/trading/bybit/desk0 --file key.json",
        "rotator store put secret/trading/bybit/desk0 --only-metadata --metadata policy=desk",
    )(put)
    command(
        inner,
        "get",
        "rotator store get secret/trading/bybit/desk0",
        "rotator store get secret/trading/bybit/desk0 --reveal -o json > key.json",
    )(get)
    command(inner, "list", "rotator store list", "rotator store list secret/trading/bybit/")(
        list_paths
    )


def put(
    path: PathArgument,
    *,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="custom_metadata to set; an empty value removes the key."
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="Read the fields from here.")
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A field to ask for instead of api_key and api_secret."),
    ] = None,
    only_metadata: Annotated[
        bool, typer.Option("--only-metadata", help="Write no new version.")
    ] = False,
    cas: Annotated[
        int | None,
        typer.Option(min=0, metavar="VERSION", help="Fail unless this is the current version."),
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Write a new version of a secret, and its custom_metadata.

    The fields are one JSON object on standard input or in --file; on a terminal they are
    asked for, hidden. As with `vault kv put` they replace all fields of the version before.
    Metadata is merged.
    """
    custom = _custom(metadata or [])
    if only_metadata and not custom:
        raise usage("--only-metadata: there is none. Add --metadata KEY=VALUE.")
    loaded = configured(config, token_file)
    at = _path(path)
    if f"{at}/".startswith(loaded.store.state):
        raise usage(f"PATH: lies under {loaded.store.state}, which Rotator itself writes.")
    fields = None if only_metadata else _fields(file, field or list(PROMPTS))

    async def task(store: KvStore) -> int:
        before = await store.read_metadata(at)
        current = before.current if before else 0
        if fields is not None:
            current = await store.write(at, _revealed(fields), current if cas is None else cas)
        elif before is None:
            raise Failed(f"{at}: does not exist. Leave --only-metadata out to write it.")
        if custom:
            await store.patch_metadata(at, custom)
        return current

    version = on_store(loaded, task)
    told = {"path": at, "version": version, "metadata": custom}
    show(form_of(output, as_json), told, lambda: [Fields(told)])
    _hint(loaded, at, custom)


def get(
    path: PathArgument,
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="Print the values.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --reveal: on a terminal too, where others look on.")
    ] = False,
    version: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="An older version.")
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """Print a secret: its fields masked, its version and its custom_metadata."""
    if reveal and not yes and is_terminal(sys.stdout):
        raise usage("--reveal: shows secrets on this terminal. Add --yes, or send it to a file.")
    at = _path(path)

    async def task(store: KvStore) -> Secret | None:
        return await store.read(at, version)

    secret = on_store(configured(config, token_file), task)
    if secret is None:
        raise Failed(f"{at}: there is no such secret{f' or version {version}' if version else ''}.")
    if secret.data is None:
        gone = "destroyed" if secret.destroyed else "deleted"
        raise Failed(f"{at}: version {secret.version} is {gone}.")
    values = dict(secret.data) if reveal else {k: _masked(k, v) for k, v in secret.data.items()}
    told = {
        "path": at,
        "version": secret.version,
        "created_at": secret.created_at,
        "fields": values,
        "metadata": dict(secret.custom or {}),
    }
    show(form_of(output, as_json), told, lambda: _secret_blocks(told))


def list_paths(
    folder: Annotated[
        str | None,
        typer.Argument(metavar="[FOLDER]", help="Without it, the folders of store.paths."),
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    token_file: TokenFile = None,
    output: Output = Form.TABLE,
    as_json: Json = False,
) -> None:
    """List secrets with their versions and custom_metadata.

    Folders within the folder are listed too. Ends with 1 if a folder or a path could not be read.
    """
    loaded = configured(config, token_file)
    roots = loaded.store.paths if folder is None else (folder,)
    told = on_store(loaded, lambda store: _listed(store, roots, loaded.store.state))
    show(form_of(output, as_json), told, lambda: _list_blocks(told))
    for fault in told["faults"]:
        say(f"{fault['path']}: {fault['message']}")
    if told["faults"]:
        raise typer.Exit(FAILED)


async def _listed(store: KvStore, roots: tuple[str, ...], state: str) -> dict[str, Any]:
    from rotator.stores.port import StoreFault

    walks: list[Walk] = [
        await store.walk(StorePath(root), [StorePath(state.rstrip("/"))]) for root in roots
    ]
    faults = [fault for walk in walks for fault in walk.faults]
    paths = sorted({path for walk in walks for path in walk.paths})
    found = await store.read_many_metadata(paths)
    secrets = []
    for path in paths:
        metadata = found.get(path)
        if isinstance(metadata, StoreFault):
            faults.append(metadata)
        elif metadata is not None:
            newest = metadata.version(metadata.current)
            secrets.append(
                {
                    "path": path,
                    "version": metadata.current,
                    "created_at": newest.created_at if newest else None,
                    "metadata": dict(metadata.custom),
                }
            )
    return {
        "secrets": secrets,
        "complete": not faults,
        "faults": [{"path": f.path, "message": f.message} for f in faults],
    }


def _custom(pairs: list[str]) -> dict[str, str | None]:
    custom: dict[str, str | None] = {}
    for pair in pairs:
        key, given, value = pair.partition("=")
        if not given or not key:
            raise usage("--metadata: is not KEY=VALUE; write it such as exchange=bybit")
        if key.startswith(OURS):
            raise usage(f"--metadata: keys that begin {OURS} are written by Rotator alone.")
        custom[key] = value or None
    return custom


def _path(text: str) -> StorePath:
    path = text.strip("/")
    if "/" not in path:
        raise usage("PATH: names no mount; write it such as secret/trading/bybit/desk0")
    return StorePath(path)


def _fields(file: Path | None, prompts: list[str]) -> dict[str, Any]:
    """Return the fields to write, texts as Sensitive."""
    if file is None and sys.stdin is not None and sys.stdin.isatty():
        typed = {name: getpass.getpass(f"{name}: ") for name in prompts}
        return {name: Sensitive(value) for name, value in typed.items() if value}
    source, text = _input(file)
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise usage(
            f'{source}: is not JSON; give {{"api_key": "...", "api_secret": "..."}}'
        ) from None
    if not isinstance(told, dict) or not told:
        raise usage(f"{source}: must be one JSON object of fields")
    return {k: Sensitive(v) if isinstance(v, str) else v for k, v in told.items()}


def _input(file: Path | None) -> tuple[str, bytes]:
    if file is None:
        if sys.stdin is None:
            raise usage("standard input is closed: give the fields as JSON there, or --file")
        source, text = "standard input", sys.stdin.buffer.read(MAX_INPUT + 1)
    else:
        source = str(file)
        try:
            with file.open("rb") as opened:
                text = opened.read(MAX_INPUT + 1)
        except OSError as error:
            raise Failed(f"{file}: cannot be read ({error.strerror}).") from None
    if len(text) > MAX_INPUT:
        raise usage(f"{source}: is larger than 1 MiB")
    return source, text


def _revealed(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v.reveal() if isinstance(v, Sensitive) else v for k, v in fields.items()}


def _masked(name: str, value: object) -> str:
    return shown(value) if name == "api_key" and isinstance(value, str) else MASK


def _hint(config: Config, path: StorePath, custom: Mapping[str, str | None]) -> None:
    """Say what keeps a new secret from being watched."""
    from rotator.core.credentials import compile_glob
    from rotator.wiring.exchanges import exchange_names

    exchange = custom.get("exchange")
    if exchange is not None and exchange not in exchange_names():
        known = ", ".join(exchange_names())
        say(f"the exchange {clean(exchange)} is none of: {known}; it is not watched")
    if not any(path.startswith(folder) for folder in config.store.paths):
        say("the path lies in none of the folders of store.paths: it is not watched")
    if "exchange" in custom:
        return
    if not any(r.exchange and compile_glob(r.match).fullmatch(path) for r in config.rules):
        say("no rule covers the path: unless its metadata names its exchange, it is not watched")


def _secret_blocks(told: Mapping[str, Any]) -> Iterator[Block]:
    yield Fields({name: told[name] for name in ("path", "version", "created_at")})
    yield Fields(told["fields"], title="fields")
    if told["metadata"]:
        yield Fields(told["metadata"], title="metadata")


def _list_blocks(told: Mapping[str, Any]) -> Iterator[Block]:
    columns = ("path", "version", "created_at", "metadata")
    rows = [[secret[name] for name in columns] for secret in told["secrets"]]
    yield Table(columns, rows, empty="no secrets")
