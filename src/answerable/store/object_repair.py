"""Repair objects and hash tiles: set damaged files aside, restore from a copy, rebuild."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from answerable.evidence.log_tiles import compute_changed_tiles
from answerable.evidence.merkle import leaf_hash
from answerable.model.errors import AnswerableError
from answerable.store.durable_files import (
    make_store_folder,
    translate_os_errors,
    write_file,
)
from answerable.store.fsck_objects import check_stored_object, list_object_files
from answerable.store.object_store import (
    get_temporary_object_path,
    read_object_base,
    read_packed,
)
from answerable.store.repair_steps import (
    RepairStep,
    build_missing_step,
    move_aside,
)

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore


def repair_objects(
    store: "EvidenceStore", copy: Path | None, *, dry_run: bool
) -> Iterator[RepairStep]:
    """Repair every logged object and quarantined record, in the order of the log.

    An object from which others differ is older, so it is restored before them.
    """
    lost: set[str] = set()
    planned: set[str] = set()
    for path in list_object_files(store):
        base = _find_base(path)
        if _is_intact(path) or (base and base in planned):
            continue
        name = str(path.relative_to(store.root))
        if base and base in lost:  # the file itself may be intact
            lost.add(path.name)
            yield build_missing_step(name)
            continue
        yield from _set_aside(store, path, dry_run=dry_run)
        source = copy / name if copy is not None else None
        if source is not None and source.is_file() and _is_intact(source):
            if not dry_run:
                with translate_os_errors("copy", source):
                    make_store_folder(path.parent)
                    write_file(path, read_packed(source))
            if dry_run:
                planned.add(path.name)
            if dry_run or _is_intact(path):
                yield RepairStep("restore", name, "the copy matches the log")
                continue
        lost.add(path.name)
        yield build_missing_step(name)


def _set_aside(
    store: "EvidenceStore", path: Path, *, dry_run: bool
) -> Iterator[RepairStep]:
    """Move the damaged file of an object away, under its name or its temporary one."""
    for each in (path, get_temporary_object_path(path)):
        if each.exists() or each.is_symlink():
            if not dry_run:
                move_aside(store.root, each)
            name = str(each.relative_to(store.root))
            yield RepairStep("set aside", name, "does not match the log")


def rebuild_tiles(store: "EvidenceStore", *, dry_run: bool) -> Iterator[RepairStep]:
    """Write the hash tiles again that do not match the entries of the log."""
    leaves = [leaf_hash(each) for each in store.log.raw_entries()]
    for name, tile in compute_changed_tiles(0, leaves).items():
        path = store.layout.log / name
        if path.is_file() and path.read_bytes() == tile:
            continue
        if not dry_run:
            make_store_folder(path.parent)
            write_file(path, tile)
        yield RepairStep("rebuild", f"log/{name}", "computed from the entries")


def _is_intact(path: Path) -> bool:
    """Return whether an object has its digest."""
    with suppress(AnswerableError, OSError):
        check_stored_object(path)
        return True
    return False


def _find_base(path: Path) -> str:
    """Find the object from which an object differs; empty for none or a damaged one."""
    with suppress(AnswerableError, OSError, ValueError):
        return read_object_base(path)
    return ""
