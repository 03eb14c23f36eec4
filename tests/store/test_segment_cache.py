"""Local copies of segments in object storage have a limit."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.model.event import AuditEvent
from answerable.store.remote_store import bind_folder, read_binding
from answerable.store.store import EvidenceStore
from tests.store.folder_bucket import FolderBucket

DAY = 86_400 * 10**9


def test_copies_that_were_not_used_for_the_longest_time_are_removed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[..., AuditEvent],
    now: int,
) -> None:
    bucket = FolderBucket(tmp_path / "bucket")
    monkeypatch.setattr("answerable.store.bucket.bucket_openers", [lambda _: bucket])
    root = tmp_path / "store"
    bind_folder(root, "s3://evidence/prod")
    with EvidenceStore.open(root, now=now) as store:
        store.append([make(day, event_time=now + day * DAY) for day in range(4)], now)
        store.seal(now)
    copies = sorted((root / "segments").glob("*/*.parquet"))
    assert len(copies) == 4
    for number, path in enumerate(copies):  # the second was used last, the rest by day
        used = (9 if number == 1 else number) * DAY
        for each in (path, path.with_suffix(".leaves")):
            os.utime(each, ns=(used, used))
    files = [*copies, *(each.with_suffix(".leaves") for each in copies)]
    limit = sum(each.stat().st_size for each in files) // 2
    text = json.dumps({"location": "s3://evidence/prod", "cache_bytes": limit})
    (root / "remote.json").write_text(text)
    with EvidenceStore.open(root, now=now) as store:
        store.queries.get_current_sources()
        assert sum(each.stat().st_size for each in files if each.exists()) <= limit
        assert copies[1].is_file()
        assert not copies[0].is_file()
        assert store.run_query("SELECT count(*) FROM events") == [(4,)]  # read again
    with EvidenceStore.open(root, now=now) as store:  # used a moment ago: all stay
        store.queries.get_current_sources()
        assert all(each.is_file() for each in copies)


def test_the_limit_is_20_gib_unless_the_file_names_another(tmp_path: Path) -> None:
    bind_folder(tmp_path / "store", "s3://evidence/prod")
    found = read_binding(tmp_path / "store")
    assert found is not None
    assert found.cache_bytes == 20 << 30
