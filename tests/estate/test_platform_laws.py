"""Laws of GitHub and Kubernetes on one estate: missing data, and what agents can write."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.kubernetes.kubernetes_objects import (
    binding,
    group,
    manifest,
    role,
)
from tests.estate.four_platforms import (
    ANYBODY,
    BUCKET,
    BUILDER,
    CLUSTER,
    DEPLOYER,
    REPORTS,
    write_estate,
)
from tests.estate.seven import Ask

AGENT = "agent:claude-code/dana"
TOKEN = ("create", f"k8s:{CLUSTER}/apps/serviceaccounts/reports/token")
PODS = ("create", f"k8s:{CLUSTER}/apps/pods")
READ = ("s3:GetObject", BUCKET)
QUESTIONS = (
    (AGENT, READ),
    (AGENT, TOKEN),
    (ANYBODY, READ),
    (ANYBODY, PODS),
    (DEPLOYER, PODS),
    (BUILDER, TOKEN),
    (REPORTS, READ),
)
KINDS = (
    "ClusterRole",
    "ClusterRoleBinding",
    "Namespace",
    "Pod",
    "Role",
    "RoleBinding",
    "ServiceAccount",
)
# Saved answers whose absence leaves the way of an outsider open.
ANSWERS = (
    "orgs/acme.json",
    "orgs/acme/repos.json",
    "repos/acme/web/actions/workflows.json",
    "repos/acme/web/contents/.github/workflows/preview.yml.json",
    "repos/acme/web/actions/oidc/customization/sub.json",
)


def answer_all(ask: Ask, store: Path) -> dict[str, Any]:
    """Answer all questions: verdict and assumptions by question."""
    found = {}
    for subject, call in QUESTIONS:
        item: Any = ask(store, "can", subject, *call).items[0]
        found[f"{subject} {call[0]}"] = item
    return found


def assert_no_verdict_turned_to_never(found: dict[str, Any]) -> None:
    """Check that no answer is `never` without an assumption: each was allowed before."""
    wrong = [
        key
        for key, item in found.items()
        if item["verdict"] == "never" and not item["assuming"]
    ]
    assert wrong == []


def test_all_questions_are_allowed_where_everything_was_collected(
    tmp_path: Path, ask: Ask
) -> None:
    ask(tmp_path / "store", "scan", *write_estate(tmp_path))
    verdicts = [e["verdict"] for e in answer_all(ask, tmp_path / "store").values()]
    assert set(verdicts) <= {"always", "only-if"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_dump_without_a_kind_never_yields_never(
    tmp_path: Path, ask: Ask, kind: str
) -> None:
    sources = write_estate(tmp_path)
    path = tmp_path / "cluster" / "dump.json"
    listed = json.loads(path.read_text())
    listed["items"] = [each for each in listed["items"] if each["kind"] != kind]
    path.write_text(json.dumps(listed))
    ask(tmp_path / "store", "scan", *sources)
    found = answer_all(ask, tmp_path / "store")
    assert_no_verdict_turned_to_never(found)


@pytest.mark.parametrize("part", ["accessEntries", "accessEntry", "cluster"])
def test_eks_answers_without_a_part_never_yield_never(
    tmp_path: Path, ask: Ask, part: str
) -> None:
    sources = write_estate(tmp_path)
    path = tmp_path / "cluster" / "eks.json"
    kept = [
        each for each in path.read_text().splitlines() if part not in json.loads(each)
    ]
    path.write_text("\n".join(kept))
    ask(tmp_path / "store", "scan", *sources)
    assert_no_verdict_turned_to_never(answer_all(ask, tmp_path / "store"))


@pytest.mark.parametrize("name", ANSWERS)
def test_github_answers_without_one_never_yield_never(
    tmp_path: Path, ask: Ask, name: str
) -> None:
    sources = write_estate(tmp_path)
    (tmp_path / "github" / name).unlink()
    ask(tmp_path / "store", "scan", *sources)
    assert_no_verdict_turned_to_never(answer_all(ask, tmp_path / "store"))


def test_manifests_that_an_agent_can_write_take_no_permission_away(
    tmp_path: Path, ask: Ask
) -> None:
    sources = write_estate(tmp_path)
    store = tmp_path / "store"
    ask(store, "scan", *sources)
    before = {key: e["verdict"] for key, e in answer_all(ask, store).items()}
    written = tmp_path / "written.json"
    objects = [
        manifest("ServiceAccount", "reports", "apps"),
        manifest("ServiceAccount", "builder", "apps"),
        *(
            {**each, "metadata": {**each["metadata"], "uid": None}}
            for each in (
                role("pod-maker", "apps"),
                binding(
                    "pod-makers", "apps", "pod-maker", group("none"), cluster=False
                ),
            )
        ),
    ]
    for each in objects:
        each["metadata"].pop("uid", None)
        each["metadata"]["labels"] = {"owner": "eve@evil.example"}
    written.write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    )
    later = tmp_path / "later"
    ask(later, "scan", *sources, f"k8s:{written},cluster={CLUSTER}")
    after = {key: e["verdict"] for key, e in answer_all(ask, later).items()}
    assert after == before
