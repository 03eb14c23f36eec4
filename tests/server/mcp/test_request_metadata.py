"""The header picks the revision; the headers that mirror the body must be the body's."""

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.model.decision import TargetKind
from answerable.server.mcp.call import parse_http_call
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.methods import McpRevision
from answerable.server.wire.refusals import RefusalReason
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


def encoded(name: str) -> str:
    return f"=?base64?{base64.b64encode(name.encode()).decode()}?="


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
    assert (found.why, found.wire.code, found.id) == (
        RefusalReason.HEADER_MISMATCH,
        -32020,
        1,
    )


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
    call = parse_http_call(
        modern("tools/call", value), body("tools/call", {"name": name})
    )
    assert call.name == name


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_an_encoded_name_is_the_bodys_or_is_refused(name: str, other: str) -> None:
    data = body("tools/call", {"name": name})
    assert parse_http_call(modern("tools/call", encoded(name)), data).name == name
    if name != other:
        found = refused(modern("tools/call", encoded(other)), data)
        assert found.why is RefusalReason.HEADER_MISMATCH


def test_a_name_header_where_nothing_is_named_is_refused() -> None:
    # Somebody on the way may have routed by it.
    found = refused(modern("tools/list", "get_weather"), body("tools/list"))
    assert found.why is RefusalReason.HEADER_MISMATCH


# basic/index "_meta", "Per-request protocol fields".
@pytest.mark.parametrize(
    ("meta", "why"),
    [
        (None, RefusalReason.NO_META),
        ({}, RefusalReason.NO_META),
        ({key: META[key] for key in list(META)[:2]}, RefusalReason.NO_META),
        ({key: META[key] for key in list(META)[1:]}, RefusalReason.NO_META),
        (
            META | {"io.modelcontextprotocol/protocolVersion": 20260728},
            RefusalReason.NO_META,
        ),
        (
            META | {"io.modelcontextprotocol/clientCapabilities": []},
            RefusalReason.NO_META,
        ),
        (
            META | {"io.modelcontextprotocol/protocolVersion": "2025-11-25"},
            RefusalReason.HEADER_MISMATCH,
        ),
        (
            META | {"io.modelcontextprotocol/ProtocolVersion": "x"},
            RefusalReason.KEY_LOOKALIKE,
        ),
    ],
)
def test_a_request_says_its_version_and_capabilities(
    meta: dict[str, object] | None, why: RefusalReason
) -> None:
    data = body("tools/call", NAME, meta=meta)
    found = refused(modern("tools/call", "get_weather"), data)
    assert (found.why, found.wire.status, found.id) == (why, 400, 1)


def test_repeated_keys_of_meta_are_refused() -> None:
    key = b'"io.modelcontextprotocol/protocolVersion": "2025-11-25", '
    data = ADD.replace(b'"_meta": {', b'"_meta": {' + key)
    assert (
        refused(modern("tools/call", "get_weather"), data).why
        is RefusalReason.REPEATED_KEY
    )


# Eras. The header alone picks one.
def test_the_version_header_alone_picks_the_era() -> None:
    for version, era in [
        (None, McpRevision.UNNAMED),
        ("2025-11-25", McpRevision.V2025_11_25),
        ("2025-06-18", McpRevision.V2025_06_18),
    ]:
        assert parse_http_call(old(version), ADD).era is era
    assert (
        parse_http_call(modern("tools/call", "get_weather"), ADD).era
        is McpRevision.V2026_07_28
    )


@pytest.mark.parametrize("version", ["1900-01-01", "2025-03-26", "", "2026-07-28x"])
def test_another_version_is_not_served(version: str) -> None:
    found = refused(old(version), ADD)
    assert (found.why, found.http_status()) == (RefusalReason.UNSUPPORTED_VERSION, 400)
    assert json.loads(found.jsonrpc_error(version))["id"] == 1
    error = json.loads(found.jsonrpc_error(version))["error"]
    assert error["code"] == -32022
    assert error["data"] == {
        "supported": ["2026-07-28"],
        "requested": version,
    }


def test_older_clients_need_no_mirrors_but_may_not_contradict_the_body() -> None:
    data = body("tools/call", NAME, meta=None)
    assert parse_http_call(old(), data).name == "get_weather"
    agreeing = old(Mcp_Method="tools/call", Mcp_Name="get_weather")
    assert parse_http_call(agreeing, data).name == "get_weather"
    for field in ("Mcp_Method", "Mcp_Name"):
        assert (
            refused(old(**{field: "another"}), data).why
            is RefusalReason.HEADER_MISMATCH
        )


def test_a_session_id_is_kept_as_a_digest_alone() -> None:
    # 2025-11-25 "Session Management".
    call = parse_http_call(old(Mcp_Session_Id="s3cr3t"), body("tools/list", meta=None))
    assert call.session == hashlib.sha256(b"s3cr3t").hexdigest()
    assert "s3cr3t" not in repr(call)
    assert parse_http_call(old(), body("tools/list", meta=None)).session == ""
    found = refused(old(Mcp_Session_Id="a b"), body("tools/list", meta=None))
    assert found.why is RefusalReason.SESSION_ID


def test_a_session_id_says_nothing_in_the_present_revision() -> None:
    # "Earlier Streamable HTTP Revisions" has it ignored.
    fields = modern("tools/call", "get_weather", Mcp_Session_Id="a b")
    assert parse_http_call(fields, ADD).session == ""


def test_a_session_is_opened_and_closed_without_a_message() -> None:
    for verb, kind, target in [
        ("GET", MessageKind.OPEN, TargetKind.STREAM),
        ("DELETE", MessageKind.CLOSE, TargetKind.SESSION),
    ]:
        fields = {"MCP-Protocol-Version": "2025-11-25", "Mcp-Session-Id": "x"}
        call = parse_http_call(head(fields, f"{verb} /mcp/weather HTTP/1.1"), b"")
        assert (call.kind, call.target, call.id) == (kind, target, None)
        assert call.session
        # 2026-07-28 "Earlier Streamable HTTP Revisions": 405.
        fields["MCP-Protocol-Version"] = "2026-07-28"
        found = refused(head(fields, f"{verb} /mcp/weather HTTP/1.1"), b"")
        assert found.http_status() == 405


def test_only_older_clients_answer_what_a_server_asked() -> None:
    data = b'{"jsonrpc":"2.0","id":"srv-1","result":{"action":"accept"}}'
    call = parse_http_call(old(), data)
    assert (call.kind, call.about, call.target) == (
        MessageKind.RESPONSE,
        "srv-1",
        TargetKind.REQUEST,
    )
    found = refused(head({"MCP-Protocol-Version": "2026-07-28"}), data)
    assert found.why is RefusalReason.RESPONSE_NOT_EXPECTED


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
        ).http_status()
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
    assert parse_http_call(old(**spelled), ADD).name == "get_weather"


@pytest.mark.parametrize("declared", [{}, {"extensions": {}}, {"extensions": []}])
def test_a_method_on_tasks_needs_the_extension_declared(declared: object) -> None:
    meta = META | {"io.modelcontextprotocol/clientCapabilities": declared}
    data = body("tasks/get", {"taskId": "t"}, meta=meta)
    found = refused(modern("tasks/get", "t"), data)
    assert (found.why, found.http_status()) == (RefusalReason.CAPABILITY, 400)
    error = json.loads(found.jsonrpc_error())["error"]
    assert error["code"] == -32021
    assert "io.modelcontextprotocol/tasks" in str(error["data"])
