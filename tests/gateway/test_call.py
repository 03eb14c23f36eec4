"""A call is what the body says, where the headers say the same, and nothing besides."""

import base64
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.gateway.wire.call import Call, Watched, read_call, read_line
from answerable.gateway.wire.head import Head
from answerable.gateway.wire.members import NOWHERE
from answerable.gateway.wire.messages import Kind
from answerable.gateway.wire.methods import Era, Target
from answerable.gateway.wire.refusals import Refused, Why
from tests.gateway.build import META, body, head, modern
from tests.gateway.twin import TEXTS

NAME = {"name": "get_weather"}
ADD = body("tools/call", NAME | {"arguments": {"city": "Basel"}})


def refused(head: Head, data: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        read_call(head, data)
    return caught.value


def old(version: str | None = "2025-11-25", **fields: str | None) -> Head:
    spelled = {key.replace("_", "-"): value for key, value in fields.items()}
    return head({"MCP-Protocol-Version": version} | spelled)


def encoded(name: str) -> str:
    return f"=?base64?{base64.b64encode(name.encode()).decode()}?="


def test_a_tool_call_is_read() -> None:
    call = read_call(modern("tools/call", "get_weather"), ADD)
    assert (call.era, call.kind, call.id) == (Era.V2026_07_28, Kind.REQUEST, 1)
    assert (call.server, call.method) == ("weather", "tools/call")
    assert (call.target, call.name) == (Target.TOOL, "get_weather")
    arguments = ADD[call.arguments]
    assert arguments == b'{"city": "Basel"}'


# 2026-07-28: what each method names, and the header that mirrors it.
NAMED: list[tuple[str, dict[str, object], str | None, Target, str]] = [
    ("tools/call", {"name": "a"}, "a", Target.TOOL, "a"),
    ("prompts/get", {"name": "a"}, "a", Target.PROMPT, "a"),
    ("resources/read", {"uri": "file:///a"}, "file:///a", Target.RESOURCE, "file:///a"),
    ("tasks/get", {"taskId": "t"}, "t", Target.TASK, "t"),
    ("tasks/update", {"taskId": "t"}, "t", Target.TASK, "t"),
    ("tasks/cancel", {"taskId": "t"}, "t", Target.TASK, "t"),
    ("tools/list", {}, None, Target.LIST, ""),
    ("resources/templates/list", {}, None, Target.LIST, ""),
    ("server/discover", {}, None, Target.DISCOVERY, ""),
    (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "p"}},
        None,
        Target.PROMPT,
        "p",
    ),
    (
        "completion/complete",
        {"ref": {"type": "ref/resource", "uri": "file:///{p}"}},
        None,
        Target.RESOURCE,
        "file:///{p}",
    ),
]


@pytest.mark.parametrize(("method", "params", "mirror", "target", "name"), NAMED)
def test_each_method_acts_on_what_it_names(
    method: str,
    params: dict[str, object],
    mirror: str | None,
    target: Target,
    name: str,
) -> None:
    call = read_call(modern(method, mirror), body(method, params))
    assert (call.target, call.name, call.arguments) == (target, name, NOWHERE)


def test_a_listen_stream_says_what_it_watches() -> None:
    # basic/patterns/subscriptions "Notification Filter"; tasks extension "taskIds".
    watch = {
        "toolsListChanged": True,
        "resourceSubscriptions": ["file:///a", "file:///b"],
        "taskIds": ["t"],
    }
    data = body("subscriptions/listen", {"notifications": watch})
    call = read_call(modern("subscriptions/listen"), data)
    assert call.target is Target.STREAM
    assert call.watched == (
        Watched(Target.RESOURCE, "file:///a"),
        Watched(Target.RESOURCE, "file:///b"),
        Watched(Target.TASK, "t"),
    )


# 2026-07-28 basic/transports/streamable-http "Server Validation".
MISMATCHES: list[dict[str, str | None]] = [
    {"Mcp-Method": None},
    {"Mcp-Method": "tools/list"},
    {"Mcp-Method": "Tools/Call"},  # values are case-sensitive
    {"Mcp-Name": None},
    {"Mcp-Name": ""},
    {"Mcp-Name": "another"},
    {"Mcp-Name": "GET_WEATHER"},
    {"Mcp-Name": encoded("another")},
    {"Mcp-Name": "=?base64?!!!?="},
    {"Mcp-Name": "=?base64?Z2V0X3dlYXRoZXI?="},  # unpadded
    {"Mcp-Name": "=?base64?Z2V0X3dlYXRoZXJ=?="},  # bits that encode nothing
    {"Mcp-Name": "=?base64?Z2V0X3 dlYXRoZXI=?="},
    {"Mcp-Name": "=?BASE64?Z2V0X3dlYXRoZXI=?="},  # markers are case-sensitive
    {"Mcp-Name": "=?base64?/w==?="},  # no UTF-8
    {"Mcp-Name": encoded(encoded("get_weather"))},
]


@pytest.mark.parametrize("fields", MISMATCHES)
def test_a_header_that_is_not_the_bodys_is_refused(
    fields: dict[str, str | None],
) -> None:
    right: dict[str, str | None] = {
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "get_weather",
    }
    found = refused(head(right | fields), ADD)
    assert (found.why, found.wire.code, found.id) == (Why.HEADER_MISMATCH, -32020, 1)


# "Value Encoding", the table of examples.
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("us-west1", "us-west1"),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("us-west1", encoded("us-west1")),
    ],
)
def test_an_encoded_name_is_decoded_before_it_is_compared(
    name: str, value: str
) -> None:
    call = read_call(modern("tools/call", value), body("tools/call", {"name": name}))
    assert call.name == name


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_an_encoded_name_is_the_bodys_or_is_refused(name: str, other: str) -> None:
    data = body("tools/call", {"name": name})
    assert read_call(modern("tools/call", encoded(name)), data).name == name
    if name != other:
        found = refused(modern("tools/call", encoded(other)), data)
        assert found.why is Why.HEADER_MISMATCH


def test_a_name_header_where_nothing_is_named_is_refused() -> None:
    # Somebody on the way may have routed by it.
    found = refused(modern("tools/list", "get_weather"), body("tools/list"))
    assert found.why is Why.HEADER_MISMATCH


# basic/index "_meta", "Per-request protocol fields".
@pytest.mark.parametrize(
    ("meta", "why"),
    [
        (None, Why.NO_META),
        ({}, Why.NO_META),
        ({key: META[key] for key in list(META)[:2]}, Why.NO_META),
        ({key: META[key] for key in list(META)[1:]}, Why.NO_META),
        (META | {"io.modelcontextprotocol/protocolVersion": 20260728}, Why.NO_META),
        (META | {"io.modelcontextprotocol/clientCapabilities": []}, Why.NO_META),
        (
            META | {"io.modelcontextprotocol/protocolVersion": "2025-11-25"},
            Why.HEADER_MISMATCH,
        ),
        (META | {"io.modelcontextprotocol/ProtocolVersion": "x"}, Why.KEY_LOOKALIKE),
    ],
)
def test_a_request_says_its_version_and_capabilities(
    meta: dict[str, object] | None, why: Why
) -> None:
    data = body("tools/call", NAME, meta=meta)
    found = refused(modern("tools/call", "get_weather"), data)
    assert (found.why, found.wire.status, found.id) == (why, 400, 1)


def test_repeated_keys_of_meta_are_refused() -> None:
    key = b'"io.modelcontextprotocol/protocolVersion": "2025-11-25", '
    data = ADD.replace(b'"_meta": {', b'"_meta": {' + key)
    assert refused(modern("tools/call", "get_weather"), data).why is Why.REPEATED_KEY


# Eras. The header alone picks one.
def test_the_version_header_alone_picks_the_era() -> None:
    for version, era in [
        (None, Era.UNNAMED),
        ("2025-11-25", Era.V2025_11_25),
        ("2025-06-18", Era.V2025_06_18),
    ]:
        assert read_call(old(version), ADD).era is era
    assert read_call(modern("tools/call", "get_weather"), ADD).era is Era.V2026_07_28


@pytest.mark.parametrize("version", ["1900-01-01", "2025-03-26", "", "2026-07-28x"])
def test_another_version_is_not_served(version: str) -> None:
    found = refused(old(version), ADD)
    assert (found.why, found.status()) == (Why.UNSUPPORTED_VERSION, 400)
    error = json.loads(found.body(version))["error"]
    assert error["code"] == -32022
    assert error["data"] == {
        "supported": ["2026-07-28", "2025-11-25", "2025-06-18"],
        "requested": version,
    }


def test_older_clients_need_no_mirrors_but_may_not_contradict_the_body() -> None:
    data = body("tools/call", NAME, meta=None)
    assert read_call(old(), data).name == "get_weather"
    agreeing = old(Mcp_Method="tools/call", Mcp_Name="get_weather")
    assert read_call(agreeing, data).name == "get_weather"
    for field in ("Mcp_Method", "Mcp_Name"):
        assert refused(old(**{field: "another"}), data).why is Why.HEADER_MISMATCH


def test_a_session_id_is_kept_as_a_digest_alone() -> None:
    # 2025-11-25 "Session Management".
    call = read_call(old(Mcp_Session_Id="s3cr3t"), body("tools/list", meta=None))
    assert call.session == hashlib.sha256(b"s3cr3t").hexdigest()
    assert "s3cr3t" not in repr(call)
    assert read_call(old(), body("tools/list", meta=None)).session == ""
    found = refused(old(Mcp_Session_Id="a b"), body("tools/list", meta=None))
    assert found.why is Why.SESSION_ID


def test_a_session_id_says_nothing_in_the_present_revision() -> None:
    # "Earlier Streamable HTTP Revisions" has it ignored.
    fields = modern("tools/call", "get_weather", Mcp_Session_Id="a b")
    assert read_call(fields, ADD).session == ""


def test_a_session_is_opened_and_closed_without_a_message() -> None:
    for verb, kind, target in [
        ("GET", Kind.OPEN, Target.STREAM),
        ("DELETE", Kind.CLOSE, Target.SESSION),
    ]:
        fields = {"MCP-Protocol-Version": "2025-11-25", "Mcp-Session-Id": "x"}
        call = read_call(head(fields, f"{verb} /mcp/weather HTTP/1.1"), b"")
        assert (call.kind, call.target, call.id) == (kind, target, None)
        assert call.session
        # 2026-07-28 "Earlier Streamable HTTP Revisions": 405.
        fields["MCP-Protocol-Version"] = "2026-07-28"
        found = refused(head(fields, f"{verb} /mcp/weather HTTP/1.1"), b"")
        assert found.status() == 405


def test_only_older_clients_answer_what_a_server_asked() -> None:
    data = b'{"jsonrpc":"2.0","id":"srv-1","result":{"action":"accept"}}'
    call = read_call(old(), data)
    assert (call.kind, call.about, call.target) == (
        Kind.RESPONSE,
        "srv-1",
        Target.REQUEST,
    )
    found = refused(head({"MCP-Protocol-Version": "2026-07-28"}), data)
    assert found.why is Why.RESPONSE_NOT_EXPECTED


def test_a_cancellation_says_which_request_it_is_about() -> None:
    data = (
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}'
    )
    for fields in (old(), head({"MCP-Protocol-Version": "2026-07-28"})):
        call = read_call(fields, data)
        assert (call.kind, call.target, call.about) == (
            Kind.NOTIFICATION,
            Target.REQUEST,
            7,
        )


def test_a_retry_is_linked_by_the_digest_of_its_state() -> None:
    # basic/patterns/mrtr "Client Requirements".
    params: dict[str, object] = {"requestState": "blob", "inputResponses": {"a": {}}}
    data = body("tools/call", NAME | params)
    call = read_call(modern("tools/call", "get_weather"), data)
    assert call.state == hashlib.sha256(b"blob").hexdigest()
    assert call.answers
    first = read_call(modern("tools/call", "get_weather"), ADD)
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
    assert (found.wire.code, found.status(), found.id) == (-32601, status, 1)
    assert found.method == method
    if in_a_session is not None:
        # There 404 would end the session (2025-11-25 "Session Management" 4).
        found = refused(old(), body(method, meta=None))
        assert (found.wire.code, found.status(in_a_session=True)) == (-32601, 200)


def test_an_unknown_notification_does_not_end_a_session() -> None:
    data = b'{"jsonrpc":"2.0","method":"notifications/other"}'
    assert refused(old(), data).status(in_a_session=True) == 400


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


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Accept": None}, 406),
        ({"Accept": "application/json"}, 406),
        ({"Accept": "text/event-stream"}, 406),
        ({"Accept": "application/json, text/event-stream;q=0"}, 406),
        ({"Content-Type": None}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Type": "application/jsonp"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
    ],
)
def test_bodies_and_answers_have_the_types_of_the_specification(
    fields: dict[str, str | None], status: int
) -> None:
    assert (
        refused(
            old(**{k.replace("-", "_"): v for k, v in fields.items()}), ADD
        ).status()
        == status
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"Accept": "*/*"},
        {"Accept": "text/*;q=0.5, application/*"},
        {"Accept": "TEXT/event-stream, application/json;q=0.9"},
        {"Content-Type": 'Application/JSON ; charset="UTF-8"'},
        {"Content-Encoding": "identity"},
    ],
)
def test_types_may_be_spelled_otherwise(fields: dict[str, str | None]) -> None:
    spelled = {key.replace("-", "_"): value for key, value in fields.items()}
    assert read_call(old(**spelled), ADD).name == "get_weather"


# Nothing that a sender says of itself has a way in (threat model, "self-reported").
def test_a_call_has_these_fields_and_no_others() -> None:
    assert Call.__annotations__ == {
        "era": Era,
        "kind": Kind,
        "method": str,
        "id": str | int | None,
        "server": str,
        "target": Target,
        "name": str,
        "about": str | int | None,
        "watched": tuple[Watched, ...],
        "arguments": slice,
        "session": str,
        "state": str,
        "answers": bool,
    }
    with pytest.raises(AttributeError):
        read_call(modern("tools/call", "get_weather"), ADD).name = "x"  # type: ignore[misc]


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
    plain = read_call(modern("tools/call", "get_weather"), ADD)
    meta = {key: META[key] for key in META if not key.endswith("clientInfo")} | said
    data = body("tools/call", NAME | {"arguments": {"city": "Basel"}}, meta=meta)
    spelled = {key.replace("-", "_"): value for key, value in fields.items()}
    call = read_call(modern("tools/call", "get_weather", **spelled), data)
    assert call == plain


# stdio.
def test_a_line_needs_no_mirrors() -> None:
    call = read_line(ADD, Era.V2026_07_28, "local")
    assert (call.server, call.name) == ("local", "get_weather")
    with pytest.raises(Refused, match="no-meta"):
        read_line(body("tools/call", NAME, meta=None), Era.V2026_07_28, "local")


MEMBERS = st.sampled_from(
    [b'"name":"x"', b'"n\\u0061me":"x"', b'"Name":1', b'"method":"ping"']
)
MUTATED = st.tuples(
    st.integers(0, len(ADD)), st.one_of(MEMBERS, st.binary(max_size=3))
).map(lambda it: ADD[: it[0]] + it[1] + ADD[it[0] :])


@given(st.one_of(TEXTS, MUTATED), st.sampled_from(["2026-07-28", "2025-11-25", None]))
@settings(max_examples=200)
def test_any_body_is_a_call_or_a_refusal(data: bytes, version: str | None) -> None:
    fields = head(
        {
            "MCP-Protocol-Version": version,
            "Mcp-Method": "tools/call",
            "Mcp-Name": "get_weather",
        }
    )
    try:
        call = read_call(fields, data)
    except Refused as caught:
        json.loads(caught.body())
        return
    # Whoever reads the body another way finds the same tool.
    assert call.name == "get_weather"
    for pick in (dict, lambda pairs: dict(reversed(pairs))):
        read = json.loads(data, object_pairs_hook=pick)
        assert (read["method"], read["params"]["name"]) == ("tools/call", "get_weather")
