"""Register runs at the token service, over its unix socket."""

import contextlib
import http.client
import socket
from dataclasses import dataclass

import msgspec

from answerable.model.errors import EnvironmentFailure

_TIMEOUT = 10.0
_MAX_ANSWER = 64 * 1024  # bytes of an answer
# Hints for a refusal, by its reason.
_HINTS = {
    "killed": (
        "to start it again, an administrator must revive it: answerable "
        "token-service revive SUBJECT --config FILE, or the web page"
    ),
    "no-rule": (
        "a trust rule must allow this user to start the agent as the target user: "
        "answerable token-service rules"
    ),
}


@dataclass(frozen=True, slots=True)
class RunRegistration:
    """Registered run.

    Attributes:
        run: Its name, `run:...`.
        rule: Id of the rule that allowed it.
        advisory: Other processes of the same user can impersonate it.
    """

    run: str
    rule: str
    advisory: bool


class _RegistrationRefusal(msgspec.Struct):
    error: str = ""
    error_description: str = ""


class RunServiceClient:
    """Connection to the token service.

    Args:
        place: Path of the socket.

    Raises:
        EnvironmentFailure: No service listens there.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(_TIMEOUT)
        try:
            self.socket.connect(place)
        except OSError as error:
            self.socket.close()
            raise EnvironmentFailure(
                f"no token service at {place} ({error.strerror or error})",
                "start one, or name its socket: --sts SOCKET",
            ) from None
        self._http = self._build_http_client(self.socket)

    def close(self) -> None:
        """Close the connection to the token service."""
        self._http.close()
        self.socket.close()

    def register(self, request: dict[str, str | int]) -> RunRegistration:
        """Register a run of an agent process at the token service.

        Raises:
            EnvironmentFailure: The service refuses, or its answer is malformed.
        """
        body = msgspec.json.encode(request)
        try:
            status, said = self._send_request("POST", "/runs", body)
            if status == http.client.CREATED:
                return msgspec.json.decode(said, type=RunRegistration)
            why = msgspec.json.decode(said, type=_RegistrationRefusal)
        except (OSError, http.client.HTTPException, msgspec.DecodeError):
            raise EnvironmentFailure(
                f"no response from the token service at {self._place}",
                "check the socket and the log of the token service",
            ) from None
        raise EnvironmentFailure(
            f"the token service refused the run: {why.error_description or status}",
            _HINTS.get(why.error, "see the log of the token service"),
        )

    def finish(self, run: str) -> None:
        """Report the end of a run; the service notices it anyway."""
        target = f"/runs/{run.removeprefix('run:')}"
        with contextlib.suppress(OSError, http.client.HTTPException):
            try:
                self._send_request("DELETE", target, b"")
            except (OSError, http.client.HTTPException):
                # It may have closed the connection meanwhile: runs are long.
                self._reconnect_and_send("DELETE", target)

    def _send_request(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Send one HTTP request; return the status and the body."""
        fields = {"Content-Type": "application/json"} if body else {}
        self._http.request(method, target, body or None, fields)
        answer = self._http.getresponse()
        said = answer.read(_MAX_ANSWER + 1)
        if len(said) > _MAX_ANSWER:
            raise http.client.HTTPException
        return answer.status, said

    def _reconnect_and_send(self, method: str, target: str) -> None:
        """Send a request on a new connection, without reading its body."""
        self.close()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(_TIMEOUT)
        self.socket.connect(self._place)
        self._http = self._build_http_client(self.socket)
        self._send_request(method, target, b"")

    @staticmethod
    def _build_http_client(connection: socket.socket) -> http.client.HTTPConnection:
        """Return an HTTP client on a connection that exists already."""
        client = http.client.HTTPConnection("localhost", timeout=_TIMEOUT)
        client.auto_open = 0
        client.sock = connection
        return client
