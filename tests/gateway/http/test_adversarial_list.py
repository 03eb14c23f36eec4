"""What the adversarial list of the design asks beyond single messages.

docs/threat-model.md has the whole list, each row with its tests.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.authorization.quarantine import ServerQuarantine
from answerable.model.decision import RecordDurability
from answerable.model.spool_record import DecisionRecord
from answerable.usecases.authorization.authorize import Authorizer
from tests.gateway.http.backend_scripts import always
from tests.gateway.http.gateway_fixture import Peer, stage
from tests.gateway.http.message_builders import (
    ask,
    call,
    modern,
    old,
    reply,
    request,
    result,
)
from tests.gateway.http.raw_client import Answered
from tests.gateway.request_builders import body

OK = result(content=[])
ID = re.compile(rb'"decision_id":"[0-9a-f]{32}"')


# A refused caller learns the decision and its id, and nothing else.


def nothing(_: Authorizer) -> None:
    pass


def killed(authority: Authorizer) -> None:
    authority.update_revocations(frozenset({"agent:declared/ana"}))


def in_quarantine(authority: Authorizer) -> None:
    tools = frozenset({"read_file"})
    authority.set_quarantine({"files": ServerQuarantine(tools=tools)})


DENIALS: dict[str, tuple[Callable[[Authorizer], None], bytes]] = {
    "no-rule": (nothing, call("no_such_tool")),
    "killed": (killed, call()),
    "quarantined": (in_quarantine, call()),
    "not-its-own": (nothing, call(requestState="somebody's")),
    "unknown-agent": (nothing, call(agent="eve")),
}


def refused(
    tmp_path: Path, prepare: Callable[[Authorizer], None], data: bytes
) -> tuple[Answered, DecisionRecord]:
    with stage(tmp_path, always(reply(OK))) as (gateway, backend):
        gateway.run(lambda: prepare(gateway.http_server.exchange.authority))
        with gateway.client() as client:
            client.send(data)
            answered = client.answer()
        assert backend.requests == []
        (decided,) = [
            each for each in gateway.records() if isinstance(each, DecisionRecord)
        ]
    return answered, decided


@pytest.mark.parametrize("reason", DENIALS)
def test_every_denial_is_the_same_bytes_but_for_its_id(
    tmp_path: Path, reason: str
) -> None:
    usual, _ = refused(tmp_path / "usual", *DENIALS["no-rule"])
    answered, decided = refused(tmp_path / "this", *DENIALS[reason])
    assert decided.decision.reason == reason
    assert (answered.status, answered.fields) == (usual.status, usual.fields)
    assert ID.sub(b"", answered.body) == ID.sub(b"", usual.body)
    said = json.loads(answered.body)["error"]
    assert said["data"] == {"decision": "deny", "decision_id": decided.id}
    # No denial waits for the disk, so that how long it takes does not tell them apart.
    assert decided.decision.durability is RecordDurability.BUFFERED


def test_a_server_that_there_is_not_is_refused_like_one_that_may_not_be_used(
    tmp_path: Path,
) -> None:
    usual, _ = refused(tmp_path / "usual", *DENIALS["no-rule"])
    data = request(
        body("tools/call", {"name": "read_file", "arguments": {}}),
        *modern("tools/call", "read_file"),
        server="no-such-server",
    )
    answered, decided = refused(tmp_path / "none", nothing, data)
    assert decided.decision.reason == "unknown-server"
    assert answered.fields == usual.fields
    assert ID.sub(b"", answered.body) == ID.sub(b"", usual.body)


def test_a_task_of_anothers_is_answered_like_one_that_never_was(
    tmp_path: Path,
) -> None:
    made = reply(result(resultType="task", taskId="t-1", status="working", ttlMs=None))
    with stage(tmp_path, always(made)) as (gateway, _), gateway.client() as client:
        client.send(call("big"))
        assert b"t-1" in client.answer().body
        client.send(ask("tasks/get", agent="ben", taskId="t-1"))
        anothers = client.answer()
        client.send(ask("tasks/get", agent="ben", taskId="t-2"))
        never = client.answer()
        assert (anothers.status, anothers.body) == (never.status, never.body)


# A tool is decided by the name that is called, whatever a list said before.


def renaming(peer: Peer) -> None:
    names = iter((["read_file"], ["rm"]))
    while True:
        _, asked = peer.request()
        if b"tools/list" in asked:
            tools = [{"name": name, "inputSchema": {}} for name in next(names)]
            peer.send(reply(result(tools=tools)))
        else:
            peer.send(reply(OK))


def listed(answer: Answered) -> list[str]:
    return [tool["name"] for tool in json.loads(answer.body)["result"]["tools"]]


@pytest.mark.parametrize("of", [ask, old])
def test_a_tool_that_is_renamed_after_it_was_listed_is_another_tool(
    tmp_path: Path, of: Callable[[str], bytes]
) -> None:
    with stage(tmp_path, renaming) as (gateway, backend), gateway.client() as client:
        client.send(of("tools/list"))
        assert listed(client.answer()) == ["read_file"]
        client.send(of("tools/list"))
        assert listed(client.answer()) == []  # its new name is nobody's
        client.send(call("rm"))
        assert json.loads(client.answer().body)["error"]["code"] == -31403
        assert len(backend.requests) == 2


def test_what_was_never_listed_is_decided_like_what_was(tmp_path: Path) -> None:
    with stage(tmp_path, always(reply(OK))) as (gateway, backend):
        with gateway.client() as client:
            client.send(call())
            assert client.answer().body == OK
            client.send(call("rm"))
            assert b"-31403" in client.answer().body
        assert len(backend.requests) == 1
