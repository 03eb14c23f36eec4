"""A person starts an agent that has no key; one query tells who did what through it.

Everything is real: the token service, the gateway, the launcher, the agent and its
sub-agent are processes of their own.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.gateway.http.gateway_fixture import Backend, Peer
from tests.sts.running_service import (
    ANA,
    ROOT,
    SECONDS,
    SUB,
    RunningService,
    free_port,
    own_store,
    taken,
)
from tests.sts.sample_agent import AT_GATEWAY

TICKETS = "https://tickets.example"
ME = os.getuid()
RULES = f"""
  - id: desk
    launched: {{started_by: {ME}, runs_as: {ME}, person: ana@corp.example}}
    root: {"true" if ME == 0 else "false"}
    agent: {ROOT}
    grants:
      - {{audience: {AT_GATEWAY}, ttl: 10m}}
      - {{audience: {TICKETS}, gateway: true, bind: bearer, ttl: 5m}}
    delegate_to: [{SUB}]
"""


@dataclass
class EndToEndSetup:
    """One machine: a configuration, the server behind the gateway, and `serve`.

    Attributes:
        world: Folders and configuration.
        backend: The MCP server.
        gateway: Where agents call.
    """

    world: RunningService
    backend: Backend
    gateway: str

    def start(self, *words: str, lines: int = 4) -> None:
        world = self.world
        with world.errors.open("ab") as errors:
            command = [sys.executable, "-m", "answerable", "serve"]
            world.process = subprocess.Popen(
                [*command, "--config", str(world.config), *words],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert world.process.stdout is not None
        for _ in range(lines):
            assert world.process.stdout.readline(), world.errors.read_text()

    def agent(self) -> "subprocess.Popen[str]":
        world = self.world
        run = [sys.executable, "-m", "answerable", "run", "--agent", "root"]
        sts = str(world.folder / "sts.sock")
        words = [
            sys.executable,
            "-m",
            "tests.sts.sample_agent",
            self.gateway,
            world.url,
        ]
        return subprocess.Popen(
            [*run, "--sts", sts, "--", *words, "find"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def answerable(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "answerable", "--store", str(self.world.store)]
        return subprocess.run(
            [*command, *words], capture_output=True, text=True, check=False
        )

    def shown(self) -> list[str]:
        """Give what the server was shown, in order."""
        heads = [head.decode().lower() for head, _ in self.backend.requests]
        assert all(head.count("authorization:") == 1 for head in heads)
        found = [
            line.partition(b"earer ")[2].decode()
            for head, _ in self.backend.requests
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"authorization:")
        ]
        assert all("dpop" not in head for head in heads)
        return found


def served(peer: Peer) -> None:
    """Answer each call."""
    while True:
        try:
            _, body = peer.request()
        except EOFError:
            return
        answer = {"jsonrpc": "2.0", "id": json.loads(body)["id"], "result": RESULT}
        data = json.dumps(answer).encode()
        head = f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
        peer.send(b"HTTP/1.1 200 OK\r\n" + head.encode() + data)


RESULT = {"content": [{"type": "text", "text": "7"}], "resultType": "complete"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[EndToEndSetup]:
    backend = Backend(served)
    world = RunningService(tmp_path, rules=RULES)
    own_store(world.store, {ROOT: ANA, SUB: ANA})
    world.write()
    port, api = free_port(), free_port()
    text = world.config.read_text().replace(
        "issuers:\n",
        f"""issuers:
  own:
    iss: {world.url}
    audience: {AT_GATEWAY}
    keys: unix:{world.folder / "sts.sock"}
    algs: [ES256]
    ours: true
""",
    )
    world.config.write_text(
        text
        + f"""
listen: {{api: "127.0.0.1:{api}", gateway: [{{address: "127.0.0.1:{port}"}}]}}
servers:
  tickets:
    url: http://127.0.0.1:{backend.port}/mcp
    audience: {TICKETS}
    reads: [find]
agents:
  root: {{owner: ana@corp.example, allow: [{{server: tickets, tools: [find, close]}}]}}
  sub: {{owner: ana@corp.example, allow: [{{server: tickets, tools: [close]}}]}}
"""
    )
    stage = EndToEndSetup(world, backend, f"http://127.0.0.1:{port}")
    yield stage
    if world.process is not None:
        world.process.kill()
        world.process.wait()
        assert world.process.stdout is not None
        world.process.stdout.close()
    backend.close()


def line(agent: "subprocess.Popen[str]") -> dict[str, object]:
    """Read what an agent says next."""
    assert agent.stdout is not None
    said = agent.stdout.readline()
    if not said:
        assert agent.stderr is not None
        raise AssertionError(agent.stderr.read())
    answer: dict[str, object] = json.loads(said)
    return answer


def server_saw(stage: EndToEndSetup) -> list[str]:
    """The server saw our token service's word on who calls, and nobody's own token."""
    # What the gateway asks of the server itself, it asks with the token of the call.
    tokens, world = list(dict.fromkeys(stage.shown())), stage.world
    with world.wire() as wire:
        whole = [taken(world, wire, token, TICKETS) for token in tokens]
    assert [claims.sub for claims in whole] == [ANA, ANA]
    actors = [[each.sub for each in claims.act.actors] for claims in whole]
    assert actors == [[ROOT], [SUB, ROOT]]
    assert not any(claims.cnf.is_bound_to_key for claims in whole)
    return tokens


def kill_is_felt(stage: EndToEndSetup, agent: "subprocess.Popen[str]") -> None:
    """A kill at the token service and at the gateway is felt."""
    config = str(stage.world.config)
    for http_server in ("sts", "gateway"):
        done = stage.answerable(http_server, "kill", ROOT, "--config", config)
        assert done.returncode == 0, done.stderr
    since = time.monotonic()
    assert agent.stdin is not None
    body: dict[str, dict[str, object]] = {}
    while "error" not in body:
        assert time.monotonic() - since <= SECONDS
        agent.stdin.write("find\n")
        agent.stdin.flush()
        body = line(agent)["body"]  # type: ignore[assignment] - JSON
        time.sleep(0.02)
    assert body["error"]["code"] == -31403
    agent.communicate(timeout=60)
    assert agent.returncode == 0


def rows_tell(stage: EndToEndSetup) -> None:
    """One query gives every hop, though every credential is dead."""
    asked = stage.answerable("trace", "--tool", "tool:mcp/tickets/*", "-o", "json")
    rows = json.loads(asked.stdout)["items"]
    calls = {row["hops"]["tool"]["value"]: row for row in rows}
    for tool, path in (("find", [ROOT]), ("close", [ROOT, SUB])):
        row = calls[f"tool:mcp/tickets/{tool}"]
        hops = row["hops"]
        assert {hop["status"] for hop in hops.values()} == {"observed"}, hops
        assert hops["person"]["value"] == ANA
        assert hops["agent"]["value"] == path[-1]
        assert hops["identity"]["value"] == f"{stage.world.url}/{path[-1]}"
        assert row["agent_path"] == path


def test_one_query_tells_the_whole_chain_and_a_kill_ends_it(
    stage: EndToEndSetup,
) -> None:
    stage.start()
    agent = stage.agent()
    for said in (line(agent), line(agent)):
        assert said["status"] == 200
        assert "result" in said["body"], said  # type: ignore[operator] - JSON
    tokens = server_saw(stage)
    kill_is_felt(stage, agent)
    process, world = stage.world.process, stage.world
    assert process is not None
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    rows_tell(stage)
    verified = stage.answerable("evidence", "verify")
    assert verified.returncode == 0, verified.stdout
    for folder in (world.state, world.store):
        files = [file for file in folder.rglob("*") if file.is_file()]
        kept = b"".join(file.read_bytes() for file in files)
        assert not any(token.encode() in kept for token in tokens)
