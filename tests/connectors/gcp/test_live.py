"""A live scan: the official clients talk to an API of our own."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from answerable.connectors.gcp import fetch, live_clients, live_scan
from answerable.connectors.gcp.declaration import KINDS, LIVE_CALLS
from answerable.model.connector import SyncContext
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.sighting import ReadProblemKind, Sync
from answerable.reach.gcp.catalogue import GoogleCloudEstate
from tests.connectors.gcp.fake_google import (
    APIS,
    ORGANIZATION,
    FakeGoogle,
    build_asset,
    serve,
)

NOW = 1_790_000_000 * 10**9
CRM = "//cloudresourcemanager.googleapis.com"
PROJECT, ROOT = f"{CRM}/projects/shop", f"{CRM}/{ORGANIZATION}"
BOT = "bot@shop.iam.gserviceaccount.com"
BOUNDARY = f"{ORGANIZATION}/locations/global/principalAccessBoundaryPolicies/edge"
DENY = "policies/cloudresourcemanager.googleapis.com%2Fprojects%2Fshop/denypolicies"
# The client encodes the name once more for the path; the server decodes it once.
DENY_PATH = f"/v2/{DENY}"
IN_SHOP = ["projects/100", ORGANIZATION]


def build_policy(*bindings: tuple[str, str]) -> Any:
    """Build an allow policy of pairs (role, member)."""
    return {"bindings": [{"role": role, "members": [who]} for role, who in bindings]}


def build_fake() -> FakeGoogle:
    """Build an organization with one project, an agent, a group and every policy."""
    fake = FakeGoogle()
    fake.assets["RESOURCE"] = [
        build_asset(
            ROOT,
            "cloudresourcemanager.googleapis.com/Organization",
            {
                "name": ORGANIZATION,
                "displayName": "example.com",
                "owner": {"directoryCustomerId": "C01"},
            },
        ),
        build_asset(
            f"{CRM}/projects/100",
            "cloudresourcemanager.googleapis.com/Project",
            {
                "projectId": "shop",
                "projectNumber": "100",
                "parent": {"type": "organization", "id": "1"},
            },
            ancestors=IN_SHOP,
        ),
        build_asset(
            f"//iam.googleapis.com/projects/shop/serviceAccounts/{BOT}",
            "iam.googleapis.com/ServiceAccount",
            {"email": BOT, "projectId": "shop", "uniqueId": "11"},
            ancestors=IN_SHOP,
        ),
        build_asset(
            "//iam.googleapis.com/projects/shop/roles/reader",
            "iam.googleapis.com/Role",
            {
                "name": "projects/shop/roles/reader",
                "includedPermissions": ["storage.objects.get"],
            },
            ancestors=IN_SHOP,
        ),
        build_asset(
            "//aiplatform.googleapis.com/projects/shop/locations/l/reasoningEngines/8",
            "aiplatform.googleapis.com/ReasoningEngine",
            {"displayName": "helper", "spec": {"serviceAccount": BOT}},
            ancestors=IN_SHOP,
        ),
        build_asset(
            f"{ROOT}/tagValues/9",
            "cloudresourcemanager.googleapis.com/TagValue",
            {"name": "tagValues/9", "namespacedName": "1/env/prod"},
        ),
        build_asset(
            "//cloudresourcemanager.googleapis.com/tagBindings/x",
            "cloudresourcemanager.googleapis.com/TagBinding",
            {"parent": f"{CRM}/projects/100", "tagValue": "tagValues/9"},
        ),
    ]
    fake.assets["IAM_POLICY"] = [
        build_asset(
            ROOT,
            "cloudresourcemanager.googleapis.com/Organization",
            iamPolicy=build_policy(("roles/viewer", "group:staff@example.com")),
        ),
        build_asset(
            f"{CRM}/projects/100",
            "cloudresourcemanager.googleapis.com/Project",
            iamPolicy=build_policy(
                ("projects/shop/roles/reader", f"serviceAccount:{BOT}")
            ),
            ancestors=IN_SHOP,
        ),
    ]
    fake.lists[DENY_PATH] = [{"name": f"{DENY}/no-delete"}]
    fake.objects[f"{DENY_PATH}/no-delete"] = {
        "name": f"{DENY}/no-delete",
        "rules": [
            {
                "denyRule": {
                    "deniedPrincipals": ["principalSet://goog/public:all"],
                    "deniedPermissions": ["storage.googleapis.com/objects.delete"],
                }
            }
        ],
    }
    fake.lists[f"/v3/{BOUNDARY.rpartition('/')[0]}"] = [
        {
            "name": BOUNDARY,
            "details": {
                "rules": [{"resources": [PROJECT], "effect": "ALLOW"}],
                "enforcementVersion": "1",
            },
        }
    ]
    fake.lists[f"/v3/{BOUNDARY}:searchPolicyBindings"] = [
        {
            "name": f"{ORGANIZATION}/locations/global/policyBindings/b",
            "policy": BOUNDARY,
            "policyKind": "PRINCIPAL_ACCESS_BOUNDARY",
            "target": {"principalSet": ROOT},
        }
    ]
    fake.objects["staff@example.com"] = {"name": "groups/a1"}
    fake.objects["interns@example.com"] = {"name": "groups/a2"}
    fake.lists["/v1/groups/a1/memberships"] = [
        {"preferredMemberKey": {"id": "Ana@example.com"}, "type": "USER"},
        {"preferredMemberKey": {"id": "interns@example.com"}, "type": "GROUP"},
    ]
    fake.lists["/v1/groups/a2/memberships"] = [
        {"preferredMemberKey": {"id": "bo@example.com"}, "type": "USER"},
    ]
    return fake


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGoogle]:
    """An API, and application default credentials for it."""
    with serve(build_fake()) as fake:
        for name in tuple(os.environ):
            if name.startswith(("GOOGLE_", "CLOUDSDK_")):
                monkeypatch.delenv(name)
        key = fake.write_key(tmp_path / "key.json")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        for each in APIS:
            name = f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{each}"
            monkeypatch.setenv(name, f"{fake.url}/")
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        yield fake


def scan(location: str = ORGANIZATION) -> tuple[Sync, GoogleCloudEstate]:
    """Scan live."""
    sync = fetch.sync(location, SyncContext(now=NOW, fingerprint=lambda text: "f" * 8))
    (catalogue,) = sync.facts.catalogues
    return sync, msgspec.json.decode(catalogue.body, type=GoogleCloudEstate)


def test_an_organization_is_read_whole(google: FakeGoogle) -> None:
    sync, estate = scan()
    assert (sync.source, sync.problems) == (f"gcp:{ORGANIZATION} (live)", ())
    assert set(sync.collected) == {f"gcp-{each}" for each in KINDS}
    assert [each.email for each in estate.service_accounts] == [BOT]
    assert estate.roles[0].permissions == ("storage.objects.get",)
    (deny,) = estate.deny_policies
    assert deny.rules is not None
    assert deny.rules[0].permissions == ("storage.googleapis.com/objects.delete",)
    assert estate.boundaries[0].resources == (PROJECT,)
    assert estate.boundary_bindings[0].principal_set == f"principalSet:{ROOT}"
    groups = {each.name: each.members for each in estate.groups}
    assert groups["group:staff@example.com"] == (
        "user:ana@example.com",
        "group:interns@example.com",
    )
    assert groups["group:interns@example.com"] == ("user:bo@example.com",)
    (tag,) = estate.tags
    assert (tag.key, tag.value) == ("1/env", "prod")
    (agent,) = sync.facts.agents
    assert agent.runs_as == (BOT,)


def test_the_declared_calls_are_those_that_are_made(google: FakeGoogle) -> None:
    scan()
    methods = {method for method, _, _ in google.calls}
    assert methods == {"GET"}
    probes = {each.place for each in fetch.list_locations_to_read("")}
    assert probes == set(LIVE_CALLS)


def test_lists_are_read_page_by_page(google: FakeGoogle) -> None:
    google.page_items = 1
    sync, estate = scan()
    assert (len(estate.policies), len(estate.groups)) == (2, 2)
    assert google.count_calls()[f"/v1/{ORGANIZATION}/assets"] == 7 + 2 + 1
    assert sync.problems == ()


def test_the_project_of_the_credential_is_read_with_the_policies_above_it(
    google: FakeGoogle,
) -> None:
    google.assets["RESOURCE"] = google.assets["RESOURCE"][1:]
    google.assets["IAM_POLICY"] = google.assets["IAM_POLICY"][1:]
    above = f"/v3/{ORGANIZATION}:getIamPolicy"
    google.objects[above] = build_policy(("roles/owner", "user:root@example.com"))
    sync, estate = scan("")
    assert sync.source == "gcp:projects/shop (live)"
    owners = [p for p in estate.policies if p.resource == ROOT]
    assert owners[0].bindings[0].members == ("user:root@example.com",)
    assert "gcp-iam-policies" in sync.collected


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("IAM_POLICY", {"iam-policies"}),
        ("ORG_POLICY", {"org-policies"}),
        (DENY_PATH, {"deny-policies"}),
        (f"{DENY_PATH}/no-delete", {"deny-policies"}),
        (f"/v3/{BOUNDARY.rpartition('/')[0]}", {"access-boundaries"}),
        (f"/v3/{BOUNDARY}:searchPolicyBindings", {"access-boundaries"}),
        ("interns@example.com", {"groups"}),
        ("/v1/groups/a2/memberships", {"groups"}),
    ],
)
def test_a_refused_call_is_a_problem_and_its_kind_is_not_collected(
    google: FakeGoogle, path: str, kinds: set[str]
) -> None:
    google.always[path] = (403, "IAM_PERMISSION_DENIED")
    sync, _ = scan()
    (problem,) = sync.problems
    assert (problem.kind, problem.what) == (ReadProblemKind.PERMISSION, "forbidden")
    assert set(sync.not_collected) == {f"gcp-{each}" for each in kinds}


def test_a_refused_policy_above_a_project_leaves_policies_uncollected(
    google: FakeGoogle,
) -> None:
    google.always[f"/v3/{ORGANIZATION}:getIamPolicy"] = (403, "")
    sync, _ = scan("projects/shop")
    assert "gcp-iam-policies" in sync.not_collected
    assert sync.problems[0].place == f"POST /v3/{ORGANIZATION}:getIamPolicy"


def test_a_disabled_api_is_named(google: FakeGoogle) -> None:
    google.always["staff@example.com"] = (403, "SERVICE_DISABLED")
    sync, _ = scan()
    what = "the API is not enabled in the project of the credential"
    assert sync.problems[0].what == what


def test_throttling_is_waited_out(google: FakeGoogle) -> None:
    google.once["RESOURCE"] = [429, 503]
    google.once["staff@example.com"] = [429]
    sync, _ = scan()
    assert sync.problems == ()


def test_throttling_has_an_end(
    google: FakeGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_clients, "THROTTLE_LIMIT", 0.01)
    google.always["IAM_POLICY"] = (429, "RATE_LIMIT_EXCEEDED")
    sync, _ = scan()
    assert sync.problems[0].kind is ReadProblemKind.NETWORK


def test_no_text_of_the_server_is_kept(google: FakeGoogle) -> None:
    google.always["ORG_POLICY"] = (500, "c4n4ry reason")
    google.bodies["staff@example.com"] = b"c4n4ry, no JSON"
    google.bodies["IAM_POLICY"] = b'{"assets": "c4n4ry"}'
    sync, _ = scan()
    assert {each.kind for each in sync.problems} == {
        ReadProblemKind.NETWORK,
        ReadProblemKind.INVALID,
    }
    assert "c4n4ry" not in msgspec.json.encode(sync).decode()


def test_a_page_that_names_itself_as_the_next_ends(google: FakeGoogle) -> None:
    body = b'{"memberships": [], "nextPageToken": "0"}'
    google.bodies["/v1/groups/a2/memberships"] = body
    sync, _ = scan()
    assert sync.problems[0].what == "the API returned the same page twice"


def test_too_many_assets_are_a_problem(
    google: FakeGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_scan, "MAX_ASSETS", 3)
    sync, _ = scan()
    assert sync.problems[0].kind is ReadProblemKind.TOO_LARGE
    assert "gcp-resources" in sync.not_collected


def test_without_any_asset_the_environment_refused(google: FakeGoogle) -> None:
    for each in ("RESOURCE", "IAM_POLICY", "ORG_POLICY"):
        google.always[each] = (403, "")
    with pytest.raises(EnvironmentFailure, match="no asset could be listed") as error:
        scan()
    assert "where --policy gcp-roles" in error.value.hint


def test_refused_credentials_are_one_line(google: FakeGoogle) -> None:
    google.refuses_tokens = True
    with pytest.raises(EnvironmentFailure, match="refused the application default"):
        scan()


def test_missing_credentials_are_one_line(
    google: FakeGoogle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(EnvironmentFailure, match="no application default credentials"):
        scan()


@pytest.mark.parametrize("url", ["http://api.example", "ftp://x", "nonsense"])
def test_a_credential_is_never_sent_in_plain_text(
    google: FakeGoogle, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDIDENTITY", url)
    with pytest.raises(EnvironmentFailure, match="is not an https URL"):
        scan()


def test_a_credential_without_a_project_asks_for_a_scope(
    google: FakeGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = replace(live_clients.open_clients(), project="")
    monkeypatch.setattr(live_scan, "open_clients", lambda: without)
    with pytest.raises(UsageError, match="names no project"):
        scan("")


def test_agents_of_gemini_enterprise_act_as_their_engines(google: FakeGoogle) -> None:
    app = "projects/100/locations/eu/collections/default_collection/engines/desk"
    agents = f"{app}/assistants/default_assistant/agents"
    google.assets["RESOURCE"].append(
        build_asset(
            f"//discoveryengine.googleapis.com/{app}",
            "discoveryengine.googleapis.com/Engine",
            {"displayName": "desk"},
            ancestors=IN_SHOP,
        )
    )
    google.lists[f"/v1alpha/{agents}"] = [
        {
            "name": f"{agents}/1",
            "displayName": "Refunds",
            "state": "ENABLED",
            "adkAgentDefinition": {
                "provisionedReasoningEngine": {
                    "reasoningEngine": "projects/100/locations/l/reasoningEngines/8"
                }
            },
        },
        {"name": f"{agents}/2", "a2aAgentDefinition": {"jsonAgentCard": "{}"}},
    ]
    google.page_items = 1
    sync, _ = scan()
    found = {each.id: each for each in sync.facts.agents}
    refunds = found["agent:gemini-enterprise/shop/1"]
    assert (refunds.name, refunds.runs_as) == ("Refunds", (BOT,))
    assert found["agent:gemini-enterprise/shop/2"].runs_as == ()
    google.always[f"/v1alpha/{agents}"] = (403, "")
    sync, _ = scan()
    assert sync.problems[0].place == f"GET /v1alpha/{agents}"
