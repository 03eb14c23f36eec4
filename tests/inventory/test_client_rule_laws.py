"""Law: no rule of an agent's client, added or removed, turns a reach into `never`."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.connectors.formats.agent_clients import ClientConfigFile, FileRole
from answerable.connectors.formats.agent_config import (
    ConfigDocument,
    build_client_facts,
)
from answerable.connectors.formats.built_in_tools import CLIENT_TOOLS
from answerable.connectors.formats.client_tools import ClientTools
from answerable.connectors.formats.document_parser import DocumentFormat, parse_document
from answerable.connectors.formats.found_credential_facts import SightingContext
from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.model.credential import CredentialClass
from answerable.model.inventory import Inventory
from answerable.model.provenance import WrittenBy
from answerable.model.tool import SHELL
from answerable.reach.aws.platform import AwsEvaluator
from answerable.reach.aws.query_context import QueryContext
from answerable.reach.condition_formula import conjoin_hops, get_verdict
from answerable.reach.open_platforms import OpenPlatforms
from answerable.reach.platform import PermissionEvaluator, Question
from answerable.services.reach.platform_registry import AWS, PLATFORMS
from tests.inventory.fact_builders import (
    HOME,
    NOW,
    credential,
    identity,
    link,
    policy,
    statement,
    sync,
)

PROFILE = "cred:fp/profile"
ROLE = identity("role/admin")
MAPS = (("mcpServers",),)
ARGUMENTS = ("", "(*)", "(aws:*)", "(aws s3 ls)", "(")


def inventory_of(
    client: str, *documents: dict[str, Any], definition: dict[str, Any] | None = None
) -> Inventory:
    """Join a home whose client has these settings with an account it can act in."""
    files = [
        ConfigDocument(
            ClientConfigFile(client, f"settings{number}.json", role=role, maps=MAPS),
            f"settings{number}",
            parse_document(
                json.dumps(each).encode(), DocumentFormat.JSON, f"/s{number}.json"
            ),
            WrittenBy.SELF_REPORTED,
        )
        for number, (role, each) in enumerate(
            [(FileRole.SETTINGS, each) for each in documents]
            + [(FileRole.AGENT, each) for each in (definition,) if each]
        )
    ]
    frame = SightingContext(
        "home:h", HOME, WrittenBy.SELF_REPORTED, NOW, lambda text: text[:24]
    )
    found = build_client_facts(client, ("ana",), files, frame, lambda *_: None)
    ambient = credential(PROFILE, cls=CredentialClass.AMBIENT, kind="aws-profile")
    allowed, attached = policy(ROLE.id, statement("*", "*"))
    return join_syncs_into_inventory(
        [
            sync(
                "home:h",
                agents=tuple(found.agents),
                tools=tuple(found.tools),
                credentials=(*found.credentials, ambient),
                links=(link(PROFILE, ROLE.id, "profile-role"),),
            ),
            sync(
                "aws:a",
                identities=(ROLE,),
                policies=(allowed,),
                attachments=(attached,),
                collected=("identity-policies",),
            ),
        ],
        now=NOW,
    )


def verdicts(
    query: QueryContext, inventory: Inventory, client: str, sub_agent: str = ""
) -> set[str]:
    """Say how surely an agent acts as each of its identities."""
    opened: dict[str, PermissionEvaluator] = {AWS.name: AwsEvaluator(query)}
    found = OpenPlatforms(
        PLATFORMS, (), inventory, Question(NOW), opened
    ).find_identities(f"agent:{client}/ana{sub_agent}")
    assert {start.identity for start in found.starts} == {ROLE.id}
    return {
        get_verdict(conjoin_hops(*(hop.formula for hop in start.hops)))
        for start in found.starts
    }


def put(into: dict[str, Any], keys: tuple[str, ...], value: object) -> None:
    for key in keys[:-1]:
        below = into.setdefault(key, {})
        if not isinstance(below, dict):
            return
        into = below
    into[keys[-1]] = value


@st.composite
def settings_of(draw: st.DrawFn, table: ClientTools) -> dict[str, Any]:
    """Draw settings in which any of a client's rules may stand."""
    names = [name for name, _ in table.list_tools()] + ["*", "Unknown"]
    patterns = st.lists(
        st.builds(str.__add__, st.sampled_from(names), st.sampled_from(ARGUMENTS)),
        max_size=4,
    )
    states = st.dictionaries(
        st.sampled_from(names),
        st.sampled_from(["allow", "ask", "deny", False, True, {"aws *": "deny"}]),
        max_size=4,
    )
    drawn: dict[str, Any] = {}
    for rules in table.rules:
        if draw(st.booleans()):
            put(drawn, rules.keys, draw(st.one_of(patterns, states)))
    for limit in table.limits:
        if draw(st.booleans()):
            put(drawn, limit.keys, draw(st.sampled_from(sorted(limit.values))))
    return drawn


@pytest.mark.parametrize("table", CLIENT_TOOLS, ids=lambda table: table.client)
def test_no_rule_of_a_client_turns_a_reach_into_never(table: ClientTools) -> None:
    query = AWS.build_permission_query(
        inventory_of(table.client, {}), Question(NOW), {"s3"}
    )

    @settings(max_examples=40, deadline=None)
    @given(st.lists(settings_of(table), min_size=1, max_size=2))
    def law(documents: list[dict[str, Any]]) -> None:
        ruled = inventory_of(table.client, *documents)
        shells = [t for t in ruled.facts.tools if t.transport == SHELL]
        assert [t.server for t in shells] == list(table.commands)
        free = any(not t.rule and t.enabled for t in shells)
        expected = "always" if free else "only-if"
        assert verdicts(query, ruled, table.client) == {expected}

    law()


TOOLS = ("Read", "Bash", "mcp__db", "mcp__db__query", "mcp__other", "*", "db")


@settings(max_examples=60, deadline=None)
@given(
    st.none() | st.lists(st.sampled_from(TOOLS), max_size=3),
    st.lists(st.sampled_from(TOOLS), max_size=2),
)
def test_no_definition_of_a_sub_agent_ends_a_reach_or_hides_a_server(
    granted: list[str] | None, refused: list[str]
) -> None:
    definition: dict[str, Any] = {"name": "helper", "disallowedTools": refused}
    if granted is not None:
        definition["tools"] = granted
    servers = {"mcpServers": {"db": {"command": "db-server"}}}
    inventory = inventory_of("claude-code", servers, definition=definition)
    query = AWS.build_permission_query(inventory, Question(NOW), {"s3"})
    tools = [t for t in inventory.facts.tools if t.agent.endswith("/helper")]
    assert {"db", "Bash"} <= {tool.server for tool in tools}
    assert all(tool.rule for tool in tools if not tool.enabled)
    acting = [tool for tool in tools if not tool.has_only_indirect_identities]
    free = any(not tool.rule and tool.enabled for tool in acting)
    expected = "always" if free else "only-if"
    assert verdicts(query, inventory, "claude-code", "/helper") == {expected}
