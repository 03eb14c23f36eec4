"""Files of days while another process seals, compacts, removes or damages files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from answerable.lineage.chain_stitching_types import SourcedChainKey
from answerable.model.event import AuditEvent
from answerable.model.lineage import ChainKey
from answerable.store import (
    day_files,
    day_rollups,
    event_queries,
    lineage_days,
    lineage_facts_of_keys,
)
from answerable.store.compaction import compact_segments, plan_compaction
from answerable.store.credential_issuances import (
    build_issuance_file_sql,
    build_issuance_rows_sql,
)
from answerable.store.day_rollups import RollupQuery, count_by_rollups
from answerable.store.query_tables import ParquetTable
from answerable.store.segment_scope import NO_EVENTS, SegmentScope
from answerable.store.store import EvidenceStore

Make = Callable[..., AuditEvent]
ROLE = "arn:aws:iam::123456789012:role/reader"
BY_SOURCE = RollupQuery(("source",))


def keep(place: Path, events: list[AuditEvent], now: int) -> None:
    """Store and seal events, as another process does."""
    with EvidenceStore.open(place, now=now) as store:
        store.append(events, now)
        store.seal(now)


def issue(make: Make, number: int) -> AuditEvent:
    name = f"cred:aws/ASIA{number}"
    return make(number, issued=name, issued_to=ROLE, credential=f"cred:{number}")


def find_issued(store: EvidenceStore, *numbers: int) -> set[str]:
    """Find the issuances of credentials in the files of days."""
    keys = [
        SourcedChainKey(
            ChainKey(ROLE, f"cred:aws/ASIA{number}", "", "", "", "", ""),
            "cloudtrail",
            True,
        )
        for number in numbers
    ]
    facts = lineage_facts_of_keys.read_lineage_facts_of_keys(store, keys)
    return {each.credential for each in facts.issuances}


def do_after(
    patch: pytest.MonkeyPatch, module: Any, name: str, step: Callable[[Any], object]
) -> None:
    """Let something happen after a function has returned, once."""
    usual, left = getattr(module, name), [step]

    def call(*given: Any, **named: Any) -> Any:
        found = usual(*given, **named)
        while left:
            left.pop()(found)
        return found

    patch.setattr(module, name, call)


def count(store: EvidenceStore) -> int:
    (number,) = (n for _, n in event_queries.count_events_by_source(store))
    return number


def count_rollups(store: EvidenceStore) -> int | None:
    found = count_by_rollups(store, BY_SOURCE)
    return found and found.groups[0][1].events


def test_issuances_that_are_sealed_meanwhile_are_found(
    place: Path, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(place, [issue(make, 1)], now)
    with (
        EvidenceStore.open(place, now=now) as other,
        EvidenceStore.open(place, now=now) as store,
    ):
        other.append([issue(make, 2)], now)
        do_after(
            monkeypatch,
            lineage_facts_of_keys,
            "open_lineage_days",
            lambda _: other.seal(now),
        )
        assert find_issued(store, 1, 2) == {"cred:aws/ASIA1", "cred:aws/ASIA2"}


def test_issuances_are_read_from_events_if_a_file_is_removed_meanwhile(
    place: Path, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(place, [issue(make, 1)], now)
    do_after(
        monkeypatch,
        lineage_facts_of_keys,
        "open_lineage_days",
        lambda found: [each.unlink() for each in found.paths],
    )
    with EvidenceStore.open(place, now=now) as store:
        assert find_issued(store, 1) == {"cred:aws/ASIA1"}


@pytest.mark.parametrize("damage", ["empty", "end", "other rows"])
def test_rows_of_a_damaged_segment_are_in_no_file_until_it_is_repaired(
    place: Path, make: Make, now: int, damage: str
) -> None:
    keep(place, [issue(make, 1)], now)
    (path,) = place.glob("segments/*/*.parquet")
    whole = path.read_bytes()
    keep(place, [issue(make, 2)], now)
    (other,) = {*place.glob("segments/*/*.parquet")} - {path}
    path.write_bytes(
        {
            "empty": b"",
            "end": whole[:-6] + b"x" * 6,
            "other rows": other.read_bytes(),
        }[damage]
    )
    with EvidenceStore.open(place, now=now) as store:
        assert find_issued(store, 1, 2) == {"cred:aws/ASIA2"}
        assert count_rollups(store) == 1
        assert store.find_unreadable_segments()
    path.write_bytes(whole)
    with EvidenceStore.open(place, now=now) as store:
        assert find_issued(store, 1, 2) == {"cred:aws/ASIA1", "cred:aws/ASIA2"}
        assert count_rollups(store) == 2


def test_segments_that_are_damaged_in_several_ways_are_left_out(
    place: Path, make: Make, now: int
) -> None:
    paths: list[Path] = []
    for number in range(3):
        keep(place, [issue(make, number)], now)
        paths += {*place.glob("segments/*/*.parquet")} - {*paths}
    paths[0].write_bytes(paths[2].read_bytes())
    paths[1].write_bytes(b"")
    for name in ("segments.bin", ""):  # statistics, then files of days
        if name:
            (place / "derived" / name).unlink()
        with EvidenceStore.open(place, now=now) as store:
            assert find_issued(store, 0, 1, 2) == {"cred:aws/ASIA2"}
            assert count_rollups(store) == count(store) == 1
            assert len(store.find_unreadable_segments()) == 2


def test_statistics_of_a_damaged_segment_are_not_kept(
    place: Path, make: Make, now: int
) -> None:
    keep(place, [make(1, credential="cred:1")], now)
    (path,) = place.glob("segments/*/*.parquet")
    whole = path.read_bytes()
    keep(place, [make(2, credential="cred:2")], now)
    (other,) = {*place.glob("segments/*/*.parquet")} - {path}
    path.write_bytes(other.read_bytes())
    (place / "derived" / "segments.bin").unlink()

    def count_uses() -> object:
        with EvidenceStore.open(place, now=now) as store:
            return store.run_query(
                "SELECT count(*) FROM events WHERE credential = 'cred:1'",
                scope=SegmentScope(alternatives=({"credential": {"cred:1"}},)),
            )

    assert count_uses() == [(0,)]
    path.write_bytes(whole)
    assert count_uses() == [(1,)]


def test_events_that_are_sealed_meanwhile_are_counted_once(
    place: Path, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(place, [make(number) for number in range(3)], now)
    with (
        EvidenceStore.open(place, now=now) as other,
        EvidenceStore.open(place, now=now) as store,
    ):
        other.append([make(10)], now)
        do_after(monkeypatch, day_rollups, "open_day_files", lambda _: other.seal(now))
        assert count_rollups(store) == 4
        other.append([make(11)], now)
        do_after(
            monkeypatch, store.queries, "get_current_sources", lambda _: other.seal(now)
        )
        assert count(store) == 5


def test_rows_that_compaction_moves_meanwhile_are_not_counted_twice(
    place: Path, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        keep(place, [make(number)], now)

    def compact(_: object) -> None:
        (group,) = plan_compaction(other)
        compact_segments(other, group, now)

    with (
        EvidenceStore.open(place, now=now) as other,
        EvidenceStore.open(place, now=now) as store,
    ):
        other.append([make(10)], now)
        with monkeypatch.context() as patch:
            do_after(patch, day_rollups, "open_day_files", compact)
            assert count_rollups(store) in (None, 4)
        assert count_rollups(store) == 4
        keep(place, [make(20)], now)
        do_after(monkeypatch, store.queries, "get_current_sources", compact)
        assert count(store) == 5


def test_a_file_of_unsealed_events_has_those_of_its_name(
    place: Path, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        EvidenceStore.open(place, now=now) as other,
        EvidenceStore.open(place, now=now) as store,
    ):
        other.append([make(1)], now)
        do_after(
            monkeypatch,
            lineage_days,
            "open_day_files",
            lambda _: other.append([make(2)], now),
        )
        kind = lineage_days.CHAIN_KEYS
        (before,), (after,) = (
            lineage_days.list_lineage_files(store, kind) for _ in range(2)
        )
        assert before != after
        engine = day_files.DuckDbEngine(before.parent)
        rows = [
            engine.run(f"SELECT sum(events)::INT FROM read_parquet('{each}')")  # noqa: S608 - our own names
            for each in (before, after)
        ]
        engine.close()
        assert rows == [[(1,)], [(2,)]]


def test_a_scope_without_values_needs_no_segment_without_statistics(
    place: Path, make: Make, now: int
) -> None:
    keep(place, [make(1)], now)
    with EvidenceStore.open(place, now=now) as store:
        (segment,) = store.queries.get_current_sources().segments
    assert not SegmentScope(alternatives=({"source": ()},)).may_match(segment, None)
    assert SegmentScope(alternatives=({"source": {"x"}},)).may_match(segment, None)
    assert not SegmentScope(without=frozenset({segment.segment})).may_match(
        segment, None
    )


def test_issuances_of_files_have_the_facts_of_our_own_issuers(
    place: Path, make: Make, now: int
) -> None:
    facts = (("chain", "agent:a agent:b"), ("owner", "person:p@x"))
    own = make(1, source="sts", issued="cred:jti/1", issued_to=ROLE, facts=facts)
    other = make(2, issued="cred:aws/ASIA2", issued_to=ROLE, facts=facts)
    keep(place, [own, other, make(3)], now)
    with EvidenceStore.open(place, now=now) as store:
        usual, of_files = (
            store.run_query(build("events") + " ORDER BY event")
            for build in (build_issuance_rows_sql, build_issuance_file_sql)
        )
    assert usual == of_files
    assert {row[6:8] for row in usual if row[5] == "sts"} == {
        ("agent:a agent:b", "person:p@x")
    }
    assert {row[6:8] for row in usual if row[5] == "cloudtrail"} == {("", "")}


def test_a_file_of_a_month_has_the_rows_of_its_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Make, now: int
) -> None:
    day, kind = 86_400 * 10**9, lineage_days.TOUCHED
    first = 1_800_000_000 * 10**9 // day * day  # 15 January 2027

    def read() -> tuple[int, list[tuple[object, ...]]]:
        with EvidenceStore.open(tmp_path, now=now) as store:
            files = lineage_days.list_lineage_files(store, kind)
            day_files.remove_other_files(store, kind, files)
            rows = ParquetTable(tuple(files)).build_rows_sql()
            query = f"SELECT * FROM {rows} ORDER BY ALL"  # noqa: S608 - ours
            return len(files), store.run_query(query, scope=NO_EVENTS)

    def touch(number: int, on: int) -> AuditEvent:
        return make(number, event_time=first + on * day + number, resource=ROLE)

    keep(tmp_path, [touch(n, n % 4) for n in range(8)], now)
    assert read()[0] == 4
    keep(tmp_path, [touch(8, 17)], now)  # 1 February
    assert read()[0] == 5  # late events are expected
    keep(tmp_path, [touch(9, 18)], now)
    with monkeypatch.context() as patch:
        read_segments: list[str] = []
        build = day_files.build_segment_rows_sql
        patch.setattr(
            day_files,
            "build_segment_rows_sql",
            lambda files: read_segments.extend(files) or build(files),
        )
        merged = read()
    assert merged[0] == 3
    assert len(read_segments) == 1  # of the new day
    for path in (tmp_path / "derived" / kind.folder).iterdir():
        path.unlink()
    assert read() == merged  # from the segments
    keep(tmp_path, [touch(10, 1)], now)  # a late event
    assert (read()[0], len(read()[1])) == (3, len(merged[1]))


def test_a_record_that_another_process_seals_is_not_counted_in_the_journal_too(
    place: Path, make: Make, now: int
) -> None:
    def count_touching() -> Any:
        with EvidenceStore.open(place, now=now) as store:
            files = lineage_days.list_lineage_files(store, lineage_days.TOUCHED)
            touched = {"touched": ParquetTable(tuple(files))}
            query = "SELECT sum(events) FROM touched"
            return store.run_query(query, (), touched, NO_EVENTS)

    keep(place, [make(1, resource=ROLE)], now)
    with (
        EvidenceStore.open(place, now=now) as first,
        EvidenceStore.open(place, now=now) as second,
    ):
        second.append([make(2, resource=ROLE)], now)  # it knows what is stored
        second.seal(now)
        first.append([make(3, resource=ROLE)], now)
        assert count_touching() == [(3,)]
        second.append([make(3, resource=ROLE)], now)
        second.seal(now)
        assert count_touching() == [(3,)]
