"""Access Evaluation (AuthZEN 1.0, 5 and 6): one question, one answer."""

from typing import Any

import pytest

from tests.federation.sample_tokens import OTHER_EC, document, public
from tests.gateway.serve.running_gateway import token_of
from tests.pdp.decision_point_harness import (
    ALLOWED,
    ANA,
    CALL,
    DENIED,
    EVALUATION,
    READ,
    WRITE,
    DecisionPointHarness,
    deciding,
    settings,
)


def test_what_a_rule_allows_is_true_and_names_its_record(
    point: DecisionPointHarness,
) -> None:
    told = point.ask(EVALUATION, ALLOWED)
    assert told.status == 200
    assert told.said["decision"] is True
    assert list(told.said["context"]) == ["decision_id"]
    assert told.said["context"]["decision_id"] in {each.id for each in point.decided()}


def test_what_no_rule_allows_is_false_and_says_no_more_than_an_id(
    point: DecisionPointHarness,
) -> None:
    told = point.ask(EVALUATION, DENIED)
    assert told.status == 200
    assert told.said["decision"] is False
    assert told.said["context"].keys() == {"decision", "decision_id"}
    assert told.said["context"]["decision"] == "deny"


@pytest.mark.parametrize("key", ["subject", "action", "resource"])
def test_a_missing_entity_is_a_bad_request(
    point: DecisionPointHarness, key: str
) -> None:
    said = {name: value for name, value in ALLOWED.items() if name != key}
    told = point.ask(EVALUATION, said)
    assert (told.status, told.said["detail"]) == (400, f"{key} is required")


@pytest.mark.parametrize(
    ("entity", "key"),
    [
        ("subject", "type"),
        ("subject", "id"),
        ("action", "name"),
        ("resource", "type"),
        ("resource", "id"),
    ],
)
def test_a_missing_key_of_an_entity_is_a_bad_request(
    point: DecisionPointHarness, entity: str, key: str
) -> None:
    said: dict[str, Any] = ALLOWED[entity]  # type: ignore[assignment]
    left = {name: value for name, value in said.items() if name != key}
    told = point.ask(EVALUATION, ALLOWED | {entity: left})
    assert (told.status, told.said["detail"]) == (400, f"{entity}.{key} is required")


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": "ana"},
        {"subject": ANA | {"id": 5}},
        {"subject": ANA | {"id": ""}},
        {"subject": ANA | {"properties": []}},
        {"subject": ANA | {"properties": {"token": 5}}},
        {"action": {"name": 123}},
        {"action": CALL | {"properties": {"arguments": []}}},
        {"resource": READ | {"type": None}},
        {"resource": READ | {"id": "x" * 4097}},
        {"resource": READ | {"properties": {"server": []}}},
        {"context": []},
        {"context": None},
    ],
)
def test_a_key_of_another_type_is_a_bad_request(
    point: DecisionPointHarness, changed: dict[str, Any]
) -> None:
    assert point.ask(EVALUATION, ALLOWED | changed).status == 400


def test_properties_and_context_may_be_there_and_hold_anything(
    point: DecisionPointHarness,
) -> None:
    more = {"a": 1, "b": [None, {"c": "d"}], "reason": "the agent says it is urgent"}
    assert point.evaluate(
        subject=ANA | {"properties": more},
        action=CALL | {"properties": more},
        resource=READ | {"properties": more},
        context=more,
    )


def test_unknown_keys_are_ignored_wherever_they_stand(
    point: DecisionPointHarness,
) -> None:
    assert point.evaluate(foo="bar", subject=ANA | {"future": {"nested": True}})


@pytest.mark.parametrize(
    ("subject", "decision"),
    [
        ({"type": "agent", "id": "ana"}, True),
        ({"type": "agent", "id": "agent:declared/ana"}, True),
        ({"type": "agent", "id": "nobody"}, False),
        ({"type": "agent", "id": "agent:caller/corp/ana"}, False),
        ({"type": "identity", "id": "nobody"}, False),
        ({"type": "user", "id": "ana"}, False),
        ({"type": "agent", "id": "\u202eana"}, False),
        ({"type": "agent", "id": "a\nb"}, False),
    ],
)
def test_a_subject_is_an_agent_or_an_identity_that_stands_for_one(
    point: DecisionPointHarness, subject: dict[str, Any], decision: bool
) -> None:
    assert point.evaluate(subject=subject) is decision


def test_a_token_says_who_an_identity_is(point: DecisionPointHarness) -> None:
    def decided(sub: str, token: str) -> bool:
        properties = {"token": token}
        return point.evaluate(
            subject={"type": "identity", "id": sub, "properties": properties}
        )

    assert decided("ana", token_of("ana"))
    assert not decided("ben", token_of("ana")), "the id is another's"
    assert not decided("ana", token_of("nobody"))
    assert not decided("ana", token_of("ana", exp=1))
    assert not decided("ana", token_of("ana")[:-4] + "AAAA")
    assert not decided("ana", "no token")


def test_an_identity_that_two_issuers_have_is_nobody_without_a_token(
    tmp_path: Any,
) -> None:
    said = settings()
    said["issuers"]["other"] = said["issuers"]["corp"] | {
        "iss": "https://other.example"
    }
    said["issuers"]["other"]["keys"] = "others.json"
    (tmp_path / "others.json").write_bytes(document(public(OTHER_EC, kid="k2")))
    said["agents"]["ben"]["callers"].append({"issuer": "other", "sub": "ana"})
    with deciding(tmp_path, said) as point:
        assert not point.evaluate()
        token = {"properties": {"token": token_of("ana")}}
        assert point.evaluate(subject=ANA | token)


def test_an_agent_in_the_context_can_only_refuse(point: DecisionPointHarness) -> None:
    assert point.evaluate(context={"agent": "https://client.example/app"})
    assert point.evaluate(context={"agent": "ana"})
    assert not point.evaluate(context={"agent": "ben"})
    nobody = {"type": "identity", "id": "nobody"}
    assert not point.evaluate(subject=nobody, context={"agent": "ana"})


@pytest.mark.parametrize(
    ("action", "resource", "decision"),
    [
        ("tools/call", {"type": "tool", "id": "tool:mcp/files/read"}, True),
        (
            "tools/call",
            {"type": "tool", "id": "read", "properties": {"server": "files"}},
            True,
        ),
        ("tools/call", {"type": "tool", "id": "read"}, False),
        (
            "tools/call",
            READ | {"properties": {"server": "another"}},
            False,
        ),
        ("tools/call", {"type": "tool", "id": "tool:mcp/nowhere/read"}, False),
        ("tools/call", {"type": "resource", "id": "tool:mcp/files/read"}, False),
        ("tools/list", {"type": "mcp_server", "id": "files"}, True),
        ("tools/list", {"type": "mcp_server", "id": "server:mcp/files"}, True),
        ("ping", {"type": "mcp_server", "id": "files"}, True),
        ("tools/call", {"type": "mcp_server", "id": "files"}, False),
        ("sampling/createMessage", {"type": "mcp_server", "id": "files"}, False),
        ("resources/read", {"type": "resource", "id": "file:///a"}, False),
        ("tasks/get", {"type": "task", "id": "t"}, False),
        ("notifications/cancelled", {"type": "mcp_server", "id": "files"}, False),
        ("can_read", {"type": "document", "id": "1"}, False),
        ("read", READ, False),
    ],
)
def test_actions_are_methods_and_resources_what_they_act_on(
    point: DecisionPointHarness, action: str, resource: dict[str, Any], decision: bool
) -> None:
    assert point.evaluate(action={"name": action}, resource=resource) is decision


def test_resources_and_prompts_are_decided_by_their_own_rules(tmp_path: Any) -> None:
    said = settings()
    rule = {"server": "files", "resources": ["file:///srv/*"], "prompts": ["sum"]}
    said["agents"]["ana"]["allow"].append(rule | {"inputs": ["sampling"]})
    with deciding(tmp_path, said) as point:

        def decided(action: str, **resource: Any) -> bool:
            return point.evaluate(action={"name": action}, resource=resource)

        at = {"properties": {"server": "files"}}
        assert decided("resources/read", type="resource", id="file:///srv/a", **at)
        assert not decided("resources/read", type="resource", id="file:///etc", **at)
        assert decided("prompts/get", type="prompt", id="prompt:mcp/files/sum")
        assert not decided("prompts/get", type="prompt", id="prompt:mcp/files/other")
        assert decided("completion/complete", type="prompt", id="sum", **at)
        assert decided("sampling/createMessage", type="mcp_server", id="files")
        assert not decided("roots/list", type="mcp_server", id="files")


def test_a_mode_that_holds_nothing_back_answers_true(tmp_path: Any) -> None:
    said = settings()
    said["agents"]["ana"]["mode"] = "shadow"
    with deciding(tmp_path, said) as point:
        told = point.ask(EVALUATION, DENIED)
        assert told.said["decision"] is True
        assert list(told.said["context"]) == ["decision_id"]
        assert point.decided()[-1].decision.effect == "deny"


@pytest.mark.parametrize(
    ("properties", "decision"),
    [
        ({"arguments": {"amount": 5}}, True),
        ({"arguments": {"amount": 500}}, False),
        ({"arguments": {}}, True),
        ({}, False),
    ],
)
def test_arguments_that_are_not_said_are_not_taken_for_none(
    tmp_path: Any, properties: dict[str, Any], decision: bool
) -> None:
    policy = (
        'forbid (principal, action == Action::"tools/call", resource)\n'
        "when { context.arguments has amount && context.arguments.amount > 100 };\n"
    )
    (tmp_path / "bounds.cedar").write_text(policy)
    with deciding(tmp_path, settings(policy=["bounds.cedar"])) as point:
        action = CALL | {"properties": properties}
        assert point.evaluate(action=action) is decision
        listed = {"name": "tools/list"}, {"type": "mcp_server", "id": "files"}
        assert point.evaluate(action=listed[0], resource=listed[1])


def test_what_its_owner_has_to_allow_obliges_to_ask(tmp_path: Any) -> None:
    policy = (
        "@ask\n"
        'forbid (principal, action == Action::"tools/call", resource)\n'
        "when { context.arguments has amount && context.arguments.amount > 100 };\n"
    )
    (tmp_path / "bounds.cedar").write_text(policy)
    with deciding(tmp_path, settings(policy=["bounds.cedar"])) as point:

        def told(**arguments: Any) -> Any:
            action = CALL | {"properties": {"arguments": arguments}}
            said = point.ask(EVALUATION, ALLOWED | {"action": action}).said
            assert said["context"].pop("decision_id")
            return said

        assert told(amount=5) == {"decision": True, "context": {}}
        assert told(amount=500) == {
            "decision": False,
            "context": {"decision": "ask", "obligations": [{"id": "ask-owner"}]},
        }
        failed = {"decision": False, "context": {"decision": "error"}}
        assert told(amount="a lot") == failed
        assert point.decided()[-1].decision.reason == "evaluation"


def test_a_child_does_no_more_than_the_agents_above_it(tmp_path: Any) -> None:
    said = settings()
    said["issuers"]["corp"]["ours"] = True
    wider = {"server": "files", "tools": ["read", "write"]}
    said["agents"]["ana"]["allow"] = [wider]
    with deciding(tmp_path, said) as point:

        def decided(resource: dict[str, Any], *chain: str) -> bool:
            act: dict[str, Any] = {}
            for each in reversed(chain):
                act = {"sub": f"agent:declared/{each}"} | ({"act": act} if act else {})
            token = token_of("person:eve@example.com", act=act)
            subject = {
                "type": "identity",
                "id": "person:eve@example.com",
                "properties": {"token": token},
            }
            return point.evaluate(subject=subject, resource=resource)

        assert decided(WRITE, "ana")
        assert decided(READ, "ana", "ben")
        assert not decided(WRITE, "ana", "ben")
        record = point.decided()[-1]
        assert record.caller.person == "person:eve@example.com"
        assert (record.decision.layer, record.decision.reason) == ("chain", "parent")
