"""What a server says of its tools is held to what it was, whoever lists them."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from answerable.authorization.pins.pin_comparison import (
    apply_approval,
    select_items_for_approval,
)
from answerable.gateway import definition_watcher
from answerable.model.definition_pin import DefinitionApproval, QuarantineReason
from answerable.server.pins.pin_files import PinFiles
from tests.gateway.http.changing_server import (
    BY_ID,
    GREET,
    HOSTILE,
    READ,
    WRITE,
    ChangingServer,
    changed,
    eventually,
    eventually_refused,
    passes,
    said,
)
from tests.gateway.http.gateway_fixture import Backend, Quarantines, gateway, stage
from tests.gateway.http.message_builders import ask, call, old

WORD = DefinitionApproval("person:ana", "s" * 64, 9)


@pytest.fixture
def server() -> ChangingServer:
    return ChangingServer()


@pytest.fixture
def told() -> Quarantines:
    return Quarantines()


def names(answered: dict[str, Any], key: str = "tools") -> list[str]:
    return [each["name"] for each in answered["result"][key]]


def test_a_tool_that_changes_while_a_session_goes_on_is_refused_at_the_next_call(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    with stage(tmp_path, server, pins=told) as (running, _):
        with running.client() as client:
            listed = said(client, ask("tools/list"))
            assert names(listed) == ["read_file", "write_file"]
            assert passes(client)
            server.tools = [READ | {"description": HOSTILE}, WRITE]
            assert names(said(client, ask("tools/list"))) == ["write_file"]
            assert not passes(client)
            assert passes(client, "write_file")
        reasons = [reason for _, name, reason in running.decisions() if name]
        assert reasons == ["allowed", "quarantined", "allowed"]
    assert told.told == [("tool:mcp/files/read_file", "changed", "")]


def test_a_list_and_then_a_rename_makes_a_new_tool(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    server.tools = [READ]
    with stage(tmp_path, server, pins=told) as (running, _), running.client() as client:
        said(client, ask("tools/list"))
        server.tools = [WRITE]
        assert names(said(client, ask("tools/list"))) == []
        assert not passes(client, "write_file")
    assert told.told == [("tool:mcp/files/write_file", "new", "")]


def test_a_server_whose_first_list_is_empty_has_no_tool_that_passes(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    server.tools = []
    with stage(tmp_path, server, pins=told) as (running, _), running.client() as client:
        assert names(said(client, ask("tools/list"))) == []
        assert not passes(client)
        server.tools = [READ]
        assert not passes(client)
        assert names(said(client, ask("tools/list"))) == []
        assert not passes(client)


def test_a_server_that_answers_with_an_empty_list_is_held_to_it_after_one_call(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    server.tools = []
    with stage(tmp_path, server, pins=told) as (running, _), running.client() as client:
        assert passes(client)
        server.wait("tools/list")
        eventually_refused(client, "read_file")


def test_no_client_has_to_list_anything(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    with stage(tmp_path, server, pins=told) as (running, backend):
        with running.client() as client:
            assert passes(client)
            server.wait("tools/list")
            eventually_refused(client, "big")  # a rule takes it, and no list has it
            assert passes(client)
        asked = [head for head, body in backend.requests if b"tools/list" in body]
        assert len(asked) == 1
        assert b"mcp-method: tools/list" in asked[0]
        assert b"mcp-name" not in asked[0]
    pins = PinFiles(tmp_path).read_pins("files")
    assert set(pins.items) == {"tool:read_file", "tool:write_file"}


def test_a_session_of_an_older_client_is_asked_in_itself(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    server.as_events = True
    with stage(tmp_path, server, pins=told) as (running, backend):
        with running.client() as client:
            client.send(old("initialize"))
            session = client.answer().fields["mcp-session-id"]
            params = {"name": "read_file", "arguments": {}}
            assert "result" in said(
                client, old("tools/call", session=session, **params)
            )
            server.wait("tools/list")
            eventually_refused(client, "big")
        heads = [head for head, body in backend.requests if b"tools/list" in body]
        assert b"mcp-session-id: s-1" in heads[0].lower()


def test_pages_are_asked_for_to_the_last(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    server.pages = [[READ | {"name": "big"}], [READ | {"name": "last"}]]
    with stage(tmp_path, server, pins=told) as (running, _), running.client() as client:
        assert passes(client)
        server.wait("tools/list", 3)
        assert passes(client, "big")
    assert "tool:last" in PinFiles(tmp_path).read_pins("files").items


def test_a_server_that_pages_for_ever_is_left(
    tmp_path: Path,
    server: ChangingServer,
    told: Quarantines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(definition_watcher, "MAX_PAGES", 4)
    server.pages = [[READ | {"name": f"t{n}"}] for n in range(50)]
    with stage(tmp_path, server, pins=told) as (running, _), running.client() as client:
        assert passes(client)
        server.wait("tools/list", 4)
        assert passes(client)
        assert server.asked.count("tools/list") == 4


def test_a_server_that_says_that_its_tools_changed_is_asked_at_once(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    with stage(tmp_path, server, pins=told) as (running, _), running.client() as client:
        assert passes(client)
        server.wait("tools/list")
        server.tools = [READ | {"title": "x"}, WRITE]
        server.before_answers = [changed()]
        assert passes(client, "write_file")
        server.wait("tools/list", 2)
        eventually_refused(client)


def test_what_waits_for_a_person_passes_nothing_until_they_say_so(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    files = PinFiles(tmp_path)
    waiting = stage(tmp_path, server, pins=told, pin="approved")
    with waiting as (running, _), running.client() as client:
        assert not passes(client)
        assert names(said(client, ask("tools/list"))) == []
        eventually(lambda: "tool:read_file" in files.read_pins("files").seen)
        assert (
            files.read_pins("files").seen["tool:read_file"].why is QuarantineReason.NEW
        )
        files.change_pins(
            "files",
            lambda pins: apply_approval(
                pins, select_items_for_approval(pins, ["read_file"]), WORD
            ),
        )
        eventually(lambda: passes(client))
        assert not passes(client, "write_file")
        assert names(said(client, ask("tools/list"))) == ["read_file"]


def test_a_prompt_that_changed_is_not_got(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    with stage(tmp_path, server, pins=told) as (running, _), running.client() as client:
        assert "result" in said(client, ask("prompts/get", name="greet"))
        server.wait("prompts/list")
        server.prompts = [GREET | {"description": HOSTILE}]
        assert names(said(client, ask("prompts/list")), "prompts") == []
        assert "error" in said(client, ask("prompts/get", name="greet"))


def test_instructions_and_templates_that_changed_are_not_read(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    with stage(tmp_path, server, pins=told) as (running, _), running.client() as client:
        found = said(client, ask("server/discover"))
        assert found["result"]["instructions"] == "be kind"
        listed = said(client, ask("resources/templates/list"))
        assert len(listed["result"]["resourceTemplates"]) == 1
        server.instructions = HOSTILE
        server.templates = [BY_ID | {"description": HOSTILE}]
        found = said(client, ask("server/discover"))
        assert found["result"]["instructions"] == ""
        listed = said(client, ask("resources/templates/list"))
        assert listed["result"]["resourceTemplates"] == []
        client.send(old("initialize"))
        again = json.loads(client.answer().body)
        assert again["result"]["instructions"] == ""
    assert [subject for subject, _, _ in told.told] == [
        "instructions:mcp/files",
        "template:mcp/files/file:///srv/{name}",
    ]


def test_a_mode_that_holds_nothing_back_records_what_would_be(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    with stage(tmp_path, server, pins=told) as (running, _):
        with running.client() as client:
            said(client, ask("tools/list", "olga"))
            server.tools = [READ | {"description": HOSTILE}]
            assert names(said(client, ask("tools/list", "olga"))) == ["read_file"]
            assert passes(client, agent="olga")
        assert running.decisions()[-1] == ("tools/call", "read_file", "quarantined")


def test_what_was_pinned_outlives_the_gateway(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    backend = Backend(server)
    running = partial(gateway, tmp_path, backend.port, pins=told)
    try:
        with running() as first, first.client() as client:
            said(client, ask("tools/list"))
        server.tools = [READ | {"description": HOSTILE}, WRITE]
        with running() as second, second.client() as client:
            said(client, ask("tools/list"))
            assert not passes(client)
            assert passes(client, "write_file")
        with running() as third, third.client() as client:
            assert not passes(client)
            assert passes(client, "write_file")
    finally:
        backend.close()


def test_a_server_at_another_place_is_another_server(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    with stage(tmp_path, server, pins=told) as (running, _), running.client() as client:
        assert passes(client)
    with stage(tmp_path, server, pins=told) as (running, backend):
        with running.client() as client:
            client.send(call())
            assert "error" in json.loads(client.answer().body)
            assert not passes(client)
            assert "error" in said(client, ask("resources/read", uri="file:///srv/a"))
        assert backend.requests == []  # nothing is said to it
        assert running.outcomes().count("upstream-error") == 1
    assert told.told == [("server:files", "another-server", "")]


def test_items_that_no_two_readers_need_agree_on_are_held_back(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    class Twice(ChangingServer):
        def __call__(self, peer: Any) -> None:
            send = peer.send
            one, two = b'{"type":"object"}', b'{"type":"object","type":"null"}'
            peer.send = lambda data: send(
                data if b'"tools"' not in data else _resized(data.replace(one, two, 1))
            )
            super().__call__(peer)

    with (
        stage(tmp_path, Twice(), pins=told) as (running, _),
        running.client() as client,
    ):
        assert names(said(client, ask("tools/list"))) == ["write_file"]
        assert not passes(client)
    assert told.told == [("tool:mcp/files/read_file", "ambiguous", "")]


def _resized(data: bytes) -> bytes:
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [e for e in head.split(b"\r\n") if not e.startswith(b"Content-Length")]
    lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_a_call_is_not_lost_where_the_server_lists_nothing(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    server.answer = lambda message: {"content": []}  # type: ignore[method-assign]
    with stage(tmp_path, server, pins=told) as (running, _), running.client() as client:
        assert passes(client)
        server.wait("tools/list")
        assert "result" in said(client, call())
    assert told.told == []


CLOSED = READ | {
    "inputSchema": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "path": {"type": "string"},
            "at": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"line": {"type": "integer"}},
            },
        },
    }
}


def test_a_call_is_held_to_a_schema_that_was_approved_as_closed(
    tmp_path: Path, server: ChangingServer, told: Quarantines
) -> None:
    server.tools = [CLOSED, WRITE]
    others: tuple[dict[str, Any], ...] = (
        *({"path": "a", "Path": "b"}, {"path": "a", "force": True}, {"force": None}),
        *({"at": {"line": 1, "Line": 2}}, {"at": {"column": 1}}),
    )
    with stage(tmp_path, server, pins=told) as (running, _), running.client() as client:

        def takes(arguments: dict[str, Any], name: str = "read_file") -> bool:
            client.send(call(name, arguments=arguments))
            answered = json.loads(client.answer().body)
            if "error" in answered:
                assert answered["error"]["data"]["decision"] == "error"
            return "error" not in answered

        said(client, ask("tools/list"))
        assert all(takes(each) for each in others)
        files = PinFiles(tmp_path)
        eventually(lambda: "tool:read_file" in files.read_pins("files").items)
        files.change_pins(
            "files",
            lambda pins: apply_approval(
                pins,
                select_items_for_approval(pins, ["read_file"], as_pinned=True),
                WORD,
            ),
        )
        eventually(lambda: not takes({"force": True}))
        for each in others:
            assert not takes(each), each
            assert takes(each, "write_file")
        for honest in ({}, {"path": "a"}, {"path": "a", "at": {"line": 1}}):
            assert takes(honest), honest
        assert names(said(client, ask("tools/list"))) == ["read_file", "write_file"]
