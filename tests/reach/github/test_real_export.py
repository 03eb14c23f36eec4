"""Branch writes of a real export equal an independent count over its raw edges.

The test is skipped where the export is absent.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from answerable.model.github_ids import parse_resource_id
from answerable.model.ids import IdentityId
from answerable.reach.github.call_evaluation import evaluate_call
from answerable.reach.github.organization_index import index_organizations
from answerable.reach.platform import Question, SubjectIdentity
from tests.connectors.github.saved_answers import scan
from tests.reference.github.rules import fits

_FILE = "shared/data/github/githound/githound_O_kgDOCoV2OQ.raw.json"
_PLACES = [each / _FILE for each in Path(__file__).resolve().parents]
EXPORT = next((each for each in _PLACES if each.exists()), _PLACES[0])
pytestmark = pytest.mark.skipif(not EXPORT.exists(), reason="no export here")
FOLLOWED = ("GH_HasRole", "GH_HasBaseRole", "GH_MemberOf")


class RawEdges:
    """Nodes and edges of the export, by kind."""

    def __init__(self, body: Any) -> None:
        self.nodes = {each["id"]: each for each in body["graph"]["nodes"]}
        self.edges: dict[str, list[tuple[str, str]]] = {}
        for each in body["graph"]["edges"]:
            pair = each["start"]["value"], each["end"]["value"]
            self.edges.setdefault(each["kind"], []).append(pair)

    def of_kind(self, kind: str) -> list[Any]:
        """List the nodes of a kind."""
        return [each for each in self.nodes.values() if kind in each["kinds"]]

    def roles_of(self, user: str) -> set[str]:
        """Follow roles, base roles and teams from a user."""
        found, waiting = {user}, [user]
        while waiting:
            current = waiting.pop()
            for kind in FOLLOWED:
                for start, end in self.edges.get(kind, ()):
                    if start == current and end not in found:
                        found.add(end)
                        waiting.append(end)
        return found

    def permits(self, roles: set[str], kind: str, repository: str) -> bool:
        """Return whether a role has a permission on a repository."""
        return any(
            end == repository and start in roles
            for start, end in self.edges.get(kind, ())
        )

    def can_write(self, roles: set[str], repository: str, branch: str) -> bool:
        """Decide a direct push by the two gates of branch protection."""
        if not self.permits(roles, "GH_WriteRepoContents", repository):
            return False
        name = self.nodes[branch]["properties"]["short_name"]
        admin = self.permits(roles, "GH_AdminTo", repository)
        rules = [
            rule["id"]
            for rule in self.of_kind("GH_BranchProtectionRule")
            if rule["properties"]["repository_id"] == repository
            and fits(rule["properties"]["pattern"], name)
        ]
        exact = [r for r in rules if self.nodes[r]["properties"]["pattern"] == name]
        for rule in (exact or rules)[:1]:
            said = self.nodes[rule]["properties"]
            listed = self.edges.get("GH_BypassPullRequestAllowances", ())
            excused = any(start in roles for start, end in listed if end == rule)
            bypass = admin or self.permits(
                roles, "GH_BypassBranchProtection", repository
            )
            if not (bypass and not said["enforce_admins"]):
                if said["lock_branch"]:
                    return False
                waived = excused and not said["enforce_admins"]
                if said["required_pull_request_reviews"] and not waived:
                    return False
            listed = self.edges.get("GH_RestrictionsCanPush", ())
            allowed = any(start in roles for start, end in listed if end == rule)
            bypass = admin or self.permits(roles, "GH_PushProtectedBranch", repository)
            if said["push_restrictions"] and not (bypass or allowed):
                return False
        return True


def test_branch_writes_equal_the_count_over_raw_edges() -> None:
    raw = RawEdges(json.loads(EXPORT.read_bytes()))
    organizations = index_organizations(scan(EXPORT).facts.catalogues)
    counts: Counter[str] = Counter()
    wrong = []
    for user in raw.of_kind("GH_User"):
        roles = raw.roles_of(user["id"])
        key = f"github:user/{user['properties']['login'].lower()}"
        start = SubjectIdentity(key, IdentityId(key))
        for repository, branch in raw.edges["GH_HasBranch"]:
            name = raw.nodes[repository]["properties"]["name"]
            short = raw.nodes[branch]["properties"]["short_name"].replace("/", "%2F")
            resource = f"github:spectertst/repo/{name}/branch/{short}"
            parsed = parse_resource_id(resource)
            assert parsed is not None
            question = Question(
                1, key, "push", resource, direct=True, identities=(start,)
            )
            answer = evaluate_call(organizations, question, parsed)
            got = answer.verdict
            counts[got] += 1
            if got != "never":
                assert answer.item["determining"], (key, resource)
            if (got != "never") != raw.can_write(roles, repository, branch):
                wrong.append(f"{key} {resource}: {got}")
    assert wrong == []
    # 60 branches and 13 users; rulesets are not in an export, so no push is certain.
    assert counts == {"only-if": 462, "never": 318}


def test_environments_equal_the_bounds_from_raw_edges() -> None:
    """An export has no reviewers: who can deploy is bounded by who can push.

    An edge from a branch to an environment states that the branch may deploy.
    """
    raw = RawEdges(json.loads(EXPORT.read_bytes()))
    organizations = index_organizations(scan(EXPORT).facts.catalogues)
    branches: dict[str, list[str]] = {}
    for repository, branch in raw.edges["GH_HasBranch"]:
        branches.setdefault(repository, []).append(branch)
    counts: Counter[str] = Counter()
    for user in raw.of_kind("GH_User"):
        roles = raw.roles_of(user["id"])
        key = f"github:user/{user['properties']['login'].lower()}"
        start = SubjectIdentity(key, IdentityId(key))
        for environment in raw.of_kind("GH_Environment"):
            repository = environment["properties"]["repository_id"]
            name = raw.nodes[repository]["properties"]["name"]
            short = environment["properties"]["short_name"]
            resource = f"github:spectertst/repo/{name}/environment/{short}"
            parsed = parse_resource_id(resource)
            assert parsed is not None
            question = Question(
                1, key, "deploy", resource, direct=True, identities=(start,)
            )
            answer = evaluate_call(organizations, question, parsed)
            counts[answer.verdict] += 1
            writes = raw.permits(roles, "GH_WriteRepoContents", repository)
            stated = [
                source
                for source, end in raw.edges["GH_HasEnvironment"]
                if end == environment["id"]
            ]
            named = [each for each in stated if each in branches[repository]]
            pushed = named or branches[repository]
            if any(raw.can_write(roles, repository, each) for each in pushed):
                assert answer.verdict != "never", (key, resource)
            if not writes:
                assert answer.verdict == "never", (key, resource)
            if answer.verdict != "never":
                assert answer.item["determining"]
                assert answer.item["assuming"]
    assert counts == {"only-if": 25, "never": 14}
