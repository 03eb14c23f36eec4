"""A store in object storage: several machines, one log, nothing lost or doubled."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from answerable.model.errors import (
    AnswerableError,
    EnvironmentFailure,
    UsageError,
    VerificationError,
)
from answerable.model.event import AuditEvent, QuarantinedRecord
from answerable.model.progress import ignore_progress_report
from answerable.store import bucket_openers, compaction, durable_files, fsck
from answerable.store.remote_store import bind_folder
from answerable.store.segment_scope import SegmentScope
from answerable.store.store import EvidenceStore
from answerable.store.store_repair import repair_store
from tests.store.folder_bucket import FolderBucket

Make = Callable[..., AuditEvent]
PLACE = "s3://evidence/prod"
DAY = 86_400 * 10**9


class Machines:
    """Machines with a local folder each, the same keys, and one bucket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bucket = FolderBucket(folder / "bucket")

    def root(self, name: str) -> Path:
        root = self.folder / name
        bind_folder(root, PLACE)
        first = self.folder / "a" / "keys"
        if first.is_dir() and not (root / "keys").exists():
            shutil.copytree(first, root / "keys")
        return root

    def open(self, name: str, now: int = 0) -> EvidenceStore:
        return EvidenceStore.open(self.root(name), now=now)


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    monkeypatch.setattr("answerable.store.journal_sealing._MAX_DELAY", 0.001)
    monkeypatch.setattr("answerable.store.remote_log._MAX_AGE", 0.0)
    found = Machines(tmp_path)
    before = list(bucket_openers)
    bucket_openers[:] = [lambda location: found.bucket]
    yield found
    bucket_openers[:] = before


def ids(store: EvidenceStore) -> list[object]:
    return [row[0] for row in store.run_query("SELECT event_id FROM events ORDER BY 1")]


def wrong(store: EvidenceStore) -> list[str]:
    checks = fsck.verify_store(store, None, None, ignore_progress_report)
    return [each.detail for each in checks if not each.ok]


def expected(make: Make, count: int) -> list[bytes]:
    return sorted(make(number).event_id for number in range(count))


def test_another_machine_reads_what_one_has_sealed(
    machines: Machines, make: Make, now: int
) -> None:
    with machines.open("a") as first:
        first.append([make(number) for number in range(20)], now)
        digest = first.put_object("sync", b"{}", now)
        first.quarantine([QuarantinedRecord("a.json", 0, "no time", b"raw")], now)
        first.seal(now)
        assert wrong(first) == []
    with machines.open("b") as second:
        assert ids(second) == expected(make, 20)
        assert second.get_object(digest) == b"{}"
        assert second.quarantine([QuarantinedRecord("b", 0, "", b"raw")], now) == 0
        assert wrong(second) == []
        assert (
            second.log.checkpoint()
            == machines.bucket.path("log/checkpoint").read_bytes()
        )


def test_two_machines_that_store_the_same_events_seal_them_once(
    machines: Machines, make: Make, now: int
) -> None:
    with machines.open("a") as first:
        first.put_object("sync", b"{}", now)  # creates the log
        with machines.open("b") as second:
            first.append([make(number) for number in range(20)], now)
            second.append([make(number) for number in range(10, 30)], now)
            assert first.seal(now) == 1
            assert second.seal(now) == 1
            assert ids(second) == expected(make, 30)
            assert wrong(second) == []
        assert ids(first) == expected(make, 30)
        assert first.append([make(number) for number in range(30)], now).stored == 0
        assert wrong(first) == []


def test_a_machine_that_loses_the_race_seals_again(
    machines: Machines, make: Make, now: int
) -> None:
    with machines.open("a") as first:
        first.put_object("sync", b"{}", now)
        with machines.open("b") as second:
            first.append([make(number) for number in range(20)], now)
            second.append([make(number) for number in range(10, 30)], now)
            done: list[str] = []

            def interfere(step: str) -> None:
                if step == "remote-tail" and not done:
                    done.append(step)
                    assert second.seal(now) == 1

            durable_files.crash_hook = interfere
            first.seal(now)
            durable_files.crash_hook = None
            assert done
            assert ids(first) == ids(second) == expected(make, 30)
            assert wrong(first) == wrong(second) == []


STEPS = (
    "journal-written",
    "object-written",
    "seal-begin",
    "segment-parquet",
    "remote-object",
    "remote-segment.parquet",
    "remote-segment.leaves",
    "remote-begin",
    "remote-tail",
    "remote-head",
    "remote-committed",
    "log-entries",
    "log-tiles",
    "log-checkpoint",
    "seal-committed",
    "seal-removed",
)


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", STEPS)
def test_a_machine_that_ends_at_a_step_loses_and_doubles_nothing(
    machines: Machines, make: Make, now: int, step: str
) -> None:
    with machines.open("a") as store:
        store.append([make(number) for number in range(10)], now)

    def end(reached: str) -> None:
        if reached == step:
            raise Killed

    acknowledged = 10
    ended = machines.open("a")
    durable_files.crash_hook = end
    try:
        ended.append([make(number) for number in range(5, 20)], now)
        acknowledged = 20
        ended.put_object("sync", b"{}", now)
        ended.seal(now)
    except Killed:
        pass
    else:
        pytest.fail(f"{step} was not reached")
    durable_files.crash_hook = None
    ended.close()
    with machines.open("a") as again, machines.open("b") as other:
        assert wrong(again) == []
        found = ids(again)
        assert len(found) == len(set(found))
        assert set(expected(make, acknowledged)) <= set(found)
        again.append([make(number) for number in range(20)], now)
        again.seal(now)
        assert ids(again) == ids(other) == expected(make, 20)
        assert wrong(again) == wrong(other) == []


@pytest.mark.parametrize(
    ("operation", "part", "kind"),
    [
        ("create", "log/tail", "torn"),
        ("create", "log/tail", "after"),
        ("replace", "log/checkpoint", "before"),
        ("replace", "log/checkpoint", "after"),
        ("create", ".parquet", "torn"),
        ("create", ".leaves", "torn"),
        ("create", "objects/", "torn"),
        ("read", "log/checkpoint", "before"),
    ],
)
def test_a_write_that_fails_is_repeated_and_counts_once(
    machines: Machines, make: Make, now: int, operation: str, part: str, kind: str
) -> None:
    with machines.open("a") as store:
        store.append([make(number) for number in range(5)], now)
        store.seal(now)
        left = [True]

        def fail(tried: str, key: str) -> str:
            if left and tried == operation and part in key:
                left.clear()
                return kind
            return ""

        machines.bucket.fault = fail

        def work() -> None:
            store.append([make(number) for number in range(10)], now)
            store.put_object("sync", b'{"a": 1}', now)
            store.seal(now)

        try:
            work()
        except EnvironmentFailure:
            work()
        assert left == []
        assert ids(store) == expected(make, 10)
        assert wrong(store) == []
    with machines.open("b") as other:
        assert ids(other) == expected(make, 10)
        assert wrong(other) == []


def test_a_log_of_many_bundles_is_read_by_another_machine(
    machines: Machines, now: int
) -> None:
    with machines.open("a") as store:
        for number in range(300):
            store.put_object("sync", b"%d" % number, now)
        store.log.append(
            [*store.log.entries()[:1]] * 300,
            after=(object,),
        )
        assert len(store.log.entries()) == 600
    bundles = [key for key in machines.bucket.names() if "entries" in key]
    assert bundles == ["log/tile/entries/000"]
    with machines.open("b") as other:
        assert len(other.log.entries()) == 600
        other.put_object("sync", b"one more", now)
    bundles = [key for key in machines.bucket.names() if "entries" in key]
    assert bundles == ["log/tile/entries/000", "log/tile/entries/001"]
    assert len([key for key in machines.bucket.names() if "log/tail" in key]) == 1
    with machines.open("c") as third:
        assert len(third.log.entries()) == 601
        assert wrong(third) == []


def test_only_the_segments_of_the_time_in_question_are_read(
    machines: Machines, make: Make, now: int
) -> None:
    with machines.open("a") as store:
        start = make(0).event_time
        days = [make(n, event_time=start + n * DAY) for n in range(5)]
        store.append(days, now)
        store.seal(now)
    machines.bucket.reads.clear()
    with machines.open("b") as other:
        day = SegmentScope(start + 2 * DAY, start + 3 * DAY)
        query = "SELECT count(*) FROM events WHERE event_time >= ? AND event_time < ?"
        assert other.run_query(query, [day.since, day.until], scope=day) == [(1,)]
        read = [key for key in machines.bucket.reads if key.endswith(".parquet")]
        assert len(read) == 1
        assert other.run_query("SELECT count(*) FROM events") == [(5,)]


def test_a_damaged_copy_is_read_again(machines: Machines, make: Make, now: int) -> None:
    with machines.open("a") as store:
        store.append([make(number) for number in range(5)], now)
        store.seal(now)
        (file,) = store.layout.segments.rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:-20])
    with machines.open("a") as store:
        assert ids(store) == expected(make, 5)
        assert store.find_unreadable_segments() == {}
    file.unlink()
    with machines.open("a") as store:
        assert ids(store) == expected(make, 5)


@pytest.mark.parametrize("change", ["flip", "remove"])
@pytest.mark.parametrize("part", [".parquet", ".leaves", "objects/", "log/tail"])
def test_a_change_in_the_bucket_is_named(
    machines: Machines, make: Make, now: int, part: str, change: str
) -> None:
    with machines.open("a") as store:
        store.append([make(number) for number in range(5)], now)
        store.put_object("sync", b"{}", now)
        store.seal(now)
        (key,) = [key for key in machines.bucket.names() if part in key]
        path = machines.bucket.path(key)
        if change == "remove":
            path.unlink()
        else:
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
        found = wrong(store)
        assert len(found) == 1
        assert key in found[0] or (part == "log/tail" and PLACE in found[0])


def test_an_older_log_in_the_bucket_is_refused(machines: Machines, now: int) -> None:
    with machines.open("a") as store:
        store.put_object("sync", b"1", now)
        older = machines.folder / "older"
        shutil.copytree(machines.bucket.folder, older)
        store.put_object("sync", b"2", now)
    with machines.open("b") as other:
        assert len(other.log.entries()) == 2
    shutil.rmtree(machines.bucket.folder)
    older.rename(machines.bucket.folder)
    with (
        machines.open("b") as other,
        pytest.raises(VerificationError, match="fewer than were read before"),
    ):
        other.log.entries()


def test_storage_that_ignores_conditions_is_refused(
    machines: Machines, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(key: str, data: bytes) -> bool:
        machines.bucket.overwrite(key, data)
        return True

    monkeypatch.setattr(machines.bucket, "create", create)
    with (
        machines.open("a") as store,
        pytest.raises(EnvironmentFailure, match="ignores If-None-Match"),
    ):
        store.put_object("sync", b"1", now)


def test_a_machine_without_the_keys_is_told_where_they_are(
    machines: Machines, make: Make, now: int
) -> None:
    with machines.open("a") as store:
        store.append([make(1)], now)
        store.seal(now)
    with machines.open("b") as other:
        (other.layout.keys / "log.key").unlink()
        with pytest.raises(EnvironmentFailure) as refused:
            other.put_object("sync", b"1", now)
        assert "copy the folder keys" in refused.value.hint


def test_a_machine_with_other_keys_is_refused(
    machines: Machines, now: int, tmp_path: Path
) -> None:
    with EvidenceStore.open(tmp_path / "x", now=now) as foreign:
        foreign.put_object("sync", b"1", now)
    with machines.open("a") as store:
        store.put_object("sync", b"1", now)
    root = machines.root("b")
    shutil.copy(tmp_path / "x" / "keys" / "log.key", root / "keys" / "log.key")
    (root / "keys" / "log.pub").unlink()
    with (
        machines.open("b") as other,
        pytest.raises(UsageError, match="created with another key"),
    ):
        other.log.entries()


def test_what_only_a_local_store_does_is_refused_in_one_line(
    machines: Machines, make: Make, now: int
) -> None:
    calls: list[Callable[[EvidenceStore], object]] = [
        compaction.plan_compaction,
        lambda store: repair_store(store, None, now, dry_run=True),
    ]
    with machines.open("a") as store:
        store.append([make(1)], now)
        for call in calls:
            with pytest.raises(AnswerableError, match="object storage"):
                call(store)
