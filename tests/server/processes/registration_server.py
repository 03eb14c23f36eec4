"""The least that a launcher and a workload can speak to: a door for tests alone."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

import msgspec

from answerable.server.processes.peer_attestation import attest_peer
from answerable.server.processes.pidfd_process import NotAttested
from answerable.server.processes.run_registration import (
    LaunchRequest,
    RegistrationAnswer,
    finish_run,
    register_run,
)
from answerable.server.processes.run_registry import RunRegistry


class RegistrationServer:
    """What it answered, and whom a rule was asked about."""

    def __init__(
        self, place: str, runs: RunRegistry, rule: Callable[[LaunchRequest], str]
    ) -> None:
        self.place, self.runs, self.rule = place, runs, rule
        self.answers: list[RegistrationAnswer] = []
        self.launches: list[LaunchRequest] = []
        self.errors: list[BaseException] = []

    def allows(self, launch: LaunchRequest) -> str:
        self.launches.append(launch)
        return self.rule(launch)


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128
    door: RegistrationServer

    def handle_error(self, request: object, client_address: object) -> None:
        import sys

        error = sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError):
            self.door.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        door: RegistrationServer = self.server.door  # type: ignore[attr-defined]  # ours
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = register_run(
            door.runs, self.connection, body, door.allows, 1_800_000_000
        )
        door.answers.append(answer)
        self.reply(answer.status, answer.body)

    def do_DELETE(self) -> None:
        door: RegistrationServer = self.server.door  # type: ignore[attr-defined]  # ours
        answer = finish_run(door.runs, self.connection, self.path.rpartition("/")[2])
        door.answers.append(answer)
        self.reply(answer.status, answer.body)

    def do_GET(self) -> None:
        """Who am I?"""
        door: RegistrationServer = self.server.door  # type: ignore[attr-defined]  # ours
        try:
            told = msgspec.json.encode(attest_peer(self.connection, door.runs))
        except NotAttested as refused:
            told = msgspec.json.encode({"refused": refused.reason})
        self.reply(200, told)

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def opened_door(
    place: Path, runs: RunRegistry, rule: Callable[[LaunchRequest], str]
) -> Iterator[RegistrationServer]:
    with _Server(str(place), _Handler) as server:
        place.chmod(0o666)
        server.door = RegistrationServer(str(place), runs, rule)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.door
        finally:
            server.shutdown()
            thread.join()
        assert server.door.errors == []
