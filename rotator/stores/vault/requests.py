"""One request to Vault: its name, its headers, and the observer that is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rotator.core.names import Sensitive
from rotator.core.outcome import Happened, StoreError
from rotator.stores.port import OnRequest
from rotator.stores.vault.adapter import Answer, VaultHttp


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: what it is called in the metrics, where it goes, what it carries."""

    operation: str
    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] | None = None
    write: bool = False


class Requests:
    """Sends requests and tells the observer of each."""

    def __init__(
        self,
        http: VaultHttp,
        namespace: str | None,
        monotonic: Callable[[], float],
        on_request: OnRequest | None,
    ) -> None:
        self._http = http
        self._headers = {"X-Vault-Request": "true"}
        if namespace:
            self._headers["X-Vault-Namespace"] = namespace
        self._monotonic = monotonic
        self._on_request = on_request

    def send(self, ask: Ask, token: Sensitive | None) -> Answer:
        """Send once and return whatever was answered; raise StoreError if nothing was."""
        headers = dict(self._headers)
        if token is not None:
            headers["X-Vault-Token"] = token.reveal()
        if ask.headers:
            headers.update(ask.headers)
        if self._on_request is None:
            return self._http.send(ask.method, ask.path, headers, ask.body)
        return self._observed(self._on_request, ask, headers)

    def renew_identity(self) -> None:
        """Take up a client certificate that has changed on disk."""
        self._http.renew_identity()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _observed(self, tell: OnRequest, ask: Ask, headers: Mapping[str, str]) -> Answer:
        began = self._monotonic()
        code = "unknown"
        try:
            answer = self._http.send(ask.method, ask.path, headers, ask.body)
            code = str(answer.status)
        except StoreError as fault:
            code = "lost" if fault.happened is Happened.UNKNOWN else "no_answer"
            raise
        finally:
            tell(ask.operation, code, self._monotonic() - began)
        return answer
