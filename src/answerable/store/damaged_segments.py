"""Find segment files that are missing or damaged, so that queries leave them out."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from answerable.evidence.log_entries import SegmentManifest
from answerable.model.errors import EnvironmentFailure
from answerable.store.event_engine import SegmentReadFailure
from answerable.store.store_layout import StoreLayout

_MAGIC = b"PAR1"
_MIN_BYTES = 12
# Size and modification time (nanoseconds) of a damaged file, by segment: a file that
# was replaced since is read again.
DamagedFiles = Mapping[str, tuple[int, int]]


def find_damaged_files(
    layout: StoreLayout,
    segments: Iterable[SegmentManifest],
    *,
    ends_only: bool = False,
) -> DamagedFiles:
    """Find existing segment files that do not match their manifests.

    Files that are cut off or overwritten at an end are found without reading the rest;
    only if there is none, each file is compared with its digest.

    Args:
        layout: Layout of the store.
        segments: The segments.
        ends_only: Never read a whole file.
    """
    there = [
        (each, path)
        for each in segments
        if layout.has_segment_file(each.day, each.segment)
        and (path := _get_path(layout, each)).is_file()
    ]
    found = [(each, path) for each, path in there if not has_parquet_ends(path)]
    if not found and not ends_only:
        found = [
            (each, path)
            for each, path in there
            if compute_file_digest(path) != each.file_sha256
        ]
    return {
        each.segment: signature
        for each, path in found
        if (signature := _get_signature(path)) is not None
    }


def find_unreadable_segments(
    layout: StoreLayout, segments: Iterable[SegmentManifest], damaged: DamagedFiles
) -> dict[str, str]:
    """Find the segments that queries leave out, by name: missing, damaged or a link."""
    found: dict[str, str] = {}
    for each in segments:
        path = _get_path(layout, each)
        if path.is_symlink():
            found[each.segment] = "a symbolic link, which is not followed"
        elif not path.is_file():
            found[each.segment] = "damaged" if path.exists() else "missing"
        elif each.segment in damaged and damaged[each.segment] == _get_signature(path):
            found[each.segment] = "damaged"
    return found


def select_local_segments(
    layout: StoreLayout, segments: Sequence[SegmentManifest]
) -> Sequence[SegmentManifest]:
    """Select the segments whose files are in the local folder of the store."""
    if layout.remote is None:
        return segments
    return [each for each in segments if _get_path(layout, each).is_file()]


def discard_files(
    layout: StoreLayout, segments: Iterable[SegmentManifest], damaged: DamagedFiles
) -> DamagedFiles:
    """Delete damaged copies of files in object storage; return the ones left."""
    for each in segments:
        if each.segment in damaged:
            _get_path(layout, each).unlink(missing_ok=True)
    return {}


def compute_file_digest(path: Path) -> str:
    """Compute the SHA-256 of a file, hex; empty if it cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def require_intact_files(files: Mapping[Path, str]) -> None:
    """Require that segment files have their digests, before facts of them are kept.

    Such facts would outlive the repair of a damaged file.

    Args:
        files: Digest of each file, hex.

    Raises:
        SegmentReadFailure: A file has another digest.
    """
    for path, digest in files.items():
        if compute_file_digest(path) != digest:
            raise SegmentReadFailure(f"a segment file is damaged: {path.name}")


def _get_path(layout: StoreLayout, segment: SegmentManifest) -> Path:
    """Return the path of the Parquet file of a live segment."""
    return layout.segment_file(segment.day, segment.segment, ".parquet")


def _get_signature(path: Path) -> tuple[int, int] | None:
    """Return size and modification time of a file; None if it is missing."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns


def has_parquet_ends(path: Path) -> bool:
    """Return whether a file begins and ends as a Parquet file does."""
    try:
        size = path.stat().st_size
        if size < _MIN_BYTES:
            return False
        with path.open("rb") as file:
            first = file.read(len(_MAGIC))
            file.seek(-8, 2)
            last = file.read(8)
    except OSError:
        return False
    footer = int.from_bytes(last[:4], "little")
    return first == last[4:] == _MAGIC and footer + _MIN_BYTES <= size


def may_be_file_damage(error: Exception) -> bool:
    """Return whether an error of an engine may come from a damaged file."""
    import _duckdb as duckdb

    if isinstance(error, SegmentReadFailure):
        return True
    cause = error.__cause__ if isinstance(error, EnvironmentFailure) else error
    kinds = (duckdb.IOException, duckdb.InvalidInputException, duckdb.InternalException)
    return type(cause) is duckdb.Error or isinstance(cause, kinds)
