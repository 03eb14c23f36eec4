"""From the files of two clients to the first enforced denial, and back, in commands."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError

from answerable.cli.app import app
from answerable.connectors.config.fetch import read_config_file
from answerable.model.errors import UsageError
from answerable.services.protection.agent_mode import learn_rules
from answerable.store.decision_queries import list_called_targets
from answerable.store.store import EvidenceStore

ANA, TOKEN = "ana@corp.example", "sk-live-9f8e7d6c5b4a39281706"
SERVER = """
import os
from mcp.server.mcpserver import MCPServer

server = MCPServer("orders")

@server.tool()
def read_order(id: str) -> str:
    return f"order {id}, token {bool(os.environ.get('ORDERS_TOKEN'))}"

@server.tool()
def delete_order(id: str) -> str:
    return "deleted"

server.run()
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the files of Claude Code and Cursor."""
    home = tmp_path / "home"
    (home / ".cursor").mkdir(parents=True)
    (home / "server.py").write_text(SERVER)
    (home / ".gitconfig").write_text(f"[user]\n\temail = {ANA}\n")
    entry = {"command": sys.executable, "args": [str(home / "server.py")]}
    with_key = {**entry, "env": {"ORDERS_TOKEN": TOKEN}}
    files: Mapping[str, object] = {
        ".claude.json": {"numStartups": 3, "mcpServers": {"orders": with_key}},
        ".cursor/mcp.json": {"mcpServers": {"orders": entry}},
    }
    for name, content in files.items():
        (home / name).write_text(json.dumps(content, indent=2) + "\n")
    (home / "pass").write_text("correct horse battery\n")
    (home / "pass").chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ANSWERABLE_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(home)
    monkeypatch.setattr(
        "answerable.server.processes.ancestors.refuse_agent_ancestors", lambda *_: None
    )
    return home


def run(*words: str) -> Result:
    """Run a command of a person, with their key where it signs."""
    signs = words[0] in ("attest", "tighten")
    key = ("--key", "ana.pem", "--passphrase-file", "pass") if signs else ()
    done = CliRunner().invoke(app, [*words, *key], catch_exceptions=False)
    assert TOKEN not in done.output
    return done


def run_refused(*words: str) -> str:
    """Run a command that a usage error ends; return its message and hint."""
    with pytest.raises(UsageError) as refused:
        run(*words)
    return f"{refused.value.message}\n{refused.value.hint}"


def hook_of(home: Path, client: str) -> dict[str, Any]:
    """The first hook of a client, as its settings have it."""
    if client == "cursor":
        hooks = json.loads((home / ".cursor/hooks.json").read_text())["hooks"]
        return dict(hooks["beforeShellExecution"][0])
    hooks = json.loads((home / ".claude/settings.json").read_text())["hooks"]
    return dict(hooks["PreToolUse"][0]["hooks"][0])


def status(home: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of `protect status` by client and entry."""
    items = json.loads(run("protect", "status", "-o", "json").stdout)["items"]
    return {(each["client"], each["server"]): each for each in items}


def call(home: Path, *tools: str, entry: str = "orders") -> list[str]:
    """Start a server as Claude Code does, and call tools of it."""
    started = json.loads((home / ".claude.json").read_text())["mcpServers"][entry]

    async def play() -> list[str]:
        parameters = StdioServerParameters(
            command=started["command"], args=started["args"], env=started.get("env")
        )
        said = []
        async with (
            stdio_client(parameters) as (reader, writer),
            ClientSession(reader, writer) as client,
        ):
            await client.initialize()
            await client.list_tools()
            for tool in tools:
                try:
                    found = await client.call_tool(tool, {"id": "7"})
                    said.append(getattr(found.content[0], "text", ""))
                except MCPError as error:
                    said.append(str(error))
        return said

    return anyio.run(play)


def own_key(home: Path) -> None:
    """Make and enroll an owner key, and attest the agent with it."""
    new = ("--key", "ana.pem", "--passphrase-file", "pass")
    assert run("owner-keys", "new", "--person", ANA, *new).exit_code == 0
    enroll = run("owner-keys", "enroll", "ana.pem.pub", "--person", ANA)
    assert enroll.exit_code == 0
    assert run("attest", "declared/claude-code", "--owner", ANA).exit_code in (0, 3)


def test_six_commands_lead_to_the_first_denied_call_and_two_back(home: Path) -> None:
    before = (home / ".claude.json").read_bytes()
    orders = ("claude-code", "orders")
    assert status(home)[orders]["state"] == "bypass"
    assert run("protect", "--yes").exit_code == 0
    assert TOKEN.encode() not in (home / ".claude.json").read_bytes()
    observed = status(home)[orders]
    assert (observed["state"], observed["mode"]) == ("mediated", "observe")
    assert observed["next"] == "answerable tighten claude-code --key KEY"
    assert call(home, "read_order") == ["order 7, token True"]
    assert status(home)[orders]["runs"] == 1
    own_key(home)

    refused = run_refused("tighten", "claude-code", "--yes")
    assert "got 1, expected at least 40" in refused
    assert "tighten claude-code --min-runs 1" in refused
    assert status(home)[orders]["mode"] == "observe"
    to_shadow = run("tighten", "claude-code", "--yes", "--min-runs", "1")
    assert to_shadow.exit_code == 0, to_shadow.output
    for said in (
        "1 runs (expected 40)",
        "\nnext: answerable tighten claude-code --key KEY\n",
    ):
        assert said in to_shadow.output
    assert "new-reach" in to_shadow.output
    assert status(home)[orders]["mode"] == "shadow"
    to_enforce = run("tighten", "claude-code", "--yes")
    assert to_enforce.exit_code == 0, to_enforce.output
    assert "enforce would have denied\nnone of the recorded calls" in to_enforce.output
    assert hook_of(home, "claude-code")["onFailure"] == "block"
    assert "failClosed" not in hook_of(home, "cursor")

    said = call(home, "read_order", "delete_order")
    assert said == ["order 7, token True", "Denied by policy."]
    enforced = status(home)[orders]
    assert (enforced["mode"], enforced["would_deny"]) == ("enforce", 1)
    assert enforced["next"] == ""
    chains = json.loads(run("trace", "--tool", "*delete_order", "-o", "json").stdout)
    hops = chains["items"][0]["hops"]
    assert hops["person"]["value"] == f"person:{ANA}"
    assert [hops[each]["status"] for each in ("person", "agent", "tool")] == [
        "declared",
        "observed",
        "observed",
    ]

    assert run("loosen", "claude-code", "--yes").exit_code == 0
    text = (home / ".config/answerable/answerable.yaml").read_text()
    assert "ends_enforcement: [claude-code]" in text
    assert "onFailure" not in hook_of(home, "claude-code")
    assert run("unprotect").exit_code == 0
    assert (home / ".claude.json").read_bytes() == before


def test_no_agent_moves_itself(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("protect", "--yes")
    path = home / ".config/answerable/answerable.yaml"
    before = path.read_bytes()

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(
        "answerable.server.processes.ancestors.refuse_agent_ancestors", refuse
    )
    for words in (("loosen", "cursor", "--yes"), ("tighten", "cursor", "--yes")):
        with pytest.raises(PermissionError):
            run(*words)
    assert path.read_bytes() == before


def test_an_agent_without_recorded_calls_is_not_tightened(home: Path) -> None:
    run("protect", "--yes")
    path = home / ".config/answerable/answerable.yaml"
    before = path.read_bytes()
    done = CliRunner().invoke(
        app, ["tighten", "cursor", "--yes", "--key", "x"], catch_exceptions=True
    )
    assert "no call of cursor was recorded" in str(done.exception)
    assert path.read_bytes() == before


def test_a_server_that_a_client_got_later_is_a_bypass(home: Path) -> None:
    run("protect", "--yes")
    place = home / ".cursor/mcp.json"
    content = json.loads(place.read_text())
    content["mcpServers"]["later"] = {"command": "later-server"}
    place.write_text(json.dumps(content))
    rows = status(home)
    assert rows["cursor", "later"]["state"] == "bypass"
    assert rows["cursor", "later"]["next"] == "answerable protect cursor"
    assert rows["cursor", "orders"]["state"] == "mediated"
    checks = json.loads(run("doctor", "-o", "json").stdout)["items"]
    (check,) = [each for each in checks if each["check"] == "protection"]
    assert not check["ok"]
    servers, starts, *agents = check["detail"].split("; ")
    assert starts == "no start of 2 is recorded"
    assert (
        servers
        == "2 servers are behind the gateway, 1 are reached directly (cursor later)"
    )
    assert agents[0] == (
        "claude-code observe, 0 runs learned, 0 calls would be refused, hook not seen"
    )
    assert "it was added after protect" in rows["cursor", "later"]["detail"]


def enforce(home: Path) -> None:
    """Protect the clients, and enforce Claude Code on one recorded call."""
    run("protect", "--yes")
    call(home, "read_order")
    own_key(home)
    run("tighten", "claude-code", "--yes", "--min-runs", "1")
    assert run("tighten", "claude-code", "--yes").exit_code == 0


def test_a_server_of_an_enforced_agent_is_named_until_it_is_learned(home: Path) -> None:
    enforce(home)
    place = home / ".claude.json"
    content = json.loads(place.read_text())
    entry = {"command": sys.executable, "args": [str(home / "server.py")]}
    content["mcpServers"]["later"] = entry
    place.write_text(json.dumps(content))
    said = run("protect", "--yes")
    assert "later is not covered by the signed baseline of claude-code" in said.stdout
    row = status(home)["claude-code", "later"]
    assert row["state"] == "mediated"
    assert "not covered by the signed baseline" in row["detail"]
    assert row["next"] == "answerable loosen claude-code"
    with pytest.raises(BaseExceptionGroup):
        call(home, entry="later")

    run("loosen", "claude-code", "--yes")
    run("loosen", "claude-code", "--yes")
    assert call(home, "read_order", entry="later") == ["order 7, token False"]
    run("tighten", "claude-code", "--yes", "--min-runs", "1")
    assert run("tighten", "claude-code", "--yes").exit_code == 0
    said = call(home, "read_order", "delete_order", entry="later")
    assert said == ["order 7, token False", "Denied by policy."]
    row = status(home)["claude-code", "later"]
    assert "not covered" not in row["detail"]


def test_a_refused_call_is_not_learned_when_the_agent_is_tightened_again(
    home: Path,
) -> None:
    enforce(home)
    assert call(home, "delete_order") == ["Denied by policy."]
    run("loosen", "claude-code", "--yes")
    shadow = run("tighten", "claude-code", "--yes")
    assert "orders delete_order: 1 of 1 calls, no rule allows it" in shadow.output
    reading = read_config_file(str(home / ".config/answerable/answerable.yaml"))
    assert reading.config is not None
    agent = reading.config.agents[0]
    with EvidenceStore.open(home.parent / "store", now=time.time_ns()) as store:
        targets = list_called_targets(store, since=0, agent=agent.id)
    (rule,) = [
        each
        for each in learn_rules(reading.config, agent, targets)
        if each.server == "orders"
    ]
    assert rule.names["tools"] == ("read_order",)
