"""Searches (AuthZEN 1.0, 8): every result is what an evaluation would allow."""

from pathlib import Path
from typing import Any

import pytest

from tests.pdp.decision_point_harness import (
    ACTIONS,
    ALLOWED,
    EVALUATION,
    OF_ACTIONS,
    OF_RESOURCES,
    OF_SUBJECTS,
    RESOURCES,
    SUBJECTS,
    WRITE,
    DecisionPointHarness,
    deciding,
    settings,
)

ASKED = [(SUBJECTS, OF_SUBJECTS), (RESOURCES, OF_RESOURCES), (ACTIONS, OF_ACTIONS)]


def results(
    point: DecisionPointHarness, path: str, said: dict[str, Any]
) -> list[dict[str, Any]]:
    told = point.ask(path, said)
    assert told.status == 200, told.body
    return told.said["results"]  # type: ignore[no-any-return]


def test_subjects_are_those_who_may(point: DecisionPointHarness) -> None:
    found = results(point, SUBJECTS, OF_SUBJECTS)
    assert [(each["type"], each["id"]) for each in found] == [
        ("identity", "ana"),
        ("identity", "ben"),
    ]
    agents = results(point, SUBJECTS, OF_SUBJECTS | {"subject": {"type": "agent"}})
    assert [each["id"] for each in agents] == [
        "agent:declared/ana",
        "agent:declared/ben",
    ]
    assert results(point, SUBJECTS, OF_SUBJECTS | {"resource": WRITE}) == []


def test_resources_are_what_it_may_use(point: DecisionPointHarness) -> None:
    assert results(point, RESOURCES, OF_RESOURCES) == [
        {"type": "tool", "id": f"tool:mcp/files/{name}"}
        for name in ("read", "slow", "stream")
    ]
    listed = OF_RESOURCES | {
        "action": {"name": "tools/list"},
        "resource": {"type": "mcp_server"},
    }
    assert results(point, RESOURCES, listed) == [
        {"type": "mcp_server", "id": "server:mcp/files"}
    ]


def test_actions_are_what_it_may_do(point: DecisionPointHarness) -> None:
    assert results(point, ACTIONS, OF_ACTIONS) == [{"name": "tools/call"}]
    whole = OF_ACTIONS | {"resource": {"type": "mcp_server", "id": "files"}}
    names = [each["name"] for each in results(point, ACTIONS, whole)]
    assert {"tools/list", "server/discover", "initialize", "ping"} <= set(names)
    assert "sampling/createMessage" not in names
    assert names == sorted(names)


def test_every_result_is_allowed_when_it_is_evaluated(
    point: DecisionPointHarness,
) -> None:
    for path, said in ASKED:
        key = path.rpartition("/")[2]
        for entity in results(point, path, said):
            assert point.ask(EVALUATION, ALLOWED | said | {key: entity}).decision, (
                entity
            )


def test_the_id_of_what_is_searched_is_ignored(point: DecisionPointHarness) -> None:
    subject = {"type": "identity", "id": "nobody"}
    assert results(point, SUBJECTS, OF_SUBJECTS | {"subject": subject})
    resource = {"type": "tool", "id": 5}
    assert results(point, RESOURCES, OF_RESOURCES | {"resource": resource})


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (SUBJECTS, OF_SUBJECTS | {"subject": {"type": "spaceship"}}),
        (SUBJECTS, OF_SUBJECTS | {"action": {"name": "nothing"}}),
        (RESOURCES, OF_RESOURCES | {"resource": {"type": "spaceship"}}),
        (RESOURCES, OF_RESOURCES | {"subject": {"type": "agent", "id": "nobody"}}),
        (ACTIONS, OF_ACTIONS | {"subject": {"type": "identity", "id": "nobody"}}),
        (ACTIONS, OF_ACTIONS | {"resource": {"type": "spaceship", "id": "x"}}),
    ],
)
def test_where_nothing_is_found_the_list_is_empty(
    point: DecisionPointHarness, path: str, said: dict[str, Any]
) -> None:
    assert results(point, path, said) == []


@pytest.mark.parametrize(
    ("path", "said", "key"),
    [
        (path, said, key)
        for path, said in ASKED
        for key in said  # each of them is required
    ],
)
def test_a_missing_entity_is_a_bad_request(
    point: DecisionPointHarness, path: str, said: dict[str, Any], key: str
) -> None:
    left = {name: value for name, value in said.items() if name != key}
    assert point.ask(path, left).status == 400


@pytest.mark.parametrize(
    ("path", "said", "key", "entity"),
    [
        (SUBJECTS, OF_SUBJECTS, "resource", {"type": "tool"}),
        (SUBJECTS, OF_SUBJECTS, "subject", {}),
        (RESOURCES, OF_RESOURCES, "subject", {"type": "identity"}),
        (RESOURCES, OF_RESOURCES, "resource", {}),
        (ACTIONS, OF_ACTIONS, "subject", {"type": "identity"}),
        (ACTIONS, OF_ACTIONS, "resource", {"type": "tool"}),
    ],
)
def test_a_missing_key_of_an_entity_is_a_bad_request(
    point: DecisionPointHarness,
    path: str,
    said: dict[str, Any],
    key: str,
    entity: dict[str, Any],
) -> None:
    assert point.ask(path, said | {key: entity}).status == 400


@pytest.mark.parametrize(("path", "said"), ASKED)
def test_context_may_be_there(
    point: DecisionPointHarness, path: str, said: dict[str, Any]
) -> None:
    context = {"time": "1985-10-26T01:22-07:00"}
    assert results(point, path, said | {"context": context}) == results(
        point, path, said
    )


@pytest.mark.parametrize(("path", "said"), ASKED)
def test_a_page_comes_first_in_the_answer(
    point: DecisionPointHarness, path: str, said: dict[str, Any]
) -> None:
    told = point.ask(path, said).said
    assert next(iter(told)) == "page"
    assert told["page"]["next_token"] == ""
    assert told["page"]["count"] == told["page"]["total"] == len(told["results"])


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_together_are_the_whole_and_the_last_has_no_token(
    point: DecisionPointHarness, limit: int
) -> None:
    whole = results(point, RESOURCES, OF_RESOURCES)
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {"limit": limit}
    for _ in range(10):
        told = point.ask(RESOURCES, OF_RESOURCES | {"page": page}).said
        assert len(told["results"]) == told["page"]["count"] <= limit
        assert told["page"]["total"] == len(whole)
        found += told["results"]
        page = {"limit": limit, "token": told["page"]["next_token"]}
        if not page["token"]:
            break
    assert found == whole


def test_a_page_of_nothing_leads_on_to_the_first(point: DecisionPointHarness) -> None:
    told = point.ask(RESOURCES, OF_RESOURCES | {"page": {"limit": 0}}).said
    assert told["results"] == []
    assert told["page"]["next_token"]


def test_the_limit_need_not_be_said_again(point: DecisionPointHarness) -> None:
    said = OF_RESOURCES | {"page": {"limit": 2}}
    token = point.ask(RESOURCES, said).said["page"]["next_token"]
    told = point.ask(RESOURCES, OF_RESOURCES | {"page": {"token": token}}).said
    assert [each["id"] for each in told["results"]] == ["tool:mcp/files/stream"]


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": {"type": "identity", "id": "ben"}},
        {"action": {"name": "tools/list"}},
        {"resource": {"type": "prompt"}},
        {"context": {"agent": "ana"}},
        {"page": {"limit": 1}},
        {"page": {"properties": {"sort": "id"}}},
    ],
)
def test_a_search_that_changed_between_pages_is_a_bad_request(
    point: DecisionPointHarness, changed: dict[str, Any]
) -> None:
    said = OF_RESOURCES | {"page": {"limit": 2}}
    token = point.ask(RESOURCES, said).said["page"]["next_token"]
    page = {"limit": 2} | changed.get("page", {}) | {"token": token}
    assert point.ask(RESOURCES, said | changed | {"page": page}).status == 400


@pytest.mark.parametrize("token", ["x", "AAAA", "é", "A" * 200])
def test_a_token_of_nobody_is_a_bad_request(
    point: DecisionPointHarness, token: str
) -> None:
    assert point.ask(RESOURCES, OF_RESOURCES | {"page": {"token": token}}).status == 400


def test_a_token_of_another_search_is_a_bad_request(
    point: DecisionPointHarness,
) -> None:
    said = OF_SUBJECTS | {"page": {"limit": 1}}
    token = point.ask(SUBJECTS, said).said["page"]["next_token"]
    assert point.ask(RESOURCES, OF_RESOURCES | {"page": {"token": token}}).status == 400


@pytest.mark.parametrize(
    "page", [[], {"limit": -1}, {"limit": "1"}, {"limit": True}, {"token": 5}]
)
def test_a_page_of_another_form_is_a_bad_request(
    point: DecisionPointHarness, page: Any
) -> None:
    assert point.ask(RESOURCES, OF_RESOURCES | {"page": page}).status == 400


def test_names_that_a_pattern_alone_takes_are_said_to_be_missing(
    point: DecisionPointHarness, tmp_path: Path
) -> None:
    assert point.ask(RESOURCES, OF_RESOURCES).said["context"] == {"complete": True}
    said = settings()
    said["agents"]["ana"]["allow"].append({"server": "files", "tools": ["get_*"]})
    with deciding(tmp_path, said) as other:
        told = other.ask(RESOURCES, OF_RESOURCES).said
        assert told["context"] == {"complete": False}
        assert len(told["results"]) == 3


def test_a_search_leaves_no_decision(point: DecisionPointHarness) -> None:
    before = len(point.decided())
    for path, said in ASKED:
        results(point, path, said)
    assert len(point.decided()) == before
