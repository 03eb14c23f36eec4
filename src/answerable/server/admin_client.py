"""Send admin requests to a running token service, over its unix socket.

Another user could create a file in the socket's place. So only answers of the owner of
the service's folder, or of root, as the kernel identifies them, are trusted, and
requests are sent to no other.
"""

import json
import os
import pwd
import socket
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from answerable.model.config import Listener, TokenServiceConfig
from answerable.server.processes.unix_peer import UCRED

REQUEST_TIMEOUT = 10  # seconds for all of one question
MAX_ANSWER = 64 << 20  # bytes of an answer, which names each delegation that ended
UNKNOWN_UID = -1  # an unused user id, for an unknown owner

AdminAnswer = Mapping[str, object]


def format_user(uid: int) -> str:
    """Format a Unix user id with its account name, for messages."""
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except (KeyError, OverflowError):
        return f"user {uid}" if uid != UNKNOWN_UID else "another user"


def file_owner(path: Path | str) -> int:
    """Return the owner of a file or folder; `UNKNOWN_UID` where it is unknown."""
    try:
        return os.stat(path).st_uid
    except OSError:
        return UNKNOWN_UID


def socket_peer_uid(connection: socket.socket) -> int:
    """Return the user at the other end of a connection, as the kernel identifies it."""
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
    return int(UCRED.unpack(peer)[1])


class AdminClient:
    """Client of a token service's admin endpoints.

    Args:
        service: Its configuration section; None without one.

    Attributes:
        place: Path of its socket, empty without one.
    """

    def __init__(self, service: TokenServiceConfig | None) -> None:
        listen = () if service is None else service.listen
        self._at = next((each for each in listen if each.unix), None)
        self.place = self._at.unix if self._at else ""

    def send_request(
        self,
        path: str,
        subject: str,
        requester: str,
        trusted_uids: Collection[int],
        reason: str = "",
    ) -> tuple[AdminAnswer | None, int | None]:
        """Send a request, if the listener belongs to a trusted user.

        Args:
            path: Path of the endpoint.
            subject: Subject of the request.
            requester: Name of the requester.
            trusted_uids: Ids of trusted users.
            reason: Reason, empty without one.

        Returns:
            The answer, None where it was refused; and the user id of the listener, None
            where none runs.
        """
        if self._at is None:
            return None, None
        uid, answer = file_owner(self.place), b""
        try:
            with _AdminConnection() as wire:
                uid = wire.connect(self.place)
                if uid in trusted_uids:
                    answer = wire.send_and_receive(
                        _build_admin_request(self._at, path, subject, requester, reason)
                    )
        except (FileNotFoundError, ConnectionRefusedError):
            return None, None
        except OSError:
            return None, uid
        return _parse_admin_answer(answer), uid


class _AdminConnection:
    """Connection with one deadline for all steps."""

    def __init__(self) -> None:
        self._until = time.monotonic() + REQUEST_TIMEOUT
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> "_AdminConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def connect(self, path: str) -> int:
        """Connect, and return the user id of the listener."""
        self._socket_with_time_left().connect(path)
        return socket_peer_uid(self._socket)

    def send_and_receive(self, request: bytes) -> bytes:
        """Send a request, and return the complete answer."""
        self._socket_with_time_left().sendall(request)
        answer = bytearray()
        while (part := self._socket_with_time_left().recv(1 << 16)) and len(
            answer
        ) < MAX_ANSWER:
            answer += part
        return bytes(answer)

    def _socket_with_time_left(self) -> socket.socket:
        """Return the socket with the time that is left; raise a timeout if none."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._socket


def _build_admin_request(
    listener: Listener, path: str, subject: str, requester: str, reason: str
) -> bytes:
    """Build the HTTP request of an admin command."""
    why = {"reason": reason} if reason else {}
    body = json.dumps({"subject": subject, "by": requester, **why}).encode()
    host = listener.hosts[0] if listener.hosts else "localhost"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def _parse_admin_answer(answer: bytes) -> AdminAnswer | None:
    """Return the JSON object of a successful response, else None."""
    first, _, rest = answer.partition(b"\r\n\r\n")
    if not first.startswith(b"HTTP/1.1 200 "):
        return None
    try:
        said = json.loads(rest)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
