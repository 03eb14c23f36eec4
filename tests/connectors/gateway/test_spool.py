"""Reading spools: cut anywhere, in any pieces, and whatever is missing is told."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from answerable.connectors.gateway.fetch import SpoolReader, read
from answerable.connectors.gateway.spool_tail import SpoolTail
from answerable.evidence.spool_format import parse_spool_line
from answerable.model.connector import EventContext, EventLimits
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.spool_record import SpoolRecord
from tests.connectors.gateway.spool_files import (
    DENY,
    NAME,
    closed,
    decided,
    ended,
    opened,
    recordings,
    refused,
    spelled,
    write,
)


def read_all(path: Path) -> tuple[list[AuditEvent], list[str], list[str]]:
    """Read a spool: events, problems and why lines were set aside."""
    batches = list(read(str(path), EventContext()))
    return (
        [event for batch in batches for event in batch.events],
        [problem.what for batch in batches for problem in batch.problems],
        [each.why for batch in batches for each in batch.quarantined],
    )


@contextmanager
def living(folder: Path) -> Iterator[int]:
    """Hold the lock that a living recorder holds."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield handle
    finally:
        os.close(handle)


def parsed(data: bytes) -> list[SpoolRecord]:
    """Give the records of whole lines."""
    whole = data[: data.rfind(b"\n") + 1]
    return [parse_spool_line(line)[0] for line in whole.splitlines(keepends=True)]


@settings(max_examples=80)
@given(recordings(), st.data())
def test_any_prefix_of_a_spool_is_a_prefix_of_its_records(story, data) -> None:
    whole = spelled(story)
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    assert parsed(cut) == story[: cut.count(b"\n")]


@settings(max_examples=50)
@given(recordings(), st.data())
def test_a_spool_cut_anywhere_gives_each_whole_record_and_tells_the_rest(
    story, data
) -> None:
    whole = spelled(story)
    cut = whole[: data.draw(st.integers(1, len(whole)))]
    kept = story[: cut.count(b"\n")]
    with tempfile.TemporaryDirectory() as place:
        write(Path(place) / "all", spelled(kept))
        write(Path(place) / "cut", cut)
        events, problems, aside = read_all(Path(place) / "cut")
        assert (events, aside) == (read_all(Path(place) / "all")[0], [])
    torn = not cut.endswith(b"\n")
    assert [p for p in problems if "incomplete record" in p] == problems
    assert len(problems) == torn


@settings(max_examples=50)
@given(recordings(), st.data())
def test_room_for_lines_to_come_is_no_line_and_nothing_cut(story, data) -> None:
    whole = spelled(story)
    cut = whole[: data.draw(st.integers(1, len(whole)))]
    room = data.draw(st.integers(1, 300_000))
    with tempfile.TemporaryDirectory() as place:
        folder = write(Path(place), cut)
        without = read_all(Path(place))
        with (folder / "000001.jsonl").open("ab") as file:
            file.write(bytes(room))
        assert read_all(Path(place)) == without


@settings(max_examples=80)
@given(recordings(), st.data())
def test_a_group_that_the_disk_took_in_part_harms_no_line_before_it(
    story, data
) -> None:
    """Room that lines took the place of may hold any of their sectors, or none."""
    whole = spelled(story)
    synced = data.draw(st.integers(1, len(story)))
    start = len(b"".join(whole.splitlines(keepends=True)[:synced]))
    sector = data.draw(st.integers(1, 400))
    torn = bytearray(whole + bytes(1000))
    for at in range(start, len(whole), sector):
        if data.draw(st.booleans()):
            upto = min(at + sector, len(whole))
            torn[at:upto] = bytes(upto - at)
    with tempfile.TemporaryDirectory() as place:
        write(Path(place) / "all", whole)
        write(Path(place) / "synced", whole[:start])
        folder = write(Path(place) / "torn", whole)
        (folder / "000001.jsonl").write_bytes(torn)
        ids = [
            {event.event_id for event in read_all(Path(place) / name)[0]}
            for name in ("synced", "torn", "all")
        ]
    assert ids[0] <= ids[1] <= ids[2]


def test_what_a_power_loss_left_out_before_whole_lines_is_aside_and_missing(
    tmp_path: Path,
) -> None:
    whole = spelled([opened(), *(decided(n, DENY) for n in range(2, 9))])
    third, fifth = (whole.index(b'"sequence":%d' % number) for number in (3, 5))
    torn = whole[:third] + bytes(fifth - third) + whole[fifth:] + bytes(5000)
    write(tmp_path, torn)
    events, problems, aside = read_all(tmp_path)
    assert [e.sequence for e in events] == [2, 6, 7, 8]
    assert problems == [f"gateway {NAME}: records 3-5 missing"]
    assert len(aside) == 1


def test_files_that_the_disk_took_nothing_of_are_not_missed(tmp_path: Path) -> None:
    """A recorder removes them, between two looks or after one has listed them."""
    whole = spelled([opened(), *(decided(n, DENY) for n in range(2, 9))])
    folder = write(tmp_path, whole, cuts=[3])
    expected = read_all(tmp_path)
    (folder / "000002.jsonl").rename(folder / "000019.jsonl")
    (folder / "000001 (copy).jsonl").write_bytes(whole)
    (folder / "000018.jsonl").touch()
    assert read_all(tmp_path) == expected
    reading = SpoolReader(tmp_path)
    (folder / "000018.jsonl").unlink()
    batches = list(reading.read_batches(EventLimits()))
    assert [e for batch in batches for e in batch.events] == expected[0]
    assert [p for batch in batches for p in batch.problems] == []


@settings(max_examples=50)
@given(recordings(), st.lists(st.integers(0, 12), max_size=4))
def test_where_files_begin_changes_nothing(story, cuts) -> None:
    with tempfile.TemporaryDirectory() as place:
        write(Path(place) / "one", spelled(story))
        write(Path(place) / "many", spelled(story), cuts=cuts)
        assert read_all(Path(place) / "one") == read_all(Path(place) / "many")


@settings(max_examples=50)
@given(recordings(), st.integers(0, 12), st.booleans())
def test_a_spool_read_in_two_goes_gives_what_it_gives_in_one(
    story, first, shipped
) -> None:
    """While its recorder lives, then after it has ended; shipped between or not."""
    whole = spelled(story)
    begun = b"".join(whole.splitlines(keepends=True)[:first])
    with tempfile.TemporaryDirectory() as place:
        once, _, _ = read_all(write(Path(place) / "once", whole).parent)
        folder = write(Path(place) / "twice", begun)
        with living(folder):
            spool = SpoolReader(folder.parent)
            found = {e for b in spool.read_batches(EventLimits()) for e in b.events}
            if shipped:
                spool.remove_shipped()
        (folder / "000001.jsonl").write_bytes(whole)
        again, problems, aside = read_all(folder.parent)
        assert (problems, aside) == ([], [])
        assert found | set(again) == set(once)
        assert not shipped or not found & set(again)


def test_a_call_that_runs_waits_and_is_unknown_once_its_recorder_is_gone(
    tmp_path: Path,
) -> None:
    folder = write(tmp_path, spelled([opened(), decided(2)]))
    with living(folder):
        assert read_all(tmp_path)[0] == []
    (event,) = read_all(tmp_path)[0]
    assert event.outcome is EventOutcome.UNKNOWN
    assert dict(event.facts)["ended"] == "never recorded"


def test_a_half_line_of_a_living_recorder_is_nothing_yet(tmp_path: Path) -> None:
    whole = spelled([opened(), decided(2, DENY)])
    folder = write(tmp_path, whole[:-5])
    with living(folder):
        assert read_all(tmp_path) == ([], [], [])
    _, (problem,), _ = read_all(tmp_path)
    assert "bytes are an incomplete record" in problem


def test_lines_take_the_place_of_the_room_while_they_are_followed(
    tmp_path: Path,
) -> None:
    first, second = (
        spelled([opened(), decided(2, DENY), decided(3, DENY)][:n]) for n in (2, 3)
    )
    folder = write(tmp_path, first + bytes(5000))
    with living(folder):
        spool = SpoolReader(tmp_path)
        found = [
            each for batch in spool.read_batches(EventLimits()) for each in batch.events
        ]
        spool.remove_shipped()
        (folder / "000001.jsonl").write_bytes(second + bytes(5000 - 600))
        again, problems, aside = read_all(tmp_path)
    assert (len(found), len(again), problems, aside) == (1, 1, [], [])


@pytest.mark.parametrize(
    ("left_out", "told_missing"),
    [
        ({3}, ["gateway 0123456789abcdef: record 3 missing"]),
        ({3, 4, 5}, ["gateway 0123456789abcdef: records 3-5 missing"]),
        (
            {2, 4},
            [
                "gateway 0123456789abcdef: record 2 missing",
                "gateway 0123456789abcdef: record 4 missing",
            ],
        ),
        ({1}, ["gateway 0123456789abcdef: record 1 missing"]),
    ],
)
def test_a_gap_is_told_by_its_numbers(tmp_path: Path, left_out, told_missing) -> None:
    story = [opened(), *(decided(n, DENY) for n in range(2, 8))]
    parts = spelled(story).splitlines(keepends=True)
    kept = [part for n, part in enumerate(parts, 1) if n not in left_out]
    write(tmp_path, b"".join(kept))
    events, problems, _ = read_all(tmp_path)
    assert problems == told_missing
    assert len(events) == 6 - len(left_out - {1})


def test_records_that_went_missing_at_the_end_are_told_by_the_recorder_after(
    tmp_path: Path,
) -> None:
    write(tmp_path, spelled([opened(), decided(2, DENY)]))
    after = "fedcba9876543210"
    write(tmp_path, spelled([opened(NAME, 5, after)], after), after)
    assert read_all(tmp_path)[1] == [f"gateway {NAME}: records 3-5 missing at its end"]


def test_lines_written_twice_are_read_once(tmp_path: Path) -> None:
    parts = spelled([opened(), *(decided(n, DENY) for n in range(2, 6))]).splitlines(
        keepends=True
    )
    write(tmp_path, b"".join([*parts[:4], *parts[1:4], *parts[4:]]))
    events, problems, aside = read_all(tmp_path)
    assert [e.sequence for e in events] == [2, 3, 4, 5]
    assert (problems, aside) == ([], [])


def test_a_changed_record_is_named(tmp_path: Path) -> None:
    data = spelled([opened(), *(decided(n, DENY) for n in range(2, 5))])
    write(tmp_path, data.replace(b'"no-rule"', b'"allowed"', 1))
    assert read_all(tmp_path)[1] == [f"gateway {NAME}: record 2 is invalid"]


FLIPPED = spelled([opened(), decided(2), ended(3, 2), refused(4), closed(5)])


@settings(max_examples=100)
@given(st.integers(0, len(FLIPPED) - 1), st.integers(0, 7))
@example(FLIPPED.index(b"a", FLIPPED.rindex(b"chain") + 8), 5)  # a capital digit
def test_no_flipped_bit_goes_unnoticed(at, bit) -> None:
    whole = bytearray(FLIPPED)
    whole[at] ^= 1 << bit
    with tempfile.TemporaryDirectory() as place:
        write(Path(place), bytes(whole))
        _, problems, aside = read_all(Path(place))
    assert problems or aside


@pytest.mark.parametrize(
    "line",
    [b"{}\n", b"not json\n", b'{"kind":"decided"}\n', b"\xff\xfe\n", b"\n", b"[" * 999],
)
def test_a_foreign_line_is_set_aside_and_the_rest_is_read(tmp_path, line) -> None:
    parts = spelled([opened(), decided(2, DENY), decided(3, DENY)])
    first, second, third = parts.splitlines(keepends=True)
    line = line if line.endswith(b"\n") else line + b"\n"
    write(tmp_path, first + second + line + third)
    events, problems, (why,) = read_all(tmp_path)
    assert [e.sequence for e in events] == [2, 3]
    assert problems == []
    assert why.startswith("not a ")


def test_an_end_without_its_decision_is_set_aside(tmp_path: Path) -> None:
    parts = spelled([opened(), decided(2), ended(3, 2)]).splitlines(keepends=True)
    write(tmp_path, parts[0] + parts[2])
    events, problems, aside = read_all(tmp_path)
    assert (events, aside) == ([], ["the decision of this outcome is missing"])
    assert problems == [f"gateway {NAME}: record 2 missing"]


def test_a_decision_with_the_id_of_another_is_set_aside(tmp_path: Path) -> None:
    write(tmp_path, spelled([opened(), decided(2, name="another"), closed(3)]))
    events, _, aside = read_all(tmp_path)
    assert (events, aside) == ([], ["another record has the same decision id"])


def test_batches_are_bounded(tmp_path: Path) -> None:
    write(tmp_path, spelled([opened(), *(decided(n, DENY) for n in range(2, 102))]))
    spool = SpoolReader(tmp_path)
    sizes = [len(b.events) for b in spool.read_batches(EventLimits(batch=10))]
    assert max(sizes) == 10
    assert sum(sizes) == 100


def test_what_is_read_ends_at_all_of_it_with_room_and_what_was_read_before(
    tmp_path: Path,
) -> None:
    whole = spelled([opened(), decided(2, DENY), decided(3, DENY)])
    folder = write(tmp_path, whole + bytes(5000))
    write(tmp_path, spelled([opened()], "another"), "another")
    with living(folder):
        for done in (0, len(whole)):
            spool = SpoolReader(tmp_path)
            *_, last = spool.read_batches(EventLimits(batch=1))
            assert last.done_bytes == last.total_bytes > done
            spool.remove_shipped()


@pytest.mark.parametrize("name", ["000001 (copy)", "1", "0000001", "notes", ".000001"])
def test_a_foreign_file_is_passed_over_beside_records_and_beside_recorders(
    tmp_path: Path, name: str
) -> None:
    folder = write(tmp_path, spelled([opened(), decided(2, DENY)]), cuts=[1])
    for place in (folder, tmp_path):
        (place / f"{name}.jsonl").write_text("{}\n")
    spool = SpoolReader(tmp_path)
    (batch,) = spool.read_batches(EventLimits())
    assert ([e.sequence for e in batch.events], batch.quarantined) == ([2], ())
    spool.remove_shipped()
    assert [each.name for each in folder.iterdir()] == [f"{name}.jsonl"]
    assert read_all(tmp_path) == ([], [], [])
    assert SpoolTail(tmp_path).read_new_decisions() == []


def test_the_millionth_file_comes_after_the_one_before_it(tmp_path: Path) -> None:
    whole = spelled([opened(), decided(2, DENY), decided(3, DENY)])
    folder = write(tmp_path, whole, cuts=[2])
    (folder / "000001.jsonl").rename(folder / "999999.jsonl")
    (folder / "000002.jsonl").rename(folder / "1000000.jsonl")
    assert read_all(tmp_path)[1:] == ([], [])
    assert [event.sequence for event in SpoolTail(tmp_path).read_new_decisions()] == [
        2,
        3,
    ]


def test_the_folder_of_one_recorder_is_a_source_too(tmp_path: Path) -> None:
    folder = write(tmp_path, spelled([opened(), decided(2, DENY)]))
    assert read_all(folder) == read_all(tmp_path)


def test_what_holds_no_spool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no gateway records"):
        read(str(tmp_path), EventContext())
    with pytest.raises(UsageError, match="not a folder"):
        read(str(tmp_path / "gone"), EventContext())
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "shipped.json").write_text("{]")
    with pytest.raises(EnvironmentFailure, match=r"shipped\.json"):
        read_all(tmp_path)
