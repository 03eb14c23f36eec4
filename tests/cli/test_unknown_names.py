"""An unknown name: the message says which events may have it, but are lacking."""

from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.model.collection import UnreadLog
from answerable.store.collection_state import record_unread_log
from answerable.store.retention import apply_retention
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW
from tests.store.conftest import _make as event

DAY = 86_400 * 10**9


@pytest.mark.parametrize(
    ("lack", "code", "says"),
    [
        ("nothing", 2, "unknown identity (got 'gone')\n"),
        ("retention", 2, "events that may have it were removed: 1 events of"),
        ("segment", 3, "events that may have it are missing: events of"),
        ("unread", 3, "a log that may have it was not read completely: cloudtrail:x"),
    ],
)
def test_the_events_that_may_have_it_are_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    lack: str,
    code: int,
    says: str,
) -> None:
    old = event(1, event_time=NOW - 9 * DAY, identity="arn:aws:iam::1:role/gone")
    new = event(2, event_time=NOW, identity="arn:aws:iam::1:role/here")
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        store.append([new] if lack == "nothing" else [old, new], NOW)
        store.seal(NOW)
        if lack == "retention":
            apply_retention(store, 3, "", NOW, dry_run=False)
        elif lack == "segment":
            min(store.layout.segments.rglob("*.parquet")).unlink()
        elif lack == "unread":
            apply_retention(store, 3, "", NOW, dry_run=False)
            record_unread_log(store.layout, UnreadLog("cloudtrail:x", NOW, 3))
    words = ["--store", str(tmp_path / "store"), "trace", "--identity", "gone"]
    assert main(words) == code
    assert says in capsys.readouterr().err
