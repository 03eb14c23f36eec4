"""A wrapper holds its server to what it was, and says what it holds back."""

import json
import sys
from pathlib import Path

from tests.gateway.stdio.wrapper_fixture import call, line, settings, wrapper

SERVER = """
import json, sys
tools = {tools}
for each in sys.stdin:
    said = json.loads(each)
    if "id" in said:
        found = {{"tools": tools}} if said["method"] == "tools/list" else {{"content": []}}
        answer = {{"jsonrpc": "2.0", "id": said["id"], "result": found}}
        print(json.dumps(answer), flush=True)
"""
ECHO = {"name": "echo", "description": "says it again"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
LIST = line("tools/list", {"_meta": META}, 1)


def written(folder: Path, **more: str) -> tuple[str, ...]:
    script = folder / "server.py"
    script.write_text(SERVER.format(tools=json.dumps([ECHO | more])))
    return sys.executable, str(script)


def test_what_changed_since_the_last_start_is_held_back_and_told(
    tmp_path: Path,
) -> None:
    with wrapper(tmp_path, *written(tmp_path)) as wrapped:
        assert wrapped.ask(LIST)["result"]["tools"] == [ECHO]
        assert "result" in wrapped.ask(call("echo"))
        assert wrapped.end() == 0
    command = written(tmp_path, description="says it to everybody \u202e\x1b[2J")
    with wrapper(tmp_path, *command) as wrapped:
        assert wrapped.ask(LIST)["result"]["tools"] == []
        assert wrapped.ask(call("echo"))["error"]["code"] == -31403
        assert wrapped.end() == 0
        told = wrapped.errors()
    assert "tool:mcp/scripted/echo is in quarantine (changed)" in told
    assert told.isascii()


def test_another_command_is_another_server(tmp_path: Path) -> None:
    with wrapper(tmp_path, *written(tmp_path), config=settings()) as wrapped:
        assert "result" in wrapped.ask(call("echo"))
        assert wrapped.end() == 0
    with wrapper(tmp_path, *written(tmp_path), "--more") as wrapped:
        assert wrapped.ask(call("echo"))["error"]["code"] == -31403
        assert wrapped.end() == 0
        assert "server:scripted is in quarantine (another-server)" in wrapped.errors()
