"""What a server asks in an answer that is still open when its configuration changes."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from answerable.connectors.config.parse.config_file import parse_config
from answerable.gateway.http.upstream_pool import build_upstream_pools
from answerable.gateway.server_identity import accept_any_server
from answerable.gateway.wire.http_heads import encode_chunk
from tests.federation.sample_tokens import AUD, ISS
from tests.gateway.http.backend_scripts import always
from tests.gateway.http.gateway_fixture import CONFIG, Backend, Gateway, Peer, gateway
from tests.gateway.http.message_builders import old, reply, result
from tests.gateway.http.test_static_credentials import fields

QUESTION = b'data: {"jsonrpc":"2.0","id":"q1","method":"no/such"}\n\n'
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
OLD, NEW = "of-the-operator-before", "of-the-operator-by-now"


def kept(place: Path, secret: str) -> Path:
    draft = place.with_name("draft")
    draft.write_text(secret)
    draft.chmod(0o600)
    return draft.rename(place)


class Asking:
    """A server that asks in the midst of an answer, once it is told to."""

    def __init__(self) -> None:
        self.opened, self.asks = threading.Event(), threading.Event()
        self.answered = threading.Event()

    def __call__(self, peer: Peer) -> None:
        peer.request()
        if self.opened.is_set():
            self.answered.set()
            peer.send(reply(b"", "202 Accepted"))
            return
        peer.send(STREAM + encode_chunk(b": open\n\n"))
        self.opened.set()
        assert self.asks.wait(60)
        peer.send(encode_chunk(QUESTION))
        self.answered.wait(1)
        end = b"0\r\n\r\n"
        peer.send(encode_chunk(b"data: %b\n\n" % result(content=[])) + end)
        peer.gone()


@contextmanager
def open_answer(
    folder: Path, asking: Asking
) -> Iterator[tuple[Gateway, Backend, Callable[[], None]]]:
    """An answer that is open; what makes the server ask and waits for the end of it."""
    backend = Backend(asking)
    try:
        shown = f"credential: {{file: {kept(folder / 'one', OLD)}}}"
        with (
            gateway(folder / "gateway", backend.port, shown=shown) as running,
            running.client() as client,
        ):
            path = {"path": "/srv/a"}
            client.send(old("tools/call", name="read_file", arguments=path))
            assert asking.opened.wait(60)

            def goes_on() -> None:
                asking.asks.set()
                client.answer()

            yield running, backend, goes_on
    finally:
        asking.asks.set()
        backend.close()


def reload(running: Gateway, folder: Path, port: int, place: Path) -> None:
    """Put another file in force, as `House.swap` does."""
    text = CONFIG.format(port=port, more="", iss=ISS, aud=AUD).replace(
        "    reads:",
        f"    credential: {{file: {place}}}\n    pin: first-use\n    reads:",
        1,
    )
    config = parse_config(text.encode(), "x", str(folder / "gateway")).config

    def swap() -> None:
        exchange, http_server = running.http_server.exchange, running.http_server
        fresh = build_upstream_pools(
            config.servers, config.limits, http_server.ticker, accept_any_server
        )
        exchange.servers["files"].close()  # type: ignore[attr-defined]
        exchange.servers.update(fresh)  # type: ignore[attr-defined]
        assert exchange.credentials is not None
        exchange.credentials.reconfigure(config)

    running.run(swap)


def answers(backend: Backend) -> list[bytes]:
    """What was shown with each answer to the question."""
    return [
        shown
        for head, body in list(backend.requests)
        if b'"q1"' in body
        for shown in fields(head, b"authorization")
    ]


def test_another_server_is_sent_neither_the_answer_nor_the_credential_of_the_first(
    tmp_path: Path,
) -> None:
    other = Backend(always(reply(b"", "202 Accepted")))
    try:
        with open_answer(tmp_path, Asking()) as (running, backend, goes_on):
            reload(running, tmp_path, other.port, kept(tmp_path / "two", NEW))
            goes_on()
            assert answers(backend) == []
        assert other.requests == []
    finally:
        other.close()


@pytest.mark.parametrize("reloads", [False, True])
def test_the_same_server_is_shown_what_is_in_force_by_now(
    tmp_path: Path, reloads: bool
) -> None:
    with open_answer(tmp_path, Asking()) as (running, backend, goes_on):
        kept(tmp_path / "one", NEW)
        if reloads:
            reload(running, tmp_path, backend.port, tmp_path / "one")
        found = running.http_server.exchange.credentials
        assert found is not None
        read = found.fetch_static("files")
        asyncio.run_coroutine_threadsafe(read, running.loop).result(10)
        goes_on()
        assert answers(backend) == [f"Bearer {NEW}".encode()]
