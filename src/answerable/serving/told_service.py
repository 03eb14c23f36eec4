"""What a running token service is told over its socket, by an operator of this machine.

Whoever can make a file where that socket is would be asked in its place. So what is
answered counts from the owner of the service's folder alone, or from root, as the kernel
names them; nobody else is told anything.
"""

import json
import os
import pwd
import socket
import struct
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from answerable.model.config import Listener, TokenService

PATIENCE = 10  # seconds for all of one question
LONGEST = 64 << 20  # bytes of an answer, which names each delegation that ended
SOMEBODY = -1  # a user id that is nobody's, where that of a listener cannot be seen
_UCRED = struct.Struct("=iII")  # pid, uid, gid (unix(7), SO_PEERCRED)

Said = Mapping[str, object]


def user(uid: int) -> str:
    """Name a user, to be shown."""
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except (KeyError, OverflowError):
        return f"user {uid}" if uid != SOMEBODY else "another user"


def owner_of(place: Path | str) -> int:
    """Give the user whose file or folder it is; `SOMEBODY` where that is not seen."""
    try:
        return os.stat(place).st_uid
    except OSError:
        return SOMEBODY


def peer_of(wire: socket.socket) -> int:
    """Give the user at the other end of a connection, as the kernel names it."""
    peer = wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(peer)[1])


class Post:
    """The way to a token service.

    Args:
        service: Its section; None where there is none.

    Attributes:
        place: Of its socket, empty where it has none.
    """

    def __init__(self, service: TokenService | None) -> None:
        listen = () if service is None else service.listen
        self._at = next((each for each in listen if each.unix), None)
        self.place = self._at.unix if self._at else ""

    def ask(
        self,
        path: str,
        subject: str,
        by: str,
        believed: Collection[int],
        reason: str = "",
    ) -> tuple[Said | None, int | None]:
        """Ask whoever listens there, if that is somebody whom we believe.

        Args:
            path: Of the endpoint.
            subject: What it is about.
            by: Who asks.
            believed: User ids.
            reason: Why, empty where none was given.

        Returns:
            What it said, None where it did not take it; and whose user it is, None
            where none runs.
        """
        if self._at is None:
            return None, None
        uid, answer = owner_of(self.place), b""
        try:
            with _Wire() as wire:
                uid = wire.connect(self.place)
                if uid in believed:
                    answer = wire.ask(_request(self._at, path, subject, by, reason))
        except (FileNotFoundError, ConnectionRefusedError):
            return None, None
        except OSError:
            return None, uid
        return _said(answer), uid


class _Wire:
    """A connection whose every step has to be over at one time."""

    def __init__(self) -> None:
        self._until = time.monotonic() + PATIENCE
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> "_Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def connect(self, place: str) -> int:
        """Connect, and give whose user listens."""
        self._in_time().connect(place)
        return peer_of(self._socket)

    def ask(self, request: bytes) -> bytes:
        """Send all, and give all that comes."""
        self._in_time().sendall(request)
        answer = bytearray()
        while (part := self._in_time().recv(1 << 16)) and len(answer) < LONGEST:
            answer += part
        return bytes(answer)

    def _in_time(self) -> socket.socket:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._socket


def _request(at: Listener, path: str, subject: str, by: str, reason: str) -> bytes:
    why = {"reason": reason} if reason else {}
    body = json.dumps({"subject": subject, "by": by, **why}).encode()
    host = at.hosts[0] if at.hosts else "localhost"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def _said(answer: bytes) -> Said | None:
    first, _, rest = answer.partition(b"\r\n\r\n")
    if not first.startswith(b"HTTP/1.1 200 "):
        return None
    try:
        said = json.loads(rest)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
