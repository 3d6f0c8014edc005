"""A synchronous, typed client of Vault's KV v2; the only module that knows hvac.

hvac does the logins and renewals, on our own adapter.  The KV calls are made by
hand, because hvac's wipe the operator's retention (`update_metadata`,
`configure`), read the secret to patch it, or lose the status of an error.

Reads are tried several times; a write is sent once, except where the answer
says that it surely was not applied.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never

import hvac
import orjson

from rotator.core.names import Sensitive, StorePath
from rotator.core.outcome import Happened, StoreError
from rotator.stores.port import Data, Health, Metadata, MountLimits, Secret
from rotator.stores.vault import answers, custom, parse, paths
from rotator.stores.vault.adapter import Answer, NoAnswer
from rotator.stores.vault.login import Grant, Tokens, read_secret_file
from rotator.stores.vault.requests import Ask, Requests
from rotator.stores.vault.settings import (
    ApproleAuth,
    CertAuth,
    JwtAuth,
    KubernetesAuth,
    VaultSettings,
)

LoginAuth = ApproleAuth | KubernetesAuth | JwtAuth | CertAuth
PAUSES_S = (0.1, 0.3, 1.0, 2.0, 4.0)
LONGEST_WAIT = timedelta(seconds=5)
"""A longer Retry-After is handed to the caller instead of waited for."""
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
JSON = {"Content-Type": "application/json"}
SERVES = frozenset({200, 429, 473})


class _LoginBridge:
    """What hvac takes for its adapter; sends by our pool and raises our errors."""

    def __init__(self, requests: Requests, token: Sensitive | None) -> None:
        self._requests = requests
        self._token = token

    def login(self, url: str, **options: Any) -> dict[str, Any]:
        return self._post("login", url, options.get("json"))

    def post(self, url: str, **options: Any) -> dict[str, Any]:
        return self._post("renew", url, options.get("json"))

    def _post(self, operation: str, url: str, body: Any) -> dict[str, Any]:
        ask = Ask(operation, "POST", url, orjson.dumps(body or {}), JSON, write=True)
        return answers.parsed(self._requests.send(ask, self._token), write=True)


class HvacAuthority:
    """Logs in and renews by one auth method, through hvac."""

    def __init__(self, requests: Requests, auth: LoginAuth) -> None:
        self._requests = requests
        self._auth = auth

    def login(self) -> Grant:
        """Log in with what the files hold now."""
        api = self._api(None)
        match self._auth:
            case ApproleAuth() as auth:
                role_id = read_secret_file(auth.role_id_file).reveal()
                secret_id = read_secret_file(auth.secret_id_file).reveal()
                answer = api.approle.login(role_id, secret_id, mount_point=auth.mount)
            case KubernetesAuth() as auth:
                jwt = read_secret_file(auth.token_file).reveal()
                answer = api.kubernetes.login(auth.role, jwt, mount_point=auth.mount)
            case JwtAuth() as auth:
                jwt = read_secret_file(auth.token_file).reveal()
                answer = api.jwt.jwt_login(auth.role, jwt, path=auth.mount)
            case CertAuth() as auth:
                # hvac would want the files again, and a new pool for each login
                self._requests.renew_identity()
                asked = {"name": auth.role} if auth.role else {}
                url = paths.url("auth/", auth.mount, "login")
                answer = _LoginBridge(self._requests, None).login(url, json=asked)
            case _:
                assert_never(self._auth)
        return _grant(answer)

    def renew(self, token: Sensitive) -> Grant:
        """Extend a token's life."""
        return _grant(self._api(token).token.renew_self())

    def _api(self, token: Sensitive | None) -> Any:
        bridge = _LoginBridge(self._requests, token)
        return hvac.Client(url="", token="", adapter=lambda **_: bridge).auth


class VaultClient:
    """KV v2 calls on any mount of one Vault; safe to share between threads."""

    def __init__(
        self,
        requests: Requests,
        tokens: Tokens,
        settings: VaultSettings,
        sleep: Callable[[float], None],
    ) -> None:
        self._requests = requests
        self._tokens = tokens
        self._pauses = PAUSES_S[: max(settings.tries, 1) - 1]
        self._sleep = sleep
        self._mounts = paths.Mounts(self._ask_mount)

    def list_folder(self, folder: StorePath) -> tuple[str, ...] | None:
        """Return the names in a folder, None if it is empty or absent."""
        url = self._url("metadata", folder).rstrip("/") + "/?list=true"
        answer = self._call(Ask("list", "GET", url))
        if answers.is_absent(answer):
            return None
        return parse.names(self._data(answer))

    def read_metadata(self, path: StorePath) -> Metadata | None:
        """Return a path's metadata, None only if there surely is none."""
        answer = self._call(Ask("metadata", "GET", self._url("metadata", path)))
        if answers.is_absent(answer):
            return None
        return parse.metadata(path, self._data(answer))

    def read(self, path: StorePath, version: int | None) -> Secret | None:
        """Return one version; without data if it is deleted or destroyed."""
        wanted = "" if version is None else f"?version={version:d}"
        answer = self._call(Ask("read", "GET", self._url("data", path) + wanted))
        if answers.is_absent(answer):
            return None
        told = _faithful(answer.body) if answer.status in (200, 404) else None
        if told is None or not isinstance(told.get("data"), dict):
            raise self._fault(answer)
        return parse.secret(path, told["data"])

    def write(self, path: StorePath, data: Data, cas: int) -> int:
        """Write a version over `cas` and return its number."""
        try:
            body = json.dumps(
                {"options": {"cas": cas}, "data": dict(data)}, ensure_ascii=False, allow_nan=False
            ).encode()
        except (TypeError, ValueError, RecursionError):
            raise StoreError("the data is not JSON", happened=Happened.REFUSED) from None
        ask = Ask("write", "POST", self._url("data", path), body, JSON, write=True)
        told = answers.data_of(self._write(ask), write=True)
        number = told.get("version")
        if type(number) is not int:
            raise answers.unreadable(write=True)
        return number

    def patch_metadata(
        self,
        path: StorePath,
        changes: Mapping[str, str | None],
        held: Mapping[str, str] | None = None,
    ) -> None:
        """Merge keys into custom_metadata by merge-PATCH; nothing else is sent."""
        custom.check(changes)
        if held is None:
            metadata = self.read_metadata(path)
            if metadata is None:
                raise StoreError("the path has no metadata", happened=Happened.REFUSED, status=404)
            held = metadata.custom
        custom.check_count(held, changes)
        body = orjson.dumps({"custom_metadata": dict(changes)})
        url = self._url("metadata", path)
        self._write(Ask("patch_metadata", "PATCH", url, body, MERGE_PATCH, write=True))

    def change_versions(self, kind: str, path: StorePath, versions: Sequence[int]) -> None:
        """Soft-delete, undelete or destroy versions (`kind`: delete, undelete, destroy)."""
        if not versions:
            raise StoreError("no version number is given", happened=Happened.REFUSED)
        body = orjson.dumps({"versions": list(versions)})
        self._write(Ask(kind, "POST", self._url(kind, path), body, JSON, write=True))

    def capabilities(self, api_paths: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return what our token may do at API paths; `deny` is an empty set."""
        if not api_paths:
            return {}
        body = orjson.dumps({"paths": list(api_paths)})
        ask = Ask("capabilities", "POST", "/v1/sys/capabilities-self", body, JSON)
        told = self._data(self._call(ask))
        return {path: _granted(told.get(path)) for path in api_paths}

    def mount_limits(self, path: StorePath) -> MountLimits:
        """Return the effective settings of the mount that holds a path."""
        mount, _ = self._mounts.split(path)
        url = paths.url(mount, "config", "").rstrip("/")
        told = self._data(self._call(Ask("config", "GET", url)))
        return MountLimits(
            mount=mount.rstrip("/"),
            max_versions=parse.whole(told.get("max_versions", 0)) or parse.DEFAULT_MAX_VERSIONS,
            delete_version_after=parse.duration(told.get("delete_version_after")),
        )

    def api_path(self, kind: str, path: StorePath) -> str:
        """Return `secret/<kind>/x` for a path `secret/x`."""
        mount, rest = self._mounts.split(path)
        return f"{mount}{kind}/{rest}"

    def health(self) -> Health:
        """Say how Vault is, and keep our token alive on the way; never raises."""
        try:
            answer = self._requests.send(Ask("health", "GET", "/v1/sys/health"), None)
        except StoreError as fault:
            return Health(up=False, sealed=False, message=str(fault))
        told = _faithful(answer.body)
        sealed = answer.status == 503 and told is not None and told.get("sealed") is True
        up = answer.status in SERVES and told is not None
        message = "" if up else _why_down(answer.status, sealed=sealed)
        if up:
            try:
                self._tokens.current()
            except StoreError as fault:
                up, message = False, str(fault)
        at = _server_time(told)
        return Health(up, sealed, message, at, self._tokens.expires_at)

    def close(self) -> None:
        """Close the connections."""
        self._requests.close()

    # inside

    def _url(self, kind: str, path: StorePath) -> str:
        mount, rest = self._mounts.split(path)
        if rest:
            paths.check(rest)
        return paths.url(mount, kind, rest)

    def _ask_mount(self, path: str) -> str:
        url = paths.url("sys/internal/ui/", "mounts", path)
        told = self._data(self._call(Ask("mount", "GET", url)))
        mount, options = told.get("path"), told.get("options")
        version = options.get("version") if isinstance(options, dict) else None
        if told.get("type") != "kv" or version != "2" or not isinstance(mount, str):
            raise StoreError("the path is not in a KV version 2 mount", happened=Happened.REFUSED)
        return mount

    def _data(self, answer: Answer) -> dict[str, Any]:
        if answer.status != 200:
            raise self._fault(answer)
        return answers.data_of(answers.parsed(answer, write=False))

    def _fault(self, answer: Answer, *, write: bool = False) -> StoreError:
        if answer.status == 404:
            self._mounts.forget()
        if answer.status == 200:
            return answers.unreadable(write=write)
        return answers.fault_of(answer, write=write)

    def _write(self, ask: Ask) -> dict[str, Any]:
        answer = self._call(ask)
        if answer.status not in (200, 204):
            raise self._fault(answer, write=True)
        return answers.parsed(answer, write=True)

    def _call(self, ask: Ask) -> Answer:
        """Send until there is an answer that a repetition would not better."""
        for pause in self._pauses:
            try:
                answer = self._authorised(ask)
            except NoAnswer:
                if ask.write:
                    raise
                self._sleep(pause)
                continue
            if not answers.is_worth_repeating(answer, write=ask.write):
                return answer
            asked = answer.retry_after or timedelta(0)
            if asked > LONGEST_WAIT:
                return answer
            self._sleep(max(pause, asked.total_seconds()))
        return self._authorised(ask)

    def _authorised(self, ask: Ask) -> Answer:
        """Send with our token; after a 403 once more with a new one, if there is one."""
        token = self._tokens.current()
        answer = self._requests.send(ask, token)
        if answer.status != 403 or answers.is_mount_refusal(answer):
            return answer
        try:
            again = self._tokens.after_denied(token)
        except StoreError:
            if answers.is_dead_token(answer):
                raise
            return answer
        return self._requests.send(ask, self._tokens.current()) if again else answer


def _grant(answer: Any) -> Grant:
    auth = answer.get("auth") if isinstance(answer, dict) else None
    if not isinstance(auth, dict):
        raise answers.unreadable()
    token, ttl = auth.get("client_token"), auth.get("lease_duration")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        raise answers.unreadable()
    if type(ttl) is not int or not 0 <= ttl <= 10**9:
        raise answers.unreadable()
    renewable = auth.get("renewable") is True and auth.get("token_type") != "batch"
    return Grant(Sensitive(token), timedelta(seconds=ttl), renewable)


def _faithful(body: bytes) -> dict[str, Any] | None:
    """Parse with whole numbers of any size, so that a rewrite changes no field."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _granted(told: Any) -> frozenset[str]:
    if not isinstance(told, list):
        raise answers.unreadable()
    return frozenset(str(word) for word in told) - {"deny"}


def _why_down(status: int, *, sealed: bool) -> str:
    if sealed:
        return "Vault is sealed"
    return "Vault is not initialised" if status == 501 else f"Vault's health answers {status}"


def _server_time(told: dict[str, Any] | None) -> datetime | None:
    seconds = told.get("server_time_utc") if told else None
    if type(seconds) is not int or not 0 <= seconds < 2**36:
        return None
    return datetime.fromtimestamp(seconds, UTC)
