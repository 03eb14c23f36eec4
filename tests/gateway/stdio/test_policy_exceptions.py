"""What an owner signs holds at a wrapper, too, which has no supervisor."""

import json
import time
from pathlib import Path

import pytest

from tests.authority import Authority
from tests.gateway.serve.chat_channel import channel
from tests.gateway.serve.owners import Owners, wait_until
from tests.gateway.stdio.wrapper_fixture import call, settings, wrapper


def test_what_the_owner_signs_passes_a_wrapper(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "answerable.server.processes.ancestors.refuse_agent_ancestors",
        lambda runs: None,
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
        until = time.monotonic() + 60
        while "result" not in wrapped.ask(call("echo", 2, text="hi")):
            assert time.monotonic() < until
            time.sleep(0.1)
        assert "error" in wrapped.ask(call("echo", 3, text="ho"))
        assert wrapped.end() == 0


def test_a_wrapper_has_an_owner_told_of_what_it_held_back(tmp_path: Path) -> None:
    config = settings()
    config["agents"]["desktop"]["allow"][0]["tools"] = ["echo"]
    with channel(Authority(tmp_path)) as taking:
        config["asks"] = taking.asks
        with wrapper(tmp_path, config=config) as wrapped:
            assert "result" in wrapped.ask(call("echo", 1, text="hunter2"))
            denied = wrapped.ask(call("heard", 2, text="hunter2"))["error"]
            wrapped.ask(call("heard", 3, text="hunter2"))
            wait_until(lambda: bool(taking.seen))
            assert wrapped.end() == 0
        ((_, message),) = taking.seen
    said = json.dumps(message)
    assert denied["data"]["decision_id"] in said
    assert "agent:declared/desktop" in said
    assert "hunter2" not in said


def test_a_wrapper_whose_webhook_is_nowhere_goes_on(tmp_path: Path) -> None:
    config = settings(asks={"webhook_env": "NO_SUCH_VARIABLE"})
    with wrapper(tmp_path, config=config) as wrapped:
        assert "result" in wrapped.ask(call("echo", 1, text="hi"))
        assert wrapped.end() == 0
        assert "owners are not notified of denied calls" in wrapped.errors()
