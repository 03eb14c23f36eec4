"""The socket of a service manager, as systemd has it for `Type=notify-reload`."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 60


class Manager:
    """Keeps what it was told."""

    def __init__(self, address: str) -> None:
        self.heard: list[dict[str, str]] = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.socket.settimeout(0.1)

    def hear(self, name: str, count: int = 1) -> dict[str, str]:
        """Wait until a state was told some times; give the last."""
        until = time.monotonic() + SECONDS
        while True:
            told = [each for each in self.heard if name in each]
            if len(told) >= count:
                return told[-1]
            assert time.monotonic() < until, self.heard
            try:
                datagram = self.socket.recv(65536).decode()
            except TimeoutError:
                continue
            lines = (line.partition("=") for line in datagram.split("\n"))
            self.heard.append({key: value for key, _, value in lines})


@contextmanager
def manager(address: str) -> Iterator[Manager]:
    listening = Manager(address)
    try:
        yield listening
    finally:
        listening.socket.close()
