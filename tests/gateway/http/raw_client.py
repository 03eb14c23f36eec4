"""One connection of a client, as plain bytes."""

import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Answered:
    """What a client got."""

    status: int
    fields: dict[str, str]
    body: bytes


class Client:
    """One connection of a client."""

    def __init__(self, place: int | Path) -> None:
        if isinstance(place, Path):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(60)
            self.sock.connect(str(place))
        else:
            self.sock = socket.create_connection(("127.0.0.1", place), timeout=60)
        self.held = b""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def until(self, mark: bytes) -> bytes:
        """Read up to a mark, and it."""
        while mark not in self.held:
            self._more()
        found, _, self.held = self.held.partition(mark)
        return found + mark

    def head(self) -> Answered:
        first, *lines = self.until(b"\r\n\r\n")[:-4].decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        return Answered(int(first.split(" ")[1]), {n: v for n, _, v in pairs}, b"")

    def answer(self) -> Answered:
        answered = self.head()
        if answered.fields.get("transfer-encoding") == "chunked":
            while piece := self.chunk():
                answered.body += piece
        else:
            answered.body = self.take(int(answered.fields.get("content-length", 0)))
        return answered

    def chunk(self) -> bytes:
        size = int(self.until(b"\r\n"), 16)
        piece = self.take(size)
        assert self.take(2) == b"\r\n"
        return piece

    def take(self, size: int) -> bytes:
        while len(self.held) < size:
            self._more()
        found, self.held = self.held[:size], self.held[size:]
        return found

    def is_closed(self) -> bool:
        try:
            return not self.held and self.sock.recv(1) == b""
        except ConnectionError:
            return True

    def is_closed_within(self, seconds: float) -> bool:
        """Say whether the gateway ends the answer, or the connection, in that time."""
        self.sock.settimeout(seconds)
        try:
            return self.sock.recv(1) in (b"", b"0")
        except TimeoutError:
            return False

    def _more(self) -> None:
        piece = self.sock.recv(1 << 20)
        if not piece:
            raise EOFError(self.held)
        self.held += piece
