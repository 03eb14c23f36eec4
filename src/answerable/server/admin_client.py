"""Admin client of a running token service, over its unix socket.

Another user could create a file in the socket's place. So only answers of the owner of
the service's folder, or of root, as the kernel identifies them, are trusted, and
requests are sent to no other.
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
SOMEBODY = -1  # an unused user id, for an unknown owner
_UCRED = struct.Struct("=iII")  # pid, uid, gid (unix(7), SO_PEERCRED)

Said = Mapping[str, object]


def user(uid: int) -> str:
    """Format a user for display."""
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except (KeyError, OverflowError):
        return f"user {uid}" if uid != SOMEBODY else "another user"


def owner_of(place: Path | str) -> int:
    """Return the owner of a file or folder; `SOMEBODY` where it is unknown."""
    try:
        return os.stat(place).st_uid
    except OSError:
        return SOMEBODY


def peer_of(wire: socket.socket) -> int:
    """Return the user at the other end of a connection, as the kernel identifies it."""
    peer = wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(peer)[1])


class Post:
    """Client of a token service's admin endpoints.

    Args:
        service: Its configuration section; None without one.

    Attributes:
        place: Path of its socket, empty without one.
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
        """Send a request, if the listener belongs to a trusted user.

        Args:
            path: Path of the endpoint.
            subject: Subject of the request.
            by: Name of the requester.
            believed: Ids of trusted users.
            reason: Reason, empty without one.

        Returns:
            The answer, None where it was refused; and the user id of the listener, None
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
    """Connection with one deadline for all steps."""

    def __init__(self) -> None:
        self._until = time.monotonic() + PATIENCE
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> "_Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def connect(self, place: str) -> int:
        """Connect, and return the user id of the listener."""
        self._in_time().connect(place)
        return peer_of(self._socket)

    def ask(self, request: bytes) -> bytes:
        """Send a request, and return the complete answer."""
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
