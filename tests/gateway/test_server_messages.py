"""Of what a server sends, the first level is read, and the contents never are."""

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.gateway.wire.server_messages import (
    ANSWER_DEPTH,
    ServerMessage,
    parse_server_message,
)
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.methods import INPUT_METHODS
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from tests.gateway.reference_parser import TEXTS


def result(**members: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": members}).encode()


def refused(data: bytes) -> RefusalReason:
    with pytest.raises(RequestRefused) as caught:
        parse_server_message(data)
    return caught.value.why


def sha(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def test_a_result_is_complete_unless_it_says_otherwise() -> None:
    # 2026-07-28 basic/index "ResultType".
    assert parse_server_message(result(content=[])) == ServerMessage(
        MessageKind.RESPONSE, 1, result_type="complete"
    )
    assert (
        parse_server_message(result(resultType="complete", isError=False)).failed
        is False
    )


def test_a_tool_says_that_it_failed() -> None:
    # server/tools "Error Handling": a result, and not an error of the protocol.
    answer = parse_server_message(
        result(content=[{"type": "text", "text": "x"}], isError=True)
    )
    assert (answer.failed, answer.code) == (True, 0)


def test_an_error_has_a_code() -> None:
    data = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}'
    answer = parse_server_message(data)
    assert (answer.code, answer.result_type, answer.id) == (-32602, "", 1)
    without = parse_server_message(data.replace(b'"id":1,', b""))
    assert (without.code, without.id) == (-32602, None)


def test_inputs_that_a_server_asks_for_are_actions_of_their_own() -> None:
    # 2026-07-28 basic/patterns/mrtr "InputRequiredResult".
    asked = {
        "login": {"method": "elicitation/create", "params": {"message": "x"}},
        "capital": {"method": "sampling/createMessage", "params": {}},
        "roots": {"method": "roots/list"},
    }
    answer = parse_server_message(
        result(resultType="input_required", inputRequests=asked, requestState="blob")
    )
    assert answer.result_type == "input_required"
    assert answer.inputs == tuple(INPUT_METHODS)
    assert answer.state == sha("blob")
    assert "blob" not in repr(answer)


def test_an_input_that_is_none_is_refused() -> None:
    asked = {"x": {"method": "tools/call", "params": {"name": "evil"}}}
    assert refused(result(inputRequests=asked)) is RefusalReason.UNKNOWN_METHOD


def test_older_servers_ask_with_requests() -> None:
    data = b'{"jsonrpc":"2.0","id":"s1","method":"sampling/createMessage","params":{}}'
    answer = parse_server_message(data)
    assert (answer.kind, answer.id) == (MessageKind.REQUEST, "s1")
    assert answer.inputs == ("sampling/createMessage",)


def test_a_notification_is_named() -> None:
    data = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{}}'
    answer = parse_server_message(data)
    assert (answer.kind, answer.method) == (
        MessageKind.NOTIFICATION,
        "notifications/progress",
    )


def test_a_task_is_kept_as_a_digest() -> None:
    # 2025-11-25 "Creating Tasks"; tasks extension "CreateTaskResult".
    assert parse_server_message(result(task={"taskId": "t-1"})).task == sha("t-1")
    assert parse_server_message(result(resultType="task", taskId="t-1")).task == sha(
        "t-1"
    )
    assert parse_server_message(result()).task == ""


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", RefusalReason.NOT_JSON),
        (b"[]", RefusalReason.BATCH),
        (
            b'{"jsonrpc":"2.0","id":1,"result":{"a":1,"\\u0061":2}}',
            RefusalReason.REPEATED_KEY,
        ),
        (
            b'{"jsonrpc":"2.0","id":1,"result":{},"result":{}}',
            RefusalReason.REPEATED_KEY,
        ),
        (
            b'{"jsonrpc":"2.0","id":1,"result":{"iserror":true}}',
            RefusalReason.KEY_LOOKALIKE,
        ),
        (
            b'{"jsonrpc":"2.0","id":1,"result":{"RequestState":"x"}}',
            RefusalReason.KEY_LOOKALIKE,
        ),
        (
            b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"Code":2}}',
            RefusalReason.KEY_LOOKALIKE,
        ),
        (
            b'{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"a","TaskId":"b"}}}',
            RefusalReason.KEY_LOOKALIKE,
        ),
        (
            b'{"jsonrpc":"2.0","id":1,"result":{"inputRequests":'
            b'{"a":{"method":"roots/list","Method":"sampling/createMessage"}}}}',
            RefusalReason.KEY_LOOKALIKE,
        ),
        (b'{"jsonrpc":"2.0","id":1,"result":[]}', RefusalReason.EVENT_TYPE),
        (b'{"jsonrpc":"2.0","id":1,"result":{"isError":1}}', RefusalReason.EVENT_TYPE),
        (
            b'{"jsonrpc":"2.0","id":1,"result":{"isError":"true"}}',
            RefusalReason.EVENT_TYPE,
        ),
        (
            b'{"jsonrpc":"2.0","id":1,"result":{"isError":null}}',
            RefusalReason.EVENT_TYPE,
        ),
        (
            b'{"jsonrpc":"2.0","id":1,"result":{"resultType":1}}',
            RefusalReason.EVENT_TYPE,
        ),
        (
            b'{"jsonrpc":"2.0","id":1,"result":{"requestState":{}}}',
            RefusalReason.EVENT_TYPE,
        ),
        (
            b'{"jsonrpc":"2.0","id":1,"result":{"inputRequests":[]}}',
            RefusalReason.EVENT_TYPE,
        ),
        (b'{"jsonrpc":"2.0","id":1,"error":{}}', RefusalReason.EVENT_TYPE),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":0}}', RefusalReason.EVENT_TYPE),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":"x"}}', RefusalReason.EVENT_TYPE),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":1.5}}', RefusalReason.EVENT_TYPE),
        (
            b'{"jsonrpc":"2.0","id":1,"error":{"code":1' + b"0" * 9999 + b"}}",
            RefusalReason.EVENT_TYPE,
        ),
    ],
    ids=range(21),
)
def test_what_can_be_read_two_ways_or_none_is_refused(
    data: bytes, why: RefusalReason
) -> None:
    assert refused(data) is why


def test_results_may_be_deeper_than_requests() -> None:
    deep = b"[" * (ANSWER_DEPTH - 2) + b"]" * (ANSWER_DEPTH - 2)
    data = b'{"jsonrpc":"2.0","id":1,"result":{"structuredContent":%b}}'
    assert parse_server_message(data % deep).result_type == "complete"
    assert refused(data % (b"[" + deep + b"]")) is RefusalReason.TOO_DEEP


CONTENT = st.recursive(
    st.one_of(st.text(max_size=9), st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["isError", "taskId", "x"]), inner, max_size=3),
    ),
    max_leaves=9,
)


@given(CONTENT, CONTENT, st.booleans())
def test_what_stands_within_the_contents_changes_nothing(
    content: object, structured: object, failed: bool
) -> None:
    plain = parse_server_message(result(content=[], isError=failed))
    data = result(content=content, structuredContent=structured, isError=failed)
    assert parse_server_message(data) == plain


@given(TEXTS, st.integers(0, 3))
@settings(max_examples=80)
def test_any_bytes_are_an_answer_or_a_refusal(data: bytes, place: int) -> None:
    around = [b"%b", b'{"jsonrpc":"2.0","id":1,"result":%b}']
    around += [b'{"jsonrpc":"2.0","id":1,"error":%b}']
    around += [b'{"jsonrpc":"2.0","id":1,"result":{"inputRequests":%b}}']
    try:
        parse_server_message(around[place] % data)
    except RequestRefused as caught:
        json.loads(caught.jsonrpc_error())
