"""Agents of a cluster: kagent's, and workloads with the image of a known agent."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from answerable.connectors.kubernetes.parse.agent_images import (
    AGENT_IMAGES,
    find_agent_image,
)
from answerable.model.sighting import Sync
from tests.connectors.kubernetes.kubernetes_objects import made, scan_objects

KAGENT = "kagent.dev/v1alpha2"
CANARY = "c4n4ryValue9"


def agent(name: str, *tools: dict[str, Any], **declarative: Any) -> dict[str, Any]:
    spec = {
        "type": "Declarative",
        "description": CANARY,
        "declarative": {"systemMessage": CANARY, "tools": list(tools), **declarative},
    }
    return made("Agent", name, "team", apiVersion=KAGENT, spec=spec)


def server_tool(name: str, *names: str, **more: Any) -> dict[str, Any]:
    headers = more.pop("headersFrom", [])
    reference = {"kind": "RemoteMCPServer", "name": name, "toolNames": list(names)}
    return {
        "type": "McpServer",
        "mcpServer": {**reference, **more},
        "headersFrom": headers,
    }


HEADERS = [
    {"name": "A", "valueFrom": {"type": "Secret", "name": "tool-key", "key": "k"}},
    {"name": "B", "value": CANARY},
    {"name": "C", "valueFrom": {"type": "ConfigMap", "name": "c", "key": "k"}},
]
REMOTE = made(
    "RemoteMCPServer",
    "tools",
    "team",
    apiVersion=KAGENT,
    spec={
        "url": f"http://kagent-tools.kagent:8084/mcp?key={CANARY}",
        "protocol": "SSE",
        "headersFrom": [
            {"name": "D", "valueFrom": {"type": "Secret", "name": "server-key"}}
        ],
    },
)
SERVICE = made("Service", "kagent-tools", "kagent", spec={"selector": {"app": "tools"}})
TOOLS = made(
    "Deployment",
    "tools-server",
    "kagent",
    apiVersion="apps/v1",
    spec={
        "template": {
            "metadata": {"labels": {"app": "tools", "x": "y"}},
            "spec": {"serviceAccountName": "tools", "containers": [{"name": "c"}]},
        }
    },
)


def read(tmp_path: Path, *objects: Any) -> Sync:
    _, sync = scan_objects(tmp_path, *objects)
    assert sync.problems == ()
    assert CANARY not in msgspec.json.encode(sync).decode()
    return sync


def test_an_agent_runs_as_its_service_account(tmp_path: Path) -> None:
    owned = agent("a", modelConfig="big")
    owned["metadata"]["labels"] = {"owner": "ana@corp.example"}
    other = agent("b", deployment={"serviceAccountName": "shared"})
    model = made(
        "ModelConfig",
        "big",
        "team",
        apiVersion=KAGENT,
        spec={"provider": "Anthropic", "model": "m-1", "apiKeySecret": "llm"},
    )
    sync = read(tmp_path, owned, other, model)
    first, second = sync.facts.agents
    assert (first.id, first.kind) == ("agent:kagent/c/team/a", "kagent")
    assert first.runs_as == ("k8s:c/team/serviceaccount/a",)
    assert second.runs_as == ("k8s:c/team/serviceaccount/shared",)
    assert dict(first.facts) == {"model": "Anthropic/m-1", "tools": "none"}
    assert {each.name for each in sync.facts.credentials} == {"llm"}
    assert [each.subject for each in sync.facts.evidence] == [first.id]


def test_an_agent_with_an_image_of_its_own_is_read(tmp_path: Path) -> None:
    spec = {
        "type": "BYO",
        "byo": {"deployment": {"image": "x", "serviceAccountName": "own"}},
    }
    sync = read(tmp_path, made("Agent", "a", "team", apiVersion=KAGENT, spec=spec))
    assert sync.facts.agents[0].runs_as == ("k8s:c/team/serviceaccount/own",)


def test_a_tool_acts_with_headers_and_the_account_of_its_server(tmp_path: Path) -> None:
    tool = server_tool("tools", "get", "list", headersFrom=HEADERS)
    sync = read(tmp_path, agent("a", tool), REMOTE, SERVICE, TOOLS)
    (found,) = sync.facts.tools
    assert (found.server, found.transport) == ("tools", "sse")
    assert found.target.startswith("http://kagent-tools.kagent:8084/mcp")
    assert found.rule == "toolNames: get, list"
    assert set(found.credentials) == {
        "cred:k8s/c/team/secret/tool-key",
        "cred:k8s/c/team/secret/server-key",
        "cred:k8s/c/kagent/Deployment/tools-server/token",
    }
    links = {each.credential: each.identity for each in sync.facts.links}
    token = found.credentials[-1]
    assert links[token] == "k8s:c/kagent/serviceaccount/tools"


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("http://kagent-tools.kagent:8084/mcp", True),
        ("http://kagent-tools.kagent.svc/mcp", True),
        ("http://kagent-tools.kagent.svc.cluster.local:80", True),
        ("https://kagent-tools.kagent.example/mcp", False),
        ("https://mcp.example.com/mcp", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_a_host_is_a_service_by_its_form(
    tmp_path: Path, url: str, resolved: bool
) -> None:
    remote = made(
        "RemoteMCPServer", "tools", "team", apiVersion=KAGENT, spec={"url": url}
    )
    sync = read(tmp_path, agent("a", server_tool("tools")), remote, SERVICE, TOOLS)
    assert bool(sync.facts.tools[0].credentials) is resolved


def test_a_server_that_kagent_runs_acts_as_its_account(tmp_path: Path) -> None:
    server = made(
        "MCPServer",
        "git",
        "team",
        apiVersion="kagent.dev/v1alpha1",
        spec={"deployment": {"image": "i", "secretRefs": [{"name": "git-token"}]}},
    )
    pod = {"serviceAccountName": "git", "containers": [{"name": "c"}]}
    deployed = made(
        "Deployment",
        "git",
        "team",
        apiVersion="apps/v1",
        spec={"template": {"spec": pod}},
    )
    tool = server_tool("git")
    tool["mcpServer"]["kind"] = "MCPServer"
    sync = read(tmp_path, agent("a", tool), server, deployed)
    (found,) = sync.facts.tools
    assert found.target == "MCPServer team/git"
    assert found.credentials == ("cred:k8s/c/team/Deployment/git/token",)
    assert "git-token" in {each.name for each in sync.facts.credentials}


@pytest.mark.parametrize(
    ("names", "asked", "unattended"),
    [
        (("a", "b"), ["a", "b"], False),
        (("a", "b"), ["a"], True),
        ((), [], True),
    ],
)
def test_tools_that_a_person_approves_are_attended(
    tmp_path: Path, names: tuple[str, ...], asked: list[str], unattended: bool
) -> None:
    tool = server_tool("tools", *names, requireApproval=asked)
    sync = read(tmp_path, agent("a", tool))
    assert sync.facts.tools[0].unattended is unattended


def test_an_agent_that_another_calls_is_its_sub_agent(tmp_path: Path) -> None:
    call = {"type": "Agent", "agent": {"name": "b"}}
    sync = read(tmp_path, agent("a", call), agent("b", call))
    parents = {each.name: each.parent for each in sync.facts.agents}
    assert parents == {"a": None, "b": "agent:kagent/c/team/a"}


def test_the_first_version_of_the_kind_is_read(tmp_path: Path) -> None:
    spec = {
        "modelConfig": "big",
        "tools": [
            {"type": "McpServer", "mcpServer": {"toolServer": "ops/tools"}},
            {"type": "Agent", "agent": {"ref": "ops/helper"}},
        ],
    }
    first = made("Agent", "a", "team", apiVersion="kagent.dev/v1alpha1", spec=spec)
    sync = read(tmp_path, first)
    assert [each.server for each in sync.facts.tools] == ["ops/tools"]


def test_a_workload_with_the_image_of_an_agent_is_one(tmp_path: Path) -> None:
    pod = {
        "serviceAccountName": "holmes",
        "containers": [{"name": "c", "image": "robustadev/holmes:0.39.0"}],
    }
    deployed = made(
        "Deployment",
        "h",
        "ops",
        apiVersion="apps/v1",
        spec={"template": {"spec": pod}},
    )
    owner = {
        "ownerReferences": [{"kind": "ReplicaSet", "name": "h", "controller": True}]
    }
    running = made("Pod", "h-1", "ops", spec=pod, metadata=owner)
    sync = read(tmp_path, deployed, running)
    (found,) = sync.facts.agents
    assert (found.id, found.kind) == ("agent:holmesgpt/c/ops/h", "holmesgpt")
    assert found.runs_as == ("k8s:c/ops/serviceaccount/holmes",)


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("ghcr.io/openhands/agent-server:1.43.1-python", "openhands"),
        ("ghcr.io/openhands/agent-server@sha256:8ec6bd80", "openhands"),
        ("docker.io/robustadev/holmes", "holmesgpt"),
        ("registry:5000/mirror/block/goose", "goose"),
        ("cr.kagent.dev/kagent-dev/kagent/app:0.9.12", "kagent"),
        ("cr.kagent.dev/kagent-dev/kagent/controller:0.9.12", ""),
        ("goose", ""),
        ("evilblock/goose", ""),
        ("", ""),
    ],
)
def test_images_are_found_by_their_repository(image: str, kind: str) -> None:
    found = find_agent_image(image)
    assert (found.agent if found else "") == kind


def test_every_image_names_its_documentation() -> None:
    assert all(each.source.startswith("https://") for each in AGENT_IMAGES)


@pytest.mark.parametrize("name", ["a\nb", "\u202egnp", " x "])
def test_a_hostile_name_is_made_printable(tmp_path: Path, name: str) -> None:
    sync = read(tmp_path, made("Agent", name, "team", apiVersion=KAGENT, spec={}))
    assert sync.facts.agents[0].name.isprintable()


def test_an_invalid_agent_is_named(tmp_path: Path) -> None:
    broken = made("Agent", "a", "team", apiVersion=KAGENT, spec={"declarative": 5})
    _, sync = scan_objects(tmp_path, agent("b"), broken)
    assert len(sync.facts.agents) == 1
    assert sync.problems[0].what.startswith("Agent team/a: Expected `object")
