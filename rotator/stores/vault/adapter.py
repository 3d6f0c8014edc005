"""HTTP to a Vault on one urllib3 pool: bounded, proxy-free, with explicit timeouts.

It knows nothing of Vault's meaning; `answers.py` does.  A transport fault
becomes a StoreError that says whether the request may have been applied.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import urllib3
from urllib3 import exceptions

from rotator.core.outcome import Happened, StoreError
from rotator.stores.vault.settings import CertAuth, VaultSettings

BODY_LIMIT = 32 * 1024 * 1024
REDIRECTS = 2
REDIRECTED = frozenset({307, 308})
READS = frozenset({"GET", "LIST", "HEAD"})
SURELY_UNSENT = (
    exceptions.NewConnectionError,
    exceptions.NameResolutionError,
    exceptions.ConnectTimeoutError,
)


class VaultAway(StoreError):
    """Vault as a whole does not serve us (silent, sealed, login lost): every path is hit."""


class NoAnswer(VaultAway):
    """The connection gave no answer; a read may be tried again at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer: the whole body (bounded) and what steers a retry."""

    status: int
    body: bytes
    retry_after: timedelta | None = None
    location: str | None = None


class VaultHttp:
    """A pool of kept-alive connections to one Vault address."""

    def __init__(self, settings: VaultSettings) -> None:
        self._settings = settings
        parts = urlsplit(settings.address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StoreError("the Vault address is not an http or https URL")
        self._scheme = parts.scheme
        self._prefix = parts.path.rstrip("/")
        self._hosts = {parts.netloc.lower(), *(h.lower() for h in settings.redirect_hosts)}
        self._identity: tuple[int, int] | None = None
        self._open()

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Send one request for an already quoted path (`/v1/...`) and return its answer."""
        answer = self._send(self._pool, method, self._prefix + path, headers, body)
        hops = 0
        while answer.status in REDIRECTED:
            hops += 1
            if hops > REDIRECTS:
                raise VaultAway(f"Vault redirected more than {REDIRECTS} times")
            pool, target = self._redirection(answer.location)
            answer = self._send(pool, method, target, headers, body)
        return answer

    def renew_identity(self) -> None:
        """Take up a client certificate whose files have changed since the pool was opened."""
        if self._identity_now() != self._identity:
            old = self._manager
            self._open()
            old.clear()

    def close(self) -> None:
        """Close the connections."""
        self._manager.clear()

    def _open(self) -> None:
        settings = self._settings
        self._identity = self._identity_now()
        self._manager = urllib3.PoolManager(
            num_pools=4,
            maxsize=2 * settings.workers,
            block=False,
            retries=False,
            timeout=urllib3.Timeout(
                connect=settings.connect_timeout.total_seconds(),
                read=settings.read_timeout.total_seconds(),
            ),
            ssl_context=self._tls() if self._scheme == "https" else None,
        )
        self._pool = self._manager.connection_from_url(settings.address)

    def _tls(self) -> ssl.SSLContext:
        ca_file, auth = self._settings.ca_file, self._settings.auth
        try:
            context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
            if isinstance(auth, CertAuth):
                context.load_cert_chain(auth.cert_file, auth.key_file)
        except (OSError, ValueError) as fault:
            raise VaultAway(f"a TLS file cannot be used: {type(fault).__name__}") from None
        return context

    def _identity_now(self) -> tuple[int, int] | None:
        auth = self._settings.auth
        if not isinstance(auth, CertAuth):
            return None
        try:
            return auth.cert_file.stat().st_mtime_ns, auth.key_file.stat().st_mtime_ns
        except OSError as fault:
            raise VaultAway(f"a TLS file cannot be used: {type(fault).__name__}") from None

    def _redirection(self, location: str | None) -> tuple[urllib3.HTTPConnectionPool, str]:
        parts = urlsplit(location or "")
        host, with_port = (parts.hostname or "").lower(), parts.netloc.lower()
        if parts.scheme != self._scheme or not {host, with_port} & self._hosts:
            raise VaultAway("Vault redirected to a host that is not allowed")
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        return self._manager.connection_from_url(f"{parts.scheme}://{with_port}"), target

    def _send(
        self,
        pool: urllib3.HTTPConnectionPool,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Answer:
        try:
            response = pool.urlopen(
                method,
                target,
                body,
                headers,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            return _answer(response)
        except (exceptions.HTTPError, OSError) as fault:
            raise _fault(fault, method) from None


def _answer(response: urllib3.BaseHTTPResponse) -> Answer:
    told = response.headers.get("Content-Length", "")
    if told.isdecimal() and int(told) <= BODY_LIMIT:
        body = response.read()
    else:
        body = response.read(BODY_LIMIT + 1)
        if len(body) > BODY_LIMIT:
            response.close()
            raise StoreError(
                "the store's answer is too large",
                happened=Happened.UNKNOWN,
                status=response.status,
            )
    response.release_conn()
    status = response.status
    if status == 200:
        return Answer(status, body)
    wait = response.headers.get("Retry-After", "")
    return Answer(
        status,
        body,
        timedelta(seconds=min(int(wait), 86_400)) if wait.isdecimal() else None,
        response.headers.get("Location"),
    )


def _fault(fault: Exception, method: str) -> StoreError:
    """Say whether the request may have reached the server."""
    unsent = isinstance(fault, SURELY_UNSENT) or _is_bad_certificate(fault)
    name = type(fault).__name__
    if unsent or method in READS:
        return NoAnswer(f"no answer from Vault ({name})", happened=Happened.NOT_APPLIED)
    return NoAnswer(f"the answer of Vault was lost ({name})", happened=Happened.UNKNOWN)


def _is_bad_certificate(fault: Exception) -> bool:
    cause = fault.args[0] if fault.args else None
    return isinstance(fault, exceptions.SSLError) and isinstance(
        cause, ssl.SSLCertVerificationError
    )
