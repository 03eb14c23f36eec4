"""What many records say alike is spelled once, and stands in each as it would."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from answerable.evidence.spool_format import encode_decision, encode_record
from answerable.gateway.recording.recorder import MAX_CACHED, EncodingCache
from answerable.model.caller import VerifiedCaller
from answerable.model.decision import Decision, TargetKind
from answerable.model.spool_record import CallSummary, DecisionRecord
from tests.gateway.recording.recorder_fixture import (
    BUFFERED,
    CALLER,
    DENIED,
    DURABLE,
    OTHER,
)

ACTS = st.builds(
    CallSummary,
    era=st.sampled_from(["2026-07-28", "unnamed"]),
    method=st.text(max_size=5),
    server=st.text(max_size=5),
    target=st.sampled_from(list(TargetKind)),
    name=st.text(max_size=5),
    size=st.integers(0, 2**32),
)


@given(
    st.integers(1, 2**62),
    st.integers(0, 2**62),
    st.sampled_from([CALLER, OTHER]),
    ACTS,
    st.sampled_from([BUFFERED, DURABLE, DENIED]),
)
def test_a_decision_that_is_spelled_in_parts_is_spelled_as_a_whole(
    sequence: int, at: int, caller: VerifiedCaller, act: CallSummary, decision: Decision
) -> None:
    whole = encode_record(DecisionRecord(sequence, at, "0" * 32, caller, act, decision))
    spelled = EncodingCache()
    for _ in range(2):
        parts = encode_decision(
            sequence, at, "0" * 32, spelled(caller), act, spelled(decision)
        )
        assert parts == whole


def test_what_is_spelled_once_is_not_taken_for_another_in_its_place() -> None:
    spelled = EncodingCache()
    for number in range(3 * MAX_CACHED):
        caller = replace(CALLER, run=str(number))  # often where the last one was
        assert bytes(spelled(caller)) == encode_record(caller)


def test_what_is_cached_has_a_bound_in_bytes() -> None:
    most = 64 << 10
    encode = EncodingCache(most)
    for number in range(100):
        caller = replace(CALLER, run=f"{number:04}" * 1_000)
        assert bytes(encode(caller)) == encode_record(caller)
        assert 0 < encode.size <= most
    encode = EncodingCache(most_bytes=100)
    assert bytes(encode(CALLER)) == encode_record(CALLER)
    assert encode.size == 0  # too large to be kept
