"""What can be told of an event beside a gateway's calls; held against the slow twin."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.lineage.gateway_mediation import (
    CLOCK_SKEW,
    MAX_UNENDED,
    GatewayCall,
    GatewayRecords,
    MediationJudge,
    MediationVerdict,
    PlatformEvent,
    count_gateway_calls_without_event,
    parse_gateway_call,
)
from tests.reference.lineage.mediation import count_without_act, verdict_of

ROOT, SUB, OTHER = "agent:declared/root", "agent:declared/sub", "agent:declared/other"
SECOND = 10**9
AT = 10_000 * SECOND
DB, WEB = "tool:mcp/db/query", "tool:mcp/web/fetch"

# Every bound is met from both sides: moments are sums of the bounds, give or take one.
moments = st.builds(
    lambda clocks, unended, less: (
        AT + clocks * CLOCK_SKEW + unended * MAX_UNENDED + less
    ),
    st.integers(-3, 3),
    st.integers(-2, 2),
    st.integers(-1, 1),
)
lines = st.lists(st.sampled_from([ROOT, SUB, OTHER]), min_size=1, max_size=3).map(tuple)
calls = st.builds(
    lambda agents, tool, a, b, c: GatewayCall(agents, tool, *sorted((a, b, c))),
    lines,
    st.sampled_from([DB, WEB, "tool:mcp/db/*"]),
    moments,
    moments,
    moments,
)
acts = st.builds(
    PlatformEvent,
    st.one_of(st.just(()), lines),
    st.sampled_from(["", "", "tool:mcp/db/*", "tool:mcp/web/*", "tool:mcp/a/db/*"]),
    moments,
)
intervals = st.tuples(moments, moments).map(lambda pair: tuple(sorted(pair)))
several = st.lists(intervals, max_size=3).map(tuple)
records = st.builds(
    GatewayRecords, st.frozensets(st.sampled_from([ROOT, SUB, OTHER])), several, several
)


@settings(max_examples=200)
@given(acts, st.lists(calls, max_size=6), records)
def test_the_judge_equals_the_slow_version(act, some, known) -> None:
    assert MediationJudge(some, known).may_gateway_call_have_caused(act) is verdict_of(
        act, some, known
    )


@settings(max_examples=150)
@given(st.lists(acts.filter(lambda a: a.agents), max_size=6), st.lists(calls))
def test_calls_without_an_act_are_counted_as_slowly(some_acts, some_calls) -> None:
    fast = count_gateway_calls_without_event(some_calls, some_acts)
    assert fast == count_without_act(some_calls, some_acts)


@settings(max_examples=150)
@given(acts, st.lists(calls, max_size=4), calls, records)
def test_one_more_call_never_makes_use_unmediated_that_was_not(
    act, some, late, known
) -> None:
    """A late record improves the answer: unmediated use can only become less."""
    unmediated = {MediationVerdict.NO_CALL, MediationVerdict.OTHER_TOOL}
    before, after = (
        MediationJudge(each, known).may_gateway_call_have_caused(act) in unmediated
        for each in (some, [*some, late])
    )
    assert before or not after


@settings(max_examples=150)
@given(acts, st.lists(calls, max_size=4), records, intervals)
def test_a_gap_in_the_records_never_makes_an_accusation(act, some, known, gap) -> None:
    torn = GatewayRecords(known.covered, known.spans, (*known.gaps, gap))
    before, after = (
        MediationJudge(some, each).may_gateway_call_have_caused(act)
        for each in (known, torn)
    )
    assert after in (before, MediationVerdict.RECORDS_MISSING)


def judged(
    at: int, *some: GatewayCall, agents=(ROOT,), tool: str = ""
) -> MediationVerdict:
    known = GatewayRecords(
        frozenset({ROOT}), ((AT - MAX_UNENDED, AT + 3 * MAX_UNENDED),)
    )
    return MediationJudge(some, known).may_gateway_call_have_caused(
        PlatformEvent(agents, tool, at)
    )


def call(
    start: int, end: int, agents=(ROOT,), tool: str = DB, more: int = 0
) -> GatewayCall:
    return GatewayCall(agents, tool, start, end, end + more)


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        (AT - CLOCK_SKEW - 1, MediationVerdict.NO_CALL),
        (AT - CLOCK_SKEW, MediationVerdict.MEDIATED),
        (AT + 60 * SECOND, MediationVerdict.MEDIATED),
        (AT + 60 * SECOND + CLOCK_SKEW, MediationVerdict.MEDIATED),
        (AT + 60 * SECOND + CLOCK_SKEW + 1, MediationVerdict.NO_CALL),
    ],
)
def test_a_call_is_open_from_decision_to_end_give_or_take_the_clocks(
    at, verdict
) -> None:
    assert judged(at, call(AT, AT + 60 * SECOND)) is verdict


def test_a_call_of_unknown_end_neither_mediates_nor_accuses() -> None:
    one = call(AT, AT, more=MAX_UNENDED)
    assert judged(AT, one) is MediationVerdict.MEDIATED
    assert judged(AT + MAX_UNENDED, one) is MediationVerdict.END_UNKNOWN
    assert judged(AT + MAX_UNENDED + CLOCK_SKEW + 1, one) is MediationVerdict.NO_CALL


def test_whoever_acts_for_the_agent_or_it_for_them_may_have_led_to_it() -> None:
    assert judged(AT, call(AT, AT, (ROOT, SUB))) is MediationVerdict.MEDIATED
    assert judged(AT, call(AT, AT), agents=(ROOT, SUB)) is MediationVerdict.MEDIATED
    siblings = call(AT, AT, (ROOT, OTHER))
    assert judged(AT, siblings, agents=(ROOT, SUB)) is MediationVerdict.NO_CALL
    assert judged(AT, call(AT, AT, (OTHER,))) is MediationVerdict.NO_CALL


def test_where_the_tool_is_known_calls_of_others_do_not_count_and_are_said() -> None:
    one = call(AT, AT, tool=WEB)
    assert judged(AT, one, tool="tool:mcp/db/*") is MediationVerdict.OTHER_TOOL
    assert judged(AT, one, tool="tool:mcp/web/*") is MediationVerdict.MEDIATED
    assert judged(AT, one) is MediationVerdict.MEDIATED


ENDED = {"agents": (ROOT,), "tool": DB, "action": "mcp:tools/call", "at": AT}


def made(
    ended: str, milliseconds: str = "1500", task: str = "", **more
) -> GatewayCall | None:
    told = ENDED | {"ended": ended, "milliseconds": milliseconds, "task": task} | more
    return parse_gateway_call(**told)


def test_a_call_lasts_as_long_as_the_gateway_saw() -> None:
    found = made("completed")
    assert found is not None
    # Milliseconds are rounded down.
    assert found.end == found.latest_end == AT + 1_501 * 10**6


@pytest.mark.parametrize(
    ("ended", "milliseconds", "task"),
    [
        ("unknown", "1500", ""),
        ("upstream-error", "1500", ""),
        ("never recorded", "", ""),
        ("completed", "1500", "task-1"),
        ("completed", "", ""),
    ],
)
def test_the_end_is_unknown_where_the_server_may_go_on(ended, milliseconds, task):
    found = made(ended, milliseconds, task)
    assert found is not None
    assert found.latest_end == found.end + MAX_UNENDED


@pytest.mark.parametrize("ended", ["", "withheld"])
def test_what_never_went_on_is_no_call(ended) -> None:
    assert made(ended) is None


@pytest.mark.parametrize("action", ["mcp:subscriptions/listen", "mcp:request"])
def test_a_stream_hides_nothing(action) -> None:
    """Else an agent would open one in the morning and act past the gateway all day."""
    assert made("completed", "36000000", action=action) is None
