"""Agents that Bedrock and AgentCore list, with the roles they run as."""

import json
from collections.abc import Callable
from dataclasses import replace

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from answerable.connectors.aws import fetch as account_fetch
from answerable.connectors.aws_resources import fetch
from answerable.connectors.parsed_source import ParsedAwsAnswers
from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.model.connector import SyncContext
from answerable.model.sighting import Sync
from tests.connectors.aws_resources.test_api_calls import LISTED, scan

ACCOUNT = "123456789012"
REGION = "us-east-1"
HERE = f"{REGION}:{ACCOUNT}"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "bedrock.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/support"


def agent(key: str, role: str = ROLE) -> dict[str, object]:
    return {
        "agent": {
            "agentArn": f"arn:aws:bedrock:{HERE}:agent/{key}",
            "agentName": f"name of {key}",
            "agentResourceRoleArn": role,
            "foundationModel": "some.model",
        }
    }


def alias(key: str) -> dict[str, object]:
    arn = f"arn:aws:bedrock:{HERE}:agent-alias/{key}/LIVE"
    return {"agentDescriptor": {"aliasArn": arn}}


def test_agents_runtimes_and_gateways_of_a_file(
    read: Callable[[object], ParsedAwsAnswers],
) -> None:
    runtime = f"arn:aws:bedrock-agentcore:{HERE}:runtime/desk-1"
    gateway = f"arn:aws:bedrock-agentcore:{HERE}:gateway/door-1"
    parsed = read(
        {
            "agentSummaries": [],
            "agentRuntimes": [],
            "BedrockAgents": {"HEAD": agent("HEAD"), "HAND": agent("HAND")},
            "AgentCollaborators": {
                "HEAD": {"agentCollaboratorSummaries": [alias("HAND")]}
            },
            "AgentRuntimes": {
                "desk-1": {
                    "agentRuntimeArn": runtime,
                    "agentRuntimeName": "desk",
                    "roleArn": ROLE,
                    "environmentVariables": {"TOKEN": "canary"},
                }
            },
            "AgentGateways": {"door-1": {"gatewayArn": gateway, "roleArn": ROLE}},
        }
    )
    assert parsed.problems == ()
    assert "canary" not in repr(parsed)
    found = {a.id: a for a in parsed.facts.agents}
    head, hand = (f"agent:bedrock/{ACCOUNT}/{REGION}/{k}" for k in ("HEAD", "HAND"))
    desk = f"agent:agentcore/{ACCOUNT}/{REGION}/desk-1"
    assert set(found) == {head, hand, desk}
    assert (found[hand].parent, found[head].parent) == (head, None)  # type: ignore[index] - ids are text
    assert {a.runs_as for a in found.values()} == {(ROLE,)}
    runs = {r.id: r.runs_as for r in parsed.facts.resources}
    assert runs[gateway] == runs[runtime] == ROLE  # type: ignore[index] - ids are text
    assert "platform-agents" in parsed.collected


def test_an_agent_that_is_read_takes_the_place_of_one_its_role_suggests(
    fresh: str, context: SyncContext
) -> None:
    iam = boto3.client("iam", REGION, endpoint_url=fresh)
    for name in ("support", "other"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    bedrock = boto3.client("bedrock-agent", REGION, endpoint_url=fresh)
    made = bedrock.create_agent(
        agentName="helper", agentResourceRoleArn=ROLE, foundationModel="some.model"
    )["agent"]
    here = replace(context, endpoint_url=fresh, region=REGION)
    syncs: list[Sync] = [account_fetch.sync("", here), fetch.sync("", here)]
    agents = join_syncs_into_inventory(
        [(sync.source, sync) for sync in syncs], now=1
    ).agents
    assert set(agents) == {
        f"agent:bedrock/{ACCOUNT}/{REGION}/{made['agentId']}",
        f"agent:bedrock/{ACCOUNT}/other",
    }


@pytest.mark.parametrize("service", ["bedrock-agent", "bedrock-agentcore-control"])
def test_a_region_where_bedrock_is_not_offered_has_no_agents_and_no_problem(
    context: SyncContext, service: str
) -> None:
    young = {
        "bedrock-agent": ("list_agents",),
        "bedrock-agentcore-control": ("list_agent_runtimes", "list_gateways"),
    }

    def answer(operation: str, _: object) -> object:
        if operation in young[service]:
            raise EndpointConnectionError(endpoint_url="https://x")
        return LISTED.get(operation, {})

    sync, _ = scan(answer, context)  # type: ignore[arg-type] - answers are objects
    assert not [p for p in sync.problems if "List" in p.what and "bedrock" in p.what]
    assert "platform-agents" in sync.collected
