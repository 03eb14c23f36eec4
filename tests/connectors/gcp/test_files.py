"""Saved answers of Google Cloud: forms, kinds, agents, keys, and no secret value."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from answerable.connectors.gcp import fetch
from answerable.connectors.gcp_roles import fetch as roles
from answerable.model.connector import SyncContext
from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.sighting import Sync
from answerable.reach.gcp.catalogue import GoogleCloudEstate

NOW = 1_790_000_000 * 10**9
SECRET = "AKIAqUjb82canary-do-not-store"
BOT = "bot@shop.iam.gserviceaccount.com"
PROJECT = "//cloudresourcemanager.googleapis.com/projects/shop"


def context() -> SyncContext:
    return SyncContext(now=NOW, fingerprint=lambda text: "f" * 8)


def scan(folder: Path, **files: Any) -> tuple[Sync, GoogleCloudEstate]:
    """Scan files; a list of lines is written as JSON lines."""
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name.replace('_', '-')}.json").write_text(text)
    sync = fetch.sync(str(folder), context())
    (catalogue,) = sync.facts.catalogues
    return sync, msgspec.json.decode(catalogue.body, type=GoogleCloudEstate)


def test_a_search_result_has_the_policy_and_the_place(tmp_path: Path) -> None:
    row = {
        "resource": PROJECT,
        "project": "projects/481516234200",
        "folders": ["folders/7"],
        "organization": "organizations/1",
        "policy": {"bindings": [{"role": "roles/viewer", "members": ["user:A@b.c"]}]},
    }
    sync, estate = scan(tmp_path, iam_policies=[row])
    assert estate.policies[0].bindings[0].members == ("user:a@b.c",)
    parents = {each.name: each.parent for each in estate.resources}
    assert parents[PROJECT].endswith("folders/7")
    numbers = [each.number for each in estate.resources if each.name == PROJECT]
    assert numbers == ["481516234200"]
    assert "gcp-iam-policies" in sync.collected
    assert "gcp-deny-policies" in sync.not_collected


def test_an_export_is_read_line_by_line_and_a_bad_line_is_a_problem(
    tmp_path: Path,
) -> None:
    lines = [
        json.dumps(
            {
                "name": PROJECT,
                "asset_type": "cloudresourcemanager.googleapis.com/Project",
                "ancestors": ["projects/shop", "organizations/1"],
                "iam_policy": {"bindings": [{"role": "roles/owner", "members": []}]},
            }
        ),
        '{"name": ',
        json.dumps({"hello": "world"}),
    ]
    sync, estate = scan(tmp_path, assets="\n".join(lines))
    assert [each.resource for each in estate.policies] == [PROJECT]
    assert len(sync.problems) == 2
    assert estate.unread


def test_an_empty_list_is_collected_by_the_name_of_its_file(tmp_path: Path) -> None:
    sync, _ = scan(tmp_path, deny_policies=[], groups=[], projects=[{"projectId": "p"}])
    assert {"gcp-deny-policies", "gcp-groups"} <= set(sync.collected)


@pytest.mark.parametrize("content", ["", "\n", "\ufeff \n"])
def test_an_empty_file_is_no_empty_list(tmp_path: Path, content: str) -> None:
    """The shell leaves one where the command of `> deny-policies.json` fails."""
    project = [{"projectId": "p"}]
    sync, _ = scan(tmp_path, deny_policies=content, projects=project)
    assert "gcp-deny-policies" in sync.not_collected
    (problem,) = sync.problems
    assert problem.place.endswith("deny-policies.json")
    assert problem.what.startswith("an empty file")


def test_a_deny_policy_of_a_list_has_no_rules(tmp_path: Path) -> None:
    place = "cloudresourcemanager.googleapis.com%2Fprojects%2Fshop"
    name = f"policies/{place}/denypolicies/d"
    _, estate = scan(tmp_path, deny_policies=[{"name": name, "kind": "DenyPolicy"}])
    assert estate.deny_policies[0].rules is None
    assert estate.deny_policies[0].resource == PROJECT


def test_agents_run_as_their_account_their_identity_or_the_service_agent(
    tmp_path: Path,
) -> None:
    def engine(number: str, spec: dict[str, str]) -> dict[str, Any]:
        path = f"projects/481516234200/locations/l/reasoningEngines/{number}"
        return {
            "name": f"//aiplatform.googleapis.com/{path}",
            "assetType": "aiplatform.googleapis.com/ReasoningEngine",
            "resource": {"data": {"displayName": number, "spec": spec}},
        }

    sync, _ = scan(
        tmp_path,
        organization={"name": "organizations/1", "displayName": "example.com"},
        resources=[
            engine("1", {"serviceAccount": BOT}),
            engine("2", {"identityType": "AGENT_IDENTITY"}),
            engine("3", {}),
        ],
    )
    runs_as = [each.runs_as for each in sync.facts.agents]
    own = (
        "principal://agents.global.org-1.system.id.goog/resources/aiplatform/"
        "projects/481516234200/locations/l/reasoningEngines/2"
    )
    service = "service-481516234200@gcp-sa-aiplatform-re.iam.gserviceaccount.com"
    assert runs_as == [(BOT,), (own,), (service,)]


def test_a_key_is_a_credential_of_its_account(tmp_path: Path) -> None:
    name = f"projects/shop/serviceAccounts/{BOT}/keys/0123"
    key = {
        "name": name,
        "keyType": "USER_MANAGED",
        "validAfterTime": "2026-01-01T00:00:00Z",
        "validBeforeTime": "9999-12-31T23:59:59Z",
    }
    managed = {**key, "name": f"{name}9", "keyType": "SYSTEM_MANAGED"}
    sync, _ = scan(tmp_path, keys=[key, managed])
    (credential,) = sync.facts.credentials
    assert (credential.id, credential.expires_at) == ("cred:gcp/0123", 0)
    assert sync.facts.links[0].identity == IdentityId(BOT)


def test_no_value_of_a_workload_is_stored(tmp_path: Path) -> None:
    instance = {
        "name": "//compute.googleapis.com/projects/shop/zones/z/instances/i",
        "assetType": "compute.googleapis.com/Instance",
        "resource": {
            "data": {
                "metadata": {"items": [{"key": "startup-script", "value": SECRET}]},
                "serviceAccounts": [{"email": BOT}],
                "env": [{"name": "TOKEN", "value": SECRET}],
            }
        },
    }
    key = {"name": f"projects/p/serviceAccounts/{BOT}/keys/1", "privateKeyData": SECRET}
    sync, estate = scan(tmp_path, resources=[instance], keys=[key])
    assert SECRET not in repr(sync)
    assert [each.runs_as for each in estate.resources if each.runs_as] == [(BOT,)]


def test_a_file_without_an_answer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"hello": 1}')
    with pytest.raises(UsageError, match="no supported output of gcloud"):
        fetch.sync(str(tmp_path / "x.json"), context())


def test_the_packaged_catalogue_has_basic_roles_and_its_date() -> None:
    found = roles.load_predefined_roles()
    owner = found.list_permissions("roles/owner")
    assert owner is not None
    assert "resourcemanager.projects.setIamPolicy" in owner
    assert found.list_permissions("roles/none.such") is None
    assert found.date == "2026-08-22"


def test_described_roles_replace_the_catalogue(tmp_path: Path) -> None:
    file = tmp_path / "roles.json"
    role = {"name": "roles/viewer", "includedPermissions": ["a.b.get"]}
    file.write_text(json.dumps([role, {"name": "roles/x", "title": "X"}]))
    sync = roles.sync(str(file), context())
    estate = msgspec.json.decode(sync.facts.catalogues[0].body, type=GoogleCloudEstate)
    assert [each.permissions for each in estate.roles] == [("a.b.get",)]
    assert len(sync.problems) == 1


def test_a_folder_of_other_files_is_refused_after_some(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number:03}.json").write_text('{"other": 1}')
    with pytest.raises(
        UsageError, match="contains no supported output of gcloud"
    ) as caught:
        fetch.sync(str(tmp_path), context())
    assert caught.value.hint == "collect with the commands of docs/gcp.md"


def test_the_full_name_of_a_service_account_is_its_resource(tmp_path: Path) -> None:
    name = f"//iam.googleapis.com/projects/shop/serviceAccounts/{BOT}"
    binding = {"role": "roles/iam.serviceAccountUser", "members": ["user:a@b.c"]}
    row = {"resource": name, "policy": {"bindings": [binding]}}
    _, estate = scan(tmp_path, iam_policies=[row])
    assert [each.resource for each in estate.policies] == [name]


def test_an_agent_of_gemini_enterprise_acts_as_its_engine(tmp_path: Path) -> None:
    app = "projects/7/locations/global/collections/default_collection/engines/desk"
    agent = f"{app}/assistants/default_assistant/agents"
    engine = "projects/shop/locations/l/reasoningEngines"

    def build(number: int, target: str, **more: str) -> dict[str, Any]:
        run_by = {"provisionedReasoningEngine": {"reasoningEngine": target}}
        return {"name": f"{agent}/{number}", "adkAgentDefinition": run_by, **more}

    answer = {
        "agents": [
            build(1, f"{engine}/8"),
            build(2, f"{engine}/9", state="DISABLED"),
            {"name": f"{agent}/3", "lowCodeAgentDefinition": {}},
        ]
    }
    resource = {
        "name": f"//aiplatform.googleapis.com/{engine}/8",
        "assetType": "aiplatform.googleapis.com/ReasoningEngine",
        "resource": {"data": {"spec": {"serviceAccount": BOT}}},
    }
    sync, _ = scan(tmp_path, gemini_agents=answer, resources=[resource])
    found = {each.id: each for each in sync.facts.agents}
    assert found["agent:gemini-enterprise/7/1"].runs_as == (BOT,)
    other = found["agent:gemini-enterprise/7/2"]
    assert other.runs_as == ()
    assert other.note == f"disabled; {engine}/9 was not collected"
    form = found["agent:gemini-enterprise/7/3"]
    assert (
        form.note
        == "acts as the person that uses it, or as an identity that was not collected"
    )
    assert sync.problems == ()


@pytest.mark.parametrize(
    "bindings",
    [
        "x",
        [5],
        [{"role": None, "members": ["allUsers"]}],
        [{"role": "roles/owner", "members": "allUsers"}],
        [{"role": "roles/owner", "members": ["allUsers", 1]}],
        [{"role": "roles/owner", "members": ["allUsers"], "condition": "x"}],
    ],
)
def test_a_binding_that_is_not_understood_is_a_problem(
    tmp_path: Path, bindings: Any
) -> None:
    row = {"resource": PROJECT, "policy": {"bindings": bindings}}
    sync, estate = scan(tmp_path, iam_policies=[row])
    assert estate.unread
    what = "an allow policy with an unsupported binding"
    assert [each.what for each in sync.problems] == [what]


@pytest.mark.parametrize("rule", ["x", {}, {"denyRule": {"deniedPrincipals": "x"}}])
def test_a_deny_rule_that_is_not_understood_leaves_all_rules_open(
    tmp_path: Path, rule: Any
) -> None:
    name = "policies/cloudresourcemanager.googleapis.com%2Fprojects%2Fp/denypolicies/d"
    sync, estate = scan(tmp_path, deny_policies=[{"name": name, "rules": [rule]}])
    assert estate.deny_policies[0].rules is None
    what = "a deny policy with an unsupported rule"
    assert [each.what for each in sync.problems] == [what]
