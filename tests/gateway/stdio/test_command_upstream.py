"""A server by command behind the gateway: a process for each caller, ids kept apart."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.gateway.http.gateway_fixture import Client
from tests.gateway.stdio.wrapper_fixture import META, SCRIPTED, TOOLS, is_gone, said
from tests.mcp.gateway import OTHER, SUBJECT, Gateway, configuration, gateway, token


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    reads = [tool for tool in TOOLS if tool != "ask"]
    config = configuration({"command": SCRIPTED, "reads": reads, "env": {"A": "b"}})
    for name in ("conformance", "echoing"):
        config["agents"][name]["allow"] = [
            {"server": "fixtures", "tools": TOOLS, "inputs": ["elicitation"]}
        ]
    with gateway(tmp_path_factory.mktemp("command"), config) as enforcing:
        yield enforcing


class Caller:
    """A client of the gateway that sends what a test says."""

    def __init__(self, behind: Gateway, subject: str = SUBJECT) -> None:
        self.behind = behind
        self.place = urlsplit(behind.url)
        self.token = token(subject)
        self.session = ""
        assert self.place.port is not None
        self.client = Client(self.place.port)

    @classmethod
    def beside(cls, other: "Caller") -> "Caller":
        """The same caller over another connection."""
        return cls(other.behind)

    def close(self) -> None:
        self.client.sock.close()

    def send(
        self, method: str, params: Any, id: object = 1, http: str = "POST"
    ) -> None:
        """Send one message; with a session in the words of 2025-11-25."""
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if id is not None:
            message["id"] = id
        if params is not None:
            message["params"] = params
        self.send_body(json.dumps(message).encode(), method, params, http)

    def send_body(
        self, body: bytes, method: str = "", params: Any = None, http: str = "POST"
    ) -> None:
        fields = {
            "Host": self.place.netloc,
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/json, text/event-stream",
        }
        if params is not None and "_meta" in params and not self.session:
            fields |= {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
            if "name" in params:
                fields["Mcp-Name"] = params["name"]
        else:
            fields["MCP-Protocol-Version"] = "2025-11-25"
        if self.session:
            fields["Mcp-Session-Id"] = self.session
        if http == "POST":
            fields |= {"Content-Type": "application/json"}
            fields |= {"Content-Length": str(len(body))}
        lines = [f"{http} {self.place.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        self.client.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def call(self, name: str, id: object = 1, meta: Any = META, **given: Any) -> None:
        params = {"name": name, "arguments": given}
        if not self.session or meta is not META:
            params["_meta"] = meta
        self.send("tools/call", params, id)

    def messages(self) -> list[Any]:
        """What answers a request: one message, or those of its events."""
        answered = self.client.answer()
        if answered.fields.get("content-type") == "text/event-stream":
            return [json.loads(each) for each in _data(answered.body)]
        return [json.loads(answered.body)]

    def asked(self, name: str, id: object = 1, **given: Any) -> Any:
        self.call(name, id, **given)
        return said(self.messages()[-1])

    def initialize(self) -> None:
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "c", "version": "1"},
        }
        self.send("initialize", params, 0)
        self.session = self.client.answer().fields["mcp-session-id"]
        self.send("notifications/initialized", None, None)
        assert self.client.answer().status == 202


def _data(body: bytes) -> list[bytes]:
    lines = body.split(b"\n")
    return [each.removeprefix(b"data: ") for each in lines if each.startswith(b"data:")]


def test_callers_share_no_process(behind: Gateway) -> None:
    with closing(Caller(behind)) as ana, closing(Caller(behind, OTHER)) as ben:
        first = ana.asked("echo")["pid"]
        assert ana.asked("echo")["pid"] == first
        assert ben.asked("echo")["pid"] != first
    with closing(Caller(behind)) as again:
        assert again.asked("echo")["pid"] == first


def test_sessions_share_no_process(behind: Gateway) -> None:
    with closing(Caller(behind)) as one, closing(Caller(behind)) as two:
        one.initialize()
        two.initialize()
        assert one.asked("echo")["pid"] != two.asked("echo")["pid"]


def test_a_session_ends_where_its_client_ends_it(behind: Gateway) -> None:
    with closing(Caller(behind)) as one:
        one.initialize()
        one.send_body(b"", http="DELETE")
        assert one.client.answer().status == 200
        one.call("echo")
        assert one.client.answer().status == 404


def test_a_session_is_its_callers_alone(behind: Gateway) -> None:
    with closing(Caller(behind)) as ana, closing(Caller(behind, OTHER)) as ben:
        ana.initialize()
        ben.session = ana.session
        ben.call("echo")
        assert ben.client.answer().status == 404


def test_without_a_session_an_older_client_has_to_begin(behind: Gateway) -> None:
    with closing(Caller(behind)) as one:
        one.send("tools/list", None, 1)
        assert one.client.answer().status == 400


def test_the_same_id_and_token_from_two_connections_are_told_apart(
    behind: Gateway,
) -> None:
    with closing(Caller(behind)) as one, closing(Caller(behind)) as two:
        meta = META | {"progressToken": "t"}
        one.call("progress", 1, meta, seconds=0.3)
        two.call("progress", 1, meta, seconds=0.3)
        for caller in (one, two):
            progress, answer = caller.messages()
            assert progress["params"]["progressToken"] == "t"
            assert answer["id"] == 1
        # The process heard two tokens, and was asked under two ids.
        heard = [json.loads(each) for each in one.asked("heard", 3)]
        last = [each for each in heard if "seconds" in str(each.get("params"))][-2:]
        assert len({each["id"] for each in last}) == 2
        assert len({each["params"]["_meta"]["progressToken"] for each in last}) == 2


def until_heard(caller: Caller, name: str, id: object) -> None:
    """Wait until the process of a caller has got a call."""
    until = time.monotonic() + 60
    while True:
        calls = [json.loads(each) for each in caller.asked("heard", "h")]
        if any(
            each.get("id") == id and each.get("params", {}).get("name") == name
            for each in calls
        ):
            return
        assert time.monotonic() < until, calls


def test_a_body_of_several_lines_is_one_message(behind: Gateway) -> None:
    params = {"name": "echo", "arguments": {"a": 1}, "_meta": META}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    with closing(Caller(behind)) as one:
        one.send_body(json.dumps(message, indent=1).encode(), "tools/call", params)
        assert json.loads(said(one.messages()[0])["line"]) == message


def test_a_client_that_leaves_has_its_call_cancelled(behind: Gateway) -> None:
    with closing(Caller(behind)) as one, closing(Caller(behind)) as two:
        one.call("wait", 41)
        until_heard(two, "wait", 41)
    with closing(Caller(behind)) as again:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            heard = [json.loads(each) for each in again.asked("heard", 2)]
            notes = [e for e in heard if e["method"] == "notifications/cancelled"]
            if any(each["params"] == {"requestId": 41} for each in notes):
                return
        pytest.fail(str(notes))


def test_a_cancelled_call_of_a_session_ends_without_an_answer(behind: Gateway) -> None:
    with closing(Caller(behind)) as one, closing(Caller(behind)) as two:
        one.initialize()
        two.session = one.session
        one.call("wait", 5)
        until_heard(two, "wait", 5)
        two.send("notifications/cancelled", {"requestId": 5}, None)
        assert two.client.answer().status == 202
        assert one.messages() == []


def test_a_question_goes_to_the_call_and_its_answer_to_the_server(
    behind: Gateway,
) -> None:
    with closing(Caller(behind)) as one, closing(Caller(behind)) as two:
        one.initialize()
        two.session = one.session
        one.call("ask", 5, method="elicitation/create")
        one.client.head()
        question = json.loads(_data(one.client.chunk())[0])
        assert (question["id"], question["method"]) == ("q", "elicitation/create")
        reply = {"jsonrpc": "2.0", "id": "q", "result": {"action": "decline"}}
        two.send_body(json.dumps(reply).encode())
        assert two.client.answer().status == 202
        assert said(json.loads(_data(one.client.chunk())[0])) == reply


def test_a_question_goes_to_the_stream_of_the_session_where_it_has_one(
    behind: Gateway,
) -> None:
    with closing(Caller(behind)) as one, closing(Caller(behind)) as stream:
        one.initialize()
        stream.session = one.session
        stream.send_body(b"", http="GET")
        stream.client.head()
        one.call("ask", 5, method="elicitation/create")
        assert json.loads(_data(stream.client.chunk())[0])["id"] == "q"
        reply = {"jsonrpc": "2.0", "id": "q", "result": {"action": "decline"}}
        with closing(Caller(behind)) as two:
            two.session = one.session
            two.send_body(json.dumps(reply).encode())
            assert two.client.answer().status == 202
        assert said(one.messages()[0]) == reply


def test_a_crash_ends_its_calls_and_the_next_call_starts_it_anew(
    behind: Gateway,
) -> None:
    with closing(Caller(behind, OTHER)) as one, closing(Caller(behind, OTHER)) as two:
        before = one.asked("echo")["pid"]
        one.call("wait", 7)
        until_heard(two, "wait", 7)
        two.call("crash", 8)
        for caller, id in ((one, 7), (two, 8)):
            (lost,) = caller.messages()
            assert (lost["id"], lost["error"]["code"]) == (id, -32603)
        assert two.asked("echo")["pid"] != before


@pytest.mark.parametrize(
    ("code", "status"), [(-32601, 404), (-32021, 400), (-32602, 200), (5, 200)]
)
def test_an_error_has_the_status_that_the_revision_gives_it(
    behind: Gateway, code: int, status: int
) -> None:
    with closing(Caller(behind)) as one:
        one.call("fail", code=code)
        answered = one.client.answer()
        assert answered.status == status
        assert json.loads(answered.body)["error"]["code"] == code


def test_a_large_result_passes(behind: Gateway) -> None:
    with closing(Caller(behind)) as one:
        assert one.asked("big", size=3_000_000) == "x" * 3_000_000


def test_a_process_has_the_environment_it_was_given_alone(behind: Gateway) -> None:
    with closing(Caller(behind)) as one:
        given = one.asked("environment")
        assert given.keys() - {"LC_CTYPE"} == {"A", "HOME", "PATH"}


def test_many_callers_of_one_process_hear_each_their_own(behind: Gateway) -> None:
    wrong: list[object] = []

    def go(n: int) -> None:
        with closing(Caller(behind)) as one:
            for _ in range(20):
                line = one.asked("echo", 1, mark=n)["line"]
                if json.loads(line)["params"]["arguments"]["mark"] != n:
                    wrong.append((n, line))

    threads = [threading.Thread(target=go, args=(n,)) for n in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert not wrong


def test_a_program_that_fails_is_not_started_at_every_call(tmp_path: Any) -> None:
    counts = tmp_path / "counts"
    script = f"echo x >> {counts}; exit 1"
    config = configuration({"command": ["sh", "-c", script], "reads": ["echo"]})
    with gateway(tmp_path, config) as behind, closing(Caller(behind)) as one:
        for n in range(10):
            one.call("echo", n)
            (lost,) = one.messages()
            assert lost["error"]["code"] == -32603
    assert len(counts.read_text().splitlines()) < 5


def test_no_process_outlives_the_gateway(tmp_path: Any) -> None:
    config = configuration({"command": SCRIPTED, "reads": TOOLS})
    allow = {"server": "fixtures", "tools": TOOLS}
    config["agents"]["conformance"]["allow"] = [allow]
    with gateway(tmp_path, config) as behind, closing(Caller(behind)) as one:
        pids = one.asked("stubborn")
    assert all(is_gone(pid) for pid in pids)
