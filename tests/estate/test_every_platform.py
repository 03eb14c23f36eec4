"""One question over GitHub, AWS, a cluster and Google Cloud, by way of identity pools."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.estate.four_platforms import (
    ANYBODY,
    BUCKET,
    BUILDER,
    CLUSTER,
    GITHUB,
    ISSUER,
    REPORTS,
    write_estate,
)
from tests.estate.seven import Ask

AGENT = "agent:claude-code/dana"
READER = "reader@shop.iam.gserviceaccount.com"
POOL = "projects/100/locations/global/workloadIdentityPools"
WEB = f"principalSet://iam.googleapis.com/{POOL}/gh/attribute.repository/acme/web"
POD = f"principal://iam.googleapis.com/{POOL}/eks/subject/system:serviceaccount:apps:reports"
ROOT = "//cloudresourcemanager.googleapis.com/organizations/1"
READ = ("storage.objects.get", "gs://ledger-copy/2026.csv")


def build_answers(trusted: tuple[str, ...] = (WEB, POD)) -> dict[str, Any]:
    """Build the answers of gcloud about a project that other platforms enter.

    Args:
        trusted: Principals of pools that may act as the service account.
    """
    account = f"//iam.googleapis.com/projects/shop/serviceAccounts/{READER}"
    rows = {
        ROOT: (("roles/viewer", ["group:auditors@example.com"]),),
        "//cloudresourcemanager.googleapis.com/projects/shop": (),
        "//storage.googleapis.com/ledger-copy": (
            ("roles/storage.objectViewer", [f"serviceAccount:{READER}"]),
        ),
        account: (("roles/iam.workloadIdentityUser", list(trusted)),),
    }
    return {
        "iam-policies": [
            {
                "resource": place,
                "policy": {"bindings": [{"role": r, "members": who} for r, who in own]},
                "organization": "organizations/1",
                **({} if place == ROOT else {"project": "projects/100"}),
            }
            for place, own in rows.items()
        ],
        "groups": [{"group": "auditors@example.com", "members": []}],
        "service-accounts": [
            {"email": READER, "name": f"projects/shop/serviceAccounts/{READER}"}
        ],
        "pools": [
            {
                "name": f"{POOL}/gh/providers/github",
                "state": "ACTIVE",
                "oidc": {"issuerUri": f"https://{GITHUB}"},
                "attributeMapping": {
                    "google.subject": "assertion.sub",
                    "attribute.repository": "assertion.repository",
                },
            },
            {
                "name": f"{POOL}/eks/providers/cluster",
                "state": "ACTIVE",
                "oidc": {"issuerUri": f"https://{ISSUER}"},
                "attributeMapping": {"google.subject": "assertion.sub"},
            },
        ],
        **{name: [] for name in ("deny-policies", "access-boundaries", "custom-roles")},
    }


def scan(ask: Ask, root: Path, **changes: Any) -> Path:
    """Scan the estate with a project of Google Cloud."""
    sources = write_estate(root)
    folder = root / "google"
    folder.mkdir()
    for name, content in build_answers(**changes).items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    store = root / "store"
    assert ask(store, "scan", *sources, f"gcp:{folder}").code == 0
    return store


@pytest.fixture
def store(tmp_path: Path, ask: Ask) -> Path:
    """Return a store with every platform."""
    return scan(ask, tmp_path)


def test_callers_of_a_bucket_are_of_every_platform(store: Path, ask: Ask) -> None:
    found = {each["subject"]: each for each in ask(store, "who-can", *READ).items}
    assert {READER, ANYBODY, REPORTS, BUILDER} <= found.keys()
    assert {found[each]["verdict"] for each in (READER, REPORTS, BUILDER)} == {"always"}
    assert found[ANYBODY]["verdict"] == "only-if"
    assert [hop["to"] for hop in found[BUILDER]["path"]] == [REPORTS, POD, READER]
    assert found[BUILDER]["agents"] == [AGENT]


def test_an_agent_reaches_resources_of_each_platform_with_the_path(
    store: Path, ask: Ask
) -> None:
    rows = ask(store, "reach", AGENT).items
    places = {row["resource"]: row for row in rows}
    wanted = (
        BUCKET,
        "//storage.googleapis.com/ledger-copy",
        f"k8s:{CLUSTER}/apps/serviceaccounts/*/token",
    )
    for place in wanted:
        assert places[place]["path"][0]["from"] == AGENT  # type: ignore[index]


def test_without_its_trust_no_other_platform_enters(tmp_path: Path, ask: Ask) -> None:
    store = scan(ask, tmp_path, trusted=(WEB,))
    found = {each["subject"] for each in ask(store, "who-can", *READ).items}
    assert READER in found
    assert not {REPORTS, BUILDER} & found
    (item,) = ask(store, "can", AGENT, *READ).items
    assert item["verdict"] not in ("always", "only-if")
