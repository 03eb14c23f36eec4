"""Proofs of roles of Google Cloud and Kubernetes: they fail for a wrong role."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.model.policy_export import (
    ExportedPolicy,
    ExportTarget,
    PolicyDocument,
)
from answerable.services.baseline.cloud_profiles import learn_from_events
from answerable.services.baseline.kubernetes_drift import list_kubernetes_drift
from answerable.services.inventory.snapshots import load_inventory
from answerable.services.posture import replacement_roles
from answerable.services.posture.replacement_roles import derive_role
from answerable.services.reach.google_cloud_role import ReplacedBindings
from answerable.services.reach.replaced_policies import FAILS, HOLDS, NOT_KNOWN
from answerable.store.monitored_call_queries import find_events_of_identity
from answerable.store.store import EvidenceStore
from tests.usecases.other_platform_keys import (
    CLUSTER,
    NAMESPACE,
    email,
    write_cluster,
    write_google_cloud,
)

ACCOUNT = f"k8s:{CLUSTER}/{NAMESPACE}/serviceaccount/u0"
OBJECT = "//storage.googleapis.com/in/objects/a0"
GET = ("storage.objects.get", OBJECT)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("roles")
    write_google_cloud(root, 1)
    write_cluster(root, ["u0"])
    store = ("--store", str(root / "store"), "-q")
    scans = f"gcp:{root}/gcp", f"k8s:{root}/cluster,cluster={CLUSTER}"
    assert main(["scan", *scans, *store]) == 0
    logs = f"gcp-audit:{root}/gcp-audit.json", f"k8s-audit:{root}/k8s-audit.jsonl"
    assert main(["ingest", logs[0], f"{logs[1]},cluster={CLUSTER}", *store]) == 0
    return root


def derive(root: Path, identity: str) -> tuple[str, str]:
    now = time.time_ns()
    with EvidenceStore.open(root / "store", now=now, create=False) as store:
        found = derive_role(
            store, load_inventory(store), identity, since=0, now=time.time_ns()
        )
    return found.subset.verdict, found.observed.verdict


@pytest.mark.parametrize("identity", [email(0), ACCOUNT])
def test_both_proofs_hold(root: Path, identity: str) -> None:
    assert derive(root, identity) == (HOLDS, HOLDS)


@pytest.mark.parametrize(
    "identity", ["", "0f0e0d0c-1111", email(7), f"{ACCOUNT}9", "agent:declared/x"]
)
def test_without_calls_or_permissions_nothing_is_known(
    root: Path, identity: str
) -> None:
    assert derive(root, identity) == (NOT_KNOWN, NOT_KNOWN)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("secrets", "configmaps", (HOLDS, FAILS)),
        ('"list"', '"deletecollection"', (FAILS, FAILS)),
    ],
)
def test_a_wrong_kubernetes_role_fails(
    root: Path, monkeypatch, old: str, new: str, expected: tuple[str, str]
) -> None:
    export = replacement_roles.export_profiles

    def export_wrong(*args: object, **words: object) -> ExportedPolicy:
        found = export(*args, **words)  # type: ignore[arg-type]
        (document,) = found.documents
        text = document.text.replace(old, new)
        changed = PolicyDocument("k8s-rbac", text, len(text), 0)
        return ExportedPolicy(found.target, (changed,))

    read = replacement_roles.read_granted_rules
    monkeypatch.setattr(replacement_roles, "export_profiles", export_wrong)
    if expected[0] == FAILS:  # bindings that were not collected could allow more
        assert derive(root, ACCOUNT) == (NOT_KNOWN, expected[1])
    monkeypatch.setattr(
        replacement_roles, "read_granted_rules", lambda *a: replace(read(*a), gaps=())
    )
    assert derive(root, ACCOUNT) == expected


@pytest.mark.parametrize(
    ("permission", "condition", "expected"),
    [
        (GET[0], 'resource.name == "projects/_/buckets/in/objects/a0"', (HOLDS, HOLDS)),
        (GET[0], "", (HOLDS, HOLDS)),
        (GET[0], 'resource.name == "projects/_/buckets/in/objects/b"', (HOLDS, FAILS)),
        ("storage.objects.create", "", (HOLDS, FAILS)),
        ("compute.instances.create", "", (FAILS, FAILS)),
    ],
)
def test_a_wrong_google_role_fails(
    root: Path, permission: str, condition: str, expected: tuple[str, str]
) -> None:
    name = "projects/PROJECT/roles/r"
    binding = {"role": name, "condition": {"expression": condition}}
    role = {"roleId": "r", "includedPermissions": [permission]}
    text = json.dumps({"roles": [role], "bindings": [binding]})
    policy = ExportedPolicy(
        ExportTarget.GCP, (PolicyDocument("gcp", text, len(text), 0),)
    )
    now = time.time_ns()
    with EvidenceStore.open(root / "store", now=now, create=False) as store:
        found = ReplacedBindings.build(load_inventory(store), email(0), policy, now)
    proofs = found.prove_subset([GET]), found.prove_observed([GET])
    assert tuple(each.verdict for each in proofs) == expected


@pytest.mark.parametrize(
    ("identity", "target", "used"), [(email(0), "gcp", 3), (ACCOUNT, "k8s-rbac", 3)]
)
def test_least_privilege_of_a_service_account_has_its_roles_and_proofs(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    identity: str,
    target: str,
    used: int,
) -> None:
    words = ["least-privilege", identity, "-o", "json", "--store", f"{root}/store"]
    capsys.readouterr()
    assert main(words) == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert (item["target"], item["used"]) == (target, used)
    assert {each["verdict"] for each in item["proofs"]} == {HOLDS}
    assert {each["state"] for each in item["actions"]} == {"kept"}
    assert item["granted"] > item["kept"] > 0
    assert main([*words, "--to", "aws-policy"]) == 2
    assert "omit --to" in capsys.readouterr().err


def test_an_issuer_that_is_no_host_and_an_empty_agent_are_usage_errors(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--store", f"{root}/store")
    for issuer in ("https://sts.example", 'a"}', "", "a b"):
        assert main(["plan", "--issuer", issuer, *store]) == 2, issuer
    assert main(["aws", "credential-process", "--agent", "", *store]) == 2
    assert "--agent is empty" in capsys.readouterr().err


def test_uncollected_bindings_of_a_cluster_are_drift_that_is_not_known(
    tmp_path: Path,
) -> None:
    write_cluster(tmp_path, ["u0"], "ClusterRoleBinding")
    words = ("--store", f"{tmp_path}/store", "-q")
    assert main(["scan", f"k8s:{tmp_path}/cluster,cluster={CLUSTER}", *words]) == 0
    log = f"k8s-audit:{tmp_path}/k8s-audit.jsonl,cluster={CLUSTER}"
    assert main(["ingest", log, *words]) == 0
    now = time.time_ns()
    with EvidenceStore.open(tmp_path / "store", now=now, create=False) as store:
        events = find_events_of_identity(store, ACCOUNT, since=0, until=now)
        profile = learn_from_events(events, ACCOUNT, now, exact=True)
        found = list(list_kubernetes_drift(load_inventory(store), profile, now))
    kinds = {kind for kind, _, _ in found}
    assert kinds == {"beyond-signed", "not-known"}
    gaps = {text for kind, action, text in found if kind == "not-known" and not action}
    assert f"the clusterrolebindings of {CLUSTER} were not collected" in gaps
