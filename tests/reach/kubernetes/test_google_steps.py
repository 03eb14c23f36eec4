"""Principals of Google Cloud are users of GKE clusters, and of no others."""

import pytest

from answerable.reach.kubernetes.catalogue import Cluster, RbacBinding, RbacSubject
from answerable.reach.kubernetes.cluster_index import ClusterIndex
from answerable.reach.kubernetes.google_steps import list_user_steps

GKE = "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c"
EKS = "https://oidc.eks.eu-west-1.amazonaws.com/id/5A3B1E"
SUBJECTS = (
    RbacSubject("User", "ana@corp.example"),
    RbacSubject("User", "bot@p.iam.gserviceaccount.com"),
    RbacSubject("User", "local-admin"),
    RbacSubject("Group", "sre@corp.example"),
)
BINDING = RbacBinding("readers", "", "ClusterRole", "view", SUBJECTS)


def index(
    name: str = "c", issuer: str = "", version: str = "", arn: str = ""
) -> ClusterIndex:
    return ClusterIndex([Cluster(name, arn, issuer, version, bindings=(BINDING,))])


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"issuer": GKE}, True),
        ({"name": "gke_p_l_c"}, True),
        ({"version": "v1.34.1-gke.1279"}, True),
        ({}, True),  # nothing tells that it is not
        ({"issuer": EKS}, False),
        ({"version": "v1.34.1-eks-ba24e9c"}, False),
        ({"arn": "arn:aws:eks:eu-west-1:111122223333:cluster/c"}, False),
    ],
)
def test_a_scanned_estate_enters_clusters_that_may_be_of_gke(
    facts: dict[str, str], expected: bool
) -> None:
    found = list_user_steps([index(**facts)], is_estate_scanned=True)
    assert bool(found.unknown) is expected
    assert bool(found.steps) is expected
    assert not found.unscanned


def test_the_user_of_a_token_is_the_address_of_its_principal() -> None:
    found = list_user_steps([index(issuer=GKE)], is_estate_scanned=True)
    assert [(each.origin, each.to) for each in found.steps] == [
        ("user:ana@corp.example", "k8s:c/user/ana@corp.example"),
        ("bot@p.iam.gserviceaccount.com", "k8s:c/user/bot@p.iam.gserviceaccount.com"),
    ]


def test_an_estate_without_a_scan_may_hold_every_right_in_a_gke_cluster() -> None:
    found = list_user_steps([index(issuer=GKE)], is_estate_scanned=False)
    assert [each.identity for each in found.unscanned] == ["k8s:c/group/system:masters"]
    assert not list_user_steps([index(issuer=EKS)], is_estate_scanned=False).unscanned
