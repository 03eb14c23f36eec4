import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.gateway.serve.stage import Backend, Serving, configuration, serving


def operate(served: Serving, *words: str) -> None:
    argv = [sys.executable, "-m", "answerable", "gateway", *words]
    subprocess.run(
        [*argv, "--config", "answerable.yaml"],
        cwd=served.folder,
        env={"PATH": os.environ["PATH"], "HOME": str(served.folder)},
        check=True,
        timeout=30,
    )


@pytest.mark.parametrize(
    "subject",
    ["agent:declared/ana", "server:files", "tool:mcp/files/read", "run:ana"],
)
def test_a_kill_holds_within_a_second_until_it_is_taken_back(
    tmp_path: Path, server: Backend, subject: str
) -> None:
    settings = configuration(server.server_port)
    settings["listen"]["workers"] = 2
    settings["agents"]["ana"]["mode"] = "observe"
    with serving(tmp_path, settings) as served:
        assert "result" in served.call("read")
        operate(served, "kill", subject)
        time.sleep(1)
        for _ in range(6):
            assert "error" in served.call("read")
        assert served.hear("kill.taken")["subject"] == subject
        operate(served, "revive", subject)
        time.sleep(1)
        assert "result" in served.call("read")


def test_a_kill_outlives_a_restart(tmp_path: Path, server: Backend) -> None:
    settings = configuration(server.server_port)
    with serving(tmp_path, settings) as served:
        operate(served, "kill", "agent:declared/ana")
        assert served.end() == 0
    with serving(tmp_path, settings) as served:
        assert "error" in served.call("read")
        assert "result" in served.call("read", who="ben")


def test_kills_that_cannot_be_read_leave_those_in_force(
    tmp_path: Path, server: Backend
) -> None:
    kills = tmp_path / "store" / "gateway" / "kills"
    with serving(tmp_path, configuration(server.server_port)) as served:
        operate(served, "kill", "agent:declared/ana")
        served.hear("kill.taken")
        kills.write_text("nonsense\n")
        served.hear("kills.refused")
        assert "error" in served.call("read")
        assert served.end() == 0
    with serving(tmp_path, configuration(server.server_port), lines=0) as served:
        assert served.process.wait(20) == 5
