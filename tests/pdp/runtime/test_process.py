"""A decision point that runs: alone, and beside a gateway."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from answerable.model.errors import UsageError
from answerable.pdp.runtime.settings import load_settings
from tests.authority import Authority, Issued
from tests.cli.human_user import HUMAN_USER
from tests.gateway.serve.running_gateway import (
    SECONDS,
    Serving,
    UnixConnection,
    bound_token,
    command_line,
    configuration,
    serving,
    token_of,
)
from tests.pdp.decision_point_harness import ALLOWED, EVALUATION

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


def until(holds: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def command(folder: Path, *words: str) -> str:
    argv = [sys.executable, "-c", HUMAN_USER, "--store", str(folder / "store")]
    return subprocess.run(
        [*argv, *words], check=True, capture_output=True, text=True
    ).stdout


def test_it_answers_reloads_is_killed_and_ships_its_evidence(tmp_path: Path) -> None:
    said = configuration(9, decisions=POINT)
    with serving(tmp_path, said, "--only", "decisions", lines=2) as served:
        assert evaluated(served)
        _, told = ask(tmp_path / "pdp.sock", EVALUATION, ALLOWED)
        assert told["decision"]
        id = told["context"]["decision_id"]
        shown = json.loads(command(tmp_path, "decision", id, "-o", "json"))["items"][0]
        assert (shown["agent"], shown["stored"]) == ("agent:declared/ana", False)

        config = str(tmp_path / "answerable.yaml")
        command(tmp_path, "gateway", "kill", "agent:declared/ana", "--config", config)
        until(lambda: not evaluated(served))
        command(tmp_path, "gateway", "revive", "agent:declared/ana", "--config", config)
        until(lambda: evaluated(served))

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
        until(lambda: decision_points(served) not in ([], [pid]))
        served.hear("companion.lost")
        assert served.end() == 0
    assert served.process.returncode == 0


def decision_points(served: Serving) -> list[int]:
    return [each for each in served.children() if "decisions" in command_line(each)]


def test_over_tls_it_is_called_by_https(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own, other, http_server = (
        authority.issue(name) for name in ("own", "other", "door")
    )
    root = str(authority.root.certificate)
    tls = {
        "certificate": str(http_server.certificate),
        "key": str(http_server.key),
        "client_ca": root,
    }
    listen = [{"address": "127.0.0.1:0", "tls": tls}]
    said = configuration(9, decisions=POINT | {"listen": listen})
    said["issuers"]["corp"]["bearer"] = False
    with serving(tmp_path, said, "--only", "decisions", lines=1) as served:
        at = served.decisions  # type: ignore[attr-defined]
        bound = f"Bearer {bound_token('pep', own.thumbprint)}"
        fields = {"content-type": "application/json", "authorization": bound}

        def asked(client: Issued | None, method: str, path: str) -> tuple[int, Any]:
            trusted = ssl.create_default_context(cafile=root)
            if client is not None:
                trusted.load_cert_chain(client.certificate, client.key)
            line = http.client.HTTPSConnection(at, context=trusted, timeout=SECONDS)
            line.request(method, path, json.dumps(ALLOWED), fields)
            answer = line.getresponse()
            told = answer.status, json.loads(answer.read())
            line.close()
            return told

        told = asked(None, "GET", "/.well-known/authzen-configuration")[1]
        assert told["policy_decision_point"] == f"https://{at}"
        assert asked(own, "POST", EVALUATION)[1]["decision"] is True
        assert asked(other, "POST", EVALUATION)[0] == 401
        assert asked(None, "POST", EVALUATION)[0] == 401


def test_whoever_sends_nothing_or_too_slowly_is_cut(tmp_path: Path) -> None:
    limits = {"first_request": 3, "head": 1, "body": 1, "idle": 1, "connections": 3}
    said = configuration(9, decisions=POINT, limits=limits)
    with serving(tmp_path, said, "--only", "decisions", lines=2) as served:
        host, _, port = served.decisions.partition(":")  # type: ignore[attr-defined]
        head = b"POST /access/v1/evaluation HTTP/1.1\r\nHost: x\r\n"
        for sent in (b"", head, head + b"Content-Length: 9\r\n\r\n{"):
            with socket.create_connection((host, int(port)), SECONDS) as slow:
                slow.sendall(sent)
                began = time.monotonic()
                assert ends(slow)
                assert time.monotonic() - began < 9  # unlimited, it would be 10 or more
        # The oldest one goes where there are too many.
        many = [socket.create_connection((host, int(port)), SECONDS) for _ in range(4)]
        assert ends(many[0])
        line = UnixConnection(tmp_path / "pdp.sock")
        line.request("GET", "/metrics")
        numbers = line.getresponse().read().decode()
        assert 'answerable_pdp_connections_evicted_total{quota="new"} 1' in numbers
        line.close()
        for each in many:
            each.close()
        assert not [line for line in served.log if line["event"] == "text"]


def ends(connection: socket.socket) -> bool:
    """Read to the end of what comes; whether it was cut."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return True


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"callers": []}, "callers is missing"),
        ({"callers": [{"issuer": "nobody", "sub": "x"}]}, "not defined under issuers"),
        ({"callers": [{"issuer": "corp"}]}, "sub is missing"),
        ({"callers": [{}]}, "expected either issuer and sub, or unix"),
        ({"callers": [{"unix": {}}]}, "uid is missing"),
        ({"callers": POINT["callers"] * 2}, "duplicate caller"),
        (
            {"callers": [{"issuer": "corp", "sub": "x", "servers": ["no"]}]},
            "not defined under servers",
        ),
        ({"url": "https://pdp.example/"}, "expected scheme and authority"),
        ({"url": "https://pdp.example/a"}, "expected scheme and authority"),
        (
            {"url": "http://pdp.example"},
            "expected https for an address outside loopback",
        ),
        ({"listen": [{"address": "0.0.0.0:1"}]}, "outside loopback, requires tls"),
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
    from answerable.connectors.config.fetch import read_config_file
    from answerable.connectors.config.parse.config_faults import format_faults

    return format_faults("answerable.yaml", read_config_file(str(place)).faults)


def test_without_its_section_there_is_nothing_to_serve(tmp_path: Path) -> None:
    place = tmp_path / "answerable.yaml"
    place.write_text(json.dumps(configuration(9)))
    with pytest.raises(
        UsageError, match="no decision point is configured in"
    ) as caught:
        load_settings(str(place), None, tmp_path / "store")
    assert "add a `decisions` section" in caught.value.hint
