"""Service accounts enter roles of AWS, and principals of AWS enter clusters."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from answerable.model.errors import UsageError
from answerable.model.inventory import Inventory
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.reach.kubernetes.catalogue import (
    AccessEntry,
    Cluster,
    PodIdentityAssociation,
    RbacBinding,
    RbacRole,
    RbacSubject,
    ServiceAccount,
)
from answerable.reach.platform import PolicyEdit
from answerable.usecases.reach.permissions import check_permission, list_who_can
from answerable.usecases.reach.what_if import compare_policy_edit
from tests.reach.account_builder import AccountBuilder, role, statement, user
from tests.reach.kubernetes.manifests import RBAC_KINDS, parse_rule

NOW = 1_772_323_300 * 10**9
ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"
READ = ("s3:GetObject", "arn:aws:s3:::data/a")
REPORTS, OTHER, PODS, OPS = (role(n) for n in ("reports", "other", "pods", "ops"))
ANA = user("ana")
BOT, CI = (f"k8s:prod/apps/serviceaccount/{name}" for name in ("bot", "ci"))
SECRET = ("get", "k8s:prod/apps/secrets/db")
RULE = {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}
TOKENS = {
    "verbs": ["create"],
    "apiGroups": [""],
    "resources": ["serviceaccounts/token"],
}


def build_cluster(**changes: Any) -> Cluster:
    """Build a cluster whose service account `ci` may request tokens of `bot`."""
    cluster = Cluster(
        "prod",
        arn="arn:aws:eks:eu-west-1:111122223333:cluster/prod",
        issuer=f"https://{ISSUER}",
        version="v1.33.1-eks-1",
        collected=(*RBAC_KINDS, "access-entries", "pod-identity-associations"),
        roles=(
            RbacRole("reader", "", (parse_rule(RULE),)),
            RbacRole("tokens", "apps", (parse_rule(TOKENS),)),
        ),
        bindings=(
            RbacBinding(
                "ops", "", "ClusterRole", "reader", (RbacSubject("Group", "ops"),)
            ),
            RbacBinding(
                "ci", "apps", "Role", "tokens", (RbacSubject("ServiceAccount", "ci"),)
            ),
        ),
        service_accounts=(
            ServiceAccount("apps", "bot", aws_role=REPORTS),
            ServiceAccount("apps", "ci"),
        ),
        pod_identities=(PodIdentityAssociation("apps", "ci", PODS),),
        access_entries=(AccessEntry(OPS, "ops-user", ("ops",)),),
    )
    return replace(cluster, **changes)


def build_inventory(cluster: Cluster, pods: tuple[str, str] = READ) -> Inventory:
    """Build a snapshot of an account and a cluster.

    Args:
        pods: Action and resource that the role of the pods may use.
    """
    account = AccountBuilder()
    account.identity(ANA)
    web, assume = "sts:AssumeRoleWithWebIdentity", "sts:AssumeRole"
    for name, subject in ((REPORTS, "apps:bot"), (OTHER, "other:bot")):
        condition = {
            "StringEquals": {
                f"{ISSUER}:sub": f"system:serviceaccount:{subject}",
                f"{ISSUER}:aud": "sts.amazonaws.com",
            }
        }
        federated = {"Federated": PROVIDER}
        trust = statement("t", action=web, principal=federated, condition=condition)
        account.policy(account.identity(name), "trust", trust)
    service = {"Service": "pods.eks.amazonaws.com"}
    actions = [assume, "sts:TagSession"]
    trust = statement("t", action=actions, principal=service)
    account.policy(account.identity(PODS), "trust", trust)
    account.policy(
        account.identity(OPS),
        "trust",
        statement("t", action=assume, principal={"AWS": ANA}),
    )
    account.policy(ANA, "identity", statement("a", action=assume, resource=OPS))
    for name in (REPORTS, OTHER, PODS):
        action, resource = pods if name == PODS else READ
        read = statement("r", action=action, resource=resource)
        account.policy(name, "identity", read, policy=f"read-{name[-5:]}")
    found = account.inventory()
    seen = FactProvenance("k8s:dump", "dump", WrittenBy.PLATFORM, 1)
    body = msgspec.json.encode(cluster).decode()
    catalogue = PlatformCatalogue("kubernetes", "prod", body, seen)
    return replace(found, facts=replace(found.facts, catalogues=(catalogue,)))


def can(inventory: Inventory, subject: str, call: tuple[str, str]) -> Any:
    return check_permission(inventory, subject, *call, now=NOW).items[0]


def test_a_service_account_enters_the_role_that_trusts_it() -> None:
    inventory = build_inventory(build_cluster(pod_identities=()))
    item = can(inventory, BOT, READ)
    assert item["verdict"] == "always"
    assert [hop["to"] for hop in item["path"]] == [REPORTS]
    policies = [each["policy"] for each in item["path"][0]["determining"]]
    assert "ServiceAccount apps/bot" in policies
    # Another identity of the cluster comes to it by a token.
    item = can(inventory, CI, READ)
    assert [hop["to"] for hop in item["path"]] == [BOT, REPORTS]


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://oidc.eks.eu-west-1.amazonaws.com/id/OTHER"},
        {"service_accounts": (ServiceAccount("apps", "ci"),)},
        {"bindings": (), "roles": ()},
    ],
)
def test_the_path_ends_where_one_of_its_links_is_cut(changes: dict[str, Any]) -> None:
    inventory = build_inventory(build_cluster(pod_identities=(), **changes))
    assert can(inventory, CI, READ)["verdict"] == "never"


def test_a_pod_identity_association_enters_its_role() -> None:
    item = can(build_inventory(build_cluster()), CI, READ)
    assert item["verdict"] == "always"
    assert [hop["to"] for hop in item["path"]][-1] == PODS


def test_without_the_issuer_the_provider_is_a_condition() -> None:
    inventory = build_inventory(build_cluster(issuer="", pod_identities=()))
    item = can(inventory, BOT, READ)
    assert item["verdict"] == "only-if"
    assert item["conditions"][0]["all_of"][0]["key"] == "kubernetes:issuer"


def test_a_principal_of_aws_is_the_user_of_its_access_entry() -> None:
    inventory = build_inventory(build_cluster())
    item = can(inventory, ANA, SECRET)
    assert item["verdict"] == "always"
    assert [hop["to"] for hop in item["path"]] == [OPS, "k8s:prod/user/ops-user"]
    assert can(inventory, OTHER, SECRET)["verdict"] == "never"
    rows = list_who_can(inventory, *SECRET, now=NOW).items
    assert {ANA, OPS} <= {row["subject"] for row in rows}


def test_without_access_entries_a_principal_of_aws_is_not_known() -> None:
    collected = RBAC_KINDS
    cluster = build_cluster(access_entries=(), collected=collected)
    assert can(build_inventory(cluster), ANA, SECRET)["verdict"] == "not-known"


def rights_of_ci(*verbs: str, resource: str) -> dict[str, Any]:
    """Change the cluster so that `ci` has other rights than to request tokens."""
    rule = {"verbs": list(verbs), "apiGroups": [""], "resources": [resource]}
    cluster = build_cluster()
    roles = (cluster.roles[0], replace(cluster.roles[1], rules=(parse_rule(rule),)))
    return {"roles": roles, "pod_identities": ()}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        (rights_of_ci("create", resource="serviceaccounts/token"), "always"),
        (rights_of_ci("create", resource="pods"), "always"),
        (rights_of_ci("impersonate", resource="serviceaccounts"), "never"),
        (rights_of_ci("create", "get", resource="secrets"), "never"),
    ],
)
def test_api_rights_of_a_service_account_do_not_enter_its_role(
    changes: dict[str, Any], verdict: str
) -> None:
    inventory = build_inventory(build_cluster(**changes))
    assert can(inventory, CI, READ)["verdict"] == verdict
    # In the cluster it acts as the service account in all cases.
    rows = list_who_can(inventory, *READ, now=NOW).items
    assert (CI in {row["subject"] for row in rows}) is (verdict == "always")


@pytest.mark.parametrize(
    ("resource", "verdict"),
    [
        ("configmaps", "only-if"),
        ("pods", "always"),
        ("serviceaccounts/token", "always"),
    ],
)
def test_who_can_names_the_principal_whose_access_entry_is_a_service_account(
    resource: str, verdict: str
) -> None:
    """API rights of `bot` alone are no token for AWS; a pod of it has one."""
    rights = rights_of_ci("create", resource=resource)
    bindings = build_cluster().bindings
    subjects = (RbacSubject("ServiceAccount", "bot"),)
    entry = AccessEntry(OPS, "system:serviceaccount:apps:bot", ())
    changes = {
        **rights,
        "bindings": (replace(bindings[1], subjects=subjects),),
        "access_entries": (entry,),
    }
    inventory = build_inventory(build_cluster(**changes))
    rows = list_who_can(inventory, *READ, now=NOW).items
    found = {row["subject"]: row["verdict"] for row in rows}
    for subject in (OPS, ANA, BOT, CI):
        assert found.get(subject, "never") == can(inventory, subject, READ)["verdict"]
    assert found[OPS] == found[ANA] == verdict


def test_a_role_that_trusts_a_cluster_without_a_scan_is_an_assumption() -> None:
    inventory = build_inventory(build_cluster())
    facts = replace(inventory.facts, catalogues=())
    item = can(replace(inventory, facts=facts), ANA, READ)
    assert (item["verdict"], item["assuming"]) == (
        "never",
        ["cross-platform-steps", "resource-policies"],
    )
    # No role that trusts the cluster may do this.
    item = can(replace(inventory, facts=facts), ANA, ("s3:PutObject", READ[1]))
    assert item["assuming"] == ["resource-policies"]


def test_a_verb_with_an_unknown_resource_is_explained_by_its_platform() -> None:
    inventory = build_inventory(build_cluster())
    with pytest.raises(UsageError, match="not a Kubernetes resource"):
        list_who_can(inventory, "get", "secrets", now=NOW)
    facts = replace(inventory.facts, catalogues=())
    with pytest.raises(UsageError, match="expected SERVICE:ACTION"):
        list_who_can(replace(inventory, facts=facts), "get", "secrets", now=NOW)


@pytest.mark.parametrize(
    ("pods", "lost"), [(("s3:PutObject", READ[1]), True), (("s3:*", "*"), False)]
)
def test_access_that_a_pattern_still_covers_is_not_lost(
    pods: tuple[str, str], *, lost: bool
) -> None:
    inventory = build_inventory(build_cluster(), pods)
    edit = PolicyEdit(statements=("RoleBinding apps/ci",))
    rows = compare_policy_edit(inventory, CI, edit, now=NOW).items
    assert (READ in {(row["action"], row["resource"]) for row in rows}) is lost
