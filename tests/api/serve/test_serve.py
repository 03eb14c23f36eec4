"""A decision point that runs: alone, and beside a gateway."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.api.stage import ALLOWED, EVALUATION
from tests.gateway.serve.stage import (
    SECONDS,
    Serving,
    UnixConnection,
    configuration,
    serving,
    token_of,
)

POINT = {
    "listen": [{"address": "127.0.0.1:0"}, {"unix": "pdp.sock"}],
    "callers": [{"issuer": "corp", "sub": "pep"}, {"unix": {"uid": os.getuid()}}],
}


def ask(where: Any, path: str, said: Any, **fields: str) -> tuple[int, Any]:
    connection = (
        UnixConnection(where)
        if isinstance(where, Path)
        else http.client.HTTPConnection(where, timeout=SECONDS)
    )
    try:
        named = {"content-type": "application/json"} | fields
        connection.request("POST", path, json.dumps(said), named)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def evaluated(served: Serving, **said: Any) -> bool:
    at = served.decisions  # type: ignore[attr-defined]
    bearer = f"Bearer {token_of('pep')}"
    status, told = ask(at, EVALUATION, ALLOWED | said, authorization=bearer)
    assert status == 200, told
    return told["decision"]  # type: ignore[no-any-return]


def until(holds: Any, seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def command(folder: Path, *words: str) -> str:
    argv = [sys.executable, "-m", "answerable", "--store", str(folder / "store")]
    return subprocess.run(
        [*argv, *words], check=True, capture_output=True, text=True
    ).stdout


def test_it_answers_reloads_is_killed_and_ships_its_evidence(tmp_path: Path) -> None:
    said = configuration(9, decisions=POINT)
    with serving(tmp_path, said, "--only", "decisions", lines=2) as served:
        assert evaluated(served)
        assert ask(tmp_path / "pdp.sock", EVALUATION, ALLOWED)[1]["decision"]

        config = str(tmp_path / "answerable.yaml")
        began = time.monotonic()
        command(tmp_path, "gateway", "kill", "agent:declared/ana", "--config", config)
        killed = time.monotonic()
        until(lambda: not evaluated(served), 1)
        assert time.monotonic() - killed < 1, time.monotonic() - began
        command(tmp_path, "gateway", "revive", "agent:declared/ana", "--config", config)
        until(lambda: evaluated(served), 2)

        said["agents"]["ana"]["allow"] = []
        served.configure(said)
        served.reload()
        assert not evaluated(served)
        said["agents"]["ana"]["mode"] = "wrong"
        served.configure(said)
        served.reload()
        assert not evaluated(served), "the last good file stays in force"
        assert evaluated(served, subject={"type": "agent", "id": "ben"})
        assert served.end() == 0
    rows = json.loads(
        command(
            tmp_path, "sql", "-o", "json",
            "SELECT recorder, agent, outcome FROM decisions",
        )
    )["items"]  # fmt: skip
    assert {row["agent"] for row in rows} == {
        "agent:declared/ana",
        "agent:declared/ben",
    }
    assert all(row["recorder"].startswith("pdp-") for row in rows)
    assert {row["outcome"] for row in rows} == {"unknown", "denied"}


def test_serve_keeps_it_beside_the_gateway(tmp_path: Path) -> None:
    said = configuration(9, decisions=POINT)
    with serving(tmp_path, said, lines=5) as served:
        assert evaluated(served)
        said["agents"]["ana"]["allow"] = []
        served.configure(said)
        served.reload()
        until(lambda: not evaluated(served))
        page = served.get("/readyz")
        assert page[0] == 200, page
        [pid] = decision_points(served)
        os.kill(pid, signal.SIGKILL)
        until(lambda: decision_points(served) not in ([], [pid]), 10)
        served.hear("beside.lost")
        assert served.end() == 0
    assert served.process.returncode == 0


def decision_points(served: Serving) -> list[int]:
    found = []
    for pid in served.workers():
        try:
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except FileNotFoundError:
            continue
        if b"decisions" in argv:
            found.append(pid)
    return found


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"callers": []}, "callers is missing"),
        ({"callers": [{"issuer": "nobody", "sub": "x"}]}, "no such issuer in issuers"),
        ({"callers": [{"issuer": "corp"}]}, "sub is missing"),
        ({"callers": [{}]}, "issuer and sub, or unix, was expected"),
        ({"callers": [{"unix": {}}]}, "uid is missing"),
        ({"callers": POINT["callers"] * 2}, "another caller here is the same"),
        (
            {"callers": [{"issuer": "corp", "sub": "x", "servers": ["no"]}]},
            "no such server in servers",
        ),
        ({"url": "https://pdp.example/"}, "without a slash"),
        ({"url": "http://pdp.example"}, "https was expected outside loopback"),
        ({"listen": [{"address": "0.0.0.0:1"}]}, "outside loopback this needs tls"),
        ({"listn": []}, "did you mean listen?"),
    ],
)
def test_a_fault_of_its_section_is_told_with_its_place(
    tmp_path: Path, changed: dict[str, Any], fault: str
) -> None:
    said = configuration(9, decisions=POINT | changed)
    (tmp_path / "answerable.yaml").write_text(json.dumps(said))
    found = faults(tmp_path / "answerable.yaml")
    assert any(fault in each for each in found), found
    assert all(each.partition(":")[2][0].isdigit() for each in found)


def faults(place: Path) -> list[str]:
    from answerable.connectors.config.fetch import read_file
    from answerable.connectors.config.parse.faults import fault_lines

    return fault_lines("answerable.yaml", read_file(str(place)).faults)


def test_without_its_section_there_is_nothing_to_serve(tmp_path: Path) -> None:
    (tmp_path / "answerable.yaml").write_text(json.dumps(configuration(9)))
    argv = [sys.executable, "-m", "answerable", "serve", "--only", "decisions"]
    ran = subprocess.run(
        [*argv, "--config", "answerable.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "no decision point in answerable.yaml" in ran.stderr
    assert "add a section `decisions`" in ran.stderr
