"""A stream lasts no longer than what its caller showed; a call runs to its end."""

import time
from pathlib import Path

import pytest

from answerable.federation.claim_parsing import CLOCK_SKEW
from tests.federation.sample_tokens import claims, header, sign
from tests.gateway.http.backend_scripts import always, hold_open, unanswered
from tests.gateway.http.gateway_fixture import Gateway, Peer, stage
from tests.gateway.http.message_builders import (
    ask,
    call,
    events,
    reply,
    request,
    result,
)
from tests.gateway.http.message_builders import token as lasting

OK = result(content=[])
NOTE = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}'
LISTEN = {"notifications": {"resourceSubscriptions": ["file:///srv/a"]}}
STREAMS = {
    "listen": ask("subscriptions/listen", **LISTEN),
    "a session's": request(b"", "MCP-Protocol-Version: 2025-11-25", method="GET"),
}
END = int(time.time()) + 600


def ending(spelled: bytes) -> bytes:
    """The same request with a token that ends before that of others."""
    said = claims(sub="ana", iat=END - 900, exp=END - CLOCK_SKEW)
    return spelled.replace(lasting("ana").encode(), sign(header(), said).encode())


def leave(running: Gateway, seconds: float) -> None:
    """Have the token be taken for so long and no longer."""
    ahead = END - seconds - time.time()
    running.run(
        lambda: setattr(running.http_server, "clock", lambda: time.time() + ahead)
    )


listening = hold_open(events(NOTE, end=False))


@pytest.mark.parametrize("spelled", STREAMS.values(), ids=STREAMS)
def test_a_stream_ends_with_the_token_of_its_caller(
    tmp_path: Path, spelled: bytes
) -> None:
    gone: list[bool] = []

    with stage(tmp_path, hold_open(events(NOTE, end=False), gone)) as (running, _):
        leave(running, 0.5)
        with running.client() as ana, running.client() as lasts:
            ana.send(ending(spelled))
            lasts.send(spelled)
            for client in (ana, lasts):
                assert client.head().status == 200
                client.chunk()
            assert ana.chunk() == b""
            assert ana.is_closed()
            assert not lasts.is_closed_within(0.1)
        assert "expired" in running.refusals()
    assert gone[0]


def test_a_stream_that_is_not_begun_is_told_that_the_token_ended(
    tmp_path: Path,
) -> None:
    with stage(tmp_path, unanswered) as (running, _), running.client() as client:
        leave(running, 0.3)
        client.send(ending(STREAMS["listen"]))
        answered = client.answer()
        assert answered.status == 401
        assert 'error="invalid_token"' in answered.fields["www-authenticate"]


def test_a_call_whose_token_ends_meanwhile_is_answered(tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        time.sleep(0.5)
        peer.send(reply(OK))

    with stage(tmp_path, script) as (running, _), running.client() as client:
        leave(running, 0.3)
        client.send(ending(call()))
        assert client.answer().body == OK
        client.send(ending(call()))
        assert client.answer().status == 401


def test_a_stream_that_ended_before_leaves_no_timer(tmp_path: Path) -> None:
    with stage(tmp_path, always(reply(OK))) as (running, _):
        leave(running, 0.3)
        with running.client() as client:
            client.send(ending(STREAMS["listen"]))
            assert client.answer().body == OK
            time.sleep(0.4)
            client.send(call())
            assert client.answer().body == OK
        assert "expired" not in running.refusals()


def test_where_the_clock_is_set_back_the_stream_lasts_as_long(tmp_path: Path) -> None:
    with stage(tmp_path, listening) as (running, _), running.client() as client:
        leave(running, 0.3)
        client.send(ending(STREAMS["listen"]))
        client.head()
        client.chunk()
        leave(running, 60)
        assert not client.is_closed_within(0.6)
