import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.serve.running_gateway import (
    SECONDS,
    Backend,
    Serving,
    UnixConnection,
    call,
    configuration,
    serving,
)

DENIED = -31403


def text(answer: object) -> str:
    assert isinstance(answer, dict)
    assert "result" in answer, answer
    return str(answer["result"]["content"][0]["text"])


def code(answer: object) -> int:
    assert isinstance(answer, dict)
    assert "error" in answer, answer
    return int(answer["error"]["code"])


def standing_settings(server: Backend) -> dict[str, Any]:
    settings = configuration(server.server_port)
    settings["listen"]["workers"] = 2
    settings["agents"]["ana"]["callers"].append({"unix": {"uid": os.getuid()}})
    return settings


@pytest.fixture(scope="module")
def _stands(
    tmp_path_factory: pytest.TempPathFactory, server: Backend
) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("standing")
    with serving(folder, standing_settings(server)) as served:
        yield served


@pytest.fixture
def standing(_stands: Serving, server: Backend) -> Serving:
    """A gateway of two workers for tests that end nothing, as it was at its start."""
    settings = standing_settings(server)
    if json.loads((_stands.folder / "answerable.yaml").read_text()) != settings:
        _stands.configure(settings)
        _stands.reload()
    server.calls.clear()
    return _stands


def count(served: Serving, name: str, **labels: str) -> float:
    """A time series of tool calls."""
    labels["mcp_method_name"] = "tools/call"
    named = ",".join(f'{key}="{labels[key]}"' for key in sorted(labels))
    return served.metric(f"{name}{{{named}}}")


def test_what_a_rule_allows_passes_and_the_rest_does_not(
    standing: Serving, server: Backend
) -> None:
    def counted() -> tuple[float, float]:
        name = "mcp_server_operation_duration_seconds_count"
        denied = {"effect": "deny", "server": "files"}
        passed = count(standing, name, error_type="")
        return passed, count(standing, "answerable_decisions_total", **denied)

    before = counted()
    assert text(standing.call("read")) == "read"
    refused = standing.call("write")
    assert code(refused) == DENIED
    assert set(refused["error"]["data"]) == {"decision", "decision_id"}
    assert "write" not in server.calls
    assert standing.call("read", who="") == 401
    assert code(standing.call("read", who="eve")) == DENIED
    assert counted() == (before[0] + 1, before[1] + 2)
    log = str(standing.log)
    assert "Bearer" not in log
    assert "eyJ" not in log


def test_the_kernel_names_who_calls_over_a_socket(standing: Serving) -> None:
    connection = UnixConnection(standing.folder / "gw.sock")
    assert text(call(connection, "read", who="")) == "read"
    connection.close()


def test_health_readiness_and_metrics_are_for_this_host_alone(
    standing: Serving,
) -> None:
    assert standing.get("/healthz") == (200, "ok\n")
    status, body = standing.get("/readyz")
    assert (status, '"ready":true' in body) == (200, True)
    assert standing.get("/nothing")[0] == 404
    assert standing.get("/metrics", Host="evil.example")[0] == 421
    assert standing.get("/metrics", Host="10.1.2.3:8470")[0] == 200  # as probes do
    assert standing.get("/metrics", Origin="http://evil.example")[0] == 403


def test_a_file_that_changed_holds_from_the_next_call(
    standing: Serving, server: Backend
) -> None:
    settings = standing_settings(server)
    assert code(standing.call("write")) == DENIED
    settings["agents"]["ana"]["allow"][0]["tools"].append("write")
    standing.configure(settings)
    standing.reload()
    assert text(standing.call("write")) == "write"


def test_a_reload_drops_no_call(standing: Serving, server: Backend) -> None:
    settings = standing_settings(server)
    answers: list[object] = []
    reloaded = threading.Event()

    def calling(who: str) -> None:
        connection = http.client.HTTPConnection(standing.gateway, timeout=60)
        while not reloaded.is_set():
            answers.append(call(connection, "read", who))
        connection.close()

    callers = [threading.Thread(target=calling, args=(who,)) for who in ("ana", "ben")]
    for each in callers:
        each.start()
    for number in range(5):
        # A server whose entry changes gets new connections.
        settings["servers"]["files"]["reads"] = ["read", f"other{number}"]
        standing.configure(settings)
        standing.reload()
    reloaded.set()
    for each in callers:
        each.join()
    assert len(answers) > 10
    assert all(text(each) == "read" for each in answers)


def test_a_wrong_file_leaves_the_last_good_one_in_force(
    standing: Serving, server: Backend
) -> None:
    settings = standing_settings(server)
    wrong = settings | {"default_mode": "obey"}
    standing.configure(wrong)
    standing.reload()
    (fault,) = standing.hear("config.refused")["faults"]
    assert "default_mode: expected one of observe, shadow, enforce" in fault
    assert text(standing.call("read")) == "read"
    status, body = standing.get("/readyz")
    assert status == 200
    assert "default_mode" in body
    assert standing.metric("answerable_config_last_reload_successful") == 0
    keys = standing.folder / "keys.json"
    right = keys.read_bytes()
    keys.write_text("{}")
    standing.configure(settings)
    standing.reload()
    assert standing.metric("answerable_config_last_reload_successful") == 0
    assert text(standing.call("read")) == "read"
    keys.write_bytes(right)
    standing.reload()
    assert standing.metric("answerable_config_last_reload_successful") == 1


def test_a_file_without_a_right_policy_starts_a_gateway_that_denies(
    tmp_path: Path, server: Backend
) -> None:
    settings = configuration(server.server_port)
    wrong = settings | {"default_mode": "obey"}
    with serving(tmp_path, wrong) as served:
        assert served.get("/readyz")[0] == 503
        refused = served.call("read")
        assert refused["error"]["data"]["decision"] == "error"
        served.configure(settings)
        served.reload()
        assert served.get("/readyz")[0] == 200
        assert text(served.call("read")) == "read"


def test_what_is_under_way_ends_before_the_gateway_does(
    tmp_path: Path, server: Backend
) -> None:
    with serving(tmp_path, configuration(server.server_port)) as served:
        answers: list[object] = []
        calling = threading.Thread(
            target=lambda: answers.append(
                served.call("slow", arguments={"seconds": 1.0})
            )
        )
        calling.start()
        while "slow" not in server.calls:
            time.sleep(0.01)
        assert served.end() == 0
        calling.join()
    assert text(answers[0]) == "slow"
    assert served.hear("worker.ended")["cut"] == 0


def test_servers_that_a_caller_makes_up_leave_one_series(standing: Serving) -> None:
    labels = {"effect": "deny", "server": ""}
    before = count(standing, "answerable_decisions_total", **labels)
    for number in range(5):
        assert code(standing.call("read", server=f"made-up-{number}")) == DENIED
    assert "made-up" not in standing.get("/metrics")[1]
    assert count(standing, "answerable_decisions_total", **labels) == before + 5


def test_what_does_not_end_in_time_is_cut(tmp_path: Path, server: Backend) -> None:
    settings = configuration(server.server_port, limits={"drain": 1})
    server.calls.clear()
    with serving(tmp_path, settings) as served:
        failed: list[bool] = []

        def slow() -> None:
            try:
                served.call("slow", arguments={"seconds": 20})
            except OSError:
                failed.append(True)

        calling = threading.Thread(target=slow)
        calling.start()
        while "slow" not in server.calls:
            time.sleep(0.01)
        assert served.end() == 0
        calling.join()
    assert failed == [True]
    assert served.hear("worker.ended")["cut"] == 1
    store = str(tmp_path / "store")
    argv = [sys.executable, "-m", "answerable", "--store", store, "-o", "csv", "sql"]
    told = subprocess.run(
        [*argv, "SELECT tool, outcome FROM decisions"],
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    assert told.stdout.split()[1:] == [b"tool:mcp/files/slow,unknown"]


def test_a_worker_that_is_killed_is_started_anew(
    tmp_path: Path, server: Backend
) -> None:
    with serving(tmp_path, configuration(server.server_port)) as served:
        assert text(served.call("read")) == "read"
        (worker,) = served.workers()
        os.kill(worker, signal.SIGKILL)
        # Whoever connects meanwhile waits, and is not refused.
        assert text(served.call("read")) == "read"
        assert served.hear("worker.lost")["code"] == -signal.SIGKILL
        assert served.metric("answerable_worker_restarts_total") == 1
        assert served.end() == 0
    assert not list((tmp_path / "store" / "gateway" / "spool").glob("*/*.jsonl"))


def test_a_worker_that_starts_during_a_reload_decides_by_the_new_file(
    tmp_path: Path, server: Backend
) -> None:
    settings = configuration(server.server_port)
    settings["listen"]["workers"] = 2
    with serving(tmp_path, settings) as served:
        for who in ("ana", "ben"):
            settings["agents"][who]["allow"] = []
        served.configure(settings)
        os.kill(served.workers()[0], signal.SIGKILL)
        served.reload()
        for who in ("ana", "ben"):
            assert code(served.call("read", who=who)) == DENIED


def test_workers_end_where_the_supervisor_is_gone(
    tmp_path: Path, server: Backend
) -> None:
    with serving(tmp_path, configuration(server.server_port)) as served:
        (worker,) = served.workers()
        served.process.kill()
        served.process.wait()
        until = time.monotonic() + 60
        while Path(f"/proc/{worker}").exists():
            assert time.monotonic() < until
            time.sleep(0.05)


def test_each_caller_is_answered_whichever_worker_it_meets(standing: Serving) -> None:
    assert len(standing.workers()) == 2
    for who in ("ana", "ben") * 20:
        assert text(standing.call("read", who=who)) == "read"


def test_listen_moves_the_api_and_the_gateway(tmp_path: Path, server: Backend) -> None:
    settings = configuration(server.server_port)
    with serving(tmp_path, settings, "--listen", "127.0.0.1:0") as served:
        assert text(served.call("read")) == "read"


def test_faults_are_told_at_once(tmp_path: Path) -> None:
    settings = {"default_mode": "obey", "listen": {"workers": 0}}
    with serving(tmp_path, settings, lines=0) as served:
        assert served.process.wait(SECONDS) == 2
    assert "listen.workers: expected a number from 1 to 64" in str(served.log)
    assert "(and 1 more)" in str(served.log)


def test_an_address_that_is_taken_is_told_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        api = f"127.0.0.1:{taken.getsockname()[1]}"
        with serving(tmp_path, {"listen": {"api": api}}, lines=0) as served:
            assert served.process.wait(SECONDS) == 5
    assert f"cannot listen at {api}" in str(served.log)


def test_a_gateway_that_runs_keeps_its_state_and_its_socket(
    standing: Serving, server: Backend
) -> None:
    settings = standing_settings(server)
    with serving(standing.folder, settings, lines=0) as second:
        assert second.process.wait(SECONDS) == 5
    apart = settings | {"state": "elsewhere"}
    with serving(standing.folder, apart, lines=0) as third:
        assert third.process.wait(SECONDS) == 5
    assert (standing.folder / "gw.sock").exists()
    assert text(standing.call("read")) == "read"
    assert "another gateway runs with" in str(second.log)
    assert "cannot listen at" in str(third.log)


def test_a_socket_that_nobody_listens_on_is_taken_over_and_gone_at_the_end(
    tmp_path: Path, server: Backend
) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "gw.sock"))
    with serving(tmp_path, configuration(server.server_port)) as served:
        assert served.end() == 0
    assert not (tmp_path / "gw.sock").exists()
