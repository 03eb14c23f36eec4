"""The default run opens no socket to another machine."""

import socket
from pathlib import Path

import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.com"])
def test_reaching_for_another_machine_fails_the_test(host: str) -> None:
    with pytest.raises(RuntimeError, match="tests stay on this machine"):
        socket.create_connection((host, 9), timeout=0.1)


def test_sending_a_datagram_to_another_machine_fails_the_test() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        pytest.raises(RuntimeError, match="tests stay on this machine"),
    ):
        datagrams.sendto(b"x", ("192.0.2.1", 9))


def test_loopback_is_welcome() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=60).close()


def test_nobodys_home_is_seen() -> None:
    assert list(Path("~").expanduser().iterdir()) == []
