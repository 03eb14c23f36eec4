"""`answerable run` starts an agent with no key on disk, and it gets its token."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.store.store import EvidenceStore
from tests.sts.running_service import ANA, BEN, FILES, ROOT, RunningService, own_store
from tests.sts.test_operations import cli

USER = "nobody"

# What the agent does: it asks by its connection alone. Another user may not see our
# own interpreter, so it is written for any, and shows no key.
PYTHON = "/usr/bin/python3"
PROGRAM = """
import os, socket, sys
from urllib.parse import urlencode

body = urlencode({
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:answerable:token-type:peer",
    "audience": sys.argv[1]}).encode()
wire = socket.socket(socket.AF_UNIX)
wire.connect(os.environ["ANSWERABLE_STS"])
wire.sendall((
    "POST /token HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n"
    "Content-Type: application/x-www-form-urlencoded\\r\\n"
    f"Content-Length: {len(body)}\\r\\n\\r\\n").encode() + body)
answer = b""
while part := wire.recv(65536):
    answer += part
print(answer.decode())
"""


@pytest.fixture
def world() -> Iterator[RunningService]:
    # Another user has to reach the socket, so not below pytest's own folder.
    folder = Path(tempfile.mkdtemp(prefix="sts-"))
    folder.chmod(0o755)
    uid = pwd.getpwnam(USER).pw_uid
    rules = f"""
  - id: at-the-terminal
    launched: {{started_by: 0, person: ben@corp.example, runs_as: {uid}}}
    root: true
    agent: {ROOT}
    grants: [{{audience: {FILES}, scopes: [read], bind: bearer, ttl: 5m}}]
"""
    world = RunningService(folder, rules=rules)
    own_store(world.store, {ROOT: ANA})
    world.write()
    world.start()
    yield world
    if world.process is not None:
        world.stop()
    shutil.rmtree(folder)


def launched(program: Path, sts: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [
            *(sys.executable, "-m", "answerable", "run", "--agent", ROOT),
            *("--user", USER, "--sts", sts, "--"),
            *(PYTHON, str(program), FILES),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.skipif(
    os.getuid() != 0 or not Path(PYTHON).exists(),
    reason="starts a process of another user",
)
def test_an_agent_that_was_launched_acts_for_whoever_launched_it(
    world: RunningService,
) -> None:
    program = world.folder / "agent.py"
    program.write_text(PROGRAM)
    socket_ = world.unix.removeprefix("unix:")
    done = launched(program, socket_)
    assert done.stdout.startswith("HTTP/1.1 200"), (done, world.errors.read_text())
    assert cli(world, "sts", "kill", ROOT).returncode == 0
    killed = launched(program, socket_)
    assert killed.returncode == 5
    assert f"{ROOT} is killed by user root at 2" in killed.stderr
    assert "answerable token-service revive" in killed.stderr
    world.stop()
    with EvidenceStore.open(world.store, now=time.time_ns()) as store:
        query = (
            "SELECT action, person, agent, facts FROM events "
            "WHERE source = 'sts' ORDER BY event_time"
        )
        rows = [(a, p, g, dict(f)) for a, p, g, f in store.run_query(query)]
    began = ["sts:launch", "sts:exchange", "sts:finish"]
    assert [row[0] for row in rows] == [*began, "answerable:kill", "sts:launch"]
    assert rows[-1][3]["reason"] == "killed"
    _, person, agent, facts = rows[1]
    assert (person, agent, facts["owner"]) == (BEN, ROOT, ANA)
    assert facts["attestor"] == "launcher"
    assert facts["start"] == rows[0][3]["start"]
