"""Scripts of a scripted MCP server: replies to each request of the gateway."""

from collections.abc import Iterable

from tests.gateway.http.gateway_fixture import Peer, Script


def always(data: bytes) -> Script:
    """A server that replies the same to every request."""

    def script(peer: Peer) -> None:
        while True:
            peer.request()
            peer.send(data)

    return script


def in_turn(replies: Iterable[bytes]) -> Script:
    """A server that sends one reply to each request, and then closes."""

    def script(peer: Peer) -> None:
        for each in replies:
            peer.request()
            peer.send(each)

    return script


def hold_open(data: bytes, gone: list[bool] | None = None) -> Script:
    """A server that begins a reply, and then waits until its client is gone."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(data)
        left = peer.gone(10)
        if gone is not None:
            gone.append(left)

    return script


def unanswered(peer: Peer) -> None:
    """A server that never replies."""
    peer.request()
    peer.gone(10)
