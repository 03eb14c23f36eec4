"""Of what a server sends, the first level is read, and the contents never are."""

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.gateway.wire.server_messages import ANSWER_DEPTH, Answer, read_answer
from answerable.server.mcp.messages import Kind
from answerable.server.mcp.methods import INPUTS
from answerable.server.wire.refusals import Refused, Why
from tests.gateway.reference_parser import TEXTS


def result(**members: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": members}).encode()


def refused(data: bytes) -> Why:
    with pytest.raises(Refused) as caught:
        read_answer(data)
    return caught.value.why


def sha(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def test_a_result_is_complete_unless_it_says_otherwise() -> None:
    # 2026-07-28 basic/index "ResultType".
    assert read_answer(result(content=[])) == Answer(
        Kind.RESPONSE, 1, result_type="complete"
    )
    assert read_answer(result(resultType="complete", isError=False)).failed is False


def test_a_tool_says_that_it_failed() -> None:
    # server/tools "Error Handling": a result, and not an error of the protocol.
    answer = read_answer(result(content=[{"type": "text", "text": "x"}], isError=True))
    assert (answer.failed, answer.code) == (True, 0)


def test_an_error_has_a_code() -> None:
    data = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}'
    answer = read_answer(data)
    assert (answer.code, answer.result_type, answer.id) == (-32602, "", 1)
    without = read_answer(data.replace(b'"id":1,', b""))
    assert (without.code, without.id) == (-32602, None)


def test_inputs_that_a_server_asks_for_are_actions_of_their_own() -> None:
    # 2026-07-28 basic/patterns/mrtr "InputRequiredResult".
    asked = {
        "login": {"method": "elicitation/create", "params": {"message": "x"}},
        "capital": {"method": "sampling/createMessage", "params": {}},
        "roots": {"method": "roots/list"},
    }
    answer = read_answer(
        result(resultType="input_required", inputRequests=asked, requestState="blob")
    )
    assert answer.result_type == "input_required"
    assert answer.inputs == tuple(INPUTS)
    assert answer.state == sha("blob")
    assert "blob" not in repr(answer)


def test_an_input_that_is_none_is_refused() -> None:
    asked = {"x": {"method": "tools/call", "params": {"name": "evil"}}}
    assert refused(result(inputRequests=asked)) is Why.UNKNOWN_METHOD


def test_older_servers_ask_with_requests() -> None:
    data = b'{"jsonrpc":"2.0","id":"s1","method":"sampling/createMessage","params":{}}'
    answer = read_answer(data)
    assert (answer.kind, answer.id) == (Kind.REQUEST, "s1")
    assert answer.inputs == ("sampling/createMessage",)


def test_a_notification_is_named() -> None:
    data = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{}}'
    answer = read_answer(data)
    assert (answer.kind, answer.method) == (Kind.NOTIFICATION, "notifications/progress")


def test_a_task_is_kept_as_a_digest() -> None:
    # 2025-11-25 "Creating Tasks"; tasks extension "CreateTaskResult".
    assert read_answer(result(task={"taskId": "t-1"})).task == sha("t-1")
    assert read_answer(result(resultType="task", taskId="t-1")).task == sha("t-1")
    assert read_answer(result()).task == ""


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", Why.NOT_JSON),
        (b"[]", Why.BATCH),
        (b'{"jsonrpc":"2.0","id":1,"result":{"a":1,"\\u0061":2}}', Why.REPEATED_KEY),
        (b'{"jsonrpc":"2.0","id":1,"result":{},"result":{}}', Why.REPEATED_KEY),
        (b'{"jsonrpc":"2.0","id":1,"result":{"iserror":true}}', Why.KEY_LOOKALIKE),
        (b'{"jsonrpc":"2.0","id":1,"result":{"RequestState":"x"}}', Why.KEY_LOOKALIKE),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"Code":2}}', Why.KEY_LOOKALIKE),
        (
            b'{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"a","TaskId":"b"}}}',
            Why.KEY_LOOKALIKE,
        ),
        (
            b'{"jsonrpc":"2.0","id":1,"result":{"inputRequests":'
            b'{"a":{"method":"roots/list","Method":"sampling/createMessage"}}}}',
            Why.KEY_LOOKALIKE,
        ),
        (b'{"jsonrpc":"2.0","id":1,"result":[]}', Why.EVENT_TYPE),
        (b'{"jsonrpc":"2.0","id":1,"result":{"isError":1}}', Why.EVENT_TYPE),
        (b'{"jsonrpc":"2.0","id":1,"result":{"isError":"true"}}', Why.EVENT_TYPE),
        (b'{"jsonrpc":"2.0","id":1,"result":{"isError":null}}', Why.EVENT_TYPE),
        (b'{"jsonrpc":"2.0","id":1,"result":{"resultType":1}}', Why.EVENT_TYPE),
        (b'{"jsonrpc":"2.0","id":1,"result":{"requestState":{}}}', Why.EVENT_TYPE),
        (b'{"jsonrpc":"2.0","id":1,"result":{"inputRequests":[]}}', Why.EVENT_TYPE),
        (b'{"jsonrpc":"2.0","id":1,"error":{}}', Why.EVENT_TYPE),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":0}}', Why.EVENT_TYPE),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":"x"}}', Why.EVENT_TYPE),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":1.5}}', Why.EVENT_TYPE),
        (
            b'{"jsonrpc":"2.0","id":1,"error":{"code":1' + b"0" * 9999 + b"}}",
            Why.EVENT_TYPE,
        ),
    ],
    ids=range(21),
)
def test_what_can_be_read_two_ways_or_none_is_refused(data: bytes, why: Why) -> None:
    assert refused(data) is why


def test_results_may_be_deeper_than_requests() -> None:
    deep = b"[" * (ANSWER_DEPTH - 2) + b"]" * (ANSWER_DEPTH - 2)
    data = b'{"jsonrpc":"2.0","id":1,"result":{"structuredContent":%b}}'
    assert read_answer(data % deep).result_type == "complete"
    assert refused(data % (b"[" + deep + b"]")) is Why.TOO_DEEP


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
    plain = read_answer(result(content=[], isError=failed))
    data = result(content=content, structuredContent=structured, isError=failed)
    assert read_answer(data) == plain


@given(TEXTS, st.integers(0, 3))
@settings(max_examples=80)
def test_any_bytes_are_an_answer_or_a_refusal(data: bytes, place: int) -> None:
    around = [b"%b", b'{"jsonrpc":"2.0","id":1,"result":%b}']
    around += [b'{"jsonrpc":"2.0","id":1,"error":%b}']
    around += [b'{"jsonrpc":"2.0","id":1,"result":{"inputRequests":%b}}']
    try:
        read_answer(around[place] % data)
    except Refused as caught:
        json.loads(caught.body())
