"""agentsts-core: the token exchange of kagent's agents, found by its metadata."""

import asyncio

from agentsts.core.client import STSClient, STSConfig, TokenType

from tests.sts.foreign.clients.assignment import assignment, show


async def main() -> None:
    """Get a token."""
    told = assignment()
    place = f"{told['issuer']}/.well-known/oauth-authorization-server"
    async with STSClient(STSConfig(well_known_uri=place)) as client:
        actor = told["actor"] or None
        got = await client.exchange_token(
            told["subject"],
            TokenType(told["subject_type"]),
            actor_token=actor,
            actor_token_type=TokenType.ACCESS_TOKEN if actor else None,
            audience=told["audience"],
            scope=told["scope"],
        )
    show(got.access_token, got.token_type)


if __name__ == "__main__":
    asyncio.run(main())
