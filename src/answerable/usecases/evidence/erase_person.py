"""Erase the events and objects of a store that mention a person."""

from collections.abc import Collection, Iterator, Sequence

from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.store import StoreChangeItem
from answerable.model.sighting import Snapshot
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.services.inventory import snapshots
from answerable.services.inventory.other_names import describe_other_names
from answerable.services.store_changes import (
    list_removals,
    require_name,
    require_reason,
)
from answerable.store import erasure
from answerable.store.store import EvidenceStore

_MIN_NAME_LENGTH = 3


def erase_person(
    store: EvidenceStore,
    names: Sequence[str],
    reason: str,
    *,
    now: int,
    dry_run: bool = False,
) -> Document:
    """Erase every event and object that mentions a person, except under a legal hold.

    Args:
        store: The store.
        names: Names of the person, with or without `person:`.
        reason: Reason, which must not contain a name; unused for a dry run.
        now: UTC nanoseconds.
        dry_run: List without erasing.

    Returns:
        One item per segment and object; failed if the person is still mentioned.

    Raises:
        UsageError: A name is too short, or the reason is missing or names the person.
    """
    if not dry_run:
        require_reason(reason)
    for name in names:
        require_name(name, _MIN_NAME_LENGTH, "list persons: answerable people")
    others = describe_other_names(store, names)
    result = erasure.erase_person(
        store,
        names,
        reason,
        now,
        find_used_objects=lambda found: _find_used_objects(store, found),
        dry_run=dry_run,
    )
    rows = list_removals("erase", result.rows, dry_run=dry_run)
    items = [*rows, *_list_objects(result, dry_run=dry_run)]
    return Document(
        "store-changes",
        items,
        build_empty_coverage(),
        failed=bool(result.remaining or result.used)
        or any(each["state"] == "open" for each in items),
        next=""
        if dry_run or not items
        else "answerable evidence checkpoint --export FILE",
        note=others and f"warning: {others}: add --also NAME for each",
    )


def _list_objects(
    result: erasure.ErasureResult, *, dry_run: bool
) -> Iterator[StoreChangeItem]:
    """Yield an item for each object, and for each file that still mentions the person."""
    done = "planned" if dry_run else "done"
    for name, count in result.unsealed:
        yield _build_item(done, f"journal {name}", "sealed first", count)
    for kind, digest in result.objects:
        yield _build_item(done, f"{kind} {digest}", "")
    for kind, digest in result.used:
        yield _build_item(
            "open",
            f"{kind} {digest}",
            "in the newest snapshot: remove the person at the source, scan again, and "
            "repeat",
        )
    for kind, digest in result.held:
        yield _build_item("open", f"{kind} {digest}", "release this hold first")
    for name in result.damaged:
        yield _build_item(done, name, "a damaged copy, set aside by a repair")
    is_held = result.held or any(each.held for each in result.rows)
    for name in result.remaining:
        is_kept = is_held and name.startswith(("segments/", "objects/", "set-aside/"))
        why = ": a legal hold may keep it" if is_kept else ""
        yield _build_item("open", name, f"still mentions the person{why}")


def _build_item(
    state: str, target: str, detail: str, events: int = 0
) -> StoreChangeItem:
    """Build the item of an object or file."""
    return {
        "action": "erase",
        "state": state,
        "target": target,
        "events": events,
        "held": 0,
        "detail": detail,
    }


def _find_used_objects(
    store: EvidenceStore, found: Collection[str]
) -> tuple[set[str], set[str]]:
    """Find objects of the newest snapshot, and older snapshots that refer to others."""
    latest = snapshots.list_snapshots(store)[-1:]
    used: set[str] = set()
    referring: set[str] = set()
    every = [
        (each, snapshots.read_stored_object(store, each.digest, Snapshot))
        for each in snapshots.list_snapshots(store)
    ]
    for each, snapshot in every:
        if each in latest:
            used |= {each.digest, *(digest for _, digest in snapshot.syncs)}
    used &= set(found)
    for each, snapshot in every:
        gone = {digest for _, digest in snapshot.syncs} & (set(found) - used)
        if gone:
            referring.add(each.digest)
    return used, referring
