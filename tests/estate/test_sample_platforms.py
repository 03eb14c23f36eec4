"""One question over every platform of the sample data that the demo writes."""

from pathlib import Path
from typing import Any

import pytest

from answerable.cli.sample.google_project import (
    AGENT_RELEASE,
    LEDGER_COPY,
    LEDGER_SYNC,
    SUPPORT_AGENT,
    VERTEX_AGENT,
)
from answerable.cli.sample.platform_account import LEDGER_OBJECT
from tests.estate.sample_stores import PIPELINE_AGENT, Stores
from tests.estate.seven import Ask

POD = "k8s:prod.eu-west-1.444455556666/previews/serviceaccount/ledger"
CONTRIBUTOR = "github:user/ana"
READ = ("storage.objects.get", LEDGER_COPY)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Store with every source of the sample."""
    return Stores.below(tmp_path_factory.mktemp("sample")).of_every_platform()


def test_an_agent_reaches_resources_of_each_platform_with_the_path(
    store: Path, ask: Ask
) -> None:
    rows = ask(store, "reach", PIPELINE_AGENT).items
    paths: dict[str, list[Any]] = {}
    for row in rows:
        if row["verdict"] == "always":
            path: Any = row["path"]
            paths.setdefault(str(row["resource"]), [hop["to"] for hop in path])
    assert len(paths["github:example-corp/repo/agents"]) == 1
    assert paths[LEDGER_OBJECT][-2] == POD
    pods = "k8s:prod.eu-west-1.444455556666/previews/pods"
    assert paths[pods][-1] == "k8s:prod.eu-west-1.444455556666/user/cluster-release"
    releases = "//storage.googleapis.com/example-agent-releases"
    assert paths[releases][-1] == AGENT_RELEASE
    ledger = "//storage.googleapis.com/example-ledger-copy"
    assert paths[ledger][-1] == LEDGER_SYNC
    assert POD in paths[ledger]


def test_callers_of_a_bucket_are_of_every_platform(store: Path, ask: Ask) -> None:
    rows = {str(row["subject"]): row for row in ask(store, "who-can", *READ).items}
    for subject in (CONTRIBUTOR, POD, LEDGER_SYNC, SUPPORT_AGENT):
        assert rows[subject]["verdict"] == "always", subject
    assert rows["github:user/*"]["verdict"] == "only-if"
    assert rows[SUPPORT_AGENT]["agents"] == [VERTEX_AGENT]


def test_without_the_trust_of_the_pool_the_cluster_does_not_enter(
    store: Path, ask: Ask
) -> None:
    account = (
        "//iam.googleapis.com/projects/example-analytics/serviceAccounts/" + LEDGER_SYNC
    )
    pool = "projects/301020304050/locations/global/workloadIdentityPools/corp"
    member = (
        f"principal://iam.googleapis.com/{pool}/subject"
        "/system:serviceaccount:previews:ledger"
    )
    cut = f"{account}#roles/iam.workloadIdentityUser to {member}"
    found = ask(store, "what-if", POD, "--without", cut, "--action", "storage.*")
    resources = {item["resource"] for item in found.items}
    assert "//storage.googleapis.com/example-ledger-copy" in resources
