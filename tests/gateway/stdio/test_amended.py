"""What an owner signs holds at a wrapper, too, which has no supervisor."""

import time
from pathlib import Path

import pytest

from tests.gateway.serve.owners import Owners
from tests.gateway.stdio.stage import call, settings, wrapper


def test_what_the_owner_signs_passes_a_wrapper(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "answerable.serving.processes.ancestors.refuse_agents", lambda runs: None
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    owners = Owners(tmp_path, capsys)
    config = settings()
    rule = config["agents"]["desktop"]["allow"][0]
    rule["tools"] = [tool for tool in rule["tools"] if tool != "echo"]
    file = ("--config", str(tmp_path / "answerable.yaml"))
    with wrapper(tmp_path, config=config) as wrapped:
        denied = wrapped.ask(call("echo", 1, text="hi"))["error"]
        decision = denied["data"]["decision_id"]
        owners.attest("ana@example.com", "agent:declared/desktop")
        owners.sign("ana@example.com", "asks", "allow", decision, *file)
        until = time.monotonic() + 8
        while "result" not in wrapped.ask(call("echo", 2, text="hi")):
            assert time.monotonic() < until
            time.sleep(0.1)
        assert "error" in wrapped.ask(call("echo", 3, text="ho"))
        assert wrapped.end() == 0
