"""One agent of Google Cloud, from the answers of gcloud to its access and findings."""

import json
from pathlib import Path
from typing import Any

import pytest

PROJECT = "//cloudresourcemanager.googleapis.com/projects/shop"
ROOT = "//cloudresourcemanager.googleapis.com/organizations/1"
BOT = "bot@shop.iam.gserviceaccount.com"
OWNER = "owner@shop.iam.gserviceaccount.com"
AGENT = "agent:vertex-agent-engine/shop/8"


def write_answers(folder: Path) -> None:
    """Write the answers of gcloud about a project with one agent."""

    def policy(resource: str, *bindings: tuple[str, str]) -> dict[str, Any]:
        listed = [{"role": role, "members": [who]} for role, who in bindings]
        place = {"organization": "organizations/1", "folders": []}
        return {"resource": resource, "policy": {"bindings": listed}, **place}

    answers: dict[str, Any] = {
        "iam-policies": [
            policy(ROOT, ("roles/viewer", "group:auditors@example.com")),
            policy(
                PROJECT,
                ("roles/owner", f"serviceAccount:{OWNER}"),
                ("roles/iam.serviceAccountTokenCreator", f"serviceAccount:{BOT}"),
            ),
        ],
        "projects": [
            {"projectId": "shop", "parent": {"type": "organization", "id": "1"}}
        ],
        "service-accounts": [
            {"email": each, "name": f"projects/shop/serviceAccounts/{each}"}
            for each in (BOT, OWNER)
        ],
        "resources": [
            {
                "name": "//aiplatform.googleapis.com/projects/shop/locations/l/"
                "reasoningEngines/8",
                "assetType": "aiplatform.googleapis.com/ReasoningEngine",
                "resource": {
                    "data": {"displayName": "a", "spec": {"serviceAccount": BOT}}
                },
            }
        ],
    }
    folder.mkdir()
    for name, content in answers.items():
        (folder / f"{name}.json").write_text(json.dumps(content))


@pytest.fixture
def store(tmp_path: Path, ask: Any) -> Path:
    write_answers(tmp_path / "shop")
    place = tmp_path / "store"
    assert ask(place, "scan", f"gcp:{tmp_path / 'shop'}").code == 0
    return place


def test_an_agent_reaches_what_its_account_can_become(store: Path, ask: Any) -> None:
    call = ("resourcemanager.projects.setIamPolicy", "projects/shop")
    (item,) = ask(store, "can", AGENT, *call).items
    assert item["verdict"] == "always"
    steps = ["runs as", "iam.serviceAccounts.getAccessToken"]
    assert [hop["via"] for hop in item["path"]] == steps
    assert item["assuming"] == ["gcp-access-boundaries", "gcp-deny-policies"]


def test_an_account_that_becomes_an_owner_is_an_administrator(
    store: Path, ask: Any
) -> None:
    found = ask(store, "findings").items
    rules = {each["rule"] for each in found if BOT in json.dumps(each)}
    assert "agent-administrator" in rules


def test_the_members_of_a_group_were_not_collected(store: Path, ask: Any) -> None:
    call = ("compute.instances.get", "projects/shop")
    (item,) = ask(store, "can", "user:ana@example.com", *call).items
    assert item["verdict"] == "not-known"
