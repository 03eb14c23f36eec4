"""COAZ-MCP: questions in the words of a tool's approved mapping, and hostile mappings."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from answerable.authorization.pins.canonical_definitions import (
    build_canonical_definition,
)
from answerable.authorization.pins.pin_comparison import (
    ObservedList,
    apply_approval,
    compare_list_with_pins,
    select_items_for_approval,
)
from answerable.model.definition_pin import (
    DefinitionApproval,
    DefinitionKind,
    PinningMode,
)
from answerable.pdp.wire.tool_mapping import (
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_LEAVES,
    MAX_MAPPING,
    MappingConstant,
    MappingReference,
    MappingRejected,
    parse_mapping,
)
from answerable.server.pins.pin_files import PinFiles
from answerable.server.store_access import create_store
from tests.pdp.decision_point_harness import (
    ALLOWED,
    ANA,
    EVALUATION,
    DecisionPointHarness,
    deciding,
    settings,
)

ONE: dict[str, Any] = {
    "evaluation": {
        "subject": {"type": "identity", "id": "$token.sub"},
        "action": {"name": "get_customer"},
        "resource": {"type": "customer", "id": "$params.arguments.id"},
        "context": {"agent": "$token.?client_id", "case": "$params.arguments.case"},
    }
}
BOTH: dict[str, Any] = {
    "evaluations": {
        "subject": {"type": "identity", "id": "$token.sub"},
        "context": {"agent": "$token.?client_id"},
        "evaluations": [
            {
                "action": {"name": "read"},
                "resource": {"type": "object", "id": "$params.arguments.source"},
            },
            {
                "action": {"name": "write"},
                "resource": {"type": "object", "id": '$params.arguments["target"]'},
            },
        ],
    }
}
ASKED: dict[str, Any] = {
    "subject": ANA,
    "action": {"name": "get_customer"},
    "resource": {"type": "customer", "id": "cust-1"},
}


def pin(
    folder: Path,
    mappings: dict[str, Any],
    server: str = "files",
    *,
    by_a_person: bool = True,
) -> None:
    """Pin tools that declare mappings, as a gateway saw them and a person approved."""
    definitions = tuple(
        build_canonical_definition(
            DefinitionKind.TOOL,
            name,
            json.dumps(
                {"name": name, "inputSchema": {"x-authzen-mapping": mapping}}
            ).encode(),
        )
        for name, mapping in mappings.items()
    )

    def pinned(before: Any) -> Any:
        seen = compare_list_with_pins(
            before,
            ObservedList(DefinitionKind.TOOL, definitions),
            server=server,
            pinning=PinningMode.FIRST_USE,
            now=1,
        )
        word = DefinitionApproval("person:ana", "s" * 64, 9)
        return (
            apply_approval(seen, select_items_for_approval(seen), word)
            if by_a_person
            else seen
        )

    create_store(folder / "store")
    PinFiles(folder / "store/gateway").change_pins(server, pinned)


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[DecisionPointHarness]:
    """A decision point where `read` and `write` map their calls; Ana may `read`."""
    written = json.loads(json.dumps(ONE).replace("get_customer", "put_customer"))
    pin(tmp_path, {"read": ONE, "write": written, "slow": BOTH})
    with deciding(tmp_path) as point:
        yield point


def test_what_an_approved_mapping_leads_to_is_the_call_of_its_tool(
    mapped: DecisionPointHarness,
) -> None:
    assert mapped.ask(EVALUATION, ASKED).decision
    record = mapped.decided()[-1]
    assert (record.act.server, record.act.name) == ("files", "read")
    assert (record.act.method, record.act.target) == ("tools/call", "tool")
    other = ASKED | {"action": {"name": "put_customer"}}
    assert not mapped.ask(EVALUATION, other).decision
    assert mapped.decided()[-1].act.name == "write"
    for action in ("read", "write"):
        asked = {"action": {"name": action}, "resource": {"type": "object", "id": "a"}}
        assert mapped.ask(EVALUATION, ASKED | asked).decision
        assert mapped.decided()[-1].act.name == "slow"


@pytest.mark.parametrize(
    "changed",
    [
        {"action": {"name": "delete_customer"}},
        {"resource": {"type": "account", "id": "cust-1"}},
        {"subject": {"type": "identity", "id": "nobody"}},
    ],
)
def test_other_words_are_in_no_mapping(
    mapped: DecisionPointHarness, changed: dict[str, Any]
) -> None:
    assert not mapped.ask(EVALUATION, ASKED | changed).decision


@pytest.mark.parametrize(
    ("arguments", "context", "decision"),
    [
        ({"id": "cust-1", "case": "c"}, {"case": "c"}, True),
        ({"id": "cust-2", "case": "c"}, {"case": "c"}, False),
        ({"id": "cust-1", "case": "c"}, {"case": "d"}, False),
        ({"id": "cust-1", "case": "c"}, {}, False),
        ({"id": "cust-1"}, {}, True),
        ({"id": "cust-1", "more": 1}, {}, True),
        ({}, {}, False),
    ],
)
def test_arguments_and_what_was_mapped_of_them_have_to_agree(
    mapped: DecisionPointHarness, arguments: Any, context: Any, decision: bool
) -> None:
    action = {"name": "get_customer", "properties": {"arguments": arguments}}
    asked = ASKED | {"action": action, "context": context}
    assert mapped.ask(EVALUATION, asked).decision is decision


def test_a_policy_that_reads_arguments_has_no_answer_without_them(
    tmp_path: Path,
) -> None:
    pin(tmp_path, {"read": ONE})
    policy = (
        'forbid (principal, action == Action::"tools/call", resource)\n'
        "when { context.arguments has secret && context.arguments.secret };\n"
    )
    (tmp_path / "p.cedar").write_text(policy)
    with deciding(tmp_path, settings(policy=["p.cedar"])) as point:
        assert not point.ask(EVALUATION, ASKED).decision

        def whole(**arguments: Any) -> bool:
            action = {"name": "get_customer", "properties": {"arguments": arguments}}
            return point.ask(EVALUATION, ASKED | {"action": action}).decision

        assert whole(id="cust-1")
        assert not whole(id="cust-1", secret=True)


def test_a_mapping_that_nobody_approved_is_not_used(tmp_path: Path) -> None:
    pin(tmp_path, {"read": ONE}, by_a_person=False)
    with deciding(tmp_path) as point:
        assert not point.ask(EVALUATION, ASKED).decision


def test_a_mapping_that_changed_is_not_used_until_it_is_approved(
    tmp_path: Path,
) -> None:
    pin(tmp_path, {"read": ONE})
    with deciding(tmp_path) as point:
        assert point.ask(EVALUATION, ASKED).decision
        other = json.loads(json.dumps(ONE).replace("get_customer", "see_customer"))
        pin(tmp_path, {"read": other}, by_a_person=False)
        point.house.core.pins.refresh()
        for name in ("get_customer", "see_customer"):
            assert not point.ask(
                EVALUATION, ASKED | {"action": {"name": name}}
            ).decision
        assert not point.evaluate(), "the tool itself is in quarantine here, too"
        assert point.decided()[-1].decision.reason == "quarantined"
        pin(tmp_path, {"read": other})
        point.house.core.pins.refresh()
        see = ASKED | {"action": {"name": "see_customer"}}
        assert point.ask(EVALUATION, see).decision
        assert point.evaluate()


def test_words_of_several_tools_mean_all_of_them(tmp_path: Path) -> None:
    """A tool that takes another's words makes no answer looser, and may make it no."""
    pin(tmp_path, {"read": ONE, "write": ONE})
    with deciding(tmp_path) as point:
        assert not point.ask(EVALUATION, ASKED).decision
        assert point.decided()[-1].act.name == "write"


def test_a_mapping_of_a_server_that_may_not_be_asked_about_is_not_used(
    tmp_path: Path,
) -> None:
    said = settings()
    said["servers"]["other"] = said["servers"]["files"]
    said["agents"]["ana"]["allow"].append({"server": "other", "tools": ["read"]})
    pin(tmp_path, {"read": ONE}, "other")
    with deciding(tmp_path, said) as point:
        assert point.ask(EVALUATION, ASKED).decision
        assert not point.ask(EVALUATION, ASKED, who="narrow").decision


@pytest.mark.parametrize(
    ("action", "type"),
    [
        ("tools/call", "tool"),
        ("resources/read", "resource"),
        ("tools/list", "mcp_server"),
    ],
)
def test_a_mapping_to_the_words_of_mcp_is_refused_and_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], action: str, type: str
) -> None:
    """Else a tool that is allowed could answer for one that is not."""
    hostile = {
        "evaluation": {
            "action": {"name": action},
            "resource": {"type": type, "id": "tool:mcp/files/write"},
        }
    }
    pin(tmp_path, {"read": hostile})
    with deciding(tmp_path) as point:
        write = {"type": "tool", "id": "tool:mcp/files/write"}
        assert not point.ask(EVALUATION, ALLOWED | {"resource": write}).decision
        for _ in range(3):
            assert not point.ask(EVALUATION, ASKED).decision
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    refused = [line for line in told if line["event"] == "mapping.refused"]
    assert [(line["subject"], line["why"]) for line in refused] == [
        ("tool:mcp/files/read", "vocabulary")
    ]


def test_a_mapping_is_places_and_constants() -> None:
    [entry] = parse_mapping(json.dumps(ONE))
    assert (entry.action, entry.type) == ("get_customer", "customer")
    assert entry.leaves["resource", "id"] == MappingReference(
        "params", ("arguments", "id")
    )
    assert entry.leaves["context", "agent"] == MappingReference("token", ("client_id",))
    assert entry.leaves["resource", "type"] == MappingConstant('"customer"')
    first, second = parse_mapping(json.dumps(BOTH))
    assert (first.action, second.action) == ("read", "write")
    assert second.leaves["resource", "id"] == MappingReference(
        "params", ("arguments", "target")
    )
    assert second.leaves["subject", "id"] == MappingReference("token", ("sub",))


def one(**changed: Any) -> dict[str, Any]:
    return {"evaluation": ONE["evaluation"] | changed}


def resource(id: Any, **more: Any) -> dict[str, Any]:
    return one(resource={"type": "customer", "id": id} | more)


HOSTILE: dict[str, tuple[Any, str]] = {
    "outside": (resource("$request.headers.authorization"), "expression"),
    "environment": (resource("$env.HOME"), "expression"),
    "every argument": (resource("$params.arguments"), "reach"),
    "all of params": (resource("$params._meta.secret"), "reach"),
    "deep claim": (resource("$token.act.sub"), "reach"),
    "call": (resource("$params.arguments.id.size()"), "expression"),
    "macro": (resource("$token.roles.exists(r, r == 'admin')"), "expression"),
    "conditional": (resource("$params.arguments.a ? 'x' : 'y'"), "expression"),
    "comparison": (resource("$params.arguments.a == 1"), "expression"),
    "concatenation": (
        resource("$params.arguments.a + params.arguments.b"),
        "expression",
    ),
    "dunder": (resource("$params.__class__.__mro__"), "reach"),
    "nothing": (resource("$"), "expression"),
    "newline": (resource("$params.arguments.a\n"), "expression"),
    "long": (resource("$params.arguments" + ".a" * 200), "expression"),
    "many steps": (resource("$params.arguments" + ".a" * 8), "expression"),
    "backtracking": (resource("$" + "params." * 2000 + "!"), "expression"),
    "nested expression": (resource(["$params.arguments.a"]), "list"),
    "another's subject": (
        one(subject={"type": "identity", "id": "$params.arguments.user"}),
        "subject",
    ),
    "constant subject": (one(subject={"type": "identity", "id": "root"}), "subject"),
    "subject's type": (one(subject={"type": "admin", "id": "$token.sub"}), "subject"),
    "subject's properties": (
        one(subject={"id": "$token.sub", "properties": {"role": "admin"}}),
        "subject",
    ),
    "computed action": (one(action={"name": "$params.arguments.verb"}), "action"),
    "no action": (one(action={}), "action"),
    "computed type": (
        one(resource={"type": "$params.arguments.t", "id": "x"}),
        "resource",
    ),
    "no id": (one(resource={"type": "customer"}), "resource"),
    "no envelope": ({}, "envelope"),
    "two envelopes": (ONE | BOTH, "envelope"),
    "unknown envelope": ({"search": ONE["evaluation"]}, "envelope"),
    "envelope of text": ({"evaluation": "x"}, "envelope"),
    "no evaluations": ({"evaluations": {"evaluations": []}}, "envelope"),
    "too many": (
        {"evaluations": {"evaluations": [ONE["evaluation"]] * (MAX_ENTRIES + 1)}},
        "envelope",
    ),
    "entry of text": ({"evaluations": {"evaluations": ["x"]}}, "envelope"),
    "subject of an entry": (
        {"evaluations": {"evaluations": [ONE["evaluation"]]}},
        "subject",
    ),
    "too many values": (
        one(context={str(number): number for number in range(MAX_LEAVES)}),
        "too-large",
    ),
    "too large": (one(context={"a": "x" * MAX_MAPPING}), "too-large"),
}


@pytest.mark.parametrize(("said", "why"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_mapping_is_refused(said: Any, why: str) -> None:
    with pytest.raises(MappingRejected) as caught:
        parse_mapping(json.dumps(said))
    assert caught.value.why == why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not-json"),
        ("null", "envelope"),
        ("[]", "envelope"),
        ('{"evaluation": {}, "evaluation": {}}', "not-json"),
        ('{"evaluation": {"context": {"a": NaN}}}', "not-json"),
        ('{"a":' * 3000 + "1" + "}" * 3000, "too-large"),
        ('{"a":' * 2000 + "1" + "}" * 2000, "not-json"),
        ("[" * 16000, "not-json"),
    ],
)
def test_a_text_that_is_no_mapping_is_refused(text: str, why: str) -> None:
    with pytest.raises(MappingRejected) as caught:
        parse_mapping(text)
    assert caught.value.why == why


def test_a_mapping_that_is_nested_without_end_is_refused() -> None:
    inner: Any = 1
    for _ in range(MAX_DEPTH + 1):
        inner = {"a": inner}
    with pytest.raises(MappingRejected) as caught:
        parse_mapping(json.dumps(one(context=inner)))
    assert caught.value.why == "too-deep"
