"""agent-bom on the fixtures: its commands, and its server."""

import contextlib
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.compare.fixtures import CompareFixtures
from bench.compare.tools import ToolAnswer, list_records, run_tool

_KEY = "local-comparison-only"
_PORT = 8491
_START, _SCAN = 120, 240  # seconds
_HOME_QUESTIONS = (0, 1, 2, 3, 4, 5, 8)
_LISTS = (
    "/v1/agents",
    "/v1/findings",
    "/v1/identities",
    "/v1/graph/exposure-paths",
)


def run_agent_bom(
    given: CompareFixtures, tools: Path
) -> Iterator[tuple[Sequence[int], ToolAnswer]]:
    """Run the commands of agent-bom, offline."""
    program, root = str(tools / "agent-bom"), given.home.parent
    scan = (program, "scan", "--offline", "--allow-stale-db", "--exit-zero")
    reports = {name: root / f"agent-bom-{name}.json" for name in ("home", "a", "b")}
    for name, words in (
        ("home", ()),
        ("a", ("-p", str(given.shop), "--no-discover")),
        ("b", ("-p", str(given.shop_after), "--no-discover")),
    ):
        argv = (*scan, *words, "-f", "json", "-o", str(reports[name]))
        answer = run_tool(argv, given, output=reports[name])
        if name != "b":
            yield _HOME_QUESTIONS, answer
    yield (1, 2), run_tool((program, "secrets", str(given.home)), given)
    sides = (str(reports["a"]), str(reports["b"]))
    yield (9,), run_tool((program, "report", "diff", *sides, "-f", "json"), given)


def run_server(
    given: CompareFixtures, tools: Path
) -> Iterator[tuple[Sequence[int], ToolAnswer]]:
    """Start the server of agent-bom on loopback, let it scan, and read its lists."""
    argv = (
        *(str(tools / "agent-bom"), "serve", "--port", str(_PORT)),
        *("--api-key", _KEY, "--persist", str(given.home.parent / "control.db")),
    )
    environment = {
        "HOME": str(given.home),
        "PATH": os.environ.get("PATH", ""),
        "AGENT_BOM_API_LOCAL_PATH_SCANS": "enabled",
        "AGENT_BOM_API_HOST_DISCOVERY_TENANT": "default",
        "AGENT_BOM_API_SCAN_ROOT": str(given.home.parent),
    }
    with subprocess.Popen(
        argv,
        env=environment,
        cwd=given.home.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            yield from _ask_server()
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(20)
            server.kill()


def _ask_server() -> Iterator[tuple[Sequence[int], ToolAnswer]]:
    """Send a scan to the running server, and read what it knows afterwards."""
    until = time.monotonic() + _START
    while not _call("/health"):
        if time.monotonic() > until:
            problem = f"the server did not start in {_START} s"
            yield _HOME_QUESTIONS, ToolAnswer("agent-bom serve", (), problem)
            return
        time.sleep(1)
    asked = {"offline": True, "discover_host": True}
    started = _call("/v1/scan", asked)
    job = json.loads(started or "{}")
    name = f"/v1/scan/{job.get('job_id') or job.get('id')}"
    until = time.monotonic() + _SCAN
    report = ""
    while time.monotonic() < until:
        report = _call(name)
        if json.loads(report or "{}").get("status") in ("done", "completed", "failed"):
            break
        time.sleep(2)
    records = list_records(report)
    for path in _LISTS:
        records += list_records(_call(path) or "{}")
    state = json.loads(report or "{}").get("status") or _shorten_error(started)
    problem = "" if state in ("done", "completed") else f"the scan ended as {state!r}"
    command = "agent-bom serve; POST /v1/scan; GET " + ", ".join(_LISTS)
    yield _HOME_QUESTIONS, ToolAnswer(command, records, problem)


def _shorten_error(text: str) -> str:
    """Return the message of an error that the server answered."""
    error = json.loads(text or "{}").get("error", {})
    return str(error.get("message", "no answer"))


def _call(path: str, body: object = None) -> str:
    """Call the server; empty without an answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{_PORT}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {_KEY}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            text: str = answer.read().decode()
            return text
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError:
        return ""
