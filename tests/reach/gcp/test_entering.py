"""Identities of AWS, GitHub and Kubernetes that enter Google Cloud."""

from dataclasses import replace

import msgspec
import pytest

from answerable.model.inventory import Inventory
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.reach.engine import (
    answer_permission_question,
    parse_permission_question,
)
from answerable.reach.gcp.catalogue import GoogleCloudEstate
from answerable.reach.github.catalogue import GithubOrganization
from answerable.reach.kubernetes.catalogue import Cluster, ServiceAccount
from answerable.reach.platform import Answer, Question
from answerable.services.reach.platform_registry import PLATFORMS, open_platforms
from tests.reach.account_builder import AccountBuilder, role
from tests.reach.gcp.estates import SEEN, build_estate
from tests.reach.github.organization_builder import build_organization

POOLS = "principalSet://iam.googleapis.com/projects/100/locations/global/workloadIdentityPools"
DEPLOY = f"{POOLS}/aws/attribute.aws_role/arn:aws:sts::111122223333:assumed-role/deploy"
WEB = f"{POOLS}/gh/attribute.repository/acme/web"
GKE = "serviceAccount:p.svc.id.goog[apps/web]"
EXCHANGE = "sts.googleapis.com token exchange"


def build_inventory(owner: str = "acme", project: str = "p") -> Inventory:
    """Build an account, an organization, a cluster and an estate that trusts them."""
    providers = {
        "aws": {"aws": "111122223333"},
        "gh": {
            "issuer": "https://token.actions.githubusercontent.com",
            "mapping": {
                "google.subject": "assertion.sub",
                "attribute.repository": "assertion.repository",
            },
            "condition": f"assertion.repository_owner == '{owner}'",
        },
    }
    bind = [["gs://b", "roles/storage.objectViewer", [DEPLOY, WEB, GKE]]]
    estate = build_estate({"providers": providers, "bind": bind})
    account = AccountBuilder()
    account.identity(role("deploy"))
    repository = {
        "name": "web",
        "id": 1,
        "oidc": {"use_default": True, "immutable": False},
        "created_at": 1,
        "actions_enabled": True,
        "collaborators": [("dana", "write")],
    }
    members = [{"login": "dana", "role": "member"}]
    organization = build_organization(
        {"members": members, "repositories": [repository]}
    )
    kinds = ("serviceaccounts", "roles", "rolebindings")
    cluster = Cluster(
        "prod",
        issuer=f"https://container.googleapis.com/v1/projects/{project}/locations/l/clusters/c",
        collected=(*kinds, "clusterroles", "clusterrolebindings"),
        service_accounts=(ServiceAccount("apps", "web"),),
    )
    found = account.inventory()
    catalogues = (
        _encode("gcp", estate.name, estate),
        _encode("github", f"github:{organization.login}", organization),
        _encode("kubernetes", cluster.name, cluster),
    )
    return replace(found, facts=replace(found.facts, catalogues=catalogues))


def _encode(
    platform: str, place: str, body: GoogleCloudEstate | GithubOrganization | Cluster
) -> PlatformCatalogue:
    text = msgspec.json.encode(body).decode()
    return PlatformCatalogue(platform, place, text, SEEN)


def ask(inventory: Inventory, who: str) -> Answer:
    """Ask whether an identity may read an object."""
    question = Question(1, who, "storage.objects.get", "gs://b/x")
    platform, parsed = parse_permission_question(PLATFORMS, inventory, question)
    opened = open_platforms(inventory, parsed)
    return answer_permission_question(opened, platform, parsed)


@pytest.mark.parametrize(
    ("who", "member"),
    [
        (role("deploy"), DEPLOY),
        ("github:user/dana", WEB),
        ("k8s:prod/apps/serviceaccount/web", GKE),
    ],
)
def test_a_trusted_token_enters_the_pool(who: str, member: str) -> None:
    got = ask(build_inventory(), who)
    assert got.verdict == "always"
    last = got.item["path"][-1]
    assert (last["via"], last["to"]) == (EXCHANGE, member)


def test_a_condition_of_the_provider_keeps_other_owners_out() -> None:
    assert ask(build_inventory("other"), "github:user/dana").verdict != "always"


def test_a_cluster_of_another_project_is_not_the_same_identity() -> None:
    got = ask(build_inventory(project="q"), "k8s:prod/apps/serviceaccount/web")
    assert got.verdict not in ("always", "only-if")
