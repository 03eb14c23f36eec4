"""Nothing that a question says beside what enters a decision makes it looser.

Keys that enter are those of `pdp/wire/evaluation_request.py`; of these, `context.agent` alone is
said beside who, what and to what, and it can only refuse. All others are varied here,
added and taken away, with words that a policy could have been made to look for.
"""

from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as checked
from hypothesis import strategies as st

from tests.pdp.decision_point_harness import (
    ALLOWED,
    ANA,
    CALL,
    DENIED,
    EVALUATION,
    READ,
    DecisionPointHarness,
)

WORDS = st.sampled_from(
    [
        *("role", "admin", "owner", "person", "run", "known", "mode", "observe"),
        *("reason", "intent", "justification", "goal", "allow", "decision", "mapping"),
        *("principal", "identity", "chain", "act", "sub", "scope", "client_id"),
        *("amendment", "break_glass", "emergency", "ip_address", "time", "tool"),
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | WORDS
    | st.just("agent:declared/ana"),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2)
    ),
    max_leaves=4,
)
BESIDE = st.dictionaries(WORDS, VALUES, max_size=4)
BASES = st.sampled_from(
    [
        ALLOWED,
        DENIED,
        ALLOWED | {"subject": {"type": "agent", "id": "nobody"}},
        ALLOWED | {"subject": {"type": "identity", "id": "nobody"}},
        ALLOWED | {"resource": {"type": "doc", "id": "1"}},
    ]
)
FEW = checked(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def varied(base: dict[str, Any], said: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Put words wherever a question has room for them."""
    asked = {key: dict(value) for key, value in base.items()}
    for entity in ("subject", "action", "resource"):
        asked[entity] |= said[f"{entity}.members"]
        asked[entity]["properties"] = said[f"{entity}.properties"]
        for key in ("type", "id", "name"):
            if key in base[entity]:
                asked[entity][key] = base[entity][key]
    return said["members"] | asked | {"context": said["context"]}


PLACES = (
    "members",
    "context",
    *(
        f"{entity}.{where}"
        for entity in ("subject", "action", "resource")
        for where in ("members", "properties")
    ),
)


@FEW
@given(base=BASES, said=st.fixed_dictionaries(dict.fromkeys(PLACES, BESIDE)))
def test_words_beside_the_question_change_nothing(
    point: DecisionPointHarness, base: dict[str, Any], said: dict[str, dict[str, Any]]
) -> None:
    plain = point.ask(EVALUATION, base).decision
    assert point.ask(EVALUATION, varied(base, said)).decision is plain


@FEW
@given(base=BASES, agent=st.sampled_from(["ana", "ben", "agent:declared/ana"]) | VALUES)
def test_an_agent_in_the_context_makes_no_answer_looser(
    point: DecisionPointHarness, base: dict[str, Any], agent: Any
) -> None:
    plain = point.ask(EVALUATION, base).decision
    told = point.ask(EVALUATION, base | {"context": {"agent": agent}}).decision
    assert told <= plain


@FEW
@given(
    name=st.sampled_from(["user-agent", "x-forwarded-for", "baggage", "traceparent"]),
    value=WORDS,
)
def test_fields_of_the_request_change_nothing(
    point: DecisionPointHarness, name: str, value: str
) -> None:
    asked = {"subject": ANA, "action": CALL, "resource": READ}
    told = point.ask(EVALUATION, asked, **{name.replace("-", "_"): value})
    assert told.decision
    assert not point.ask(EVALUATION, DENIED, **{name.replace("-", "_"): value}).decision
