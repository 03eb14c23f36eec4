"""Write the tiles of the log, and prove and verify that it only grew."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from answerable.evidence.checkpoint import Checkpoint, parse_checkpoint
from answerable.evidence.consistency_proof import (
    encode_consistency_proof,
    verify_consistency_proof,
)
from answerable.evidence.log_entries import (
    RowsRemoved,
    SegmentManifest,
    decode_entry,
)
from answerable.evidence.merkle import (
    EMPTY_ROOT,
    consistency_path,
    leaf_hash,
    merkle_root,
    verify_consistency,
)
from answerable.evidence.proof_bundle import ProofBundle, decode_bundle, verify_bundle
from answerable.evidence.signed_note import VerifierKey
from answerable.evidence.tile_tree import TileTree
from answerable.model.documents.evidence import CheckItem, CheckpointItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError, VerificationError
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.store import tile_folder
from answerable.store.fsck_segments import format_count
from answerable.store.store import EvidenceStore
from answerable.store.store_keys import parse_own_checkpoint


def write_tiles(store: EvidenceStore, folder: Path) -> Document:
    """Write the tiles of the log to a folder, unless that has another history.

    Raises:
        UsageError: The log is empty, or the folder is a file.
        VerificationError: The log does not extend the one in the folder.
        EnvironmentFailure: The folder cannot be used.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            f"--to requires a folder (got {str(folder)!r})",
            "name an existing folder or a new one",
        )
    note, key = store.log.checkpoint(), store.keys.public_key
    if not note or not parse_own_checkpoint(note, key).size:
        raise UsageError("the log is empty", "run: answerable ingest cloudtrail:PATH")
    store.log.verify_entries()
    tree = parse_own_checkpoint(note, key)
    entries = store.log.raw_entries()[: tree.size]
    former = tile_folder.read_tile_checkpoint(folder)
    try:
        old = parse_checkpoint(former, key) if former else Checkpoint("", 0, EMPTY_ROOT)
    except VerificationError as error:
        raise VerificationError(
            f"{folder / 'checkpoint'}: {error.message}",
            "restore the file, or name a new folder",
        ) from None
    leaves = [leaf_hash(data) for data in entries]
    if old.size > tree.size or merkle_root(leaves[: old.size]) != old.root:
        raise VerificationError(
            f"the log of size {tree.size:,} does not extend the one of size "
            f"{old.size:,} in {folder}",
            "find the change: answerable evidence verify --checkpoint "
            f"{folder / 'checkpoint'}",
        )
    tile_folder.write_tile_folder(folder, entries, note)
    return _build_checkpoint_document(tree, key, note)


def prove_consistency(
    store: EvidenceStore, old: bytes, new: bytes = b""
) -> tuple[bytes, Document]:
    """Prove that a checkpoint of the log extends an older one.

    Args:
        store: The store.
        old: Older checkpoint of this log.
        new: Newer checkpoint of this log; that of the store by default.

    Returns:
        The proof file, and the newer checkpoint.

    Raises:
        UsageError: The checkpoints are in the wrong order.
        VerificationError: One of them is not a checkpoint of this log.
    """
    key, note = store.keys.public_key, new or store.log.checkpoint()
    first, last = parse_checkpoint(old, key), parse_checkpoint(note, key)
    if first.size > last.size:
        raise UsageError(
            f"the older checkpoint is larger (got {first.size:,} and {last.size:,})",
            "name the older checkpoint first",
        )
    leaves = [leaf_hash(data) for data in store.log.raw_entries()]
    for each in (first, last):
        if each.size > len(leaves) or merkle_root(leaves[: each.size]) != each.root:
            raise VerificationError(
                f"the log does not contain the checkpoint of size {each.size:,}",
                "find the change: answerable evidence verify --checkpoint FILE",
            )
    path = consistency_path(first.size, leaves[: last.size]) if first.size else []
    proof = encode_consistency_proof(first.size, path, note)
    return proof, _build_checkpoint_document(last, key, note)


def verify_proof_file(proof: bytes, old: bytes, key: str) -> Document:
    """Verify a consistency proof without a store."""
    public = VerifierKey.parse(key)
    try:
        first, last = verify_consistency_proof(proof, old, public)
    except VerificationError as error:
        return _build_checks([_build_failed_check("consistency", error)])
    said = f"the log of size {last.size:,} begins with the one of size {first.size:,}"
    signed = f"sizes {first.size:,} and {last.size:,}, signed by {public.name}"
    return _build_checks(
        [
            _build_passed_check("checkpoint", signed),
            _build_passed_check("consistency", said),
        ]
    )


def verify_tiles(place: str | Path, key: str, old: bytes | None = None) -> Document:
    """Verify the tiles and entries of a log, and its history, without a store.

    Args:
        place: Folder with the tiles, or URL of the log's prefix.
        key: Public key of the log.
        old: Older checkpoint that the log must extend.
    """
    public, items = VerifierKey.parse(key), []
    check = "checkpoint"
    try:
        tree = _open_tiles(place, public)
        size = tree.checkpoint.size
        items.append(
            _build_passed_check(check, f"log of size {size:,} signed by {public.name}")
        )
        check = "tiles"
        tree.entries()
        items.append(
            _build_passed_check(check, f"{size:,} entries match all tiles and the root")
        )
        if old is not None:
            check = "history"
            items.append(_check_extension(tree, parse_checkpoint(old, public)))
    except VerificationError as error:
        items.append(_build_failed_check(check, error))
    return _build_checks(items)


def verify_bundle_in_tiles(data: bytes, place: str | Path, key: str) -> Document:
    """Verify a bundle, and that its segments are in the log of the tiles."""
    public, items = VerifierKey.parse(key), []
    check = "checkpoint"
    try:
        tree = _open_tiles(place, public)
        said = f"log of size {tree.checkpoint.size:,} signed by {public.name}"
        items.append(_build_passed_check(check, said))
        check, bundle = "bundle", decode_bundle(data)
        opened = verify_bundle(bundle, public)
        items.append(
            _build_passed_check(
                check, f"{format_count(len(opened.events), 'event')} in its log"
            )
        )
        check = "history"
        items.append(_check_extension(tree, opened.checkpoint))
        check = "inclusion"
        items.append(_check_inclusion(tree, bundle))
        check = "removals"
        items.append(_describe_removals(tree, bundle))
    except VerificationError as error:
        items.append(_build_failed_check(check, error))
    return _build_checks(items)


def _open_tiles(place: str | Path, key: VerifierKey) -> TileTree:
    """Open the tiles of a log, with a verified checkpoint and root.

    Raises:
        UsageError: There are no tiles.
    """
    read: Callable[[str], bytes | None]
    if isinstance(place, Path):
        if not (place / "tile").is_dir():
            raise UsageError(
                f"no tiles in this folder (got {str(place)!r})",
                "write them: answerable evidence tiles --to DIR",
            )
        read = partial(tile_folder.read_tile_file, place)
    else:
        from answerable.connectors.tile_server import open_tile_server

        read = open_tile_server(place)
    note = read("checkpoint")
    if note is None and not isinstance(place, Path):
        raise UsageError(
            "no log at this URL: it has no `checkpoint`",
            "name the prefix of the log, as its operator publishes it",
        )
    tree = TileTree(parse_checkpoint(note or b"", key), read)
    if tree.root() != tree.checkpoint.root:
        raise VerificationError("the tiles do not match the checkpoint's root")
    return tree


def _check_extension(tree: TileTree, old: Checkpoint) -> CheckItem:
    """Check that the log of the tiles extends an older checkpoint."""
    new = tree.checkpoint
    if old.size > new.size:
        raise VerificationError(
            f"the tiles are older (size {new.size:,}, expected at least {old.size:,})",
            "copy the tiles of the log again",
        )
    path = tree.consistency_path(old.size)
    if not verify_consistency(old.size, old.root, new.size, new.root, path):
        raise VerificationError(
            f"history was rewritten: the first {old.size:,} entries differ"
        )
    return _build_passed_check(
        "history", f"the log begins with the one of size {old.size:,}"
    )


def _check_inclusion(tree: TileTree, bundle: ProofBundle) -> CheckItem:
    """Check that each manifest of a bundle is the entry of its index in the tiles."""
    for each in bundle.segments:
        leaf = leaf_hash(each.manifest.encode())
        if tree.root(each.index, each.index + 1) != leaf:
            raise VerificationError(f"entry {each.index} of the log differs")
    return _build_passed_check(
        "inclusion", f"{format_count(len(bundle.segments), 'segment')} in the tiles"
    )


def _describe_removals(tree: TileTree, bundle: ProofBundle) -> CheckItem:
    """Describe the rows of a bundle's segments that the log says were removed since.

    Raises:
        VerificationError: The tiles do not match the entries.
    """
    own = {_get_segment_name(each.manifest) for each in bundle.segments}
    removed: dict[str, str] = {}
    for data in tree.entries():
        entry = decode_entry(data)
        if isinstance(entry, RowsRemoved) and entry.segment in own:
            word = "erased" if entry.cause == "erasure" else "removed"
            removed[entry.segment] = word
    if not removed:
        return _build_passed_check(
            "removals", "no rows of its segments were removed since"
        )
    parts = [
        f"rows of {format_count(number, 'segment')} were {word} by policy since"
        for word, number in sorted(Counter(removed.values()).items())
    ]
    return _build_passed_check("removals", "; ".join(parts))


def _get_segment_name(manifest: str) -> str:
    """Return the id of a segment from the text of its manifest."""
    entry = decode_entry(manifest.encode())
    return entry.segment if isinstance(entry, SegmentManifest) else ""


def _build_checkpoint_document(
    tree: Checkpoint, key: VerifierKey, note: bytes
) -> Document:
    """Build the document of one checkpoint."""
    item: CheckpointItem = {
        "origin": tree.origin,
        "size": tree.size,
        "root": tree.root.hex(),
        "key": str(key),
        "note": note.decode(),
    }
    return Document("checkpoint", [item], build_empty_coverage())


def _build_passed_check(check: str, detail: str) -> CheckItem:
    """Build a passed check."""
    return {"check": check, "ok": True, "detail": detail, "hint": ""}


def _build_failed_check(check: str, error: VerificationError) -> CheckItem:
    """Build a failed check."""
    hint = error.hint or "get the file again from the operator of the log"
    return {"check": check, "ok": False, "detail": error.message, "hint": hint}


def _build_checks(items: list[CheckItem]) -> Document:
    """Build the document of a verification."""
    failed = not all(each["ok"] for each in items)
    return Document("verify", items, build_empty_coverage(), failed=failed)
