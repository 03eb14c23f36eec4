"""Many clients at once, of two agents: each hears what it asked, and has its own list.

The gateway sends the calls of all of them down the same few connections.
"""

import asyncio

import pytest
from mcp.shared.exceptions import MCPError

from tests.mcp.clients.journey import ASKS, DENIED, ERAS
from tests.mcp.clients.python_sdk import PythonSdk, over_http
from tests.mcp.gateway import ECHOED, OTHER, Gateway, token

CLIENTS = 6
CALLS = 15


async def _heard(steps: PythonSdk, message: str) -> object:
    result = await steps.call("echo", {"message": message})
    return result.structured_content


async def _talk(url: str, shown: str, era: str, name: str) -> list[object]:
    """Echo this client's own words, several at a time; return what came back."""
    async with over_http(url, shown, era) as steps:
        words = [f"{name} {number}" for number in range(CALLS)]
        heard: list[object] = []
        for at in range(0, CALLS, 5):
            some = words[at : at + 5]
            heard += await asyncio.gather(*(_heard(steps, word) for word in some))
        return heard


@pytest.mark.parametrize("era", ERAS)
def test_each_client_hears_its_own_words(behind: Gateway, era: str) -> None:
    async def go() -> list[list[object]]:
        return await asyncio.gather(
            *(
                _talk(behind.url, (behind.token, token(OTHER))[n % 2], era, f"{n}")
                for n in range(CLIENTS)
            )
        )

    assert asyncio.run(go()) == [
        [{"message": f"{n} {number}"} for number in range(CALLS)]
        for n in range(CLIENTS)
    ]


@pytest.mark.parametrize("era", ERAS)
def test_each_agent_has_a_list_of_its_own(behind: Gateway, era: str) -> None:
    async def go() -> None:
        async with (
            over_http(behind.url, behind.token, era) as one,
            over_http(behind.url, token(OTHER), era) as other,
        ):
            assert await other.tools() == set(ECHOED)
            assert {"echo", "greet"} < await one.tools()
            assert await other.denied("greet") == DENIED
            assert await one.denied("greet") is None
            assert await other.denied("withheld") == DENIED

    asyncio.run(go())


@pytest.mark.parametrize("era", ERAS)
def test_a_server_asks_nothing_that_its_agent_does_not_allow(
    behind: Gateway, era: str
) -> None:
    tool, arguments = ASKS[era]

    async def go() -> None:
        async with over_http(behind.url, token(OTHER), era) as other:
            with pytest.raises(MCPError) as caught:
                await other.call(tool, arguments)
            assert caught.value.code == DENIED

    asyncio.run(go())
