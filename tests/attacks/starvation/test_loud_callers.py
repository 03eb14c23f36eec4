"""One caller with large calls over many connections: others are answered as before."""

import http.client
import json
import os
import signal
import socket
import statistics
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from tests.gateway.request_builders import META, VERSION
from tests.gateway.serve.running_gateway import (
    Backend,
    call,
    command_line,
    configuration,
    serving,
    token_of,
)

SIZE = 3_800_000
CONNECTIONS = 8
CALLS = 60  # of the other caller
LEAVING = 25  # clients
POLICY = """
permit (principal, action == Action::"tools/call", resource == Tool::"tool:mcp/files/drop")
when { context.arguments.path == "a" };
"""
ROOM = 4 << 20  # bytes of a caller's calls in flight: one such call at a time


def large_call() -> bytes:
    arguments = '{"a":[' + "[[[[[1]]]]]," * (SIZE // 12) + "1]}"
    meta = json.dumps(META)
    return (
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop",'
        f'"arguments":{arguments},"_meta":{meta}}}}}'
    ).encode()


def keep_calling(
    where: str, body: bytes, ended: threading.Event, answers: list[int]
) -> None:
    """Call a tool that is not allowed, again with each answer: nothing is sent on."""
    fields = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": "tools/call",
        "mcp-name": "drop",
        "authorization": f"Bearer {token_of('ana')}",
    }
    with closing(http.client.HTTPConnection(where, timeout=60)) as wire:
        while True:
            with suppress(OSError, http.client.HTTPException):
                wire.request("POST", "/mcp/files", body, fields)
                answer = wire.getresponse()
                answer.read()
                answers.append(answer.status)
            if ended.is_set():
                return


def test_large_calls_of_one_caller_leave_others_their_answers(
    tmp_path: Path, server: Backend, counted: list[str]
) -> None:
    made = configuration(server.server_port, limits={"bytes_per_caller": ROOM})
    # To be decided on, each of these calls would be read: more than two seconds.
    (tmp_path / "rules.cedar").write_text(POLICY)
    made["policy"] = ["rules.cedar"]
    with serving(tmp_path, made) as served:
        ended, answers = threading.Event(), list[int]()
        loud = [
            threading.Thread(
                target=keep_calling, args=(served.gateway, large_call(), ended, answers)
            )
            for _ in range(CONNECTIONS)
        ]
        meanwhile = []
        with closing(http.client.HTTPConnection(served.gateway, timeout=60)) as wire:
            assert "result" in call(wire, who="ben")
            for each in loud:
                each.start()
            deferred = "answerable_calls_deferred_total"
            while served.metric(deferred) < CONNECTIONS:
                time.sleep(0.05)
            for _ in range(CALLS):
                before = len(answers)
                assert "result" in call(wire, who="ben")
                meanwhile.append(len(answers) - before)
            ended.set()
        # Alone again, those that waited are answered, too: none was refused.
        for each in loud:
            each.join(60)
        # Other calls do not wait until all that wait have had their turn.
        assert statistics.median(meanwhile) <= 1
        assert max(meanwhile) < CONNECTIONS
        assert len(answers) >= CONNECTIONS
        assert set(answers) == {200}
        counted += ["large calls"] * len(answers)


def test_calls_of_clients_that_left_keep_no_memory(
    tmp_path: Path, server: Backend, counted: list[str]
) -> None:
    """Each call waits for its caller's turn, and its client leaves meanwhile."""
    made = configuration(server.server_port)
    with (
        serving(tmp_path, made) as served,
        closing(http.client.HTTPConnection(served.gateway, timeout=60)) as wire,
    ):
        assert "result" in call(wire, who="ben")
        before = served.metric("answerable_memory_bytes")
        for _ in range(LEAVING):
            send_and_leave(served.gateway, large_call())
            assert "result" in call(wire, who="ben")
        # One whose body is not read yet waits for room, and leaves, too.
        for _ in range(LEAVING):
            send_and_leave(served.gateway, large_call(), sent=0)
        until = time.monotonic() + 60
        while served.metric("answerable_body_bytes") and time.monotonic() < until:
            time.sleep(0.05)
        assert served.metric("answerable_body_bytes") == 0
        assert served.metric("answerable_calls_waiting") == 0
        grown = served.metric("answerable_memory_bytes") - before
        assert grown < LEAVING * SIZE / 4
    counted += ["large calls of clients that leave"] * 2 * LEAVING


def test_a_large_call_is_answered_where_the_process_that_parses_it_was_killed(
    tmp_path: Path, server: Backend, counted: list[str]
) -> None:
    body, once = large_call(), threading.Event()
    once.set()
    with serving(tmp_path, configuration(server.server_port)) as served:
        (worker,) = served.workers()
        for _ in range(2):
            answers: list[int] = []
            keep_calling(served.gateway, body, once, answers)
            assert answers == [200]
            for pid in children_of(worker):
                assert "answerable.server.large_body_worker" in command_line(pid)
                os.kill(pid, signal.SIGKILL)
        assert served.hear("body-parser.failed")["level"] == "warning"
        assert "result" in served.call(who="ben")
    counted += ["large calls of a worker whose parser was killed"] * 2


def children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in listed.split()]


def send_and_leave(where: str, body: bytes, sent: int | None = None) -> None:
    host, _, port = where.rpartition(":")
    head = (
        f"POST /mcp/files HTTP/1.1\r\nhost: {where}\r\ncontent-type: application/json"
        "\r\naccept: application/json, text/event-stream\r\n"
        f"mcp-protocol-version: {VERSION}\r\nmcp-method: tools/call\r\nmcp-name: drop"
        f"\r\nauthorization: Bearer {token_of('ana')}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), 20) as wire:
        wire.sendall(head.encode() + body[:sent])
        time.sleep(0.02)
