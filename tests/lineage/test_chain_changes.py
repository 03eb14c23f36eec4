"""Chains that are derived again after new records equal those derived from all records."""

import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.lineage.chain_stitching_types import ChainTimeline, SourcedChainKey
from answerable.model.time_units import DAY_NS
from answerable.services.lineage import chain_cache
from answerable.store import (
    chain_changes,
    chain_counts,
    chain_file,
    chain_writer,
    lineage_days,
    lineage_facts,
)
from answerable.store.cache_generation import compute_chains_generation
from answerable.store.chain_lookup import read_chains_of_keys
from answerable.store.day_files import DayFileKind
from answerable.store.documented_views import JOINED_CHAINS
from answerable.store.lineage_facts import read_lineage_facts
from answerable.store.query_tables import ParquetTable
from answerable.store.store import EvidenceStore
from answerable.store.store_layout import CHAIN_COUNTS_FOLDER, CHAIN_FOLDER
from answerable.usecases.evidence import ingest_logs
from tests.lineage.conftest import NOW, keep, made
from tests.lineage.log_world import (
    Delivery,
    LogStore,
    open_log_store,
    select_records,
    split_records,
)

SOURCES = ("cloudtrail", "k8s-audit", "gateway", "sts", "bedrock", "gcp-audit")
Chains = dict[SourcedChainKey, Any]


@pytest.fixture(autouse=True)
def _every_store_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_cache, "LARGE_STORE_EVENTS", -1)
    monkeypatch.setattr(chain_cache, "_KEYS_OF_PART", 5)
    monkeypatch.setattr(lineage_days, "_KEYS_AT_ONCE", 7)
    monkeypatch.setattr(chain_writer, "_BATCH", 3)
    monkeypatch.setattr(chain_writer, "_KEYS_OF_FILE", 6)
    monkeypatch.setattr(chain_writer, "_SMALL_FILES", 0)


def index(chains: Iterable[ChainTimeline]) -> Chains:
    return {each.chain_key: each.chains for each in chains}


def derive_all(store: EvidenceStore) -> Chains:
    """Derive the chains of all events from all facts."""
    return index(chain_cache.derive_chains(read_lineage_facts(store), store, None))


def check_chains(store: EvidenceStore) -> ParquetTable:
    """Check that the chain file and its counts are those of all facts."""
    expected = derive_all(store)
    table = chain_cache.write_current_chain_file(store)
    keys = store.run_query("SELECT DISTINCT n FROM chains", (), {"chains": table})
    assert len(keys) == len(expected)
    assert index(read_chains_of_keys(store, table, list(expected))) == expected
    files = chain_counts.write_chain_counts(store)
    assert files is not None
    assert files[0] == table
    counted = store.run_query(
        f"SELECT c.n, c.valid_from, e.outcome, e.event_time // {DAY_NS}, count(*), "  # noqa: S608 - ours
        f"min(e.event_time), max(e.event_time) FROM events e JOIN chains c ON {JOINED_CHAINS} "
        "GROUP BY ALL",
        (),
        {"chains": table},
    )
    found = store.run_query("FROM counts", (), {"counts": files[1]})
    assert sorted(map(tuple, found)) == sorted(map(tuple, counted))
    return table


def check_growth(seed: int, folder: Path, sources: Iterable[str] = SOURCES) -> None:
    """Check the chains after each of random deliveries, in a random order."""
    chance = random.Random(seed)  # noqa: S311 - a test's order
    records = select_records(tuple(sources), disputed=True)
    with open_log_store(folder) as world:
        for delivery in split_records(records, chance):
            world.tell(delivery)
            if chance.random() < 0.2:
                world.store.seal(NOW + 1_000)
            if chance.random() < 0.6:
                check_chains(world.store)
        check_chains(world.store)


@settings(max_examples=3, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_chains_after_any_order_of_arrival_are_those_of_all_facts(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_growth(seed, tmp_path_factory.mktemp("growth") / "world")


def _no_credential_behind(patch: pytest.MonkeyPatch) -> None:
    """Chains change only where their own credential was issued otherwise."""
    patch.setattr(chain_changes, "_add_issued_behind", lambda *_: None)


def _no_presentation(patch: pytest.MonkeyPatch) -> None:
    """Calls that presented a credential change no earlier chain."""
    find = chain_changes._find_marks

    def find_without_subjects(*given: Any) -> Any:
        marks = find(*given)
        marks.subjects.clear()
        return marks

    patch.setattr(chain_changes, "_find_marks", find_without_subjects)


def _no_changed_issuance(patch: pytest.MonkeyPatch) -> None:
    """Issuances that arrive late change no earlier chain."""
    nothing = "FROM added_issuances WHERE false"
    patch.setattr(chain_changes, "_CHANGED_ISSUANCES", nothing)


MISTAKES = [_no_credential_behind, _no_presentation, _no_changed_issuance]


@pytest.mark.parametrize("plant", MISTAKES, ids=lambda each: each.__name__.strip("_"))
def test_the_law_finds_a_planted_mistake(
    plant: Callable[[pytest.MonkeyPatch], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(monkeypatch)

    def check_all() -> None:
        for seed in range(12):
            check_growth(seed, tmp_path / str(seed))

    with pytest.raises(AssertionError):
        check_all()


def test_only_chains_that_can_change_are_derived_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    derived: list[SourcedChainKey] = []
    iterate = chain_cache._iterate_chains_in_parts

    def record(store: Any, keys: Any, statements: Any) -> Any:
        listed = list(keys)
        derived.extend(listed)
        return iterate(store, iter(listed), statements)

    monkeypatch.setattr(chain_cache, "_iterate_chains_in_parts", record)
    with open_log_store(tmp_path / "world") as world:
        *first, last = split_records(select_records(SOURCES), random.Random(1))  # noqa: S311
        for delivery in first:
            world.tell(delivery)
        check_chains(world.store)
        all_keys = len(derived)
        derived.clear()
        check_chains(world.store)
        assert derived == []
        world.tell(last)
        check_chains(world.store)
        assert 0 < len(derived) < all_keys


def test_an_update_writes_the_files_that_have_a_changed_chain(tmp_path: Path) -> None:
    def list_names(folder: str) -> set[str]:
        return {each.name for each in (store.derived / folder).iterdir()}

    with open_half(tmp_path / "world") as (world, later):
        store = world.store
        for delivery in later[1:]:
            world.tell(delivery)
        check_chains(store)
        files = chain_file.load_chain_file_list(store)
        assert files is not None
        assert len(files.parts) > 3
        world.tell(later[0])
        check_chains(store)
        after = chain_file.load_chain_file_list(store)
        assert after is not None
        before = {each.name for each in files.parts}
        assert before & {each.name for each in after.parts}
        assert list_names(CHAIN_FOLDER) >= before  # a question may read them


def test_only_the_months_of_new_events_are_counted_again(store: EvidenceStore) -> None:
    days = [made(n * 86_400, identity=f"role{n % 3}") for n in range(0, 70, 7)]
    keep(store, days[:-1])
    store.seal(NOW)
    check_chains(store)
    before = chain_file.load_chain_file_list(store)
    keep(store, days[-1:])
    store.seal(NOW)
    check_chains(store)
    after = chain_file.load_chain_file_list(store)
    assert before is not None
    assert after is not None
    months = [m for m, each in after.counts.items() if each != before.counts.get(m)]
    assert len(months) == 1
    assert len(after.counts) > 2


def test_many_small_files_are_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_writer, "_KEYS_OF_FILE", 1000)
    monkeypatch.setattr(chain_writer, "_SMALL_FILES", 2)
    with open_log_store(tmp_path / "world") as world:
        numbers = []
        for delivery in split_records(select_records(SOURCES), random.Random(5)):  # noqa: S311
            world.tell(delivery)
            numbers.append(len(check_chains(world.store).files))
        assert max(numbers) <= 4
        assert len({*numbers}) > 1


def test_a_changed_file_of_a_day_is_written_again(tmp_path: Path) -> None:
    with open_log_store(tmp_path / "world") as world:
        for delivery in split_records(select_records(SOURCES), random.Random(2)):  # noqa: S311
            world.tell(delivery)
        world.store.seal(NOW + 1_000)
        check_chains(world.store)
        for kind in (lineage_days.CHAIN_KEYS, lineage_days.ISSUANCES):
            for file in (world.store.derived / kind.folder).iterdir():
                file.write_bytes(file.read_bytes()[:-9] + b"x" * 9)
        check_chains(world.store)


@contextmanager
def open_half(folder: Path) -> Iterator[tuple[LogStore, list[Delivery]]]:
    """Open a store with the first half of some records; yield it with the other half."""
    records = [*split_records(select_records(SOURCES), random.Random(4))]  # noqa: S311
    middle = len(records) // 2
    with open_log_store(folder) as world:
        for delivery in records[:middle]:
            world.tell(delivery)
        world.store.seal(NOW + 1_000)
        yield world, records[middle:]


def test_events_that_arrive_while_chains_are_derived_change_the_chains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache of a small store is saved under the generation of what was read."""
    monkeypatch.setattr(chain_cache, "LARGE_STORE_EVENTS", 10**9)
    with open_half(tmp_path / "world") as (world, later):
        read = lineage_facts.read_lineage_facts

        def read_before_others(store: EvidenceStore) -> Any:
            found = read(store)
            for delivery in later:
                world.tell(delivery)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(lineage_facts, "read_lineage_facts", read_before_others)
            before = index(chain_cache.load_or_compute_chains(world.store))
        expected = derive_all(world.store)
        assert before != expected
        assert index(chain_cache.load_or_compute_chains(world.store)) == expected


def test_counts_are_of_one_chain_file_alone(tmp_path: Path) -> None:
    with open_half(tmp_path / "world") as (world, _):
        store = world.store
        check_chains(store)
        assert chain_file.find_counted_chains(store) is not None
        generation = compute_chains_generation(store)
        chain_writer.write_chain_file(store, generation, ())
        assert chain_file.find_counted_chains(store) is None


def test_a_second_writer_waits_and_takes_what_the_first_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[ParquetTable] = []

    def write() -> None:
        with EvidenceStore.open(world.store.root, now=NOW) as other:
            found.append(chain_cache.write_current_chain_file(other))

    with open_half(tmp_path / "world") as (world, _):
        table = check_chains(world.store)
        with chain_writer.lock_chain_file(world.store):
            second = threading.Thread(target=write)
            second.start()
            second.join(0.5)
            assert second.is_alive()
            monkeypatch.setattr(chain_writer, "write_chain_file", None)
        second.join()
        assert found == [table]


@pytest.mark.parametrize("kind", [lineage_days.CHAIN_KEYS, lineage_days.ISSUANCES])
def test_a_damaged_earlier_file_is_not_compared(
    tmp_path: Path, kind: DayFileKind
) -> None:
    with open_half(tmp_path / "world") as (world, _):
        files = lineage_days.list_lineage_files(world.store, kind)
        before = [each.name for each in files]
        find = chain_changes._FileDifference.find
        assert find(world.store, kind, before, files[1:]) is not None
        files[0].write_bytes(files[1].read_bytes())
        assert find(world.store, kind, before, files[1:]) is None


def test_parts_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    with open_log_store(tmp_path / "world") as world:
        for delivery in split_records(select_records(("sts",)), random.Random(3)):  # noqa: S311
            world.tell(delivery)
        parts = [
            world.store.derived / folder / f".{name}.new"
            for folder in (CHAIN_FOLDER, CHAIN_COUNTS_FOLDER)
            for name in ("7", "part")
        ]
        for part in parts:
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(b"half")
        check_chains(world.store)
        assert not any(part.exists() for part in parts)
        folders = world.store.derived.rglob("*.new")
        assert not list(folders)


def test_files_that_a_question_may_read_stay_until_chains_are_derived_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_logs, "_write_question_files", lambda *_: None)
    with open_half(tmp_path / "world") as (world, later):
        check_chains(world.store)
        folder = world.store.derived / lineage_days.CHAIN_KEYS.folder
        first = {*folder.iterdir()}
        for left in ({*first}, set()):
            world.tell(later.pop())
            world.store.seal(NOW + 2_000)
            check_chains(world.store)
            found = {*folder.iterdir()}
            assert found - first
            assert first & found >= left
        assert first - found
