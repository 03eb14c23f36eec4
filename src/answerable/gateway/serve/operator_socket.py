"""Serve the operator's queries to a running gateway, over a Unix socket.

    STATE/operator.sock    one JSON line in, one out, then closed

Only the gateway's own user and root get an answer (SO_PEERCRED): it names agents and
rules.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from answerable.gateway.serve.control_channel import (
    MAX_LINE,
    OrderRefused,
    PolicyTrialResult,
    TryPolicy,
    WorkerPolicy,
)
from answerable.model.errors import EnvironmentFailure
from answerable.server.processes.unix_peer import UCRED

REQUEST_TIMEOUT = 60.0  # seconds for one question and its answer
TrialAnswer = PolicyTrialResult | OrderRefused

_request_decoder = msgspec.json.Decoder(TryPolicy)
_answer_decoder: msgspec.json.Decoder[TrialAnswer] = msgspec.json.Decoder(TrialAnswer)


def operator_socket_path(state: Path) -> Path:
    """Return the path of the operator socket in a state folder."""
    return state / "operator.sock"


class OperatorSocket:
    """Operator socket of a gateway.

    Args:
        state: State folder of the gateway, which no other one uses.
        attempt: Evaluates a policy on recent calls.
    """

    def __init__(
        self, state: Path, attempt: Callable[[WorkerPolicy], Awaitable[TrialAnswer]]
    ) -> None:
        self._path, self._attempt = operator_socket_path(state), attempt
        self._server: asyncio.Server | None = None

    @classmethod
    async def listen(
        cls, state: Path, try_policy: Callable[[WorkerPolicy], Awaitable[TrialAnswer]]
    ) -> "OperatorSocket":
        """Listen at the operator socket, for policy trials and admin commands.

        Raises:
            EnvironmentFailure: The socket cannot be bound.
        """
        operator = cls(state, try_policy)
        operator._path.unlink(missing_ok=True)  # of one that was killed
        try:
            operator._server = await asyncio.start_unix_server(
                operator._handle_connection, str(operator._path), limit=MAX_LINE
            )
        except OSError as error:
            raise EnvironmentFailure(
                f"cannot listen at {operator._path} ({error.strerror or error})",
                "a socket path has at most 107 bytes: use a shorter `state`",
            ) from None
        return operator

    def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)

    async def _handle_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one query, if the peer is our own user or root."""
        with suppress(OSError, ValueError, TimeoutError, msgspec.MsgspecError):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                if _peer_uid(writer) in (os.getuid(), 0):
                    asked = _request_decoder.decode(await reader.readline())
                    said = await self._attempt(asked.policy)
                    writer.write(msgspec.json.encode(said) + b"\n")
                    await writer.drain()
        writer.close()


def request_policy_trial(state: Path, policy: WorkerPolicy) -> PolicyTrialResult:
    """Ask the running gateway for a policy trial.

    Raises:
        EnvironmentFailure: No gateway runs there, or it does not answer or refuses.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(REQUEST_TIMEOUT)
            asking.connect(str(operator_socket_path(state)))
            asking.sendall(msgspec.json.encode(TryPolicy(policy)) + b"\n")
            with asking.makefile("rb") as answers:
                said = _answer_decoder.decode(answers.readline())
    except (FileNotFoundError, ConnectionRefusedError):
        raise EnvironmentFailure(
            f"no gateway is running with {state}",
            "start one: answerable serve --config FILE",
        ) from None
    except (OSError, msgspec.MsgspecError):
        raise EnvironmentFailure(
            f"the gateway with {state} does not respond",
            "the gateway accepts such requests only from its own user and root",
        ) from None
    if isinstance(said, OrderRefused):
        raise EnvironmentFailure(said.why, said.hint)
    return said


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    """Return the user id of the peer process (SO_PEERCRED)."""
    peer = writer.get_extra_info("socket")
    said = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
    return int(UCRED.unpack(said)[1])
