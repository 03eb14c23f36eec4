"""Files that are derived while a person is erased have no value of the person afterwards."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from answerable.evidence.log_entries import count_erasures
from answerable.model.errors import EnvironmentFailure
from answerable.model.sighting import SightedFacts, Sync
from answerable.model.time_units import DAY_NS
from answerable.services.inventory import snapshots
from answerable.services.inventory.divided_facts import DividedFacts
from answerable.store import (
    day_files,
    day_rollups,
    erasure_guard,
    lineage_days,
    lineage_facts,
    resource_days,
)
from answerable.store.mention_search import MentionSearch
from answerable.store.store import EvidenceStore
from answerable.store.table_runs import TableRuns, open_runs_folder
from answerable.usecases.evidence.erase_person import erase_person
from tests.inventory.fact_builders import agent
from tests.store.conftest import NOW
from tests.store.conftest import _make as event
from tests.store.test_erasure import ADA

SESSION = f"arn:aws:sts::1:assumed-role/x/{ADA}"
KEY = "cred:aws/ASIAEXAMPLE000000001"


def write_keys(store: EvidenceStore) -> None:
    lineage_days.list_lineage_files(store, lineage_days.CHAIN_KEYS)


def write_issuances(store: EvidenceStore) -> None:
    lineage_days.list_lineage_files(store, lineage_days.ISSUANCES)


def write_statistics(store: EvidenceStore) -> None:
    store.queries.get_current_sources()


def write_inventory(store: EvidenceStore) -> None:
    snapshots.load_inventory(store, now=NOW)


def write_resources(store: EvidenceStore) -> None:
    resource_days.count_resource_days(store, ["*"], (0, NOW // DAY_NS))


OF_UNSEALED: list[Callable[[EvidenceStore], object]] = [
    lineage_facts.load_lineage_facts,
    write_keys,
    write_issuances,
    write_inventory,
]
OF_SEGMENTS = [
    *OF_UNSEALED,
    day_rollups.write_rollups,
    write_statistics,
    write_resources,
]
CASES = [
    *(pytest.param(each, True, id=f"sealed-{each.__name__}") for each in OF_SEGMENTS),
    *(pytest.param(each, False, id=f"open-{each.__name__}") for each in OF_UNSEALED),
]


@pytest.mark.parametrize(("write", "sealed"), CASES)
def test_a_file_that_is_derived_during_an_erasure_has_no_value_of_the_person(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[EvidenceStore], object],
    sealed: bool,
) -> None:
    """The writer has read the events, and the erasure ends before it writes."""
    root, erased = tmp_path / "store", list[str]()
    lock, copy = erasure_guard.lock_derived_files, day_files._run_copy

    def erase_first(layout: Any, *, alone: bool = False) -> Any:
        if not alone and not erased:
            erased.append(ADA)
            with EvidenceStore.open(root, now=NOW) as other:
                erase_person(other, [ADA], "asked", now=NOW)
        return lock(layout, alone=alone)

    def erase_before_copy(*given: Any) -> None:
        with erase_first(store.layout):
            pass
        copy(*given)

    key = {"issued": KEY, "issued_to": SESSION}
    ada = event(1, identity=SESSION, person=f"person:{ADA}", resource=f"a/{ADA}", **key)
    with EvidenceStore.open(root, now=NOW) as first:
        first.append([ada, event(2, identity="arn:aws:iam::1:user/bob")], NOW)
        if sealed:
            first.seal(NOW)
        if write is write_statistics:  # the sealing wrote them
            (first.derived / "segments.bin").unlink()
    with EvidenceStore.open(root, now=NOW) as store:
        with monkeypatch.context() as patch:
            patch.setattr(erasure_guard, "lock_derived_files", erase_first)
            patch.setattr(day_files, "_run_copy", erase_before_copy)
            with suppress(EnvironmentFailure):
                write(store)
        assert erased
        assert [*MentionSearch([ADA]).list_files(store)] == []
        write(store)
        (left,) = store.run_query("SELECT identity FROM events")
        assert left == ("arn:aws:iam::1:user/bob",)


def test_parts_of_a_large_snapshot_are_not_written_after_an_erasure(
    tmp_path: Path,
) -> None:
    root = tmp_path / "store"
    facts = SightedFacts(agents=(agent(ADA),))
    with EvidenceStore.open(root, now=NOW) as store:
        store.append([event(1, person=f"person:{ADA}")], NOW)
        store.seal(NOW)
        erasures = count_erasures(store.log.entries())
        with open_runs_folder(store, erasures) as (folder, put):
            divided, runs = DividedFacts(folder, put), TableRuns(folder, put)
            number = divided.add_sync(Sync("aws:a", "aws", NOW, facts))
            divided.add_facts(number, "", facts)
            runs.add({"agents": [(ADA, ADA)]})
            assert len([*folder.iterdir()]) == 2
            with EvidenceStore.open(root, now=NOW) as other:
                erase_person(other, [ADA], "asked", now=NOW)
            with pytest.raises(EnvironmentFailure, match="erased"):
                divided.add_facts(number, "", facts)
            with pytest.raises(EnvironmentFailure, match="erased"):
                runs.add({"agents": [(ADA, ADA)]})
            assert [*folder.iterdir()] == []
