"""A message is of one kind, has one id, and goes on as the bytes that came."""

import json

import pytest

from answerable.server.mcp.messages import MessageKind, parse_message, to_one_line
from answerable.server.wire.refusals import RefusalReason, RequestRefused

# JSON-RPC 2.0, sections 4 to 6; MCP basic/index "Messages".
REFUSED: list[tuple[bytes, RefusalReason]] = [
    (b"", RefusalReason.NOT_JSON),
    (b"{", RefusalReason.NOT_JSON),
    (b"\xff", RefusalReason.NOT_JSON),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping"} {}', RefusalReason.NOT_JSON),
    (b"1", RefusalReason.NOT_JSON),
    (b"null", RefusalReason.NOT_JSON),
    (b"{}", RefusalReason.NOT_A_MESSAGE),
    # 6: batches; gone from MCP since 2025-06-18.
    (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', RefusalReason.BATCH),
    (b" \n[]", RefusalReason.BATCH),
    # 4: the version, exactly.
    (b'{"id":1,"method":"ping"}', RefusalReason.NOT_A_MESSAGE),
    (b'{"jsonrpc":2.0,"id":1,"method":"ping"}', RefusalReason.NOT_A_MESSAGE),
    (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', RefusalReason.NOT_A_MESSAGE),
    # 4: the method is text, and no message is of two kinds.
    (b'{"jsonrpc":"2.0","id":1,"method":1}', RefusalReason.NOT_A_MESSAGE),
    (b'{"jsonrpc":"2.0","id":1,"method":null}', RefusalReason.NOT_A_MESSAGE),
    (
        b'{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}',
        RefusalReason.NOT_A_MESSAGE,
    ),
    (
        b'{"jsonrpc":"2.0","id":1,"method":"ping","error":{}}',
        RefusalReason.NOT_A_MESSAGE,
    ),
    (b'{"jsonrpc":"2.0","id":1}', RefusalReason.NOT_A_MESSAGE),
    (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', RefusalReason.NOT_A_MESSAGE),
    (b'{"jsonrpc":"2.0","id":1,"result":{},"params":{}}', RefusalReason.NOT_A_MESSAGE),
    (b'{"jsonrpc":"2.0","result":{}}', RefusalReason.NOT_A_MESSAGE),
    # The id MUST NOT be null, and is a string or an integer.
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', RefusalReason.ID_TYPE),
    (b'{"jsonrpc":"2.0","id":1.0,"method":"ping"}', RefusalReason.ID_TYPE),
    (b'{"jsonrpc":"2.0","id":1e2,"method":"ping"}', RefusalReason.ID_TYPE),
    (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', RefusalReason.ID_TYPE),
    (b'{"jsonrpc":"2.0","id":[],"method":"ping"}', RefusalReason.ID_TYPE),
    (b'{"jsonrpc":"2.0","id":9007199254740992,"method":"ping"}', RefusalReason.ID_TYPE),
    (
        b'{"jsonrpc":"2.0","id":1' + b"0" * 400 + b',"method":"ping"}',
        RefusalReason.ID_TYPE,
    ),
    (
        b'{"jsonrpc":"2.0","id":"' + b"x" * 257 + b'","method":"ping"}',
        RefusalReason.ID_TYPE,
    ),
    (b'{"jsonrpc":"2.0","id":null,"result":{}}', RefusalReason.ID_TYPE),
    # 4.2, narrowed by MCP: params are an object.
    (
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}',
        RefusalReason.PARAMS_TYPE,
    ),
    (
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}',
        RefusalReason.PARAMS_TYPE,
    ),
    (
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}',
        RefusalReason.PARAMS_TYPE,
    ),
]

CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","uri":"b","arguments":{},"_meta":{}}}'


def refused(body: bytes) -> RefusalReason:
    with pytest.raises(RequestRefused) as caught:
        parse_message(body)
    return caught.value.why


@pytest.mark.parametrize(("body", "why"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_message_is_refused(body: bytes, why: RefusalReason) -> None:
    assert refused(body) is why


@pytest.mark.parametrize("where", [b"{", b'"params":{'])
@pytest.mark.parametrize("spell", [str, lambda key: f"\\u{ord(key[0]):04x}{key[1:]}"])
@pytest.mark.parametrize(
    "key", ["jsonrpc", "id", "method", "params", "name", "uri", "arguments", "_meta"]
)
@pytest.mark.parametrize("last", [True, False])
def test_a_key_that_is_repeated_is_refused_however_it_is_spelled(
    where: bytes, spell: object, key: str, last: bool
) -> None:
    assert callable(spell)
    member = f'"{spell(key)}":"evil"'.encode()
    at = CALL.index(where) + len(where)
    body = CALL[:at] + member + b"," + CALL[at:]
    if last:
        end = CALL.rindex(b"}}") + (1 if where == b"{" else 0)
        body = CALL[:end] + b"," + member + CALL[end:]
    inside = key in ("name", "uri", "arguments", "_meta")
    if inside == (where != b"{"):
        assert refused(body) is RefusalReason.REPEATED_KEY
    else:
        # Of the other object it is a member like any other.
        assert parse_message(body).method == "tools/call"


@pytest.mark.parametrize(
    "other", ["Method", "METHOD", "Id", "JSONRPC", "Params", "param\\u017f", "Result"]
)
def test_a_key_that_a_careless_reader_takes_for_another_is_refused(other: str) -> None:
    # encoding/json of Go matches keys without regard to case.
    body = CALL[:-1] + f',"{other}":"evil"}}'.encode()
    assert refused(body) is RefusalReason.KEY_LOOKALIKE


@pytest.mark.parametrize(
    "other", ["Name", "NAME", "Arguments", "URI", "taskid", "requeststate", "_Meta"]
)
def test_a_parameter_that_resembles_another_is_refused(other: str) -> None:
    body = CALL[:-2] + f',"{other}":"evil"}}}}'.encode()
    assert refused(body) is RefusalReason.KEY_LOOKALIKE


def test_a_request_has_an_id_and_a_notification_has_none() -> None:
    request = parse_message(b'{"jsonrpc":"2.0","id":"a\\u0062","method":"ping"}')
    assert (request.kind, request.id, request.method) == (
        MessageKind.REQUEST,
        "ab",
        "ping",
    )
    note = parse_message(b'{"method":"notifications/initialized","jsonrpc":"2.0"}')
    assert (note.kind, note.id) == (MessageKind.NOTIFICATION, None)


@pytest.mark.parametrize("id", [0, -1, 2**53 - 1, "", "1"])
def test_an_id_keeps_its_type(id: object) -> None:
    spelled = f'"{id}"' if isinstance(id, str) else f"{id}"
    body = f'{{"jsonrpc":"2.0","id":{spelled},"method":"ping"}}'.encode()
    assert parse_message(body).id == id
    assert type(parse_message(body).id) is type(id)


def test_a_response_is_a_result_or_an_error() -> None:
    body = b'{"jsonrpc":"2.0","id":7,"result":{"a":1}}'
    answer = parse_message(body)
    assert (answer.kind, answer.id, answer.error) == (MessageKind.RESPONSE, 7, None)
    assert answer.result is not None
    assert body[answer.result] == b'{"a":1}'
    for id in (b"", b'"id":null,'):
        error = parse_message(b'{"jsonrpc":"2.0",' + id + b'"error":{"code":-32700}}')
        assert (error.kind, error.id, error.result) == (
            MessageKind.RESPONSE,
            None,
            None,
        )


def test_parameters_are_spans_of_the_bytes_that_came() -> None:
    body = CALL.replace(b'"arguments":{}', b'"arguments" : { "x" :\t[1.0, 1e400]}')
    span = parse_message(body).params["arguments"]
    assert body[span] == b'{ "x" :\t[1.0, 1e400]}'


def test_a_refusal_knows_the_id_where_it_was_read() -> None:
    with pytest.raises(RequestRefused) as caught:
        parse_message(b'{"jsonrpc":"2.0","id":"x","method":"ping","params":[]}')
    assert (caught.value.id, caught.value.method) == ("x", "ping")


def test_a_message_goes_over_stdio_on_one_line_and_stays_the_same() -> None:
    spread = json.dumps(json.loads(CALL) | {"id": "a\nb"}, indent=1).replace(
        "\n", "\r\n"
    )
    line = to_one_line(spread.encode())
    assert b"\n" not in line
    assert b"\r" not in line
    assert json.loads(line) == json.loads(spread)
    assert to_one_line(CALL) is CALL
