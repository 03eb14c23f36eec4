"""The person hop, the owner of the identity apart from it, and the evidence of both."""

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.cli.main import main
from answerable.cli.sample.write_sample import write_sample
from answerable.lineage.chain_stitching import derive_lineage_chains
from answerable.model.documents.trace import TraceItem
from answerable.model.ids import is_iam_role_arn
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.trace import trace_events
from tests.lineage.conftest import NOW
from tests.lineage.test_stitch import PERSONS, joints, worlds

ACCOUNT = "aws/account.json"
SCAN = ["scan", "home:home/ana", "repo:repo", f"aws:{ACCOUNT}"]
SCAN.append("aws-keys:aws/keys.json")


def rows(root: Path, owner: str | None = None) -> list[TraceItem]:
    """Rows of the sample's trail, where all roles carry another Owner tag."""
    with pytest.MonkeyPatch.context() as patch:
        root.mkdir()
        patch.chdir(root)
        write_sample(Path(), NOW)
        if owner is not None:
            retag(root / ACCOUNT, owner)
        for command in (SCAN, ["ingest", "cloudtrail:trail"]):
            assert main(["--quiet", "--store", "store", *command]) == 0
    with EvidenceStore.open(root / "store", now=NOW) as store:
        document = trace_events(store, TraceQuery(), now=NOW)
    return cast("list[TraceItem]", list(document.items))


def retag(file: Path, owner: str) -> None:
    account = json.loads(file.read_text())
    for role in account["RoleDetailList"]:
        role["Tags"] = [tag for tag in role["Tags"] if tag["Key"] != "Owner"]
        if owner:
            role["Tags"].append({"Key": "Owner", "Value": owner})
    file.write_text(json.dumps(account))


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> list[TraceItem]:
    return rows(tmp_path_factory.mktemp("plain") / "x")


def of(items: list[TraceItem], identity: str) -> list[TraceItem]:
    return [i for i in items if i["hops"]["identity"]["value"].endswith(identity)]


def test_reads_through_a_role_of_another_owner_name_the_person_of_the_agent(sample):
    found = of(sample, "role/data-reader")
    assert found
    own = of(sample, "user/report-bot")[0]["hops"]["person"]
    for item in found:
        hops = item["hops"]
        assert hops["agent"]["value"] == "agent:claude-code/ana/reporter"
        assert hops["person"] == own
        assert hops["person"]["value"].startswith("person:ana")
        owner = item["identity_owner"]
        assert (owner["value"], owner["status"]) == (
            "person:ben@corp.example",
            "inferred",
        )
        assert f"{ACCOUNT}#/RoleDetailList/" in owner["source"]


def test_agent_and_tool_cite_the_file_and_the_position_that_say_so(sample) -> None:
    place = "reporter.md#/mcpServers/warehouse/env/AWS_ACCESS_KEY_ID"
    for item in of(sample, "role/data-reader") + of(sample, "user/report-bot"):
        assert place in item["hops"]["agent"]["source"]
        assert place in item["hops"]["tool"]["source"]
        assert "home/ana" in item["hops"]["person"]["source"]
    for item in of(sample, "role/ci-deploy"):
        assert "workflows/agent.yml#/jobs/agent" in item["hops"]["agent"]["source"]


@pytest.mark.parametrize("owner", ["eve@corp.example", ""])
def test_no_owner_tag_of_a_role_changes_a_person(sample, tmp_path, owner) -> None:
    changed = rows(tmp_path / "x", owner)
    assert [known(i) for i in changed] == [known(i) for i in sample]
    reader = of(changed, "role/data-reader")[0]["identity_owner"]
    assert reader["value"] == (f"person:{owner}" if owner else "")


def known(item: TraceItem) -> tuple[str, str, str]:
    person = item["hops"]["person"]
    return item["event_id"], person["value"], person["status"]


@settings(max_examples=100)
@given(joints, worlds, st.sampled_from(PERSONS))
def test_no_owner_of_a_role_is_ever_the_person(joint, world, other) -> None:
    issuances, uses, sign_ins, parents = world
    owned = [
        replace(u, person=other) if is_iam_role_arn(u.subject) else u for u in uses
    ]
    (before,) = derive_lineage_chains([joint], issuances, uses, sign_ins, parents)
    (after,) = derive_lineage_chains([joint], issuances, owned, sign_ins, parents)
    for at in range(14):
        first, second = (
            next(c for c in each.chains if c.valid_from <= at < c.valid_to)
            for each in (before, after)
        )
        assert first.person == second.person
