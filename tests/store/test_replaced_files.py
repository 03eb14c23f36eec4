"""Files of segments that were replaced: by another segment's, by a link, or lost."""

import shutil
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.model.errors import PartialError, UsageError
from answerable.model.event import AuditEvent
from answerable.store.compaction import compact_segments, plan_compaction
from answerable.store.event_gaps import read_event_gaps
from answerable.store.inclusion_proofs import build_inclusion_bundle
from answerable.store.retention import apply_retention
from answerable.store.store import EvidenceStore
from answerable.store.store_repair import repair_store
from tests.store.conftest import NOW
from tests.store.conftest import _make as event
from tests.store.test_life import DAY, check, write_days


def ask(root: Path) -> tuple[int, tuple[str, ...]]:
    """Count the events of three days; return what the store lacks, too."""
    with EvidenceStore.open(root, now=NOW) as store:
        ((count,),) = store.run_query("SELECT count(*) FROM events")
        assert isinstance(count, int)
        return count, read_event_gaps(store).unreadable


@pytest.mark.parametrize("derived", [True, False])
def test_files_of_two_segments_in_each_others_place_are_named(
    tmp_path: Path, derived: bool
) -> None:
    write_days(tmp_path, days=3, batches=1)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        store.append(write_more(5), NOW)
        store.seal(NOW)
    assert ask(tmp_path) == (26, ())
    files = sorted(
        tmp_path.glob("segments/*/*.parquet"), key=lambda f: f.stat().st_size
    )
    small, large = files[0], files[-1]
    kept = small.read_bytes(), large.read_bytes()
    assert len(kept[0]) != len(kept[1])
    small.write_bytes(kept[1])
    large.write_bytes(kept[0])
    if not derived:
        shutil.rmtree(tmp_path / "derived")
    count, lacks = ask(tmp_path)
    assert count < 26
    assert len(lacks) == 2
    assert all(each.endswith("is damaged") for each in lacks)


def write_more(count: int) -> list[AuditEvent]:
    """Build events of another day."""
    return [
        event(90_000 + n, event_time=NOW - 9 * DAY + n, person=f"person:p{n}@x.example")
        for n in range(count)
    ]


def test_a_link_in_place_of_a_segment_is_named_and_not_followed(tmp_path: Path) -> None:
    write_days(tmp_path / "store", days=3, batches=1)
    file = min((tmp_path / "store").glob("segments/*/*.parquet"))
    moved = file.rename(tmp_path / "moved.parquet")
    file.symlink_to(moved)
    count, (lacks,) = ask(tmp_path / "store")
    assert count == 14
    assert lacks.endswith("is a symbolic link, which is not followed")
    assert main(["--store", str(tmp_path / "store"), "store", "stats"]) == 1


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_the_order_file_of_a_compacted_segment_is_restored(
    tmp_path: Path, damage: str
) -> None:
    root, copy = tmp_path / "store", tmp_path / "copy"
    write_days(root)
    with EvidenceStore.open(root, now=NOW) as store:
        for group in plan_compaction(store):
            assert compact_segments(store, group, NOW)
        check(store)
        shutil.copytree(root, copy)
        order = min(root.glob("segments/*/*.order"))
        if damage == "missing":
            order.unlink()
        else:
            order.write_bytes(order.read_bytes()[::-1])
        (lost,) = [s for s in repair_store(store, None, NOW, dry_run=True) if s.failed]
        assert lost.target.endswith(".order")
        repair_store(store, copy, NOW, dry_run=False)
        check(store)


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_what_a_lost_segment_may_have_is_not_said_to_be_unknown(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    events = write_days(tmp_path, days=3, batches=1)
    newest = max(events, key=lambda each: each.event_time)
    file = max(tmp_path.glob("segments/*/*.parquet"))
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-9])
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        with pytest.raises(PartialError, match="is missing or damaged"):
            build_inclusion_bundle(store, [newest.event_id])
        with pytest.raises(UsageError):
            build_inclusion_bundle(store, [bytes(16)])
    for words in (
        ("show", newest.event_id.hex()),
        ("show", "role/nobody"),
        ("trace", "--identity", "nobody"),
        ("can", "nobody", "s3:GetObject", "arn:aws:s3:::a/b"),
        ("decision", "00ff00ff"),
    ):
        assert main(["--store", str(tmp_path), *words]) == 3, words
        said = capsys.readouterr().err
        assert (
            f"(7 events) is {'missing' if damage == 'missing' else 'damaged'}" in said
        )


def test_events_of_removed_days_that_are_stored_again_are_named(tmp_path: Path) -> None:
    written = write_days(tmp_path, days=3, batches=1)
    oldest = min(written, key=lambda each: each.event_time)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        apply_retention(store, 2, "", NOW, dry_run=False)
        (line,) = read_event_gaps(store).removed
        assert "stored" not in line
        with pytest.raises(UsageError, match="may be that of a removed event of"):
            build_inclusion_bundle(store, [oldest.event_id])
    write_days(tmp_path, days=3, batches=1)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        (line,) = read_event_gaps(store).removed
        assert line.endswith("; later ingests stored events of these days")
