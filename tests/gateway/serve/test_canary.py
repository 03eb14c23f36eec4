"""Tokens, arguments and results pass through the gateway and stay nowhere."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from tests.gateway.serve.otlp_collector import Collector
from tests.gateway.serve.running_gateway import (
    Backend,
    Serving,
    configuration,
    serving,
    token_of,
)
from tests.mcp.running import ROOT

ARGUMENT = "canary-argument-3b1f9c"
CLAIMED = "canary-claimed-77aa02"
PIECE = 12

Run = Callable[..., str]


def _held(folder: Path) -> dict[Path, bytes]:
    """Every file that the gateway left, but what the operator wrote."""
    written = {"answerable.yaml", "keys.json"}
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in written
    }


def _stored(folder: Path, run: Run) -> str:
    """What the store, whose files are compressed, tells of the calls."""
    store = ("--store", str(folder / "store"), "-o", "json")
    query = "select * from lineage join decisions using (decision_id)"
    rows = run(*store, "sql", query)
    known = [item["decision_id"] for item in json.loads(rows)["items"]]
    config = ("--config", str(folder / "answerable.yaml"))
    shown = [run(*store, "decision", each, *config) for each in known]
    assert all('"passed"' in each for each in shown)
    return rows + "".join(shown)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process; give what it writes."""

    def run(*words: str) -> str:
        assert main(words) == 0
        told = capsys.readouterr()
        assert not told.err
        return told.out

    return run


def _pieces(secret: str) -> set[bytes]:
    return {secret[at : at + PIECE].encode() for at in range(len(secret) - PIECE + 1)}


def test_no_piece_of_a_token_or_an_argument_is_kept_logged_or_shown(
    tmp_path: Path, server: Backend, run: Run
) -> None:
    good, bad = token_of("ana"), token_of("ana", aud="https://elsewhere.example")
    with serving(tmp_path, configuration(server.server_port)) as served:
        for token in (good, bad, good[:-4] + "AAAA"):
            for name in ("read", "slow", "write"):
                arguments = {"seconds": 0, "text": ARGUMENT}
                served.call(
                    name, token=token, arguments=arguments, meta={"said": CLAIMED}
                )
        shown = served.get("/metrics")[1] + served.get("/readyz")[1]
        assert served.end() == 0
    rows = _stored(tmp_path, run)
    assert rows.count('"decision_id"') == 3  # shipped, so looked into
    said = (shown + json.dumps(served.log) + rows).encode()
    held = _held(tmp_path)
    # The first part of a token is its public header, and part of others' headers too.
    secrets = [ARGUMENT, CLAIMED]
    secrets += [part for token in (good, bad) for part in token.split(".")[1:]]
    for secret in secrets:
        for piece in _pieces(secret):
            assert piece not in said
            assert [path for path, data in held.items() if piece in data] == []


KEPT = {
    "file": "canary-in-a-file-0a7c31",
    "env": "canary-in-a-variable-5e12ff",
    "command": "canary-of-a-command-9bd04e",
    "stdio": "canary-of-a-process-c83a55",
}
NEWER = "canary-that-is-newer-17f6d2"


def _keep(folder: Path, name: str, secret: str) -> Path:
    place = folder / f"{name}.secret"
    fresh = folder / "fresh.secret"
    fresh.write_text(secret)
    fresh.chmod(0o600)
    fresh.rename(place)
    return place


def _showing(folder: Path, port: int, otlp: str) -> dict[str, Any]:
    """One server for each way to keep a credential."""
    settings = configuration(port, telemetry={"otlp": otlp})
    url = settings["servers"].pop("files")["url"]
    places = {name: str(_keep(folder, name, KEPT[name])) for name in KEPT}
    settings["servers"] = {
        "file": {"url": url, "credential": {"file": places["file"]}},
        "env": {"url": url, "credential": {"env": "KEPT", "header": "X-Api-Key"}},
        "command": {"url": url, "credential": {"command": ["cat", places["command"]]}},
        "stdio": {
            "command": [sys.executable, "-m", "tests.gateway.stdio.scripted_server"],
            "env": {"PYTHONPATH": str(ROOT)},
            "credential": {"file": places["stdio"], "as_env": "API_TOKEN"},
        },
    }
    allow = [{"server": name, "tools": ["*"]} for name in KEPT]
    settings["agents"] = {"ana": settings["agents"]["ana"] | {"allow": allow}}
    return settings


def _asked(served: Serving) -> list[Any]:
    """Have every server say what it was shown; the answers."""
    tools = {"stdio": "environment"}
    return [served.call(tools.get(at, "headers"), server=at) for at in KEPT]


def test_no_piece_of_what_servers_are_shown_is_kept_logged_or_shown(
    tmp_path: Path, server: Backend, collector: Collector, run: Run
) -> None:
    otlp = f"http://127.0.0.1:{collector.server_port}"
    server.shown.clear()
    settings = _showing(tmp_path, server.server_port, otlp)
    with serving(tmp_path, settings, env={"KEPT": KEPT["env"]}) as served:
        answers = _asked(served)
        # Once for the call, and once for the list that the gateway asks for itself.
        assert {secret for _, secret in server.shown} == {
            f"Bearer {KEPT['file']}",
            KEPT["env"],
            f"Bearer {KEPT['command']}",
        }
        place = _keep(tmp_path, "file", NEWER)
        until = time.monotonic() + 60
        while server.shown[-1][1] != f"Bearer {NEWER}":
            assert time.monotonic() < until
            time.sleep(0.2)
            served.call("read", server="file")
        answers += _asked(served)
        place.chmod(0o644)
        refused = served.hear("credential.refused")
        assert served.metric("answerable_credentials_refused") == 1
        served.reload()
        shown = served.get("/metrics")[1] + served.get("/readyz")[1]
        leaks = {
            name: served.metric(f'answerable_leaks_total{{server="{name}"}}')
            for name in KEPT
        }
        assert served.end() == 0
    assert leaks == dict.fromkeys(KEPT, 2)
    assert {each["error"]["code"] for each in answers} == {-32603}
    assert (refused["server"], "0600" in refused["what"]) == ("file", True)
    told = [line for line in served.log if line["event"] == "credential.leaked"]
    assert [line["server"] for line in told] == [*KEPT, *KEPT]
    rows = _stored(tmp_path, run)
    assert all(rows.count(line["what"]) for line in told)
    assert rows.count('"ended": "leaked"') == 2 * len(told)  # in both tables
    assert {span.get("error.type") for span in collector.spans()} >= {"leaked"}
    sent = [body for _, body in collector.taken]
    said = (shown + json.dumps([served.log, answers]) + rows).encode() + b"".join(sent)
    held = {at: data for at, data in _held(tmp_path).items() if at.suffix != ".secret"}
    for secret in (*KEPT.values(), NEWER):
        for piece in _pieces(secret):
            assert piece not in said
            assert [path for path, data in held.items() if piece in data] == []


@pytest.mark.parametrize("place", ["log", "spool"])
def test_a_piece_that_is_kept_would_be_found(place: str, tmp_path: Path) -> None:
    (tmp_path / place).write_text(f"... {ARGUMENT[3:20]} ...")
    held = _held(tmp_path)
    assert any(piece in data for piece in _pieces(ARGUMENT) for data in held.values())
