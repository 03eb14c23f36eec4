"""Files of chains: an update writes those that changed, and a question may read them."""

import random
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.lineage.chain_stitching_types import (
    ALL_TIME,
    ChainTimeline,
    SourcedChainKey,
)
from answerable.model.errors import RemovedFileError
from answerable.model.lineage import ChainKey, Hop, HopStatus, LineageChain
from answerable.services.lineage import chain_cache
from answerable.store import (
    chain_changes,
    chain_counts,
    chain_file,
    chain_writer,
    lineage_days,
)
from answerable.store.cache_generation import compute_chains_generation
from answerable.store.chain_lookup import NameCondition, read_chains_with_names
from answerable.store.day_files import DayFileKind
from answerable.store.query_tables import ParquetTable
from answerable.store.segment_scope import NO_EVENTS
from answerable.store.store import EvidenceStore
from answerable.store.store_layout import CHAIN_COUNTS_FOLDER, CHAIN_FOLDER
from answerable.usecases.evidence import ingest_logs
from tests.lineage.chain_world import (
    SOURCES,
    check_chains,
    copy_half,
    make_every_store_large,
    open_half,
)
from tests.lineage.conftest import NOW, keep, made
from tests.lineage.log_world import (
    open_log_store,
    select_records,
    split_records,
)


@pytest.fixture(autouse=True)
def _every_store_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    make_every_store_large(monkeypatch)


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store with the first half of some records."""
    folder = tmp_path_factory.mktemp("half") / "world"
    with pytest.MonkeyPatch.context() as patch:
        make_every_store_large(patch)
        with open_half(folder):
            return folder


def test_an_update_writes_the_files_that_have_a_changed_chain(
    half: Path, tmp_path: Path
) -> None:
    def list_names(folder: str) -> set[str]:
        return {each.name for each in (store.derived / folder).iterdir()}

    with copy_half(half, tmp_path / "world") as (world, later):
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
        records = split_records(select_records(SOURCES), random.Random(5))  # noqa: S311
        for number, delivery in enumerate(records, 1):
            world.tell(delivery)
            is_checked = not number % 4 or number == len(records)
            write = check_chains if is_checked else chain_cache.write_current_chain_file
            numbers.append(len(write(world.store).files))
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


def test_counts_are_of_one_chain_file_alone(half: Path, tmp_path: Path) -> None:
    with copy_half(half, tmp_path / "world") as (world, _):
        store = world.store
        check_chains(store)
        assert chain_file.find_counted_chains(store) is not None
        generation = compute_chains_generation(store)
        chain_writer.write_chain_file(store, generation, ())
        assert chain_file.find_counted_chains(store) is None


def test_events_whose_chains_are_not_derived_yet_are_counted_later(
    store: EvidenceStore,
) -> None:
    keep(store, [made(1, identity="role1"), made(2, identity="role1")])
    store.seal(NOW)
    check_chains(store)
    keep(store, [made(3, identity="role2"), made(4, identity="role1")])
    store.seal(NOW)  # another process counts meanwhile
    assert chain_counts.write_chain_counts(store) is not None
    check_chains(store)


@pytest.mark.parametrize("content", [b"", b"PAR1 cut"])
def test_a_damaged_file_of_counts_is_written_again(
    half: Path, tmp_path: Path, content: bytes
) -> None:
    with copy_half(half, tmp_path / "world") as (world, later):
        check_chains(world.store)
        for file in (world.store.derived / CHAIN_COUNTS_FOLDER).iterdir():
            file.write_bytes(content)
        world.tell(later[0])
        check_chains(world.store)


def test_a_query_of_a_removed_file_is_repeated_and_no_segment_is_searched(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, [made(1), made(2)])
    store.seal(NOW)
    table = check_chains(store)
    for file in table.files:
        file.unlink()
    monkeypatch.setattr(store.queries, "_set_aside_damaged_segments", None)
    query = "SELECT count(*) FROM chains"
    with pytest.raises(RemovedFileError, match="another process removed derived/"):
        store.run_query(query, (), {"chains": table}, NO_EVENTS)
    table = check_chains(store)
    assert store.run_query(query, (), {"chains": table}, NO_EVENTS) == [(1,)]


def test_a_second_writer_waits_and_takes_what_the_first_wrote(
    half: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[ParquetTable] = []

    def write() -> None:
        with EvidenceStore.open(world.store.root, now=NOW) as other:
            found.append(chain_cache.write_current_chain_file(other))

    with copy_half(half, tmp_path / "world") as (world, _):
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
    half: Path, tmp_path: Path, kind: DayFileKind
) -> None:
    with copy_half(half, tmp_path / "world") as (world, _):
        files = lineage_days.list_lineage_files(world.store, kind)
        before = [each.name for each in files]
        find = chain_changes.FileDifference.find
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


def test_all_chains_of_a_key_are_read_where_only_some_have_a_name(
    store: EvidenceStore,
) -> None:
    def make_chain(start: int, end: int, person: str) -> LineageChain:
        hop = Hop("", HopStatus.MISSING, "none")
        return LineageChain(
            key.key,
            start,
            end,
            person=Hop(person, HopStatus.OBSERVED, "okta"),
            agent=hop,
            agent_path=(),
            tool=hop,
            identity=hop,
            identity_owner=hop,
            identity_path=("role/a",),
            credential_path=(),
            credential_from=0,
            credential_to=0,
            delegation_id="",
        )

    key = SourcedChainKey(
        ChainKey("role/a", "cred:1", "", "", ""), "okta", believed=True
    )
    other = SourcedChainKey(
        ChainKey("role/a", "cred:2", "", "", ""), "okta", believed=True
    )
    first, last = ALL_TIME
    chains = (
        make_chain(first, 5, "person:ada"),
        make_chain(5, 10, "person:bob"),
        make_chain(10, last, "person:ada"),
    )
    always = replace(make_chain(first, last, "person:ada"), key=other.key)
    timelines = [ChainTimeline(key, chains), ChainTimeline(other, (always,))]
    file = chain_writer.write_chain_file(store, "0-now", timelines)
    for person, found in (("person:ada", timelines), ("person:bob", timelines[:1])):
        named = NameCondition("person", (person,))
        assert read_chains_with_names(store, file, [named]) == found
