"""The HTTPS JSON binding (AuthZEN 1.0, 10 and 11): heads, bodies, errors, metadata."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.pdp.wire.evaluation_request import MAX_BODY, MAX_DEPTH
from tests.pdp.decision_point_harness import (
    ALLOWED,
    ASKED,
    EVALUATION,
    HOST,
    POSTED,
    URL,
    DecisionPointHarness,
    deciding,
    settings,
)

ABOUT = "/.well-known/authzen-configuration"


@pytest.mark.parametrize("path", POSTED)
def test_an_answer_is_a_json_object(point: DecisionPointHarness, path: str) -> None:
    told = point.ask(path, ASKED[path])
    assert told.status == 200
    assert told.fields["content-type"] == "application/json"
    assert told.fields["cache-control"] == "no-store"
    assert isinstance(told.said, dict)


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize("id", ["bfe9eb29-ab87-4ca3", "a b; c=\xe9"])
def test_an_answer_carries_the_identifier_of_its_request(
    point: DecisionPointHarness, path: str, id: str
) -> None:
    for said in (ASKED[path], {}, b"not json"):
        assert point.ask(path, said, x_request_id=id).fields["x-request-id"] == id
    assert point.ask(path, {}, who="", x_request_id=id).fields["x-request-id"] == id


@pytest.mark.parametrize("path", POSTED)
def test_a_request_needs_no_identifier(point: DecisionPointHarness, path: str) -> None:
    told = point.ask(path, ASKED[path])
    assert told.status == 200
    assert "x-request-id" not in told.fields


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "", None])
def test_another_content_type_is_a_bad_request(
    point: DecisionPointHarness, path: str, kind: str | None
) -> None:
    told = point.ask(path, ASKED[path], content_type=kind)
    assert told.status == 400


def test_a_content_type_may_have_parameters(point: DecisionPointHarness) -> None:
    kind = "Application/JSON; charset=utf-8"
    assert point.ask(EVALUATION, ALLOWED, content_type=kind).decision


def test_an_encoded_body_is_a_bad_request(point: DecisionPointHarness) -> None:
    assert point.ask(EVALUATION, ALLOWED, content_encoding="gzip").status == 400


BAD = {
    "empty": b"",
    "cut": b'{"subject": ',
    "list": b"[]",
    "text": b'"text"',
    "number": b"5",
    "null": b"null",
    "not-utf-8": b'{"a": "\xff"}',
    "surrogate": b'{"a": "\\ud800"}',
    "nan": b'{"a": NaN}',
    "infinite": b'{"a": 1e999}',
    "huge": b'{"a": ' + b"9" * 400 + b"}",
    "long": b'{"a": ' + b"1" * 5000 + b"}",
    "deep": b'{"a": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
    "deeper": b"[" * 100_000,
    "twice": b'{"subject": {"type": "x", "id": "y"}, "subject": {}}',
    "twice-within": b'{"a": [{"b": 1, "\\u0062": 2}]}',
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("path", [EVALUATION, POSTED[1], POSTED[2]])
def test_a_body_that_cannot_be_read_in_one_way_is_a_bad_request(
    point: DecisionPointHarness, path: str, body: bytes
) -> None:
    told = point.ask(path, body)
    assert told.status == 400
    assert told.fields["content-type"] == "application/problem+json"
    assert told.said["title"] == "Bad Request"
    assert isinstance(told.said["detail"], str)


def test_the_order_of_members_means_nothing(point: DecisionPointHarness) -> None:
    turned = {key: ALLOWED[key] for key in reversed(ALLOWED)}
    assert point.ask(EVALUATION, turned).decision


def test_too_large_a_body_is_refused(point: DecisionPointHarness) -> None:
    body = json.dumps(ALLOWED | {"a": "x" * MAX_BODY}).encode()
    assert point.ask(EVALUATION, body).status == 413


def test_an_error_repeats_nothing_of_the_request(point: DecisionPointHarness) -> None:
    told = point.ask(EVALUATION, ALLOWED | {"subject": {"type": "s3cret", "id": 5}})
    assert told.status == 400
    assert b"s3cret" not in told.body


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/access/v1/nothing", "POST", 404),
        ("/", "GET", 404),
        (EVALUATION, "GET", 405),
        (EVALUATION, "PUT", 405),
        (ABOUT, "POST", 405),
    ],
)
def test_what_is_not_served_is_said_so(
    point: DecisionPointHarness, path: str, method: str, status: int
) -> None:
    told = point.ask(path, ALLOWED, method=method)
    assert told.status == status
    assert told.fields["content-type"] == "application/problem+json"
    if status == 405:
        assert told.fields["allow"]


def test_another_host_and_a_page_from_elsewhere_are_refused(
    point: DecisionPointHarness,
) -> None:
    assert point.ask(EVALUATION, ALLOWED, host="evil.example").status == 421
    assert point.ask(ABOUT, method="GET", host="evil.example").status == 421
    assert point.ask(EVALUATION, ALLOWED, origin="https://evil.example").status == 403


def test_metadata_names_every_endpoint(point: DecisionPointHarness) -> None:
    told = point.ask(ABOUT, method="GET", who="")
    assert told.status == 200
    assert told.fields["content-type"] == "application/json"
    assert told.said == {
        "policy_decision_point": URL,
        "access_evaluation_endpoint": f"{URL}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{URL}/access/v1/evaluations",
        "search_subject_endpoint": f"{URL}/access/v1/search/subject",
        "search_resource_endpoint": f"{URL}/access/v1/search/resource",
        "search_action_endpoint": f"{URL}/access/v1/search/action",
    }
    for name, where in told.said.items():
        if name != "policy_decision_point":
            path = where.removeprefix(f"https://{HOST}")
            assert point.ask(path, ASKED[path]).status == 200


def test_a_failure_in_here_is_an_error_and_no_yes(
    point: DecisionPointHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("s3cret")

    monkeypatch.setattr(type(point.house._evaluating.subjects), "resolve", fail)
    told = point.ask(EVALUATION, ALLOWED)
    assert told.status == 500
    assert b"s3cret" not in told.body


def test_health_readiness_and_numbers_are_there(point: DecisionPointHarness) -> None:
    assert point.ask("/healthz", method="GET", who="").body == b"ok\n"
    assert point.ask("/readyz", method="GET", who="").said["ready"] is True
    point.ask(EVALUATION, ALLOWED)
    numbers = point.ask("/metrics", method="GET", who="").body.decode()
    assert 'answerable_pdp_evaluations_total{effect="allow",passes="true"}' in numbers


def test_one_that_could_not_read_its_policy_denies_and_is_not_ready(
    tmp_path: Path,
) -> None:
    said = settings()
    said["agents"]["ana"]["mode"] = "wrong"
    with deciding(tmp_path, said) as point:
        told = point.ask(EVALUATION, ALLOWED)
        assert told.said["decision"] is False
        assert told.said["context"]["decision"] == "error"
        assert point.ask("/readyz", method="GET", who="").status == 503
