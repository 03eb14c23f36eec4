"""One request to a provider, and what is no answer to it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from answerable.model.errors import EnvironmentFailure
from answerable.server.login import provider_client
from answerable.server.login.provider_client import ProviderClient
from tests.server.authentication.https_issuer import certificate

HEAD = b"HTTP/1.1 200 OK\r\n"


def whole(connection: socket.socket) -> bytes:
    """Read a request to its end: head and body may come apart."""
    request = b""
    while True:
        head, end, body = request.partition(b"\r\n\r\n")
        length = head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]
        if end and len(body) >= int(length or 0):
            return request
        request += connection.recv(64 * 1024)


@contextmanager
def answering(said: bytes, pause: float = 0) -> Iterator[tuple[str, list[bytes]]]:
    """Send some bytes to whoever asks, one at a time where there is a pause."""
    heard: list[bytes] = []
    ended = threading.Event()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.settimeout(60)
            heard.append(whole(connection))
            step = 1 if pause else len(said) or 1
            for at in range(0, len(said), step):
                if ended.wait(pause):
                    return
                try:
                    connection.sendall(said[at : at + step])
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/token?x=1", heard
        finally:
            ended.set()
            thread.join()


def test_a_form_is_posted_and_status_and_body_come_back():
    with answering(HEAD + b"Content-Length: 2\r\n\r\n{}") as (url, heard):
        assert ProviderClient("")(url, {"code": "a b&c"}) == (200, b"{}")
    assert heard[0].startswith(b"POST /token?x=1 HTTP/1.1\r\n")
    assert heard[0].endswith(b"\r\n\r\ncode=a+b%26c")


def test_a_redirect_is_not_followed():
    said = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    with answering(said) as (url, heard):
        assert ProviderClient("")(url, None) == (302, b"")
    assert len(heard) == 1


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x16\x03\x01 nothing like HTTP\r\n\r\n",
        HEAD + b"Content-Length: 9\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
        HEAD + b"Content-Length: 300000\r\n\r\n" + b" " * 300_000,
        HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["silence", "no http", "cut", "cut chunk", "large", "large head"],
)
def test_what_is_no_whole_answer_is_none(said: bytes):
    with answering(said) as (url, _), pytest.raises(EnvironmentFailure) as caught:
        ProviderClient("")(url, {"code": "canary"})
    assert caught.value.message.startswith("no response from 127.0.0.1:")
    assert "canary" not in caught.value.message
    assert "\n" not in caught.value.message


def test_a_body_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(provider_client, "REQUEST_TIMEOUT", 0.2)
    said = HEAD + b"Content-Length: 99\r\n\r\n" + b" " * 99
    with answering(said, pause=0.005) as (url, _), pytest.raises(EnvironmentFailure):
        ProviderClient("")(url, None)


def test_a_file_of_authorities_that_cannot_be_used_is_told(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(EnvironmentFailure, match="for TLS"):
            ProviderClient(str(tmp_path / name))
    ProviderClient(str(certificate(tmp_path)))
