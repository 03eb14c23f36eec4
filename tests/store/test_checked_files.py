"""Derived files are hashed again only after a change."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.model.event import AuditEvent
from answerable.store import checked_files, day_files
from answerable.store.lineage_days import CHAIN_KEYS, open_lineage_days
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.verify_and_prove import verify_evidence

Make = Callable[..., AuditEvent]
Open = Callable[[], list[str]]


@pytest.fixture
def open_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Make, now: int
) -> Open:
    """Open the files of days in a process of its own; return what it hashes."""
    hashed: list[str] = []
    compute = day_files.compute_file_digest
    monkeypatch.setattr(
        day_files,
        "compute_file_digest",
        lambda path: hashed.append(path.name) or compute(path),
    )

    def open_once() -> list[str]:
        hashed.clear()
        with EvidenceStore.open(tmp_path, now=now) as store:
            found = open_lineage_days(store, CHAIN_KEYS)
            assert found is not None
            assert len(found.paths) == 1
            open_lineage_days(store, CHAIN_KEYS)
        return list(hashed)

    with EvidenceStore.open(tmp_path, now=now) as store:
        store.append([make(1)], now)
        store.seal(now)
    open_once()  # writes the file
    return open_once


@pytest.fixture
def file(tmp_path: Path, open_files: Open) -> Path:
    (found,) = (tmp_path / "derived" / CHAIN_KEYS.folder).iterdir()
    return found


def test_a_file_that_did_not_change_is_hashed_once(
    open_files: Open, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_files, "_LEAST_AGE", 0)
    assert open_files() == [file.name]
    assert open_files() == []


def test_a_file_that_was_just_written_is_hashed_by_the_next_process_too(
    open_files: Open, file: Path
) -> None:
    assert open_files() == open_files() == [file.name]


def test_a_changed_file_with_its_earlier_time_is_written_again(
    open_files: Open, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_files, "_LEAST_AGE", 0)
    open_files()
    content, facts = file.read_bytes(), file.stat()
    file.write_bytes(content[:-9] + bytes(9))
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert file.stat().st_mtime_ns == facts.st_mtime_ns
    assert file.name in open_files()
    assert file.read_bytes() == content


def test_a_file_of_another_version_is_written_again(
    open_files: Open,
    file: Path,
    tmp_path: Path,
    now: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checked_files, "_LEAST_AGE", 0)
    open_files()
    newer = replace(CHAIN_KEYS, version=CHAIN_KEYS.version + 1)
    with EvidenceStore.open(tmp_path, now=now) as store:
        found = open_lineage_days(store, newer)
    assert found is not None
    assert file not in found.paths


def test_a_damaged_file_with_the_same_times_is_found_after_a_verification(
    open_files: Open,
    file: Path,
    tmp_path: Path,
    now: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checked_files, "_LEAST_AGE", 0)
    open_files()
    content, states = file.read_bytes(), {}
    read = checked_files._read_state
    monkeypatch.setattr(  # as a disk that loses bits
        checked_files,
        "_read_state",
        lambda form, path: states.setdefault(path, read(form, path)),
    )
    open_files()
    file.write_bytes(content[:-9] + bytes(9))
    assert open_files() == []
    with EvidenceStore.open(tmp_path, now=now) as store:
        verify_evidence(store)
    assert file.name in open_files()
    assert file.read_bytes() == content


@pytest.mark.parametrize("place", [0, -1])
def test_a_changed_note_is_not_believed(
    open_files: Open,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: int,
) -> None:
    monkeypatch.setattr(checked_files, "_LEAST_AGE", 0)
    open_files()
    note = tmp_path / "derived" / "files.checked"
    data = bytearray(note.read_bytes())
    data[place] ^= 1
    note.write_bytes(data)
    assert open_files() == [file.name]
    assert open_files() == []


def test_removed_files_are_not_in_the_note(
    open_files: Open, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_files, "_LEAST_AGE", 0)
    open_files()
    note = tmp_path / "derived" / "files.checked"
    assert file.name.encode() in note.read_bytes()
    renamed = file.with_name(f"x{file.name}")
    file.rename(renamed)
    open_files()  # writes it again
    open_files()
    assert note.read_bytes().count(b".parquet") == 1


def test_a_long_process_forgets_removed_files(
    tmp_path: Path, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_files, "_LEAST_AGE", 0)
    with EvidenceStore.open(tmp_path, now=now) as store:
        for number in range(5):
            store.append([make(number)], now)
            store.seal(now)
            found = open_lineage_days(store, CHAIN_KEYS)
            assert found is not None
            day_files.remove_other_files(store, CHAIN_KEYS, found.paths)
            open_lineage_days(store, CHAIN_KEYS)
        known = store.get_or_create_cached("checked files", checked_files._CheckedFiles)
        assert len(known._states) == 1
