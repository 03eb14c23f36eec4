"""Every reason has one answer, and an answer tells nothing of the request."""

import json

import pytest

from answerable.server.mcp.methods import McpRevision
from answerable.server.wire.refusals import (
    NO_CODE,
    REPLIES,
    VERSIONS,
    RefusalReason,
    RequestRefused,
)

# The codes that the specification defines (2026-07-28 basic/index "Error Codes").
STANDARD = {-32700, -32600, -32601, -32602, -32603}
RESERVED = {-32020, -32021, -32022}


@pytest.mark.parametrize("why", list(RefusalReason))
def test_each_reason_has_an_answer(why: RefusalReason) -> None:
    wire = REPLIES[why]
    assert 400 <= wire.status <= 505
    assert wire.code in STANDARD | RESERVED | {NO_CODE}
    assert wire.says.endswith(".")


# Codes and statuses as the specification pairs them.
@pytest.mark.parametrize(
    ("why", "status", "code"),
    [
        (
            RefusalReason.HEADER_MISMATCH,
            400,
            -32020,
        ),  # streamable-http "Server Validation"
        (RefusalReason.UNSUPPORTED_VERSION, 400, -32022),  # "Protocol Version Header"
        (RefusalReason.UNKNOWN_METHOD, 404, -32601),  # "Protocol Version Header"
        (RefusalReason.NO_META, 400, -32602),  # basic/index "_meta"
        (RefusalReason.BATCH, 400, -32600),
        (RefusalReason.NOT_JSON, 400, -32700),
        (RefusalReason.ORIGIN, 403, NO_CODE),  # "Security & Endpoint" 1
        (RefusalReason.BODY_TOO_LARGE, 413, NO_CODE),
        (RefusalReason.VERSION_OF_HTTP, 505, NO_CODE),
    ],
)
def test_the_specification_is_followed(
    why: RefusalReason, status: int, code: int
) -> None:
    assert (REPLIES[why].status, REPLIES[why].code) == (status, code)


def test_an_answer_carries_the_id_that_was_read_and_never_null() -> None:
    for id in ("x", 0, 7):
        answer = json.loads(
            RequestRefused(RefusalReason.NO_META, id=id).jsonrpc_error()
        )
        assert (answer["jsonrpc"], answer["id"]) == ("2.0", id)
        assert set(answer["error"]) == {"code", "message"}
    assert "id" not in json.loads(
        RequestRefused(RefusalReason.NOT_JSON).jsonrpc_error()
    )
    assert RequestRefused(RefusalReason.MISDIRECTED).jsonrpc_error() == b""


def test_a_refusal_names_the_method_to_evidence_and_to_nobody_else() -> None:
    refused = RequestRefused(RefusalReason.UNKNOWN_METHOD, offset=3).with_request_id(
        "x", "s3cr3t/" + "y" * 500
    )
    assert (refused.id, refused.offset, len(refused.method)) == ("x", 3, 128)
    assert b"s3cr3t" not in refused.jsonrpc_error()
    assert "s3cr3t" not in str(refused)


def test_a_version_is_shown_no_longer_than_one_is() -> None:
    answer = json.loads(
        RequestRefused(RefusalReason.UNSUPPORTED_VERSION).jsonrpc_error("x" * 5000)
    )
    assert len(answer["error"]["data"]["requested"]) == 32


def test_the_versions_are_those_of_the_eras() -> None:
    assert set(VERSIONS) | {"unnamed"} == {era.value for era in McpRevision}


def test_http_and_json_rpc_share_no_reason() -> None:
    # `REPLIES` is two tables; one in both would be answered by the second silently.
    assert len(REPLIES) == len(RefusalReason)
