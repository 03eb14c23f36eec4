"""Metrics of running servers, and the documents, alerts and dashboards that name them."""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from answerable.cli.main import main
from answerable.usecases.operations.server_check import check_server

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
NAME = re.compile(r"\b(?:answerable|mcp)_[a-z0-9_]+")
TYPE = re.compile(r"# TYPE (\S+) (\S+)")
ROW = re.compile(r"\| `([a-z_]+)` \| (\w+) \| .+ \| (.+) \|")
# Scraped targets have it without a page.
OF_PROMETHEUS = {"up"}


LISTEN = [{"address": "127.0.0.1:0"}]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """`/metrics` of every server of one configuration, by address."""
    folder = tmp_path_factory.mktemp("servers")
    (folder / "code").mkdir()
    config = {
        "store": str(folder / "store"),
        "listen": {"api": "127.0.0.1:0", "gateway": LISTEN},
        "sources": [{"source": f"repo:{folder / 'code'}", "every": 60}],
        "collector": {"listen": LISTEN},
        "sts": {"url": "https://sts.example", "listen": LISTEN},
        "decisions": {
            "listen": LISTEN,
            "callers": [{"unix": {"uid": os.getuid()}, "servers": ["files"]}],
        },
        "web": {"listen": LISTEN},
        "servers": {"files": {"url": "http://127.0.0.1:9/mcp"}},
    }
    path = folder / "answerable.yaml"
    path.write_text(json.dumps(config))
    with subprocess.Popen(
        [sys.executable, "-m", "answerable", "serve", "--config", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        servers: dict[str, str] = {}
        while "collector" not in servers:
            name, _, url = process.stdout.readline().strip().partition(" ")
            assert url, process.poll()
            servers[name] = url.removeprefix("http://")
        try:
            names = ("api", "sts", "decisions", "web", "collector")
            yield {servers[name]: fetch(servers[name]) for name in names}
        finally:
            process.terminate()
            process.communicate(timeout=60)


def fetch(address: str, path: str = "/metrics") -> str:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read().decode()
    finally:
        connection.close()


def wait_until_ready(address: str) -> None:
    """Wait for a server that still loads its store."""
    until = time.monotonic() + 60
    while True:
        try:
            fetch(address, "/readyz")
            return
        except AssertionError:
            assert time.monotonic() < until
            time.sleep(0.1)


@pytest.fixture(scope="module")
def types(pages: dict[str, str]) -> dict[str, str]:
    return {name: kind for page in pages.values() for name, kind in TYPE.findall(page)}


def read_rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def base(name: str, types: dict[str, str]) -> str:
    """The metric of a time series: without the end of a histogram's parts."""
    short = re.sub(r"_(bucket|sum|count)\Z", "", name)
    return short if types.get(short) == "histogram" else name


def test_each_metric_is_documented_with_its_alerts(types: dict[str, str]) -> None:
    rows = ROW.findall((ROOT / "docs" / "metrics.md").read_text())
    assert {name: kind for name, kind, _ in rows} == types
    rules = {rule["alert"]: set(NAME.findall(rule["expr"])) for rule in read_rules()}
    for name, _, alerts in rows:
        watching = {alert for alert, names in rules.items() if name in names}
        assert set(re.findall(r"`(\w+)`", alerts)) == watching, name


def test_alerts_dashboards_and_limits_name_metrics_that_exist(
    types: dict[str, str],
) -> None:
    for rule in read_rules():
        names = set(NAME.findall(rule["expr"]))
        assert names or "up{" in rule["expr"]
        assert names <= set(types), rule["alert"]
    assert len(DASHBOARDS) == 2
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        assert (board["id"], bool(board["uid"])) == (None, True)
        asked = [t["expr"] for panel in board["panels"] for t in panel["targets"]]
        asked += [v["query"]["query"] for v in board["templating"]["list"][1:]]
        for expression in asked:
            names = {base(name, types) for name in NAME.findall(expression)}
            assert names, expression
            assert names <= set(types), expression
    limits = (ROOT / "docs" / "limits.md").read_text()
    assert set(NAME.findall(limits)) <= set(types)


def test_each_alert_has_a_runbook() -> None:
    headings = re.findall(
        r"(?m)^## (\S+)$", (ROOT / "docs" / "runbooks.md").read_text()
    )
    wanted = {rule["labels"]["runbook"] for rule in read_rules()}
    assert wanted <= set(headings)
    assert {"key-lost", "owner-left", "clock-wrong"} <= set(headings)
    for rule in read_rules():
        assert rule["annotations"]["summary"]


def test_doctor_checks_a_running_server(
    pages: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for at in pages:
        wait_until_ready(at)
        assert main(["doctor", "--server", f"http://{at}", "-o", "json"]) == 0
        items = json.loads(capsys.readouterr().out)["items"]
        faults = [each for each in items if not each["ok"]]
        # No rule is in force: the token service is ready, but issues nothing.
        assert [each["check"] for each in faults] in ([], ["answerable_sts_ready"])


def test_doctor_names_the_runbook_of_a_fault() -> None:
    metrics = (
        'answerable_unrecorded_total 2.0\nanswerable_policy_missing{a="b c"} 0.0\n'
    )
    ready = '{"ready": false, "reasons": ["no disk"], "warnings": ["old"]}'
    document = check_server((503, ready), (200, metrics), "http://h")
    assert document.failed
    found = {str(each["check"]): each for each in document.items}
    assert found["ready"]["detail"] == "no disk"
    assert found["warning"]["detail"] == "old"
    assert found["answerable_unrecorded_total"]["hint"] == "docs/runbooks.md#disk-full"
    assert found["answerable_policy_missing"]["ok"]
    down = check_server((0, "Connection refused"), (0, ""), "http://h")
    assert down.failed
    assert [each["check"] for each in down.items] == ["server"]


@pytest.mark.world
@pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool")
def test_promtool_accepts_the_rules_and_their_tests() -> None:
    for words in (
        ("check", "rules", "alerts.yaml"),
        ("test", "rules", "alerts.test.yaml"),
    ):
        done = subprocess.run(
            ["promtool", *words], cwd=ALERTS.parent, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
