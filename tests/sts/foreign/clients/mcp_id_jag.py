"""The MCP SDK's ID-JAG provider: what a server's 401 leads to (SEP-990, second leg)."""

import asyncio

import httpx2
from mcp.client.auth.extensions.identity_assertion import (
    IdentityAssertionOAuthProvider,
)
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from tests.sts.foreign.clients.assignment import assignment, show


class Kept:
    """Keeps what was got, in memory."""

    tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """Give it."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep it."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Give nothing: the client is configured."""
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Forget it."""


class Resource(httpx2.AsyncBaseTransport):
    """The MCP server asks for a token; everything else goes where it is sent."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._net = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer."""
        if str(request.url) != self._server:
            return await self._net.handle_async_request(request)
        shown = "authorization" in request.headers
        return httpx2.Response(200 if shown else 401, request=request)


async def main() -> None:
    """Get a token."""
    told = assignment()
    kept = Kept()

    async def assertion(audience: str, resource: str) -> str:
        del audience, resource
        return told["subject"]

    provider = IdentityAssertionOAuthProvider(
        server_url=told["audience"],
        storage=kept,
        client_id=told["client_id"],
        client_secret="the SDK wants one, the service reads none",
        issuer=told["issuer"],
        assertion_provider=assertion,
        scope=told["scope"],
    )
    transport = Resource(told["audience"])
    async with httpx2.AsyncClient(transport=transport, auth=provider) as client:
        answer = await client.post(told["audience"])
    assert answer.status_code == 200
    assert kept.tokens is not None
    show(kept.tokens.access_token, kept.tokens.token_type)


if __name__ == "__main__":
    asyncio.run(main())
