"""What has to be on record first waits for that, in its order, and for nothing else."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from answerable.server.recording.record_ticket import NotRecorded
from tests.gateway.http.in_memory_worker import Worker, worker
from tests.gateway.http.message_builders import call, events, old, reply, result

OK = result(content=[])
NOTE = b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}'
QUESTION = b'{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{}}'
ASKED = result(
    resultType="input_required",
    inputRequests={"a": {"method": "elicitation/create", "params": {}}},
)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def made(loop: asyncio.AbstractEventLoop) -> Worker:
    made = worker(loop)
    made.notes.waits = []
    return made


def settle(made: Worker, loop: asyncio.AbstractEventLoop, *, kept: bool) -> None:
    """The disk takes the next record, or does not."""
    assert made.notes.waits
    future = made.notes.waits.pop(0)
    if kept:
        future.set_result(None)
    else:
        future.set_exception(NotRecorded("disk"))
    loop.run_until_complete(asyncio.sleep(0))


@pytest.mark.parametrize("kept", [True, False])
def test_a_write_is_forwarded_once_its_record_is_on_disk(
    made: Worker, loop: asyncio.AbstractEventLoop, kept: bool
) -> None:
    made.front.data_received(call("write_file"))
    assert made.server.written == b""
    settle(made, loop, kept=kept)
    assert (b"write_file" in made.server.written) is kept
    assert (b"-31403" in made.client.written) is not kept


def test_what_no_call_waits_for_is_done_once_it_is_sent_and_its_answer_given(
    made: Worker,
) -> None:
    seen = []
    made.notes.write_deferred = lambda: seen.append(bool(made.server.written))  # type: ignore[method-assign]
    made.notes.record_end = lambda *_: seen.append(bool(made.client.written))  # type: ignore[method-assign]
    made.front.data_received(call())
    made.upstream.data_received(reply(OK))
    assert seen == [True, True]


def test_a_client_that_left_meanwhile_has_nothing_forwarded(
    made: Worker, loop: asyncio.AbstractEventLoop
) -> None:
    made.front.data_received(call("write_file"))
    made.front.connection_lost(None)
    settle(made, loop, kept=True)
    assert made.server.written == b""
    assert "withheld" in str(made.notes.kept[-1])


@pytest.mark.parametrize("kept", [True, False])
def test_a_result_that_asks_inputs_waits(
    made: Worker, loop: asyncio.AbstractEventLoop, kept: bool
) -> None:
    made.front.data_received(call())
    made.upstream.data_received(reply(ASKED))
    assert made.client.written == b""
    settle(made, loop, kept=kept)
    body = made.client.written.partition(b"\r\n\r\n")[2]
    if kept:
        assert body == ASKED
    else:
        assert json.loads(body)["error"]["data"]["decision"] == "error"


@pytest.mark.parametrize("kept", [True, False])
def test_a_question_waits_and_what_follows_waits_behind_it(
    made: Worker, loop: asyncio.AbstractEventLoop, kept: bool
) -> None:
    made.front.data_received(old("tools/call", name="read_file"))
    made.server.written = b""
    made.upstream.data_received(events(NOTE, QUESTION, NOTE, OK))
    assert made.client.written.count(b"data: ") == 1
    settle(made, loop, kept=kept)
    assert made.client.written.endswith(b"0\r\n\r\n")
    passed = [NOTE, QUESTION, NOTE, OK] if kept else [NOTE, NOTE, OK]
    found = [made.client.written.find(b"data: " + each) for each in passed]
    assert -1 not in found
    assert (QUESTION in made.client.written) is kept


def test_a_question_nobody_waits_for_any_more_goes_nowhere(
    made: Worker, loop: asyncio.AbstractEventLoop
) -> None:
    made.front.data_received(old("tools/call", name="read_file"))
    made.upstream.data_received(events(QUESTION, end=False))
    made.front.connection_lost(None)
    settle(made, loop, kept=True)
    assert QUESTION not in made.client.written
