"""What `doctor` asks before a daemon is started, so that nothing is found out midway.

Nothing is written.  One key per exchange signs the sheet's inspect call.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from rotator.config import Config, limits
from rotator.core.credentials import compile_glob
from rotator.core.facts import Credential, Validity
from rotator.core.names import CredentialName, ExchangeName, SigningKey, StorePath
from rotator.core.outcome import StoreDenied, StoreError
from rotator.core.schedule import Paths
from rotator.core.words import listed, told
from rotator.engine.clock import Clock
from rotator.exchanges.exchange import Exchange
from rotator.exchanges.registry import capabilities_of
from rotator.stores.cipher import KEY_BYTES
from rotator.stores.documents import COMMANDS, HOLDS, ROTATIONS
from rotator.stores.epoch import Epoch, Going
from rotator.stores.fingerprints import Fingerprints
from rotator.stores.inventory import InventoryResult
from rotator.stores.port import Health
from rotator.stores.preflight import Preflight
from rotator.stores.publisher import Publisher
from rotator.wiring import SetupError
from rotator.wiring.checked import Check, bad, good
from rotator.wiring.doctor_lease import lease
from rotator.wiring.exchanges import exchange_names, open_exchange_for
from rotator.wiring.leading import Elsewhere, anchor_file, anchor_of
from rotator.wiring.people import People

SKEW_LIMIT: Final = timedelta(seconds=5)
TOKEN_SOON: Final = timedelta(minutes=15)
SAMPLE: Final = 20
"""Armed credentials whose rights are asked for."""

ALL: Final = "root"
DOCUMENT: Final = frozenset({"create", "read", "update"})
READ: Final = frozenset({"read"})
LIST: Final = frozenset({"list"})


async def examine(people: People) -> list[Check]:
    """Return every check, as far as the store can be reached.  Never raises StoreError."""
    found = files(people.config, people.environ)
    found += await lease(people.config, people.environ, people.clock)
    store = await _store(people)
    found += store
    if not all(check.ok for check in store):
        return found
    try:
        inventory = await people.shelf.take()
        found += await _paths(people, inventory)
        found += await _state(people)
        found += _estate(people.config, inventory)
        found += await _rights(people, inventory)
        found += await _exchanges(people, inventory)
    except StoreError as error:
        found.append(bad("store answers", str(error), "look at the store, then run it again"))
    return found


# this machine


def files(config: Config, environ: Mapping[str, str]) -> list[Check]:
    """Return what this machine's own files must allow."""
    anchor = anchor_file(config, environ)
    wanted = [
        ("audit file", "audit.file", config.audit.file),
        ("lease file", "lease.file", config.lease.file),
        ("anchor file", "store.anchor.file", str(anchor) if anchor else None),
    ]
    return [_writable(name, field, Path(file)) for name, field, file in wanted if file]


def _writable(name: str, field: str, file: Path) -> Check:
    place = file
    while not place.exists() and place != place.parent:
        place = place.parent
    if place != file and not place.is_dir():
        return bad(name, f"{place} is no folder", f"set `{field}` to a file in a folder")
    if not os.access(place, os.W_OK):
        return bad(name, f"{place} cannot be written by this user", f"grant it, or set `{field}`")
    return good(name, f"{file} can be written")


# the store


async def _store(people: People) -> list[Check]:
    health = await people.kv.health()
    if not health.up:
        cure = "unseal it: vault operator unseal" if health.sealed else "see `store:`; is it there?"
        return [bad("store", health.message, cure)]
    found = [good("store", health.message or "it answers")]
    try:
        limit = await people.kv.mount_limits(people.documents.prefix)
    except StoreDenied as denied:
        cure = 'grant capabilities = ["read"] on the mounts\' `config`; see deploy/vault/'
        return [*found, bad("login", str(denied), cure)]
    except StoreError as error:
        return [*found, bad("login", str(error), "see `store.vault.auth`")]
    found.append(_token(people.clock, await people.kv.health()))
    found.append(_store_clock(people.clock, health))
    kept = limit.delete_version_after
    if kept > timedelta(0):
        message = f"the mount {limit.mount} of the state prefix deletes every version after {kept}"
        cure = f"run: vault write {limit.mount.strip('/')}/config delete_version_after=0s"
        found.append(bad("retention", message, cure))
    else:
        found.append(good("retention", f"the mount {limit.mount} deletes no version by itself"))
    return found


def _token(clock: Clock, health: Health) -> Check:
    until = health.token_expires_at
    if until is None:
        return good("login", "the login works and does not expire")
    message = f"the login works until {until:%Y-%m-%dT%H:%M:%SZ} unless renewed"
    if until - clock.now() < TOKEN_SOON:
        return bad("login", message, "renew it (vault token renew), or give it a longer life")
    return good("login", message)


def _store_clock(clock: Clock, health: Health) -> Check:
    if health.server_time is None:
        return good("store clock", "the store tells no time")
    return _skew("store clock", health.server_time - clock.now())


def _skew(name: str, offset: timedelta) -> Check:
    seconds = offset.total_seconds()
    message = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} this machine"
    if abs(offset) > SKEW_LIMIT:
        return bad(name, message, "set this machine's clock (NTP)")
    return good(name, message)


async def _paths(people: People, inventory: InventoryResult) -> list[Check]:
    found: list[Check] = []
    for folder in people.config.store.paths:
        name = f"path {folder}"
        unread = [f for f in inventory.faults if _below(f.path, folder)]
        names = None if unread else await people.kv.list_folder(StorePath(folder))
        if unread:
            message = f"{len(unread)} places cannot be read, such as {unread[0].path}: "
            cure = 'grant capabilities = ["read", "list"] on their metadata; see deploy/vault/'
            found.append(bad(name, message + unread[0].message, cure))
        elif names is None:
            found.append(bad(name, "holds no secret", "see `store.paths`: mount first"))
        else:
            found.append(good(name, "can be listed"))
    data = [people.kv.api_path("data", e.credential.path) for e in inventory.entries]
    denied = await _lacking(people, dict.fromkeys(data, READ))
    if denied:
        cure = 'grant capabilities = ["read"] there; see deploy/vault/watch.hcl'
        message = f"{len(denied)} of {len(set(data))} credentials may not be read: {listed(denied)}"
        found.append(bad("values", message, cure))
    else:
        found.append(good("values", f"{len(inventory.entries)} credentials may be read"))
    return found


def _below(path: str, folder: str) -> bool:
    return f"{path.strip('/')}/".startswith(f"{folder.strip('/')}/")


async def _lacking(people: People, needs: Mapping[str, frozenset[str]]) -> list[str]:
    """Return the API paths where a power is missing."""
    if not needs:
        return []
    granted = await people.kv.capabilities(tuple(needs))
    return [
        api
        for api, powers in needs.items()
        if ALL not in granted.get(api, frozenset()) and powers - granted.get(api, frozenset())
    ]


# the state prefix


async def _state(people: People) -> list[Check]:
    docs, api = people.documents, people.kv.api_path
    sample = StorePath(f"{people.config.store.paths[0].strip('/')}/any")
    needs = {
        api("data", docs.epoch): DOCUMENT,
        api("data", docs.facts(CredentialName(sample))): DOCUMENT,
        api("data", docs.at("strays", "any", "any")): DOCUMENT,
        api("data", docs.rotation(sample)): READ,
        api("data", docs.command(sample)): READ,
        api("data", docs.hold("any")): READ,
        **{f"{api('metadata', docs.at(f))}/": LIST for f in (ROTATIONS, COMMANDS, HOLDS)},
    }
    lacking = await _lacking(people, needs)
    found: list[Check] = []
    if lacking:
        cure = "give this login the policy deploy/vault/watch.hcl, or rotate.hcl to rotate"
        found.append(bad("state", f"more must be allowed on {listed(lacking)}", cure))
    else:
        found.append(good("state", f"{docs.prefix}/ can be read and written"))
    found.append(await _key(people, "pepper", docs.pepper))
    if people.config.rotation.armed:
        found.append(await _key(people, "seal", docs.seal))
    else:
        found.append(good("seal", "not needed: nothing is armed, so this instance only watches"))
    found.append(await _anchor(people))
    return found


async def _key(people: People, name: str, path: StorePath) -> Check:
    role = "deploy/vault/rotate.hcl" if name == "seal" else "deploy/vault/watch.hcl"
    try:
        found = await people.documents.read(path)
    except StoreDenied as denied:
        return bad(name, str(denied), f"give this login the policy {role}")
    if found.exists:
        back = f"run: vault kv undelete -versions={found.version} {path}"
        return (
            bad(name, f"{path} was deleted", back) if found.data is None else good(name, "is there")
        )
    if await _lacking(people, {people.kv.api_path("data", path): DOCUMENT}):
        return bad(name, f"{path} is not there, and may not be made", f"give the policy {role}")
    return good(name, "is made at first use")


async def _anchor(people: People) -> Check:
    anchor = anchor_of(people.config, people.environ, people.clock)
    if isinstance(anchor, Elsewhere):
        return good("anchor", "it is an annotation of the Lease, which only pods see")
    try:
        standing = await Epoch(people.documents, anchor).judge(acts=False)
    except StoreError as error:
        return bad("anchor", str(error), "nothing is rotated until the epoch can be told")
    if isinstance(standing, Going):
        return good("anchor", f"the store has not fallen behind it (epoch {standing.epoch})")
    return bad("anchor", standing.message, standing.cure)


# what is configured, against what is there


def _estate(config: Config, inventory: InventoryResult) -> list[Check]:
    credentials = [e.credential for e in inventory.entries]
    return [
        _armed(config, credentials),
        _others(inventory),
        _names(credentials),
        _parents(credentials),
    ]


def _armed(config: Config, credentials: list[Credential]) -> Check:
    globs = config.rotation.armed
    empty = [g for g in globs if not _covers(g, credentials)]
    if empty:
        cure = "correct `rotation.armed`: a glob over whole paths, mount first"
        return bad("armed", f"matches no credential: {listed(empty)}", cure)
    if not globs:
        return good("armed", "nothing is armed: watch only", "arm paths with `rotation.armed`")
    count = len(_armed_ones(config, credentials))
    return good("armed", f"{count} of {len(credentials)} credentials")


def _covers(glob: str, credentials: Iterable[Credential]) -> bool:
    pattern = compile_glob(glob)
    return any(pattern.fullmatch(c.path) or pattern.fullmatch(c.name) for c in credentials)


def _armed_ones(config: Config, credentials: Iterable[Credential]) -> list[Credential]:
    armed = Paths(limits(config).armed)
    return [c for c in credentials if c.managed and armed.cover(c.path, c.name)]


def _others(inventory: InventoryResult) -> Check:
    if not inventory.others:
        return good("other secrets", "every secret names its exchange")
    return good(
        "other secrets",
        f"{inventory.others} name no exchange, so they are not watched: "
        f"{listed(inventory.other_paths)}",
        "if one should be: rotator store put PATH --only-metadata --metadata exchange=NAME",
    )


def _names(credentials: Iterable[Credential]) -> Check:
    known = exchange_names()
    unknown = {c.exchange or "no exchange" for c in credentials if c.exchange not in known}
    if unknown:
        return bad(
            "exchange names",
            f"no exchange is called {listed(unknown)}",
            f"the known ones are {', '.join(known)}",
        )
    return good("exchange names", "all are known")


def _parents(credentials: list[Credential]) -> Check:
    names = {c.name for c in credentials}
    missing = {
        f"{parent} (of {c.name})"
        for c in credentials
        for parent in (c.parent, c.lister)
        if c.managed and parent is not None and parent not in names
    }
    if missing:
        cure = "correct `parent` or `lister`, or put that key into the store"
        return bad("parents", f"not in the store: {listed(missing)}", cure)
    return good("parents", "every parent and lister that is named is there")


async def _rights(people: People, inventory: InventoryResult) -> list[Check]:
    """Ask for some armed credentials all that the daemon asks before it opens a rotation."""
    armed = _armed_ones(people.config, (e.credential for e in inventory.entries))
    if not armed:
        return []
    preflight = Preflight(people.kv, people.documents)
    problems: dict[str, Check] = {}
    for credential in armed[:SAMPLE]:
        for problem in await preflight.problems(credential.name, credential.path):
            check = bad("rotation", f"{credential.name}: {problem.message}", problem.cure)
            problems.setdefault(problem.cure, check)
    if problems:
        return list(problems.values())
    return [good("rotation", f"asked for {min(len(armed), SAMPLE)} armed credentials: all allowed")]


# the exchanges


async def _exchanges(people: People, inventory: InventoryResult) -> list[Check]:
    found: list[Check] = []
    for (exchange, environment), credentials in _by_exchange(inventory).items():
        name = exchange if environment == "prod" else f"{exchange} {environment}"
        try:
            house = open_exchange_for(people.config, exchange, environment, people.clock)
        except SetupError as error:
            found.append(bad(f"exchange {name}", str(error), "see `exchanges:`"))
            continue
        try:
            found += await _exchange(people, house, credentials, name)
        finally:
            await house.aclose()
    return found


def _by_exchange(
    inventory: InventoryResult,
) -> dict[tuple[ExchangeName, str], list[Credential]]:
    """Return the credentials of each exchange, those that serve as parents first."""
    parents = {c.parent for e in inventory.entries if (c := e.credential).parent}
    ordered = sorted(inventory.entries, key=lambda e: e.credential.name not in parents)
    found: dict[tuple[ExchangeName, str], list[Credential]] = {}
    for entry in ordered:
        credential = entry.credential
        if credential.exchange is not None and capabilities_of(credential.exchange):
            place = (credential.exchange, credential.environment)
            found.setdefault(place, []).append(credential)
    return found


async def _exchange(
    people: People, house: Exchange, credentials: list[Credential], name: str
) -> list[Check]:
    closed = house.closed()
    if closed is not None:
        return [good(f"exchange {name}", closed.message, "take its credentials out")]
    key = await _some_key(people, credentials)
    if key is None:
        cure = "let this login read one of its credentials"
        return [bad(f"exchange {name}", "no key of it can be read to ask it with", cure)]
    look = await house.inspect(key)
    found: list[Check] = []
    said = told(look.failure.message, 200) if look.failure else "answers"
    if look.validity in (Validity.EXCHANGE_DOWN, Validity.THROTTLED):
        cure = "look at its status page, at `exchanges.*.proxy`, and at this machine's network"
        found.append(bad(f"exchange {name}", said or look.validity.value, cure))
    else:
        answer = "answers" if look.failure is None else f"answers, though not with facts: {said}"
        found.append(good(f"exchange {name}", answer))
    if house.clock_offset is not None:
        found.append(_skew(f"clock {name}", house.clock_offset))
    return found


async def _some_key(people: People, credentials: Iterable[Credential]) -> SigningKey | None:
    publisher = Publisher(people.kv, Fingerprints(secrets.token_bytes(KEY_BYTES)))
    for credential in list(credentials)[:SAMPLE]:
        try:
            state = await publisher.read(credential.path, credential.fields)
        except StoreError:
            continue
        if state.key is not None:
            return state.key
    return None
