"""What an operator keeps for a server goes there, and is never seen by the caller."""

import base64
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.connectors.gateway.parse.call_events import RawRecord, build_call_event
from answerable.evidence.spool_format import encode_record
from answerable.model.event import EventOutcome
from answerable.model.spool_record import CallEndRecord, DecisionRecord
from tests.gateway.http.backend_scripts import always
from tests.gateway.http.gateway_fixture import Gateway, Peer, fingerprint, stage
from tests.gateway.http.message_builders import (
    ask,
    call,
    events,
    old,
    reply,
    result,
    token,
)

OK = result(content=[{"type": "text", "text": "hello"}])
SECRET = "kept/by+the-operator=="
DENIED, BROKEN = -31403, -32603

KINDS: dict[str, Callable[[Path], str]] = {
    "file": lambda folder: "file: secret",
    "env": lambda folder: "env: KEPT_IN_A_VARIABLE",
    "command": lambda folder: json.dumps(
        {"command": [sys.executable, "-c", f"print({SECRET!r})"], "ttl": 60}
    )[1:-1],
}


@pytest.fixture(autouse=True)
def _kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT_IN_A_VARIABLE", SECRET)
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "secret").chmod(0o600)


def fields(head: bytes, name: bytes) -> list[bytes]:
    pairs = (line.partition(b": ") for line in head.split(b"\r\n"))
    return [value for field, _, value in pairs if field.lower() == name]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_server_is_shown_what_is_kept_for_it_and_never_the_callers_token(
    tmp_path: Path, kind: Callable[[Path], str]
) -> None:
    shown = f"credential: {{{kind(tmp_path)}}}"
    with stage(tmp_path, always(reply(OK)), shown=shown) as (gateway, backend):
        with gateway.client() as client:
            for _ in range(3):
                client.send(call())
                assert client.answer().body == OK
        records = gateway.records()
    for head, _ in backend.requests:
        assert fields(head, b"authorization") == [b"Bearer " + SECRET.encode()]
        assert token("ana").encode() not in head
    (decided, *_) = [each for each in records if isinstance(each, DecisionRecord)]
    digest = fingerprint(SECRET)
    assert decided.act.credential == digest
    # What a command writes is another one each time.
    is_lasting = kind is not KINDS["command"]
    identity = f"cred:fp/{digest}" if is_lasting else "cred:command/files"
    assert (decided.act.identity, decided.act.jti) == (identity, "")
    assert SECRET.encode() not in b"".join(encode_record(each) for each in records)
    event = build_call_event("r", RawRecord(decided, encode_record(decided)), None, b"")
    assert event.identity == identity


def test_a_field_of_the_client_by_that_name_goes_nowhere(tmp_path: Path) -> None:
    shown = "credential: {file: secret, header: X-Api-Key}"
    with (
        stage(tmp_path, always(reply(OK)), shown=shown) as (gateway, backend),
        gateway.client() as client,
    ):
        head, _, body = call().partition(b"\r\n\r\n")
        client.send(head + b"\r\nX-Api-Key: of-the-client\r\n\r\n" + body)
        assert client.answer().body == OK
    (head, _) = backend.requests[0]
    assert fields(head, b"x-api-key") == [SECRET.encode()]
    assert fields(head, b"authorization") == []


def test_what_is_not_there_is_an_error_on_record(tmp_path: Path) -> None:
    (tmp_path / "secret").chmod(0o644)
    shown = "credential: {file: secret}"
    with stage(tmp_path, always(reply(OK)), shown=shown) as (gateway, backend):
        with gateway.client() as client:
            client.send(call())
            said = json.loads(client.answer().body)["error"]
        assert (said["code"], said["data"]["decision"]) == (DENIED, "error")
        assert "credential" not in json.dumps(said)
        assert backend.requests == []
        assert gateway.decisions() == [("tools/call", "read_file", "credential")]


def test_an_older_session_shows_it_in_every_request(tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        while True:
            head, body = peer.request()
            if head.startswith(b"GET"):
                question = {"jsonrpc": "2.0", "id": 9, "method": "nothing/known"}
                peer.send(events(json.dumps(question).encode(), end=False))
            elif b"initialize" in body:
                named = "Mcp-Session-Id: s-1"
                peer.send(reply(result(protocolVersion="2025-11-25"), "200 OK", named))
            else:
                peer.send(reply(b"", "202 Accepted"))

    shown = "credential: {env: KEPT_IN_A_VARIABLE, scheme: token}"
    with (
        stage(tmp_path, script, shown=shown) as (gateway, backend),
        gateway.client() as client,
        gateway.client() as listening,
    ):
        client.send(old("initialize", protocolVersion="2025-11-25"))
        session = client.answer().fields["mcp-session-id"]
        listening.send(
            old("", session=session)
            .replace(b"POST", b"GET", 1)
            .partition(b"\r\nContent-Type")[0]
            + b"\r\n\r\n"
        )
        until = time.monotonic() + 60
        while len(backend.requests) < 3 and time.monotonic() < until:
            time.sleep(0.02)
    methods = sorted(head.split(b" ")[0] for head, _ in backend.requests)
    assert methods == [b"GET", b"POST", b"POST"]  # the last refuses its question
    for head, _ in backend.requests:
        assert fields(head, b"authorization") == [b"token " + SECRET.encode()]


ECHOED = {
    "raw": SECRET,
    "PHP": SECRET.replace("/", "\\/"),
    "base64": base64.b64encode(f"x:{SECRET}".encode()).decode(),
    "percent": "kept%2Fby%2Bthe-operator%3D%3D",
}


def content(text: str) -> bytes:
    part = result(content=[{"type": "text", "text": "TEXT"}])
    return part.replace(b"TEXT", text.encode())


def large(text: str, size: int = 3 << 20) -> bytes:
    """A result that is passed on while it comes, with a text at its end."""
    return reply(content("a" * size + text))


REPLIES: dict[str, Callable[[str], bytes]] = {
    "JSON": lambda text: reply(content(text)),
    "an error page": lambda text: reply(
        text.encode(), "500 Internal Server Error", kind="text/html"
    ),
    "a head": lambda text: reply(OK, "200 OK", f"Cache-Control: {text}"),
    "a field of MCP": lambda text: reply(OK, "200 OK", f"Mcp-Echo: {text}"),
    "a session": lambda text: reply(OK, "200 OK", f"Mcp-Session-Id: {text}"),
    "an event": lambda text: events(content(text)),
    "chunks": lambda text: events(content(text)).replace(
        b"text/event-stream", b"application/json"
    ),
}


def leaked(gateway: Gateway) -> None:
    """Check what stands on record of one call whose answer was kept back."""
    records = gateway.records()
    (end,) = [each for each in records if isinstance(each, CallEndRecord)]
    (decided,) = [each for each in records if isinstance(each, DecisionRecord)]
    assert end.end.outcome.value == "leaked"
    event = build_call_event(
        "r", RawRecord(decided, encode_record(decided)), end, encode_record(end)
    )
    assert event.outcome is EventOutcome.ERROR
    assert ("ended", "leaked") in event.facts
    assert SECRET[-8:].encode() not in b"".join(encode_record(each) for each in records)


@pytest.mark.parametrize("reply_of", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("text", ECHOED.values(), ids=ECHOED)
def test_an_answer_that_holds_it_becomes_an_error(
    tmp_path: Path, reply_of: Callable[[str], bytes], text: str
) -> None:
    script = always(reply_of(text))
    with stage(tmp_path, script, shown="credential: {file: secret}") as both:
        gateway, _ = both
        told: list[tuple[str, str]] = []
        credentials = gateway.http_server.exchange.credentials
        assert credentials is not None
        credentials.report_leak = lambda *what: told.append(what)  # type: ignore[method-assign]
        with gateway.client() as client:
            client.send(call())
            answered = client.answer()
        body = answered.body.removeprefix(b"data: ")
        error = json.loads(body)["error"]
        assert error == {
            "code": BROKEN,
            "message": "The server sent a response that must not be relayed.",
        }
        assert text not in str(answered.fields)
        ((server, decision),) = told
        assert server == "files"
        assert decision
        leaked(gateway)


def test_of_a_large_answer_no_piece_of_it_goes_on(tmp_path: Path) -> None:
    whole = large(SECRET)
    head, _, body = whole.partition(b"\r\n\r\n")
    at = body.index(SECRET.encode())
    came = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(head + b"\r\n\r\n" + body[: at + 9])
        came.wait(60)
        time.sleep(0.05)  # the beginning of it has come, too, and is waited with
        peer.send(body[at + 9 :])
        peer.gone()

    with stage(tmp_path, script, shown="credential: {file: secret}") as (gateway, _):
        with gateway.client() as client:
            client.send(call())
            client.head()
            got = client.take(at)
            came.set()
            assert client.is_closed()
        assert got == body[:at]
        leaked(gateway)


def test_events_before_it_go_on_and_an_error_stands_in_its_place(
    tmp_path: Path,
) -> None:
    note = b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}'

    def script(peer: Peer) -> None:
        peer.request()
        data = events(note, content(SECRET), end=False)
        at = data.index(SECRET.encode()) + 5
        peer.send(data[:at])
        time.sleep(0.2)
        peer.send(data[at:])
        peer.gone()

    with stage(tmp_path, script, shown="credential: {file: secret}") as (gateway, _):
        with gateway.client() as client:
            client.send(call())
            first, second, end = client.answer().body.split(b"\n\n")
        assert (first, end) == (b"data: " + note, b"")
        assert json.loads(second.removeprefix(b"data: "))["error"]["code"] == BROKEN
        leaked(gateway)


PAGE = f"<p>{SECRET[:12]}".encode()
BEGUN = f"{SECRET[:-1]}.{SECRET[:12]}"


@pytest.mark.parametrize(
    "answer",
    [reply(content(BEGUN)), events(content(BEGUN)), large(BEGUN)],
    ids=["JSON", "an event", "large"],
)
def test_what_only_begins_like_it_goes_on_as_it_came(
    tmp_path: Path, answer: bytes
) -> None:
    shown = "credential: {file: secret}"
    with stage(tmp_path, always(answer), shown=shown) as (gateway, _):
        with gateway.client() as client:
            client.send(call())
            assert BEGUN.encode() in client.answer().body
        assert gateway.outcomes() == ["completed"]


def test_what_ends_in_its_beginning_goes_on_to_its_end(tmp_path: Path) -> None:
    answer = reply(PAGE, "500 Internal Server Error", kind="text/html")
    shown = "credential: {file: secret}"
    with stage(tmp_path, always(answer), shown=shown) as (gateway, _):
        with gateway.client() as client:
            client.send(call())
            assert client.answer().body == PAGE
        assert gateway.outcomes() == ["failed"]


def test_a_list_that_holds_it_is_no_list(tmp_path: Path) -> None:
    tools = result(tools=[{"name": "read_file", "description": SECRET}])
    shown = "credential: {file: secret}"
    with stage(tmp_path, always(reply(tools)), shown=shown) as (gateway, _):
        with gateway.client() as client:
            client.send(ask("tools/list"))
            assert json.loads(client.answer().body)["error"]["code"] == BROKEN
        leaked(gateway)
