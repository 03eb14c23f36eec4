"""A stream lasts no longer than what its caller showed; a call runs to its end."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

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
LEFT = 60.0  # seconds until then, at the beginning of a test


def ending(spelled: bytes) -> bytes:
    """The same request with a token that ends before that of others."""
    said = claims(sub="ana", iat=END - 900, exp=END - CLOCK_SKEW)
    return spelled.replace(lasting("ana").encode(), sign(header(), said).encode())


class Clock:
    """Time of a gateway, which only a test moves: it holds on a busy machine, too."""

    def __init__(self, running: Gateway) -> None:
        self.now = END - LEFT  # UTC, which may be set back
        self._passed = 0.0  # of the event loop, which may not
        self._timers: list[Timer] = []
        self._running = running
        running.run(self._replace)

    def _replace(self) -> None:
        http_server: Any = self._running.http_server
        http_server.clock = lambda: self.now
        http_server.loop = self

    def time(self) -> float:
        return self._running.loop.time()  # other deadlines are as they were

    def call_later(
        self, delay: float, run: Callable[..., None], *given: Any
    ) -> "Timer":
        self._timers.append(Timer(self._passed + delay, lambda: run(*given)))
        return self._timers[-1]

    def move(self, seconds: float) -> None:
        """Let time pass, and do what is due."""

        def now() -> None:
            self.now += seconds
            self._passed += seconds
            for each in [t for t in self._timers if t.at <= self._passed]:
                self._timers.remove(each)
                if not each.is_cancelled:
                    each.run()

        self._running.run(now)


@dataclass(eq=False)
class Timer:
    at: float
    run: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


listening = hold_open(events(NOTE, end=False))


@pytest.mark.parametrize("spelled", STREAMS.values(), ids=STREAMS)
def test_a_stream_ends_with_the_token_of_its_caller(
    tmp_path: Path, spelled: bytes
) -> None:
    gone: list[bool] = []

    with stage(tmp_path, hold_open(events(NOTE, end=False), gone)) as (running, _):
        clock = Clock(running)
        with running.client() as ana, running.client() as lasts:
            ana.send(ending(spelled))
            lasts.send(spelled)
            for client in (ana, lasts):
                assert client.head().status == 200
                client.chunk()
            clock.move(LEFT)
            assert ana.chunk() == b""
            assert ana.is_closed()
            assert not lasts.is_closed_within(0.1)
        assert "expired" in running.refusals()
    assert gone[0]


def test_a_stream_that_is_not_begun_is_told_that_the_token_ended(
    tmp_path: Path,
) -> None:
    with stage(tmp_path, unanswered) as (running, backend), running.client() as client:
        clock = Clock(running)
        client.send(ending(STREAMS["listen"]))
        while not backend.requests:
            time.sleep(0.01)
        clock.move(LEFT)
        answered = client.answer()
        assert answered.status == 401
        assert 'error="invalid_token"' in answered.fields["www-authenticate"]


def test_a_call_whose_token_ends_meanwhile_is_answered(tmp_path: Path) -> None:
    has_ended = Event()

    def script(peer: Peer) -> None:
        peer.request()
        assert has_ended.wait(60)
        peer.send(reply(OK))

    with stage(tmp_path, script) as (running, backend), running.client() as client:
        clock = Clock(running)
        client.send(ending(call()))
        while not backend.requests:
            time.sleep(0.01)
        clock.move(LEFT)
        has_ended.set()
        assert client.answer().body == OK
        client.send(ending(call()))
        assert client.answer().status == 401


def test_a_stream_that_ended_before_leaves_no_timer(tmp_path: Path) -> None:
    with stage(tmp_path, always(reply(OK))) as (running, _):
        clock = Clock(running)
        with running.client() as client:
            client.send(ending(STREAMS["listen"]))
            assert client.answer().body == OK
            clock.move(LEFT)
            client.send(call())
            assert client.answer().body == OK
        assert "expired" not in running.refusals()


def test_where_the_clock_is_set_back_the_stream_lasts_as_long(tmp_path: Path) -> None:
    with stage(tmp_path, listening) as (running, _), running.client() as client:
        clock = Clock(running)
        client.send(ending(STREAMS["listen"]))
        client.head()
        client.chunk()
        clock.now -= LEFT
        clock.move(LEFT)
        assert not client.is_closed_within(0.1)
        clock.move(LEFT)
        assert client.is_closed_within(60)
