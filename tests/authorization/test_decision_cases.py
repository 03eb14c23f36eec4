"""The table of decisions: tests/cases/decision.yaml."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from answerable.authorization.decision import PolicyOverrides, decide
from answerable.authorization.decision_table import build_decision_table
from answerable.connectors.config.parse.config_file import parse_config
from answerable.model.decision import AuthorizationRequest, RecordDurability, TargetKind
from answerable.model.ids import AgentId
from tests.reference.authorization import decision as spec

CASES = yaml.load(
    (Path(__file__).parents[1] / "cases" / "decision.yaml").read_text(encoding="utf-8"),
    yaml.CSafeLoader,
)
SERVERS = {
    "files": {
        "url": "http://127.0.0.1:9000/mcp",
        "reads": ["read_file"],
        "sensitive": ["file:///secrets/*"],
    },
    "mail": {"command": ["mail-server"]},
}
TARGETS = {
    "tools/call": TargetKind.TOOL,
    "resources/read": TargetKind.RESOURCE,
    "completion/complete": TargetKind.RESOURCE,
    "prompts/get": TargetKind.PROMPT,
    "tools/list": TargetKind.LIST,
    "server/discover": TargetKind.DISCOVERY,
    "elicitation/create": TargetKind.PERSON,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_case_is_decided_as_it_says(case: dict[str, Any]) -> None:
    text = yaml.safe_dump(case["config"] | {"servers": SERVERS})
    reading = parse_config(text.encode(), "answerable.yaml", "/etc")
    assert reading.faults == ()
    assert reading.config is not None
    who, server, method, name = case["ask"]
    declared = {each.name: each.id for each in reading.config.agents}
    request = AuthorizationRequest(
        agent=declared.get(who, AgentId(who)),
        known=who in declared or who in case.get("inventory", ()),
        server=server,
        action=method,
        target=TARGETS[method],
        name=name,
        run="run-1",
        principal="corp a",
    )
    kills = frozenset(case.get("kills", ()))
    decision = decide(
        build_decision_table(reading.config), PolicyOverrides(kills), request
    )
    assert decision == spec.decide(reading.config, kills, request)
    assert decision.effect == case["effect"]
    assert decision.passes is case["passes"]
    assert decision.reason == case["reason"]
    assert list(decision.determining) == case["rules"]
    assert (decision.durability is RecordDurability.DURABLE) is case["durable"]


def test_the_table_has_no_name_twice() -> None:
    names = [case["name"] for case in CASES]
    assert len(set(names)) == len(names)
