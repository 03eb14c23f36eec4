"""A client asks before a call: decided as the gateway would, recorded, not believed."""

import io
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from answerable.cli.main import main
from answerable.model.provenance import WrittenBy
from answerable.server.revocation_list import RevocationFile
from answerable.server.store_access import ship_store_spool
from answerable.store.decision_queries import find_decisions_by_prefix
from answerable.store.store import EvidenceStore
from tests.gateway.hook.test_clients import claude
from tests.gateway.serve.owners import Owners

CONFIG = """\
store: store
servers:
  shell: {hook: claude-code, reads: [Read]}
agents:
  dev:
    mode: MODE
    callers: [{stdio: shell}]
    allow: [{server: shell, tools: [Read, Bash]}]
policy: [rules.cedar]
"""
POLICY = """\
@id("no-rm")
forbid (principal, action == Action::"tools/call", resource == Tool::"tool:mcp/shell/Bash")
when { context.arguments.command like "*rm -rf*" };
"""
DEV = "agent:declared/dev"


class Client:
    """Asks before each call."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        (folder / "rules.cedar").write_text(POLICY)
        self.configure("enforce")

    def configure(self, mode: str) -> None:
        text = CONFIG.replace("MODE", mode)
        (self.folder / "answerable.yaml").write_text(text)

    def __call__(self, said: Any, *words: str) -> tuple[int, Any, str]:
        data = said if isinstance(said, bytes) else json.dumps(said).encode()
        with pytest.MonkeyPatch.context() as patch:
            stdin = SimpleNamespace(buffer=io.BytesIO(data))
            patch.setattr("sys.stdin", stdin)
            config = str(self.folder / "answerable.yaml")
            code = main(["hook", "claude-code", "--config", config, *words])
        out, err = self._capsys.readouterr()
        return code, json.loads(out) if out else None, err

    def decision(self, answer: Any) -> str:
        reason: str = answer["hookSpecificOutput"]["permissionDecisionReason"]
        return reason.partition("decision ")[2].rstrip(").")

    def shipped(self) -> None:
        store = self.folder / "store"
        ship_store_spool(store, store / "gateway" / "spool")


@pytest.fixture
def client(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Client:
    monkeypatch.setattr(
        "answerable.server.processes.ancestors.refuse_agent_ancestors",
        lambda runs: None,
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ANSWERABLE_STORE", raising=False)
    return Client(tmp_path, capsys)


def test_a_call_is_decided_by_rules_and_policies_and_recorded_as_said(
    client: Client,
) -> None:
    assert client(claude(command="ls", description="please"))[:2] == (0, None)
    code, answer, _ = client(claude(command="rm -rf /"))
    assert code == 0
    assert answer["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert client(claude("Write", file_path="/x"))[1] is not None
    client.shipped()
    with EvidenceStore.open(client.folder / "store", now=0, create=False) as store:
        found = find_decisions_by_prefix(store, "")
        assert {event.written_by for event in found} == {WrittenBy.SELF_REPORTED}
        assert {event.source for event in found} == {"hook"}
        outcomes = [(e.tool, e.outcome.value) for e in found]
    assert sorted(outcomes) == [
        ("tool:claude-code/Bash", "denied"),
        ("tool:claude-code/Bash", "unknown"),
        ("tool:claude-code/Write", "denied"),
    ]
    (decided,) = find(client, client.decision(answer))
    assert (decided["reason"], decided["agent"]) == ("forbidden", DEV)


def find(client: Client, decision: str) -> list[dict[str, Any]]:
    config = str(client.folder / "answerable.yaml")
    code = main(["decision", decision, "--config", config, "-o", "json"])
    out, err = client._capsys.readouterr()
    assert code == 0, err
    items: list[dict[str, Any]] = json.loads(out)["items"]
    return items


def test_a_decision_is_written_without_room_for_more(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    real = os.write

    def write(handle: int, data: bytes) -> int:
        written.append(len(data))
        return real(handle, data)

    monkeypatch.setattr("os.write", write)
    monkeypatch.setattr("os.pwrite", lambda *_: pytest.fail("room was made"))
    assert client(claude(command="ls"))[1] is None
    (file,) = (client.folder / "store").glob("gateway/spool/*/*.jsonl")
    assert file.stat().st_size in written
    assert sum(written) < 8192


def test_a_kill_holds_a_hook_too(client: Client) -> None:
    assert client(claude(command="ls"))[1] is None
    RevocationFile(client.folder / "store" / "gateway").revoke(DEV)
    assert client(claude(command="ls"))[1] is not None


def test_what_the_owner_signs_passes_a_hook(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    owners = Owners(client.folder, capsys)
    answer = client(claude("Write", file_path="/x"))[1]
    owners.attest("ana@corp.example", DEV)
    (ask,) = owners("asks")[1]
    assert ask["written_by"] == "self-reported"
    owners.sign("ana@corp.example", "asks", "allow", client.decision(answer))
    assert client(claude("Write", file_path="/x"))[1] is None
    assert client(claude("Write", file_path="/y"))[1] is not None


@pytest.mark.parametrize(
    ("mode", "code"), [("enforce", 2), ("observe", 0), ("shadow", 0)]
)
def test_what_cannot_be_decided_is_held_back_where_the_mode_enforces(
    client: Client, monkeypatch: pytest.MonkeyPatch, mode: str, code: int
) -> None:
    client.configure(mode)
    got, answer, err = client(b"no json")
    assert (got, answer) == (code, None)
    assert err.startswith("answerable: no decision: ")
    monkeypatch.setattr("answerable.gateway.hook.hook_recorder.MAX_WAITING", 0)
    got, answer, err = client(claude(command="ls"))
    assert (got, answer, "decisions of hooks are waiting" in err) == (code, None, True)


def test_a_file_that_cannot_be_read_holds_everything_back(client: Client) -> None:
    (client.folder / "answerable.yaml").write_text("servers: {shell: {hook: emacs}}")
    code, answer, err = client(claude(command="ls"))
    assert (code, answer) == (2, None)
    assert "hook: expected one of claude-code, cursor" in err
    (client.folder / "answerable.yaml").unlink()
    assert client(claude(command="ls"))[0] == 2


def test_observing_holds_nothing_back_and_records_what_would_be(
    client: Client,
) -> None:
    client.configure("observe")
    assert client(claude(command="rm -rf /"))[:2] == (0, None)
    client.shipped()
    with EvidenceStore.open(client.folder / "store", now=0, create=False) as store:
        (event,) = find_decisions_by_prefix(store, "")
    facts = dict(event.facts)
    assert (facts["effect"], facts["ended"]) == ("deny", "never recorded")
