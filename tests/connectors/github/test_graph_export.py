"""Raw nodes and edges of a GitHound export; its computed edges are no input."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.connectors.github.parse.graph_export import COMPUTED_EDGES
from answerable.model.errors import UsageError
from answerable.model.sighting import Sync
from answerable.reach.github.catalogue import Repository
from tests.connectors.github.saved_answers import WORKFLOW, organization_of, scan


def node(key: str, kind: str, **properties: Any) -> dict[str, Any]:
    return {"id": key, "kinds": [kind], "properties": properties}


def edge(start: str, kind: str, end: str) -> dict[str, Any]:
    return {"kind": kind, "start": {"value": start}, "end": {"value": end}}


def make_graph() -> dict[str, Any]:
    nodes = [
        node(
            "O",
            "GH_Organization",
            login="Acme",
            default_repository_permission="none",
            default_workflow_permissions="write",
        ),
        node("owners", "GH_OrgRole", name="Acme/owners", short_name="owners"),
        node("members", "GH_OrgRole", name="Acme/members", short_name="members"),
        node("all_read", "GH_OrgRole", name="Acme/all_read", short_name=""),
        node("custom", "GH_OrgRole", name="Acme/custom", short_name=""),
        node("U1", "GH_User", login="Ana"),
        node("U2", "GH_User", login="ben"),
        node("U3", "GH_User", login="eve"),
        node("T1", "GH_Team", slug="platform"),
        node("T2", "GH_Team", slug="deploy"),
        node("T1m", "GH_TeamRole", short_name="maintainers"),
        node("T1n", "GH_TeamRole", short_name="members"),
        node(
            "R", "GH_Repository", name="web", visibility="private", default_branch="m"
        ),
        node("Rr", "GH_RepoRole", repository_name="web", short_name="read"),
        node("Rw", "GH_RepoRole", repository_name="web", short_name="write"),
        node(
            "Rc",
            "GH_RepoRole",
            repository_name="web",
            short_name="pusher",
            type="custom",
        ),
        node("B", "GH_Branch", short_name="m"),
        node(
            "P",
            "GH_BranchProtectionRule",
            repository_name="web",
            pattern="m",
            push_restrictions=True,
            required_pull_request_reviews=True,
        ),
        node("E", "GH_Environment", repository_id="R", short_name="prod"),
        node("ES", "GH_EnvironmentSecret", name="PROD_KEY"),
        node("RS", "GH_RepoSecret", name="NPM"),
        node("OS", "GH_OrgSecret", name="SHARED", visibility="selected"),
        node(
            "W",
            "GH_Workflow",
            repository_id="R",
            path=".github/workflows/ci.yml",
            branch="m",
            state="active",
            contents=WORKFLOW,
        ),
        node(
            "I",
            "GH_AppInstallation",
            app_slug="claude",
            app_id=601,
            client_id="c",
            repository_selection="all",
            permissions='{"contents": "write"}',
        ),
        node(
            "A", "GH_App", client_id="c", id=501, owner_login="Ben", owner_type="User"
        ),
        node(
            "GH_PAT_O_901",
            "GH_PersonalAccessToken",
            owner_login="ben",
            token_id=9901,
            token_name="ci",
            repository_selection="all",
            permissions='{"repository": {"contents": "write"}}',
            token_expires_at="2027-01-01T00:00:00Z",
        ),
    ]
    edges = [
        edge("U1", "GH_HasRole", "owners"),
        edge("U2", "GH_HasRole", "members"),
        edge("U2", "GH_HasRole", "custom"),
        edge("custom", "GH_HasBaseRole", "all_read"),
        edge("custom", "GH_WriteOrganizationActionsSecrets", "O"),
        edge("all_read", "GH_HasBaseRole", "Rr"),
        edge("T1m", "GH_MemberOf", "T1"),
        edge("T1n", "GH_MemberOf", "T1"),
        edge("U1", "GH_HasRole", "T1m"),
        edge("U2", "GH_HasRole", "T1n"),
        edge("T2", "GH_MemberOf", "T1"),
        edge("T2", "GH_HasRole", "Rw"),
        edge("U3", "GH_HasRole", "Rc"),
        edge("Rc", "GH_HasBaseRole", "Rw"),
        edge("Rc", "GH_PushProtectedBranch", "R"),
        edge("R", "GH_HasBranch", "B"),
        edge("U2", "GH_BypassPullRequestAllowances", "P"),
        edge("T2", "GH_RestrictionsCanPush", "P"),
        edge("E", "GH_Contains", "ES"),
        edge("R", "GH_HasSecret", "RS"),
        edge("R", "GH_HasSecret", "OS"),
        *(edge("U3", kind, "B") for kind in sorted(COMPUTED_EDGES)),
    ]
    return {"graph": {"nodes": nodes, "edges": edges}}


def scan_graph(folder: Path, graph: Any) -> Sync:
    file = folder / "export.json"
    file.write_text(graph if isinstance(graph, str) else json.dumps(graph))
    return scan(file)


def web_of(sync: Sync) -> Repository:
    (repository,) = organization_of(sync).repositories or ()
    return repository


def test_raw_nodes_and_edges(tmp_path: Path) -> None:
    sync = scan_graph(tmp_path, make_graph())
    assert sync.problems == ()
    found = organization_of(sync)
    assert (found.login, found.base_role) == ("acme", "none")
    assert found.default_token_permission == "write"
    assert [(m.login, m.role, m.organization_roles) for m in found.members or ()] == [
        ("ana", "owner", ()),
        ("ben", "member", ("custom",)),
        ("eve", "outside", ()),
    ]
    assert [(t.slug, t.parent, t.members) for t in found.teams or ()] == [
        ("platform", "", (("ana", "maintainer"), ("ben", "member"))),
        ("deploy", "platform", ()),
    ]
    roles = {each.name: each for each in found.organization_roles or ()}
    assert roles["custom"].permissions == ("write_organization_actions_secrets",)
    assert roles["custom"].repository_role == "read"
    (role,) = found.repository_roles or ()
    assert (role.name, role.base) == ("pusher", "write")
    assert role.permissions == ("push_protected_branch",)
    (secret,) = found.secrets or ()
    assert (secret.visibility, secret.repositories) == ("selected", ("web",))
    (app,) = found.installations or ()
    assert (app.app_id, app.installation_id, app.owner) == (501, 601, "ben")
    (token,) = found.tokens or ()
    assert (token.id, token.token_id, token.owner) == (901, 9901, "ben")
    web = web_of(sync)
    assert (web.collaborators, web.teams) == (
        (("eve", "pusher"),),
        (("deploy", "write"),),
    )
    assert (web.branches, web.secrets) == (("m",), ("NPM",))
    (rule,) = web.protections or ()
    assert (rule.review_bypass, rule.push_allowances) == (
        ("user/ben",),
        ("team/deploy",),
    )
    (environment,) = web.environments or ()
    assert (environment.secrets, environment.protection_collected) == (
        ("PROD_KEY",),
        False,
    )
    (workflow,) = web.workflows or ()
    assert workflow.jobs[0].secrets == ("NPM_TOKEN",)


def test_kinds_that_an_export_lacks_are_unknown(tmp_path: Path) -> None:
    sync = scan_graph(tmp_path, make_graph())
    found = organization_of(sync)
    assert (found.rulesets, found.runner_groups) == (None, None)
    web = web_of(sync)
    assert (web.rulesets, web.deploy_keys, web.runners) == (None, None, None)
    for word in ("rulesets", "deploy-keys", "environments", "codeowners"):
        assert f"github-{word}" in sync.not_collected


def test_computed_edges_change_nothing(tmp_path: Path) -> None:
    graph = make_graph()
    whole = scan_graph(tmp_path, graph)
    graph["graph"]["edges"] = [
        each for each in graph["graph"]["edges"] if each["kind"] not in COMPUTED_EDGES
    ]
    assert scan_graph(tmp_path, graph).facts == whole.facts


@pytest.mark.parametrize(
    ("part", "value"), [("nodes", {"id": 3}), ("edges", {"kind": "GH_HasRole"})]
)
def test_an_invalid_part_is_named_and_the_rest_kept(
    tmp_path: Path, part: str, value: dict[str, Any]
) -> None:
    graph = make_graph()
    graph["graph"][part].append(value)
    number = len(graph["graph"][part]) - 1
    sync = scan_graph(tmp_path, graph)
    assert [each.place for each in sync.problems] == [
        f"{tmp_path}/export.json#/graph/{part}/{number}"
    ]
    assert sync.collected == ()
    assert organization_of(sync).members is None
    assert (web_of(sync).name, web_of(sync).collaborators) == ("web", None)


def test_an_edge_to_a_node_that_is_missing_is_named(tmp_path: Path) -> None:
    graph = make_graph()
    graph["graph"]["edges"].append(edge("gone", "GH_HasEnvironment", "E"))
    sync = scan_graph(tmp_path, graph)
    assert [each.what for each in sync.problems] == [
        "1 edges of GH_HasEnvironment refer to a node that is not in the export"
    ]


@pytest.mark.parametrize("cut", [1, 50, 5_000])
def test_a_cut_export_is_refused(tmp_path: Path, cut: int) -> None:
    text = json.dumps(make_graph())
    with pytest.raises(UsageError):
        scan_graph(tmp_path, text[:-cut])


def test_a_graph_without_an_organization_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="0 organizations"):
        scan_graph(tmp_path, {"graph": {"nodes": [], "edges": []}})
