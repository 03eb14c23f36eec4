import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

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


SUBJECTS = ("agent:declared/ana", "run:ana")


def test_a_kill_holds_within_a_second_until_it_is_taken_back(
    tmp_path: Path, server: Backend
) -> None:
    settings = configuration(server.server_port)
    settings["listen"]["workers"] = 2
    settings["agents"]["ana"]["mode"] = "observe"
    with serving(tmp_path, settings) as served:
        assert "result" in served.call("read")
        for number, subject in enumerate(SUBJECTS, 1):
            operate(served, "kill", subject)
            time.sleep(1)
            for _ in range(4):  # whichever worker it meets
                assert "error" in served.call("read")
            assert served.hear("kill.taken", 2 * number)["subject"] == subject
            operate(served, "revive", subject)
            time.sleep(1)
            assert "result" in served.call("read")
        assert served.end() == 0
    store = str(tmp_path / "store")
    query = "SELECT action, resource FROM lineage WHERE action LIKE 'answerable:%'"
    told = subprocess.run(
        [
            sys.executable,
            "-m",
            "answerable",
            "--store",
            store,
            "-o",
            "csv",
            "sql",
            query,
        ],
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
        text=True,
    )
    for subject in SUBJECTS:  # once in each worker
        assert told.stdout.count(f"answerable:kill,{subject}\n") == 2
        assert told.stdout.count(f"answerable:revive,{subject}\n") == 2


def test_a_kill_cuts_a_stream_that_is_open(tmp_path: Path, server: Backend) -> None:
    server.calls.clear()
    with serving(tmp_path, configuration(server.server_port)) as served:
        ended: list[float] = []

        def watch() -> None:
            with suppress(OSError, HTTPException, ValueError):
                served.call("stream")
            ended.append(time.monotonic())

        watching = threading.Thread(target=watch)
        watching.start()
        while "stream" not in server.calls:
            time.sleep(0.01)
        assert not ended
        operate(served, "kill", "agent:declared/ana")
        killed = time.monotonic()
        watching.join(10)
        assert ended
        until = killed + 10
        while "stream ended" not in server.calls:
            assert time.monotonic() < until
            time.sleep(0.01)


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


def test_a_kill_before_there_is_a_store_leaves_one_that_can_be_used(
    tmp_path: Path,
) -> None:
    (tmp_path / "answerable.yaml").write_text(json.dumps(configuration(1)))

    def run(*words: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "answerable", "--store", "store", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        return ran.stderr

    named = ("--config", "answerable.yaml")
    assert "killed, within" in run("gateway", "kill", "agent:declared/ana", *named)
    assert "killed already" in run("gateway", "kill", "agent:declared/ana", *named)
    assert "misspelled" in run("gateway", "kill", "agent:declared/anna", *named)
    assert "revived" in run("gateway", "revive", "agent:declared/ana", *named)
    assert "was not killed" in run("gateway", "revive", "agent:declared/ana", *named)
    run("scan", "config:answerable.yaml")
