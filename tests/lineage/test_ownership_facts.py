"""Owners from audit logs: a large store, read in parts, tells what all facts tell."""

import random
from pathlib import Path

import pytest

from answerable.services.inventory import owners_from_audit_logs
from answerable.services.inventory.owners_from_audit_logs import (
    collect_audit_log_facts,
)
from answerable.store import large_stores, lineage_facts, ownership_facts
from answerable.store.store import EvidenceStore
from tests.lineage.conftest import ACCOUNT, NOW, keep, made
from tests.lineage.log_world import open_log_store, select_records, split_records

USER = f"arn:aws:iam::{ACCOUNT}:user/"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/"


def check_both(store: EvidenceStore) -> int:
    """Compare the facts with those of a store that is read as a whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_stores, "LARGE_STORE_EVENTS", 10**9)
        expected = owners_from_audit_logs._collect_facts(store)
        patch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)
        patch.setattr(lineage_facts, "load_lineage_facts", None)
        patch.setattr(ownership_facts, "load_lineage_facts", None)
        patch.setattr(ownership_facts, "_ISSUANCES_OF_PART", 2)
        assert owners_from_audit_logs._collect_facts(store) == expected
    return len(expected.links) + len(expected.evidence)


@pytest.mark.parametrize("seed", range(3))
def test_the_logs_of_a_large_store_tell_the_same_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(owners_from_audit_logs, "MIN_ASSUMPTIONS", 1)
    chance, found = random.Random(seed), 0  # noqa: S311 - a test's order
    with open_log_store(tmp_path / "world") as world:
        for delivery in split_records(select_records(disputed=True), chance):
            world.tell(delivery)
            if chance.random() < 0.2:
                world.store.seal(NOW + 1_000)
                found += check_both(world.store)
        found += check_both(world.store)
    assert found


def test_sessions_are_counted_by_the_person_behind_the_callers(
    store: EvidenceStore,
) -> None:
    """Bob opens most sessions of the role, some through a session of another role."""
    events = []
    for n, name in enumerate(["ana", "bob", "bob", "ana", "bob", "eve"]):
        key = f"cred:aws/ASIAEXAMPLE00000000{n}"
        events += [
            made(
                10 * n,
                identity=f"{USER}{name}",
                credential=f"cred:aws/AKIAEXAMPLE00000000{name}",
                issued=key,
                issued_to=f"{ROLE}first",
            ),
            made(
                10 * n + 1,
                identity=f"{ROLE}first",
                credential=key,
                session=f"{ROLE}first/{n}",
                issued=f"cred:aws/ASIAEXAMPLE00000001{n}",
                issued_to=f"{ROLE}second",
            ),
        ]
    created = {"issued": "cred:aws/AKIAEXAMPLE000000009", "issued_to": f"{USER}new"}
    events.append(made(90, identity=f"{USER}bob", created=f"{USER}new", **created))
    keep(store, events)
    store.seal(NOW)
    keep(store, [made(95, identity=f"{USER}eve", deleted=f"{USER}new")])
    assert check_both(store)
    evidence = collect_audit_log_facts(store).evidence
    assert {(str(each.subject), str(each.person)) for each in evidence} == {
        (f"{ROLE}first", "person:bob"),
        (f"{ROLE}second", "person:bob"),
        (f"{USER}new", "person:bob"),
        ("cred:aws/AKIAEXAMPLE000000009", "person:bob"),
    }


def test_facts_are_collected_once_for_the_same_events(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[EvidenceStore] = []
    collect = owners_from_audit_logs._collect_facts

    def count(opened: EvidenceStore) -> object:
        calls.append(opened)
        return collect(opened)

    monkeypatch.setattr(owners_from_audit_logs, "_collect_facts", count)
    for number in (1, 2):
        user = f"{USER}{number}"
        keep(store, [made(number, identity=f"{USER}bob", created=user)])
        for _ in range(2):
            evidence = collect_audit_log_facts(store).evidence
            assert len(evidence) == number
    assert len(calls) == 2
