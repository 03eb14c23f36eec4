"""What goes on, what is held back, and what is recorded of it."""

import json
import time
from pathlib import Path

import pytest

from answerable.model.spool_record import DecisionRecord
from tests.gateway.http.backend_scripts import always, in_turn
from tests.gateway.http.gateway_fixture import Peer, Script, stage
from tests.gateway.http.message_builders import (
    ask,
    call,
    events,
    old,
    reply,
    request,
    result,
)

OK = result(content=[{"type": "text", "text": "hello"}])
DENIED = -31403
UNKNOWN_TASK = -32602


def error(data: bytes) -> dict[str, object]:
    return json.loads(data)["error"]


def test_an_allowed_call_goes_on_unchanged_and_its_answer_comes_back(
    tmp_path: Path,
) -> None:
    with stage(tmp_path, always(reply(OK))) as (gateway, backend):
        with gateway.client() as client:
            sent = call()
            client.send(sent)
            answered = client.answer()
        assert (answered.status, answered.body) == (200, OK)
        ((head, body),) = backend.requests
        assert body == sent.partition(b"\r\n\r\n")[2]
        assert head.startswith(b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:")
        assert b"mcp-name: read_file" in head
        assert gateway.decisions() == [("tools/call", "read_file", "allowed")]
        assert gateway.outcomes() == ["completed"]


SECRETS = [
    "Authorization",
    "DPoP",
    "Cookie",
    "Forwarded",
    "X-Forwarded-For",
    "X-Real-IP",
    "Proxy-Authorization",
    "Via",
    "X-Api-Key",
    "Baggage",
    "Origin-Trial",
]


def test_of_the_callers_head_only_known_fields_go_on(tmp_path: Path) -> None:
    planted = [f"{name}: c4nary" for name in SECRETS[1:]]
    planted += ["traceparent: 00-1-2-01", "User-Agent: c4nary", "Mcp-Param-Path: /a"]
    message = call().partition(b"\r\n\r\n")
    head = message[0] + "".join(f"\r\n{line}" for line in planted).encode()
    with stage(tmp_path, always(reply(OK))) as (gateway, backend):
        with gateway.client() as client:
            client.send(head + b"\r\n\r\n" + message[2])
            assert client.answer().status == 200
        forwarded = backend.requests[0][0].lower()
        assert b"c4nary" not in forwarded
        assert b"bearer" not in forwarded
        assert b"traceparent: 00-1-2-01" in forwarded
        assert b"mcp-param-path: /a" in forwarded


def test_a_denied_call_hears_the_word_and_the_id_and_no_more(tmp_path: Path) -> None:
    with stage(tmp_path, always(reply(OK))) as (gateway, backend):
        with gateway.client() as client:
            client.send(call("rm"))
            modern = client.answer()
            client.send(old("tools/call", name="rm"))
            older = client.answer()
        assert (modern.status, older.status) == (200, 200)
        for answered in (modern, older):
            said = error(answered.body)
            assert said["code"] == DENIED
            assert set(said["data"]) == {"decision", "decision_id"}
            assert said["data"]["decision"] == "deny"
            assert len(said["data"]["decision_id"]) == 32
        assert backend.requests == []
        assert [reason for *_, reason in gateway.decisions()] == ["no-rule"] * 2
        assert gateway.outcomes() == []


def test_an_observed_agent_is_recorded_and_never_held_back(tmp_path: Path) -> None:
    with stage(tmp_path, always(reply(OK))) as (gateway, _):
        with gateway.client() as client:
            client.send(call("rm", agent="olga"))
            assert client.answer().status == 200
        assert gateway.decisions() == [("tools/call", "rm", "no-rule")]


def test_nobody_known_gets_a_challenge_and_the_connection_stays(tmp_path: Path) -> None:
    anonymous = call().replace(b"Authorization", b"X-Nothing")
    with stage(tmp_path, always(reply(OK))) as (gateway, backend):
        with gateway.client() as client:
            client.send(anonymous)
            answered = client.answer()
            assert answered.status == 401
            assert "resource_metadata" in answered.fields["www-authenticate"]
            client.send(call())
            assert client.answer().status == 200
        assert len(backend.requests) == 1
        assert gateway.refusals() == ["nothing-shown"]


def test_a_client_that_waits_for_leave_gets_it_or_an_answer(tmp_path: Path) -> None:
    head, _, body = call().partition(b"\r\n\r\n")
    with stage(tmp_path, always(reply(OK))) as (gateway, _):
        with gateway.client() as client:
            client.send(head + b"\r\nExpect: 100-continue\r\n\r\n")
            assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.send(body)
            assert client.answer().body == OK
        anonymous = head.replace(b"Authorization", b"X-Nothing")
        with gateway.client() as client:
            client.send(anonymous + b"\r\nExpect: 100-continue\r\n\r\n")
            assert client.answer().status == 401
            assert client.is_closed()


def test_pipelined_requests_are_answered_in_their_order(tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        while True:
            _, body = peer.request()
            peer.send(reply(result(id=json.loads(body)["id"])))

    with stage(tmp_path, script) as (gateway, backend):
        with gateway.client() as client:
            names = ["read_file", "rm", "read_file", "rm"] * 10
            client.send(b"".join(call(name, id=i) for i, name in enumerate(names)))
            answers = [client.answer() for _ in names]
        assert [json.loads(each.body)["id"] for each in answers] == list(range(40))
        assert backend.connections == 1


def test_a_tool_that_fails_and_an_error_are_told_apart_from_success(
    tmp_path: Path,
) -> None:
    failed = result(content=[], isError=True)
    unknown = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}'
    replies = [reply(failed), reply(unknown, "400 Bad Request"), reply(OK)]

    with stage(tmp_path, in_turn(replies)) as (gateway, _):
        with gateway.client() as client:
            for _ in replies:
                client.send(call())
            statuses = [client.answer().status for _ in replies]
        assert statuses == [200, 400, 200]
        assert gateway.outcomes() == ["failed", "failed", "completed"]


# Retries, tasks and questions belong to whom they were given.

ASKED = result(
    resultType="input_required",
    requestState="blob",
    inputRequests={"a": {"method": "elicitation/create", "params": {}}},
)


def by_method(**replies: bytes) -> Script:
    def script(peer: Peer) -> None:
        while True:
            _, body = peer.request()
            method = json.loads(body).get("method", "")
            peer.send(replies[method.replace("/", "_")])

    return script


def test_a_state_comes_back_from_whom_it_was_given_to(tmp_path: Path) -> None:
    replies = [reply(ASKED), reply(OK)]

    with stage(tmp_path, in_turn(replies)) as (gateway, backend):
        with gateway.client() as client:
            client.send(call())
            assert client.answer().body == ASKED
            client.send(call(requestState="blob", agent="ben"))
            assert error(client.answer().body)["code"] == DENIED
            client.send(call("big", requestState="blob"))  # another tool's
            assert error(client.answer().body)["code"] == DENIED
            client.send(call(requestState="other"))
            assert error(client.answer().body)["code"] == DENIED
            client.send(call(requestState="blob", inputResponses={}))
            assert client.answer().body == OK
        assert len(backend.requests) == 2
        reasons = [reason for *_, reason in gateway.decisions()]
        assert reasons == ["allowed", "allowed"] + ["not-its-own"] * 3 + ["allowed"]
        layers = ["table", "table", "ownership", "ownership", "ownership", "table"]
        records = [
            each for each in gateway.records() if isinstance(each, DecisionRecord)
        ]
        assert [each.decision.layer for each in records] == layers


def test_what_is_anothers_is_held_back_from_an_observed_agent_too(
    tmp_path: Path,
) -> None:
    with stage(tmp_path, always(reply(ASKED))) as (gateway, backend):
        with gateway.client() as client:
            client.send(call())
            client.answer()
            client.send(call(requestState="blob", agent="olga"))
            assert error(client.answer().body)["code"] == DENIED
            client.send(call(requestState="unknown", agent="olga"))
            assert client.answer().status == 200
        assert len(backend.requests) == 2


def test_an_input_that_may_not_be_asked_turns_the_result_into_a_denial(
    tmp_path: Path,
) -> None:
    sampling = json.loads(ASKED)
    sampling["result"]["inputRequests"]["b"] = {"method": "sampling/createMessage"}
    with stage(tmp_path, always(reply(json.dumps(sampling).encode()))) as (gateway, _):
        with gateway.client() as client:
            client.send(call())
            assert error(client.answer().body)["code"] == DENIED
            client.send(call(requestState="blob"))  # it was never given
            assert error(client.answer().body)["code"] == DENIED
        assert gateway.decisions()[:3] == [
            ("tools/call", "read_file", "allowed"),
            ("elicitation/create", "", "allowed"),
            ("sampling/createMessage", "", "no-rule"),
        ]


def test_a_task_is_its_callers_own(tmp_path: Path) -> None:
    made = result(resultType="task", taskId="t-1")
    script = by_method(tools_call=reply(made), tasks_get=reply(OK))
    with stage(tmp_path, script) as (gateway, backend):
        with gateway.client() as client:
            client.send(call())
            assert client.answer().body == made
            client.send(ask("tasks/get", taskId="t-1"))
            assert client.answer().body == OK
            # Another's task and one that never was are told apart by nobody.
            client.send(ask("tasks/get", agent="ben", taskId="t-1"))
            assert error(client.answer().body)["code"] == UNKNOWN_TASK
            client.send(ask("tasks/get", taskId="t-2"))
            assert error(client.answer().body)["code"] == UNKNOWN_TASK
        assert len(backend.requests) == 2


# Sessions of older servers.


def initialize(agent: str = "ana") -> bytes:
    return old("initialize", agent, protocolVersion="2025-11-25")


def test_a_session_is_its_callers_own(tmp_path: Path) -> None:
    script = always(reply(OK, "200 OK", "Mcp-Session-Id: upstream-1"))
    with stage(tmp_path, script) as (gateway, backend):
        with gateway.client() as client:
            client.send(initialize())
            session = client.answer().fields["mcp-session-id"]
            assert session != "upstream-1"
            client.send(old("tools/call", session=session, name="read_file"))
            assert client.answer().fields["mcp-session-id"] == session
            for stolen in (session, "upstream-1"):
                client.send(old("tools/list", "ben", stolen))
                assert client.answer().status == 404
            client.send(request(b"", f"Mcp-Session-Id: {session}", method="DELETE"))
            assert client.answer().status == 200
        heads = [head for head, _ in backend.requests]
        assert [b"mcp-session-id: upstream-1" in head for head in heads] == [
            False,
            True,
            True,
        ]
        assert heads[2].startswith(b"DELETE /mcp HTTP/1.1\r\n")
        assert gateway.refusals() == ["unknown-session"]


def test_only_ones_own_request_can_be_cancelled(tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        _, body = peer.request()
        if b"cancelled" in body:
            peer.send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        else:
            peer.gone(20)

    note = "notifications/cancelled"
    with stage(tmp_path, script) as (gateway, backend):
        with gateway.client() as client, gateway.client() as other:
            client.send(old("tools/call", name="read_file", id=7))
            while not backend.requests:
                time.sleep(0.01)
            other.send(cancel(7, "ben"))
            assert other.answer().status == 202  # dropped, as if it had ended
            other.send(cancel(8))
            assert other.answer().status == 202
            assert len(backend.requests) == 1
            other.send(cancel(7))
            assert other.answer().status == 202
            assert len(backend.requests) == 2
        reasons = [
            reason for method, _, reason in gateway.decisions() if method == note
        ]
        assert reasons == ["not-its-own", "not-its-own", "allowed"]


def cancel(about: int, agent: str = "ana") -> bytes:
    message = {
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"requestId": about},
    }
    return request(
        json.dumps(message).encode(), "MCP-Protocol-Version: 2025-11-25", agent=agent
    )


def question(method: str, id: str) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method}).encode()


def test_an_older_servers_question_is_decided_and_answered_for_the_client(
    tmp_path: Path,
) -> None:
    asked = [
        question("elicitation/create", "q1"),
        question("sampling/createMessage", "q2"),
    ]

    def script(peer: Peer) -> None:
        while True:
            _, body = peer.request()
            if b'"method"' in body:
                peer.send(events(*asked, OK))
            else:
                peer.send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    with stage(tmp_path, script) as (gateway, backend):
        with gateway.client() as client:
            client.send(old("tools/call", name="read_file"))
            got = client.answer().body
            assert got == b"data: %b\n\ndata: %b\n\n" % (asked[0], OK)
            answer = result("q1", action="accept")
            for agent, status in (("ben", 202), ("ana", 202), ("ana", 202)):
                fields = "MCP-Protocol-Version: 2025-11-25"
                client.send(request(answer, fields, agent=agent))
                assert client.answer().status == status
        while len(backend.requests) < 3:
            time.sleep(0.01)
        posted = [json.loads(body) for _, body in backend.requests[1:]]
        assert {each["id"]: "result" in each for each in posted} == {
            "q1": True,
            "q2": False,
        }
        assert len(posted) == 2


# Lists.

TOOLS = [{"name": "read_file", "inputSchema": {}}, {"name": "rm"}, {"nam\u0065": 1}]


@pytest.mark.parametrize("as_events", [False, True])
def test_a_list_holds_what_its_caller_may_call(tmp_path: Path, as_events: bool) -> None:
    listed = result(tools=TOOLS, nextCursor="c", ttlMs=5, cacheScope="public")
    script = always(events(listed) if as_events else reply(listed))
    with stage(tmp_path, script) as (gateway, _):
        with gateway.client() as client:
            client.send(ask("tools/list"))
            body = client.answer().body
            client.send(ask("tools/list", agent="olga"))
            observed = client.answer().body
        expected = result(
            tools=TOOLS[:1], nextCursor="c", ttlMs=5, cacheScope="private"
        )
        assert body.removeprefix(b"data: ").strip() == expected
        assert b'"rm"' in observed
        assert gateway.decisions()[0] == ("tools/list", "", "allowed")
