"""Whatever comes in is read in one way or refused, and nothing falls over."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as checked
from hypothesis import strategies as st

from answerable.model.errors import AnswerableError
from answerable.pdp.wire.batch_request import (
    parse_batch,
    parse_evaluations_semantic,
    parse_page_request,
)
from answerable.pdp.wire.evaluation_request import parse_body, parse_evaluation
from answerable.pdp.wire.problem_documents import MalformedRequest, ProblemResponse
from answerable.pdp.wire.tool_mapping import MappingRejected, parse_mapping
from tests.pdp.decision_point_harness import ALLOWED, EVALUATIONS, DecisionPointHarness
from tests.pdp.test_mapped_calls import BOTH, ONE

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=12,
)
FEW = checked(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
READ: Any = json.dumps(ALLOWED).encode()


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    if isinstance(value, dict):
        return [at, *(each for k, v in value.items() for each in places(v, (*at, k)))]
    if isinstance(value, list):
        return [at, *(e for k, v in enumerate(value) for e in places(v, (*at, k)))]
    return [at]


def put(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    """The document with something else at a place."""
    if not at:
        return new
    copied = value.copy()
    copied[at[0]] = put(value[at[0]], at[1:], new)
    return copied


def refusal(read: Callable[[Any], Any], said: Any) -> AnswerableError | None:
    """Read something; what was refused, None where it was taken."""
    try:
        read(said)
    except (ProblemResponse, MappingRejected) as refused:
        return refused
    return None


@FEW
@given(st.binary(max_size=60) | st.binary(max_size=9).map(lambda b: READ[:-9] + b))
def test_any_bytes_are_a_body_or_a_bad_request(data: bytes) -> None:
    refused = refusal(parse_body, data)
    assert refused is None or isinstance(refused, MalformedRequest)


@FEW
@given(st.dictionaries(st.sampled_from([*ALLOWED, "page", "evaluations"]), JSON))
def test_any_object_is_a_question_or_a_bad_request(said: dict[str, Any]) -> None:
    pages = partial(parse_page_request, search_kind="subject")
    for read in (parse_evaluation, parse_batch, parse_evaluations_semantic, pages):
        refused = refusal(read, said)
        assert refused is None or isinstance(refused, MalformedRequest)


@FEW
@given(st.data(), JSON)
def test_a_question_with_anything_in_any_place_is_answered(
    point: DecisionPointHarness, data: st.DataObject, new: Any
) -> None:
    whole = {"evaluations": [ALLOWED, {}], **ALLOWED}
    at = data.draw(st.sampled_from(places(whole)))
    told = point.ask(EVALUATIONS, put(whole, at, new))
    assert told.status in (200, 400), told.body


@FEW
@given(st.data(), st.sampled_from([ONE, BOTH]), JSON | st.text("$.?params[]\"' token"))
def test_a_mapping_with_anything_in_any_place_is_read_or_refused(
    data: st.DataObject, whole: Any, new: Any
) -> None:
    at = data.draw(st.sampled_from(places(whole)))
    refused = refusal(parse_mapping, json.dumps(put(whole, at, new)))
    assert refused is None or isinstance(refused, MappingRejected)


def test_a_key_that_others_take_for_a_known_one_is_refused(
    point: DecisionPointHarness,
) -> None:
    """A proxy that is not sensitive to case would have read the other subject."""
    other = {"type": "identity", "id": "ben"}
    subject = ALLOWED["subject"]
    spelled: list[dict[str, Any]] = [
        *({key: other} for key in ("Subject", "SUBJECT", "subject\0", "\u017fubject")),
        *({key: other} for key in ("Action", "Resource", "Context", "resource\u200b")),
        {"subject": subject | {"Id": "ben"}},
        {"subject": subject | {"properties": {"Token": "x"}}},
        {"action": {"name": "tools/call", "properties": {"Arguments": {}}}},
        {"context": {"Agent": "x"}},
    ]
    for each in spelled:
        assert point.ask(said=ALLOWED | each).status == 400, each
        assert point.ask(EVALUATIONS, {"evaluations": [ALLOWED | each]}).status == 400
    assert point.ask(said=ALLOWED | {"subjects": other}).decision
