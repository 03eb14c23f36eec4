"""New events join the scans again only where they add a fact to the inventory."""

import pytest

from answerable.model.event import AuditEvent
from answerable.model.ids import build_aws_credential_id
from answerable.services.inventory import snapshot_join, snapshots
from answerable.store.store import EvidenceStore
from tests.inventory.fact_builders import NOW
from tests.inventory.stored_scans import save
from tests.reach.account_builder import role, user
from tests.reach.test_used import call
from tests.usecases.test_derived_inventory import assert_same, scanned

SESSION = build_aws_credential_id("ASIAEXAMPLEEXAMPLE01")
KEY = build_aws_credential_id("AKIAEXAMPLEEXAMPLE01")
USE_OF_A_KEY = call(2, "s3:GetObject", credential=KEY)
CREATION = call(3, "iam:CreateRole", created=role("new"), identity=user("ben"))


@pytest.fixture
def scans_joined(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time that the scans were joined."""
    joined: list[str] = []
    join = snapshot_join.join_snapshot_with_audit_logs

    def count(*arguments: object) -> object:
        joined.append("joined")
        return join(*arguments)  # type: ignore[arg-type]  # as called

    monkeypatch.setattr(snapshot_join, "join_snapshot_with_audit_logs", count)
    return joined


def test_an_event_without_such_a_fact_leaves_the_inventory(
    store: EvidenceStore, scans_joined: list[str]
) -> None:
    save(store, [scanned("ana@corp.example")], NOW)
    before = snapshots.load_inventory(store)
    for number in (4, 5):
        store.append([call(number, "s3:GetObject", credential=SESSION)], now=NOW)
        after = snapshots.load_inventory(store)
        assert_same(before, after)
        assert before.derived is not None
        assert after.derived is not None
        assert after.derived.generation == before.derived.generation
    assert len(scans_joined) == 1


@pytest.mark.parametrize("event", [USE_OF_A_KEY, CREATION])
def test_an_event_with_a_fact_joins_the_scans_again(
    store: EvidenceStore, scans_joined: list[str], event: AuditEvent
) -> None:
    save(store, [scanned("ana@corp.example")], NOW)
    snapshots.load_inventory(store)
    store.append([event], now=NOW)
    kept = snapshots.load_inventory(store)
    assert len(scans_joined) == 2
    (store.root / "derived" / "inventory.blocks").unlink()
    assert_same(kept, snapshots.load_inventory(store))


def test_another_scan_or_statement_joins_the_scans_again(
    store: EvidenceStore, scans_joined: list[str]
) -> None:
    save(store, [scanned("ana@corp.example")], NOW)
    snapshots.load_inventory(store)
    store.append([call(1, "s3:GetObject", credential=SESSION)], now=NOW)
    save(store, [scanned("ben@corp.example")], NOW + 1)
    found = snapshots.load_inventory(store)
    assert found.owners[role("data-reader")].person == "person:ben@corp.example"
    assert len(scans_joined) == 2


def test_the_owners_over_time_are_read_from_a_file_until_a_scan(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, [scanned("ana@corp.example")], NOW)
    first = snapshots.load_declared_uses(store)
    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "iterate_snapshot_history", lambda _: 1 / 0)
        assert snapshots.load_declared_uses(store) == first
        store.append([USE_OF_A_KEY], now=NOW)
        assert snapshots.load_declared_uses(store) == first
    save(store, [scanned("ben@corp.example")], NOW + 1)
    assert snapshots.load_declared_uses(store) != first
