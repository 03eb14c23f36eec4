"""A call is what the body says, and nothing besides."""

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.model.decision import TargetKind
from answerable.server.mcp.call import (
    McpCall,
    WatchedItem,
    parse_http_call,
    parse_stdio_call,
)
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.methods import McpRevision
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import HttpRequestHead
from tests.gateway.reference_parser import TEXTS
from tests.gateway.request_builders import (
    ADD,
    META,
    NAME,
    body,
    head,
    modern,
    old,
    refused,
)


def test_a_tool_call_is_read() -> None:
    call = parse_http_call(modern("tools/call", "get_weather"), ADD)
    assert (call.era, call.kind, call.id) == (
        McpRevision.V2026_07_28,
        MessageKind.REQUEST,
        1,
    )
    assert (call.server, call.method) == ("weather", "tools/call")
    assert (call.target, call.name) == (TargetKind.TOOL, "get_weather")
    arguments = bytes(call.arguments)
    assert arguments == b'{"city": "Basel"}'


# 2026-07-28: what each method names, and the header that mirrors it.
NAMED: list[tuple[str, dict[str, object], str | None, TargetKind, str]] = [
    ("tools/call", {"name": "a"}, "a", TargetKind.TOOL, "a"),
    ("prompts/get", {"name": "a"}, "a", TargetKind.PROMPT, "a"),
    (
        "resources/read",
        {"uri": "file:///a"},
        "file:///a",
        TargetKind.RESOURCE,
        "file:///a",
    ),
    ("tasks/get", {"taskId": "t"}, "t", TargetKind.TASK, "t"),
    ("tasks/update", {"taskId": "t"}, "t", TargetKind.TASK, "t"),
    ("tasks/cancel", {"taskId": "t"}, "t", TargetKind.TASK, "t"),
    ("tools/list", {}, None, TargetKind.LIST, ""),
    ("resources/templates/list", {}, None, TargetKind.LIST, ""),
    ("server/discover", {}, None, TargetKind.DISCOVERY, ""),
    (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "p"}},
        None,
        TargetKind.PROMPT,
        "p",
    ),
    (
        "completion/complete",
        {"ref": {"type": "ref/resource", "uri": "file:///{p}"}},
        None,
        TargetKind.RESOURCE,
        "file:///{p}",
    ),
]


@pytest.mark.parametrize(("method", "params", "mirror", "target", "name"), NAMED)
def test_each_method_acts_on_what_it_names(
    method: str,
    params: dict[str, object],
    mirror: str | None,
    target: TargetKind,
    name: str,
) -> None:
    call = parse_http_call(modern(method, mirror), body(method, params))
    assert (call.target, call.name, call.arguments) == (target, name, b"")


def test_a_listen_stream_says_what_it_watches() -> None:
    # basic/patterns/subscriptions "Notification Filter"; tasks extension "taskIds".
    watch = {
        "toolsListChanged": True,
        "resourceSubscriptions": ["file:///a", "file:///b"],
        "taskIds": ["t"],
    }
    data = body("subscriptions/listen", {"notifications": watch})
    call = parse_http_call(modern("subscriptions/listen"), data)
    assert call.target is TargetKind.STREAM
    assert call.watched == (
        WatchedItem(TargetKind.RESOURCE, "file:///a"),
        WatchedItem(TargetKind.RESOURCE, "file:///b"),
        WatchedItem(TargetKind.TASK, "t"),
    )


def test_a_cancellation_says_which_request_it_is_about() -> None:
    data = (
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}'
    )
    for fields in (old(), head({"MCP-Protocol-Version": "2026-07-28"})):
        call = parse_http_call(fields, data)
        assert (call.kind, call.target, call.about) == (
            MessageKind.NOTIFICATION,
            TargetKind.REQUEST,
            7,
        )


def test_a_retry_is_linked_by_the_digest_of_its_state() -> None:
    # basic/patterns/mrtr "Client Requirements".
    params: dict[str, object] = {"requestState": "blob", "inputResponses": {"a": {}}}
    data = body("tools/call", NAME | params)
    call = parse_http_call(modern("tools/call", "get_weather"), data)
    assert call.state == hashlib.sha256(b"blob").hexdigest()
    assert call.answers
    first = parse_http_call(modern("tools/call", "get_weather"), ADD)
    assert (first.state, first.answers) == ("", False)


UNKNOWN = [
    ("tools/delete", 404, 200),
    ("initialize", 404, None),
    ("sampling/createMessage", 404, 200),
    ("notifications/initialized", 404, None),
    ("", 404, 200),
]


@pytest.mark.parametrize(("method", "status", "in_a_session"), UNKNOWN)
def test_an_unknown_method_is_refused_and_never_passed_on(
    method: str, status: int, in_a_session: int | None
) -> None:
    found = refused(modern(method), body(method))
    assert (found.wire.code, found.http_status(), found.id) == (-32601, status, 1)
    assert found.method == method
    if in_a_session is not None:
        # There 404 would end the session (2025-11-25 "Session Management" 4).
        found = refused(old(), body(method, meta=None))
        assert (found.wire.code, found.http_status(has_session=True)) == (-32601, 200)


@pytest.mark.parametrize(
    "fields", [old(), head({"MCP-Protocol-Version": "2026-07-28"})]
)
def test_a_call_without_an_id_is_no_way_around(fields: HttpRequestHead) -> None:
    # A server might run it and answer nobody.
    data = b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}'
    assert refused(fields, data).why is RefusalReason.UNKNOWN_METHOD


def test_a_notification_has_no_id() -> None:
    data = body("notifications/cancelled", {"requestId": 1}, meta=None)
    assert refused(old(), data).why is RefusalReason.UNKNOWN_METHOD


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "a", "Name": ""}},
        ),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "a", "TYPE": ""}},
        ),
        ("subscriptions/listen", {"notifications": {"taskids": ["t"]}}),
    ],
)
def test_a_key_that_resembles_another_is_refused_wherever_a_name_stands(
    method: str, params: dict[str, object]
) -> None:
    assert (
        refused(modern(method), body(method, params)).why is RefusalReason.KEY_LOOKALIKE
    )


def test_an_unknown_notification_does_not_end_a_session() -> None:
    data = b'{"jsonrpc":"2.0","method":"notifications/other"}'
    assert refused(old(), data).http_status(has_session=True) == 400


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {}),
        ("tools/call", {"name": ""}),
        ("tools/call", {"name": None}),
        ("tools/call", {"name": ["a"]}),
        ("tools/call", {"name": "x" * 4097}),
        ("tools/call", {"name": "a", "arguments": []}),
        ("tools/call", {"name": "a", "arguments": None}),
        ("tools/call", {"name": "a", "requestState": {}}),
        ("resources/read", {"name": "a"}),
        ("tasks/get", {"taskId": 1}),
        ("completion/complete", {}),
        ("completion/complete", {"ref": []}),
        ("completion/complete", {"ref": {"type": "ref/tool", "name": "a"}}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "uri": "a"}}),
        ("subscriptions/listen", {}),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": "a"}}),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": [1]}}),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": [""]}}),
        ("subscriptions/listen", {"notifications": {"taskIds": ["t"] * 257}}),
    ],
)
def test_parameters_of_another_type_are_invalid(
    method: str, params: dict[str, object]
) -> None:
    named = params.get("name") or params.get("taskId")
    mirror = named if isinstance(named, str) and len(named) < 100 else None
    mirror = None if method == "completion/complete" else mirror
    found = refused(modern(method, mirror), body(method, params))
    assert (found.wire.code, found.id) == (-32602, 1)


# Nothing that a sender says of itself has a way in (threat model, "self-reported").
def test_a_call_has_these_fields_and_no_others() -> None:
    assert McpCall.__annotations__ == {
        "era": McpRevision,
        "kind": MessageKind,
        "method": str,
        "id": str | int | None,
        "server": str,
        "target": TargetKind,
        "name": str,
        "about": str | int | None,
        "watched": tuple[WatchedItem, ...],
        "arguments": memoryview,
        "session": str,
        "state": str,
        "answers": bool,
    }
    with pytest.raises(AttributeError):
        parse_http_call(modern("tools/call", "get_weather"), ADD).name = "x"  # type: ignore[misc]


SELF_REPORTED = st.dictionaries(
    st.sampled_from(
        [
            "io.modelcontextprotocol/clientInfo",
            "io.modelcontextprotocol/logLevel",
            "progressToken",
            "traceparent",
            "tracestate",
            "baggage",
            "com.example/agent",
            "com.example/reason",
        ]
    ),
    st.one_of(
        st.text(max_size=9), st.dictionaries(st.text(max_size=5), st.text(max_size=5))
    ),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["User-Agent", "Baggage", "Tracestate", "X-Agent", "X-Forwarded-For", "Cookie"]
    ),
    st.text("abc =;,", min_size=1, max_size=9),
)


@given(SELF_REPORTED, HEADERS)
def test_what_a_sender_says_of_itself_changes_nothing(
    said: dict[str, object], fields: dict[str, str]
) -> None:
    plain = parse_http_call(modern("tools/call", "get_weather"), ADD)
    meta = {key: META[key] for key in META if not key.endswith("clientInfo")} | said
    data = body("tools/call", NAME | {"arguments": {"city": "Basel"}}, meta=meta)
    spelled = {key.replace("-", "_"): value for key, value in fields.items()}
    call = parse_http_call(modern("tools/call", "get_weather", **spelled), data)
    assert call == plain


# stdio.
def test_a_line_needs_no_mirrors() -> None:
    call = parse_stdio_call(ADD, McpRevision.V2026_07_28, "local")
    assert (call.server, call.name) == ("local", "get_weather")
    with pytest.raises(RequestRefused, match="no-meta"):
        parse_stdio_call(
            body("tools/call", NAME, meta=None), McpRevision.V2026_07_28, "local"
        )


MEMBERS = st.sampled_from(
    [b'"name":"x"', b'"n\\u0061me":"x"', b'"Name":1', b'"method":"ping"']
)
MUTATED = st.tuples(
    st.integers(0, len(ADD)), st.one_of(MEMBERS, st.binary(max_size=3))
).map(lambda it: ADD[: it[0]] + it[1] + ADD[it[0] :])


@given(st.one_of(TEXTS, MUTATED), st.sampled_from(["2026-07-28", "2025-11-25", None]))
@settings(max_examples=80)
def test_any_body_is_a_call_or_a_refusal(data: bytes, version: str | None) -> None:
    fields = head(
        {
            "MCP-Protocol-Version": version,
            "Mcp-Method": "tools/call",
            "Mcp-Name": "get_weather",
        }
    )
    try:
        call = parse_http_call(fields, data)
    except RequestRefused as caught:
        json.loads(caught.jsonrpc_error())
        return
    # Whoever reads the body another way finds the same tool.
    assert call.name == "get_weather"
    for pick in (dict, lambda pairs: dict(reversed(pairs))):
        read = json.loads(data, object_pairs_hook=pick)
        assert (read["method"], read["params"]["name"]) == ("tools/call", "get_weather")
