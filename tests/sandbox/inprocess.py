"""Reaches a sandbox's ASGI application from an httpx client, without a socket."""

from __future__ import annotations

import httpx
from starlette.types import ASGIApp

from rotator.sandbox.app import HungUp


class InProcess(httpx.AsyncBaseTransport):
    """Calls the application as `client`; a closed connection is what httpx makes of one."""

    def __init__(self, app: ASGIApp, client: str = "127.0.0.1") -> None:
        self._inner = httpx.ASGITransport(app=app, client=(client, 40_000))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        try:
            return await self._inner.handle_async_request(request)
        except HungUp:
            message = "Server disconnected without sending a response."
            raise httpx.RemoteProtocolError(message, request=request) from None
