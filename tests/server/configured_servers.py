"""The doors of one file, and a process at the socket of its token service."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from answerable.connectors.config.parse.config_file import parse_config
from answerable.model.config import Config
from answerable.server.revocation_list import RevocationFile
from answerable.server.revocation_service import GATEWAY, SERVICE, RevocationService

AGENT, RUN = "agent:declared/triage", "run:d-1"
BOTH = (GATEWAY, SERVICE)
SERVERS = 'servers: {files: {url: "https://files.example/mcp"}}'
OTHER = 4242  # a user id


def sts(folder: Path, state: str = "") -> str:
    listen = f"listen: [{{unix: {folder / 'sts.sock'}}}]"
    kept = f", state: {state}" if state else ""
    return f'sts: {{url: "https://sts.example", {listen}{kept}}}'


def config_of(folder: Path, *sections: str) -> Config:
    text = "\n".join((f"store: {folder / 'store'}", *sections))
    place = folder / "answerable.yaml"
    place.write_text(text)
    reading = parse_config(text.encode(), str(place), str(folder))
    assert reading.config is not None, reading.faults
    return reading.config


def kills_of(folder: Path, *sections: str) -> RevocationService:
    return RevocationService(folder / "store", config_of(folder, *sections))


def killed(folder: Path) -> frozenset[str]:
    """The kills of the store; none stands in a folder of a server."""
    for each in ("gateway", "sts"):
        assert not RevocationFile(folder / "store" / each).read_subjects()
    return RevocationFile(folder / "store").read_subjects()


@contextmanager
def service(folder: Path, status: int, said: bytes) -> Iterator[list[bytes]]:
    """A process at the socket of the token service, that answers as it is told."""
    asked: list[bytes] = []
    head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(said))

    def serve() -> None:
        while True:
            try:
                wire, _ = listening.accept()
            except OSError:
                return
            with wire, suppress(OSError):  # whoever asks may be gone
                asked.append(wire.recv(65536))
                wire.sendall(head + said)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "sts.sock"))
        listening.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(60)


def state_of(folder: Path) -> Path:
    """Make the folder of the token service, which says whose word counts."""
    state = folder / "store" / "sts"
    state.mkdir(parents=True, mode=0o700)
    return state


def took(new: bool = True, *ended: str) -> bytes:
    return json.dumps({"subject": AGENT, "new": new, "ended": ended}).encode()
