"""Access Evaluations (AuthZEN 1.0, 7): several questions in one message."""

from typing import Any

import pytest

from answerable.pdp.wire.batch_request import MAX_EVALUATIONS
from tests.pdp.decision_point_harness import (
    ALLOWED,
    ANA,
    CALL,
    DENIED,
    EVALUATIONS,
    READ,
    WRITE,
    DecisionPointHarness,
)

BEN = {"type": "identity", "id": "ben"}


def decisions(point: DecisionPointHarness, said: dict[str, Any]) -> list[bool]:
    told = point.ask(EVALUATIONS, said)
    assert told.status == 200, told.body
    assert told.said.keys() == {"evaluations"}
    return [each["decision"] for each in told.said["evaluations"]]


@pytest.mark.parametrize("more", [{}, {"evaluations": []}])
def test_without_evaluations_it_is_one_evaluation(
    point: DecisionPointHarness, more: dict[str, Any]
) -> None:
    assert point.ask(EVALUATIONS, ALLOWED | more).said["decision"] is True
    assert point.ask(EVALUATIONS, DENIED | more).said["decision"] is False
    assert point.ask(EVALUATIONS, {"subject": ANA} | more).status == 400


def test_answers_are_as_many_as_questions_and_in_their_order(
    point: DecisionPointHarness,
) -> None:
    each = [ALLOWED, DENIED, ALLOWED, DENIED, DENIED]
    found = decisions(point, {"evaluations": each})
    assert found == [True, False, True, False, False]


def test_keys_of_the_message_are_defaults_and_those_of_an_item_replace_them(
    point: DecisionPointHarness,
) -> None:
    said = {
        "subject": ANA,
        "action": CALL,
        "resource": READ,
        "evaluations": [
            {},
            {"resource": WRITE},
            {"subject": BEN},
            {"subject": {"type": "identity", "id": "nobody"}},
            {"action": {"name": "tools/list"}},
        ],
    }
    assert decisions(point, said) == [True, False, True, False, False]


def test_a_key_replaces_the_default_whole(point: DecisionPointHarness) -> None:
    default = READ | {"properties": {"server": "files"}}
    said = {"resource": default, "evaluations": [{"resource": {"id": "read"}}]}
    told = point.ask(EVALUATIONS, ALLOWED | said)
    assert told.said["evaluations"][0]["decision"] is False
    context = told.said["evaluations"][0]["context"]
    assert context["error"]["message"] == "evaluations[0].resource.type is required"


def test_context_is_a_default_too(point: DecisionPointHarness) -> None:
    said = {"context": {"agent": "ben"}, "evaluations": [{}, {"context": {}}]}
    assert decisions(point, ALLOWED | said) == [False, True]


def test_what_is_missing_fails_one_evaluation_alone(
    point: DecisionPointHarness,
) -> None:
    said = {"subject": ANA, "action": CALL, "evaluations": [{"resource": READ}, {}]}
    told = point.ask(EVALUATIONS, said)
    first, second = told.said["evaluations"]
    assert first["decision"] is True
    assert second["decision"] is False
    assert second["context"]["error"] == {
        "status": 400,
        "message": "evaluations[1].resource is required",
    }


@pytest.mark.parametrize(
    ("semantic", "expected"),
    [
        ("execute_all", [False, True, False, True]),
        ("deny_on_first_deny", [False]),
        ("permit_on_first_permit", [False, True]),
        (None, [False, True, False, True]),
    ],
)
def test_a_semantic_says_after_which_answer_it_ends(
    point: DecisionPointHarness, semantic: str | None, expected: list[bool]
) -> None:
    options = {"evaluations_semantic": semantic} if semantic else {"another": "value"}
    each = [DENIED, ALLOWED, DENIED, ALLOWED]
    assert decisions(point, {"evaluations": each, "options": options}) == expected


def test_an_evaluation_that_fails_is_a_denial_to_the_semantic(
    point: DecisionPointHarness,
) -> None:
    options = {"evaluations_semantic": "deny_on_first_deny"}
    said = {"evaluations": [ALLOWED, {}, ALLOWED], "options": options}
    assert decisions(point, said) == [True, False]


def test_what_is_not_evaluated_any_more_leaves_no_record(
    point: DecisionPointHarness,
) -> None:
    before = len(point.decided())
    options = {"evaluations_semantic": "deny_on_first_deny"}
    decisions(point, {"evaluations": [DENIED, ALLOWED], "options": options})
    assert len(point.decided()) == before + 1


@pytest.mark.parametrize(
    "said",
    [
        {"evaluations": {}},
        {"evaluations": [5]},
        {"evaluations": [{"subject": 5}]},
        {"evaluations": [{"subject": {"id": 5}}]},
        {"evaluations": [{}], "options": []},
        {"evaluations": [{}], "options": {"evaluations_semantic": "sometimes"}},
        {"evaluations": [{}], "options": {"evaluations_semantic": 5}},
        {"evaluations": [{}] * (MAX_EVALUATIONS + 1)},
        {"context": 5, "evaluations": [ALLOWED]},
    ],
)
def test_a_payload_of_another_form_is_a_bad_request(
    point: DecisionPointHarness, said: dict[str, Any]
) -> None:
    assert point.ask(EVALUATIONS, said).status == 400
