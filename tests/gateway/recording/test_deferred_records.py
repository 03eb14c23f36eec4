"""What of a record is left until its call is on its way, and keeps its place."""

from pathlib import Path

import pytest

from answerable.gateway.recording.recorder import GatewayRecorder
from answerable.model.decision import Decision
from answerable.model.spool_record import DecisionRecord
from tests.gateway.recording.recorder_fixture import (
    BODY,
    BUFFERED,
    CALL,
    CALLER,
    COMPLETED,
    DENIED,
    DURABLE,
    OTHER,
    recording,
    records,
)


@pytest.mark.parametrize("follows", ["decided", "later", "ended", "killed", "closed"])
def test_what_is_left_for_later_stands_before_whatever_follows(
    tmp_path: Path, follows: str
) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        left = recorder.record_decision(CALLER, CALL, BUFFERED, BODY, None, None, True)
        if follows == "decided":
            recorder.record_decision(OTHER, CALL, DURABLE, BODY)
        elif follows == "later":
            recorder.record_decision(OTHER, CALL, BUFFERED, BODY, None, None, True)
            recorder.write_deferred()
        elif follows == "ended":
            recorder.record_end(left, COMPLETED)
        elif follows == "killed":
            recorder.record_revocations(frozenset({"agent:declared/ana"}), frozenset())

    recording(tmp_path, story)
    found = records(tmp_path)
    assert [each.sequence for each in found] == list(range(1, len(found) + 1))
    assert isinstance(found[1], DecisionRecord)
    assert found[1].caller == CALLER


@pytest.mark.parametrize("decision", [DURABLE, DENIED])
def test_only_what_waits_for_no_disk_and_goes_on_is_left_for_later(
    tmp_path: Path, decision: Decision
) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        ticket = recorder.record_decision(
            CALLER, CALL, decision, BODY, None, None, True
        )
        assert recorder.journal.recorded == 2
        assert ticket.id

    recording(tmp_path, story)
