"""Laws: how bytes are sliced says nothing, nor does what a client says of itself."""

import asyncio
import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st

from answerable.authorization.decision_table import build_decision_table
from answerable.connectors.config.parse.config_file import parse_config
from answerable.gateway.call_pipeline import CallPipeline
from answerable.gateway.recording.recorder import GatewayRecorder
from answerable.gateway.stdio.client import StdioClient
from answerable.gateway.stdio.message_ids import ID, TOKEN, find_id_at_path, replace_ids
from answerable.gateway.stdio.pending_message import PendingMessage
from answerable.gateway.upstream import ResponseSink, UpstreamRequest
from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.ids import AgentId
from answerable.usecases.authorization.authorize import Authorizer
from tests.gateway.stdio.wrapper_fixture import META, call, line, settings

ME = VerifiedCaller(
    AgentId("agent:declared/desktop"),
    True,
    "",
    "process:1",
    AuthenticationMethod.PARENT_PROCESS,
    "uid:1/stdio:scripted",
    b"",
    0,
)
ids = st.one_of(st.integers(-(2**53) + 1, 2**53 - 1), st.text(min_size=1, max_size=20))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
LINES = [
    call("echo", 1, mark="grüße\\n"),
    call("rm", 2),
    line("tools/list", {"_meta": META}, 3),
    b"{",
    line("notifications/cancelled", {"requestId": 9}),
    call("wait", "x"),
    b"",
    b"\r",
]


class Echo:
    """An upstream that keeps what it got, and answers all of it when told to."""

    session = ""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.waiting: list[PendingMessage] = []

    def send(self, sent: UpstreamRequest, sink: ResponseSink) -> PendingMessage:
        self.got.append(sent.body)
        self.waiting.append(PendingMessage(self, sent, sink))
        return self.waiting[-1]

    def answer(self) -> None:
        for each in self.waiting:
            answer = {"jsonrpc": "2.0", "id": each.call.id, "result": {"tools": []}}
            each.deliver_answer(json.dumps(answer).encode(), 0)

    def cancel(self, under_way: PendingMessage) -> None:
        pass

    pause_for = resume_for = cancel


class Out:
    """What the client gets."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def write(self, data: bytes) -> None:
        message = json.loads(data)
        # A decision's id is new each time.
        message.get("error", {}).pop("data", None)
        self.got.append(message)


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool")


def passed(spool: Path, slices: list[bytes]) -> tuple[list[bytes], list[Any]]:
    """What reaches the server, and what the client gets."""
    text = json.dumps(settings()).encode()
    config = parse_config(text, "answerable.yaml", "/").config
    assert config is not None

    async def go() -> tuple[list[bytes], list[Any]]:
        echo, out = Echo(), Out()
        recorder = GatewayRecorder(spool, 0, asyncio.get_running_loop(), config.limits)
        authority = Authorizer(build_decision_table(config))
        exchange = CallPipeline(authority, recorder, {"scripted": echo})
        front = StdioClient(
            exchange, ME, "scripted", echo, most=64, bridged=False, changed=lambda: None
        )
        front.out = out  # type: ignore[assignment]
        for each in slices:
            front.on_input(each)
        echo.answer()
        assert not front.has_unanswered_request
        recorder.close()
        return echo.got, out.got

    return asyncio.run(go())


slow = runs(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@slow
@given(cuts=st.lists(st.integers(0, 2000), max_size=12))
def test_slices_say_nothing(spool: Path, cuts: list[int]) -> None:
    data = b"".join(each + b"\n" for each in LINES)
    at = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    slices = [data[i:j] for i, j in pairwise(at)]
    assert passed(spool, slices) == passed(spool, [data])


@slow
@given(
    said=st.dictionaries(
        st.sampled_from(
            ["io.modelcontextprotocol/clientInfo", "reason", "baggage", "traceparent"]
        ),
        json_values,
    ),
    arguments=st.dictionaries(st.text(max_size=8), json_values, max_size=3),
    name=st.sampled_from(["echo", "rm"]),
)
def test_what_a_client_says_of_itself_decides_nothing(
    spool: Path, said: Mapping[str, object], arguments: dict[str, Any], name: str
) -> None:
    params = {"name": name, "arguments": arguments, "_meta": META | dict(said)}
    talkative = line("tools/call", params, 1)
    got, answers = passed(spool, [talkative + b"\n"])
    _, plain = passed(spool, [call(name, 1) + b"\n"])
    assert answers == plain
    assert got == ([talkative] if name == "echo" else [])


@given(
    old=ids, new=ids, token=ids, inner=json_values, indent=st.sampled_from([None, 1])
)
def test_an_id_is_put_in_place_and_nothing_else_changes(
    old: str | int, new: str | int, token: str | int, inner: object, indent: int | None
) -> None:
    message = {
        "params": {"a": inner, "_meta": {"id": inner, "progressToken": old}, "id": 1},
        "id": old,
        "result": {"id": inner},
    }
    body = json.dumps(message, indent=indent).encode()
    changed = replace_ids(body, {ID: new, TOKEN: token})
    assert (find_id_at_path(changed, ID), find_id_at_path(changed, TOKEN)) == (
        new,
        token,
    )
    assert replace_ids(changed, {ID: old, TOKEN: old}) == replace_ids(
        body, {ID: old, TOKEN: old}
    )
    message["id"] = new
    message["params"]["_meta"]["progressToken"] = token  # type: ignore[index]
    assert json.loads(changed) == message
