"""EKS answers: the cluster, access entries, Pod Identity, aws-auth."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from answerable.reach.kubernetes.catalogue import AccessEntry, PodIdentityAssociation
from tests.connectors.kubernetes.kubernetes_objects import (
    cluster_of,
    made,
    scan,
)

ROLE = "arn:aws:iam::111122223333:role/dev"
NODE = "arn:aws:iam::111122223333:role/node"
CLUSTER = {
    "cluster": {
        "name": "prod",
        "arn": "arn:aws:eks:eu-west-1:111122223333:cluster/prod",
        "version": "1.34",
        "identity": {"oidc": {"issuer": "https://oidc.eks.example/id/A1/"}},
        "accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"},
        "certificateAuthority": {"data": "x"},
    }
}


def policies(principal: str, *rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "clusterName": "prod",
        "principalArn": principal,
        "associatedAccessPolicies": [
            {
                "policyArn": f"arn:aws:eks::aws:cluster-access-policy/{row['name']}",
                "accessScope": row["scope"],
            }
            for row in rows
        ],
    }


ANSWERS: list[dict[str, Any]] = [
    CLUSTER,
    {"accessEntries": [ROLE, NODE]},
    {
        "accessEntry": {
            "clusterName": "prod",
            "principalArn": ROLE,
            "kubernetesGroups": ["devs"],
            "username": "dev",
            "type": "STANDARD",
        }
    },
    policies(
        ROLE,
        {"name": "AmazonEKSViewPolicy", "scope": {"type": "cluster", "namespaces": []}},
        {
            "name": "AmazonEKSEditPolicy",
            "scope": {"type": "namespace", "namespaces": ["a", "b"]},
        },
    ),
    {
        "accessEntry": {
            "principalArn": NODE,
            "username": "system:node:{{EC2PrivateDNSName}}",
            "type": "EC2_LINUX",
        }
    },
    policies(NODE),
    {"associations": [{"associationId": "a-1", "namespace": "dev"}]},
    {
        "association": {
            "associationId": "a-1",
            "namespace": "dev",
            "serviceAccount": "app",
            "roleArn": ROLE,
            "targetRoleArn": NODE,
            "externalId": "e",
        }
    },
]
MAP = made(
    "ConfigMap",
    "aws-auth",
    "kube-system",
    data={
        "mapRoles": yaml.safe_dump(
            [
                {"rolearn": ROLE, "username": "old", "groups": ["system:masters"]},
                {"rolearn": NODE, "groups": ["nodes"]},
            ]
        ),
        "mapUsers": "- userarn: arn:aws:iam::111122223333:user/ana\n  username: ana\n",
    },
)


def write(folder: Path, *answers: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, each in enumerate(answers):
        (folder / f"{number}.json").write_text(json.dumps(each))
    return folder


def test_the_cluster_has_its_name_issuer_and_entries(tmp_path: Path) -> None:
    sync = scan(str(write(tmp_path / "eks", *ANSWERS, MAP)))
    assert sync.problems == ()
    cluster = cluster_of(sync)
    assert (cluster.name, cluster.version) == ("prod.eu-west-1.111122223333", "1.34")
    assert cluster.issuer == "https://oidc.eks.example/id/A1"
    entries = {(each.principal, each.aws_auth): each for each in cluster.access_entries}
    found = entries[ROLE, False]
    assert (found.username, found.groups) == ("dev", ("devs",))
    assert found.policies == (
        ("AmazonEKSViewPolicy", "cluster"),
        ("AmazonEKSEditPolicy", "a"),
        ("AmazonEKSEditPolicy", "b"),
    )
    assert entries[NODE, False].groups == ("system:nodes",)
    assert entries[ROLE, True].groups == ("system:masters",)
    assert entries[NODE, True].username == NODE
    place = f"{tmp_path}/eks/7.json"
    assert cluster.pod_identities == (
        PodIdentityAssociation("dev", "app", ROLE, NODE, "e", place),
    )
    words = {"access-entries", "aws-auth", "pod-identity-associations"}
    assert set(cluster.collected) == words


def test_one_file_may_hold_all_answers(tmp_path: Path) -> None:
    (tmp_path / "eks.json").write_text("\n".join(map(json.dumps, ANSWERS)))
    cluster = cluster_of(scan(f"{tmp_path}/eks.json"))
    assert set(cluster.collected) == {"access-entries", "pod-identity-associations"}


@pytest.mark.parametrize("left_out", [1, 2, 3, 5])
def test_entries_without_a_part_are_not_collected(
    tmp_path: Path, left_out: int
) -> None:
    answers = ANSWERS[:left_out] + ANSWERS[left_out + 1 :]
    cluster = cluster_of(scan(str(write(tmp_path / "eks", *answers))))
    assert "access-entries" not in cluster.collected


def test_an_association_without_its_role_is_not_collected(tmp_path: Path) -> None:
    cluster = cluster_of(scan(str(write(tmp_path / "eks", *ANSWERS[:-1]))))
    assert "pod-identity-associations" not in cluster.collected
    assert cluster.pod_identities == ()


@pytest.mark.parametrize(
    ("mode", "from_map", "collected"),
    [
        ("API", {False}, {"access-entries", "aws-auth", "pod-identity-associations"}),
        ("CONFIG_MAP", {True}, {"access-entries", "pod-identity-associations"}),
        ("", {False, True}, {"access-entries", "pod-identity-associations"}),
    ],
)
def test_the_authentication_mode_decides_which_rows_count(
    tmp_path: Path, mode: str, from_map: set[bool], collected: set[str]
) -> None:
    config = {"authenticationMode": mode} if mode else None
    described = {"cluster": {**CLUSTER["cluster"], "accessConfig": config}}
    answers = [described, *ANSWERS[1:], MAP]
    cluster = cluster_of(scan(str(write(tmp_path / "eks", *answers))))
    assert {each.aws_auth for each in cluster.access_entries} == from_map
    assert set(cluster.collected) == collected | {"aws-auth"}


def test_accounts_that_are_mapped_whole_are_named_as_unread(tmp_path: Path) -> None:
    data = {"mapAccounts": '- "111122223333"\n'}
    mapped = made("ConfigMap", "aws-auth", "kube-system", data=data)
    cluster = cluster_of(scan(str(write(tmp_path / "eks", CLUSTER, mapped))))
    assert cluster.unread[0].startswith("mapAccounts of ConfigMap")


@pytest.mark.parametrize("rows", ["- [", "- {rolearn: {"])
def test_a_map_that_is_no_yaml_is_a_problem(tmp_path: Path, rows: str) -> None:
    data = {"mapRoles": rows}
    mapped = made("ConfigMap", "aws-auth", "kube-system", data=data)
    sync = scan(str(write(tmp_path / "eks", CLUSTER, mapped)))
    assert sync.problems[0].what.startswith("ConfigMap aws-auth: not YAML")
    assert cluster_of(sync).unread
    assert "aws-auth" not in cluster_of(sync).collected


def test_users_of_access_entries_are_identities(tmp_path: Path) -> None:
    sync = scan(str(write(tmp_path / "eks", *ANSWERS)))
    ids = {each.id.partition("/")[2] for each in sync.facts.identities}
    assert {"user/dev", "group/devs", "group/system:nodes"} <= ids
    assert AccessEntry(ROLE, "dev").policies == ()
