"""A kill holds within a second while one caller floods the gateway with large calls."""

import http.client
import json
import threading
import time
from pathlib import Path

import pytest

from answerable.server.revocation_list import RevocationFile
from tests.gateway.request_builders import META, VERSION
from tests.gateway.serve.running_gateway import (
    Backend,
    configuration,
    serving,
    token_of,
)

CONNECTIONS = 8
SIZE = 3_800_000  # bytes of arguments
SECOND = 1.0
SAID = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "read", "arguments": {"text": "x" * SIZE}, "_meta": META},
}
BODY = json.dumps(SAID).encode()
FIELDS = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": VERSION,
    "mcp-method": "tools/call",
    "mcp-name": "read",
}


def passes(wire: http.client.HTTPConnection, token: str) -> bool:
    """Call with large arguments; whether it went on."""
    fields = FIELDS | {"authorization": f"Bearer {token}"}
    wire.request("POST", "/mcp/files", BODY, fields)
    return b'"result"' in wire.getresponse().read()


@pytest.mark.world
@pytest.mark.parametrize("workers", [1, 2])
def test_a_kill_holds_within_a_second_under_a_flood(
    tmp_path: Path, server: Backend, counted: list[str], workers: int
) -> None:
    settings = configuration(server.server_port)
    settings["listen"]["workers"] = workers
    token = token_of("ana")
    begun: list[tuple[float, bool]] = []  # when each call began, and whether it passed
    ended = threading.Event()

    with serving(tmp_path, settings) as served:

        def flood() -> None:
            wire = http.client.HTTPConnection(served.gateway, timeout=60)
            while not ended.is_set():
                began = time.monotonic()
                try:
                    begun.append((began, passes(wire, token)))
                except (OSError, http.client.HTTPException):
                    wire.close()  # a kill cuts what is under way
            wire.close()

        threads = [threading.Thread(target=flood) for _ in range(CONNECTIONS)]
        for each in threads:
            each.start()
        until = time.monotonic() + 60
        while sum(passed for _, passed in begun) < CONNECTIONS:
            assert time.monotonic() < until, begun
            time.sleep(0.05)
        RevocationFile(tmp_path / "store").revoke("agent:declared/ana", reason="flood")
        killed = time.monotonic()
        while not any(began > killed + SECOND for began, _ in begun):
            assert time.monotonic() < killed + 60
            time.sleep(0.05)
        ended.set()
        for each in threads:
            each.join(60)
        late = [began - killed for began, passed in begun if passed]
        assert max(late) < SECOND, max(late)
        print(f"last call that passed began {max(late):+.3f} s from the kill")
        assert "result" in served.call("read", who="ben")
    counted.extend("passed" if passed else "refused" for _, passed in begun)
