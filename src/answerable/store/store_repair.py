"""Repair a store: finish removals, set damaged files aside, restore from a copy."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from answerable.evidence.log_entries import (
    RowsRemoved,
    SegmentManifest,
    SegmentState,
    build_file_stem,
    encode_entry,
    list_removed_objects,
    read_segment_states,
)
from answerable.evidence.merkle import merkle_root
from answerable.model.errors import AnswerableError, VerificationError
from answerable.store.change_lock import lock_log
from answerable.store.damaged_segments import compute_file_digest
from answerable.store.duckdb_engine import DuckDbEngine
from answerable.store.durable_files import (
    make_store_folder,
    read_file,
    translate_os_errors,
    write_file,
)
from answerable.store.fsck_segments import SegmentUnreadableError, read_row_leaves
from answerable.store.object_repair import rebuild_tiles, repair_objects
from answerable.store.repair_steps import RepairStep, build_missing_step, move_aside
from answerable.store.row_number_encoding import encode_row_numbers
from answerable.store.segment_files import (
    delete_files,
    list_obsolete_files,
    list_unfinished_files,
)
from answerable.store.spill_folders import sweep_spill_folders

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

REPAIR_KIND = "repair"


def repair_store(
    store: "EvidenceStore", copy: Path | None, now: int, *, dry_run: bool
) -> list[RepairStep]:
    """Repair the files of segments, objects and tiles; no file that matches the log changes.

    Args:
        store: The store.
        copy: Folder of a copy of the store to restore files from, or None.
        now: UTC nanoseconds.
        dry_run: List without changing anything.

    Raises:
        EnvironmentFailure: The disk failed; the command may be repeated.
    """
    store.layout.refuse_remote()
    with lock_log(store, dry_run=dry_run):
        states = read_segment_states(store.log.entries())
        steps = [
            *_delete_obsolete_files(store, states, dry_run=dry_run),
            *_repair_segments(store, states, copy, dry_run=dry_run),
            *repair_objects(store, copy, dry_run=dry_run),
            *rebuild_tiles(store, dry_run=dry_run),
        ]
        recorded = [each for each in steps if each.action in ("set aside", "restore")]
        if recorded and not dry_run:
            said = [f"{each.action} {each.target}" for each in recorded]
            act = {"schema": "answerable/repair/v1", "at": str(now), "steps": said}
            store.put_object(REPAIR_KIND, msgspec.json.encode(act), now)
    if not dry_run:
        steps += [
            RepairStep("sweep", path, "left by a killed process")
            for path in sweep_spill_folders()
        ]
    return steps


def _delete_obsolete_files(
    store: "EvidenceStore", states: list[SegmentState], *, dry_run: bool
) -> Iterator[RepairStep]:
    """Delete files whose removal the log records, and unfinished segment files."""
    layout = store.layout
    paths = [Path(path) for path in list_obsolete_files(layout, states)]
    paths += [
        path
        for digest in list_removed_objects(store.log.entries())
        for folder in (layout.objects, layout.quarantine)
        if (path := folder / digest).exists()
    ]
    paths += list_unfinished_files(layout, states)
    for path in paths:
        if not dry_run:
            delete_files([path])
        yield RepairStep(
            "delete", str(path.relative_to(layout.root)), "unfinished or removed"
        )


def _repair_segments(
    store: "EvidenceStore",
    states: list[SegmentState],
    copy: Path | None,
    *,
    dry_run: bool,
) -> Iterator[RepairStep]:
    """Repair the Parquet, leaves, order and manifest files of each segment."""
    engine = DuckDbEngine(store.layout.segments)
    try:
        for state in states:
            if state.compacted:
                continue
            manifest, live = state.manifest, state.live
            whole = True
            if live is not None:
                file = _get_file(store, live, ".parquet")
                whole = compute_file_digest(file) == live.file_sha256
                if not whole:
                    yield from _restore_or_set_aside(
                        store, file, live.file_sha256, copy, dry_run=dry_run
                    )
                    whole = compute_file_digest(file) == live.file_sha256
            leaves = _get_file(store, manifest, ".leaves")
            if compute_file_digest(leaves) != manifest.leaves_sha256:
                step = _rebuild_leaves(store, engine, state, whole, dry_run=dry_run)
                if step is None:
                    yield from _restore_or_set_aside(
                        store, leaves, manifest.leaves_sha256, copy, dry_run=dry_run
                    )
                else:
                    yield step
            order = _get_file(store, manifest, ".order")
            if manifest.replaces and compute_file_digest(order) != (
                manifest.order_sha256
            ):
                yield from _restore_or_set_aside(
                    store, order, manifest.order_sha256, copy, dry_run=dry_run
                )
            if state.removal is not None and state.removal.rows_sha256:
                yield from _repair_removed_rows(
                    store, engine, state, state.removal, copy, dry_run=dry_run
                )
            yield from _rebuild_manifest(store, manifest, dry_run=dry_run)
    finally:
        engine.close()


def _restore_or_set_aside(
    store: "EvidenceStore", file: Path, digest: str, copy: Path | None, *, dry_run: bool
) -> Iterator[RepairStep]:
    """Restore a file from a copy of the store, or move the damaged file away."""
    name = str(file.relative_to(store.root))
    if file.exists() and not file.is_symlink():
        if not dry_run:
            move_aside(store.root, file)
        yield RepairStep("set aside", name, "does not match the log")
    source = copy / name if copy is not None else None
    if source is not None and compute_file_digest(source) == digest:
        if not dry_run:
            with translate_os_errors("copy", source):
                make_store_folder(file.parent)
                write_file(file, source.read_bytes())
        yield RepairStep("restore", name, "the copy matches the log")
        return
    yield build_missing_step(name)


def _rebuild_leaves(
    store: "EvidenceStore",
    engine: DuckDbEngine,
    state: SegmentState,
    whole: bool,
    *,
    dry_run: bool,
) -> RepairStep | None:
    """Rebuild a leaves file from the rows; None where the rows do not suffice."""
    if not whole or state.removal is not None:
        return None
    manifest = state.manifest
    try:
        rows = [leaf for _, leaf in read_row_leaves(store.layout, engine, manifest)]
    except (SegmentUnreadableError, VerificationError):
        return None
    packed = b"".join(rows)
    if (
        hashlib.sha256(packed).hexdigest() != manifest.leaves_sha256
        or merkle_root(rows).hex() != manifest.event_root
    ):
        return None
    file = _get_file(store, manifest, ".leaves")
    if not dry_run:
        _remove_non_file(file)
        write_file(file, packed)
    return RepairStep(
        "rebuild", str(file.relative_to(store.root)), "computed from the rows"
    )


def _repair_removed_rows(
    store: "EvidenceStore",
    engine: DuckDbEngine,
    state: SegmentState,
    removal: RowsRemoved,
    copy: Path | None,
    *,
    dry_run: bool,
) -> Iterator[RepairStep]:
    """Repair the list of the removed rows: those whose leaves no remaining row has."""
    stem = build_file_stem(removal)
    file = store.layout.segment_file(state.manifest.day, stem, ".removed")
    if compute_file_digest(file) == removal.rows_sha256:
        return
    data = encode_row_numbers(_find_removed_rows(store, engine, state))
    if hashlib.sha256(data).hexdigest() != removal.rows_sha256:
        yield from _restore_or_set_aside(
            store, file, removal.rows_sha256, copy, dry_run=dry_run
        )
        return
    if not dry_run:
        make_store_folder(file.parent)
        _remove_non_file(file)
        write_file(file, data)
    name = str(file.relative_to(store.root))
    yield RepairStep("rebuild", name, "computed from the rows and leaves")


def _find_removed_rows(
    store: "EvidenceStore", engine: DuckDbEngine, state: SegmentState
) -> list[int]:
    """Find the numbers of the removed rows; empty if a file that tells is damaged."""
    if state.live is None:
        return []
    try:
        packed = read_file(_get_file(store, state.manifest, ".leaves"))
        kept = {leaf for _, leaf in read_row_leaves(store.layout, engine, state.live)}
    except (FileNotFoundError, AnswerableError):
        return []
    leaves = (packed[at : at + 32] for at in range(0, len(packed), 32))
    return [number for number, leaf in enumerate(leaves) if leaf not in kept]


def _rebuild_manifest(
    store: "EvidenceStore", manifest: SegmentManifest, *, dry_run: bool
) -> Iterator[RepairStep]:
    """Write a manifest file again from the log."""
    file = _get_file(store, manifest, ".manifest.json")
    data = encode_entry(manifest)
    try:
        if file.is_file() and read_file(file) == data:
            return
    except FileNotFoundError:
        pass
    if not dry_run:
        make_store_folder(file.parent)
        _remove_non_file(file)
        write_file(file, data)
    yield RepairStep("rebuild", str(file.relative_to(store.root)), "written in the log")


def _remove_non_file(path: Path) -> None:
    """Remove a folder in place of a file."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)


def _get_file(store: "EvidenceStore", manifest: SegmentManifest, ending: str) -> Path:
    """Return the path of a file of a segment."""
    return store.layout.segment_file(manifest.day, manifest.segment, ending)
