"""Tags of resources raise the reach of the identities that agents act as."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.model.ids import ResourceId
from answerable.model.resource import Resource
from answerable.posture.severity import ReachLevel
from answerable.services.inventory.snapshots import load_inventory
from answerable.services.posture.reach_view import SnapshotReach
from answerable.store.store import EvidenceStore
from tests.estate.seven import PERSONAL, account, arn
from tests.posture.test_rules import NOW, SEEN


@pytest.mark.parametrize(
    ("tag", "role", "level"),
    [
        (("data-classification", "Restricted"), "agent-runner", ReachLevel.SENSITIVE),
        (("data-classification", "public"), "agent-runner", ReachLevel.WRITE),
        (("team", "restricted"), "agent-runner", ReachLevel.WRITE),
        (("data-classification", "Restricted"), "denied-admin", ReachLevel.WRITE),
    ],
)
def test_a_tag_of_sensitive_data_raises_the_reach(
    tmp_path: Path, tag: tuple[str, str], role: str, level: ReachLevel
) -> None:
    (tmp_path / "account.json").write_text(json.dumps(account()))
    main(["--store", str(tmp_path / "s"), "scan", f"aws:{tmp_path / 'account.json'}"])
    with EvidenceStore.open(tmp_path / "s", now=NOW) as store:
        inventory = load_inventory(store)
        bucket = Resource(
            ResourceId(PERSONAL), "s3:bucket", "222233334444", (tag,), SEEN
        )
        changed = replace(
            inventory, facts=replace(inventory.facts, resources=(bucket,)), derived=None
        )
        found = SnapshotReach(changed, NOW).get_reach(arn("role", role))
    assert found.level is level
