"""Files of segments, and objects, in object storage, with copies in the local folder.

    segments/day=D/SEGMENT.DIGEST.parquet and .leaves
    objects/DIGEST, quarantine/DIGEST     compressed, named by the digest of the content

Each name contains the digest: two writers never replace each other's bytes. A file is
checked against the log when it is read, and then kept in the local folder.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from answerable.evidence.log_entries import (
    JournalOpened,
    JournalSealed,
    LogEntry,
    ObjectEntry,
    SegmentManifest,
    encode_entry,
)
from answerable.model.errors import UsageError, VerificationError
from answerable.store.bucket import RESTORE_HINT, Bucket, write_once
from answerable.store.durable_files import (
    make_store_folder,
    mark_crash_point,
    read_file,
    write_file,
)
from answerable.store.segment_cache import mark_used

_PARALLEL_READS = 8
SEGMENT_ENDINGS = (".parquet", ".leaves")


class RemoteFiles:
    """Files of a store in object storage.

    Args:
        location: `s3://BUCKET/PREFIX`, for messages.
        open_bucket: Returns the bucket.
    """

    def __init__(self, location: str, open_bucket: Callable[[], Bucket]) -> None:
        self.location = location
        self._open_bucket = open_bucket

    @property
    def _bucket(self) -> Bucket:
        """The bucket, opened on first use."""
        return self._open_bucket()

    def upload(self, root: Path, entries: Iterable[LogEntry]) -> None:
        """Write the files that new log entries name, before they are committed.

        Raises:
            UsageError: An entry is of a kind that a store in object storage cannot have.
        """
        for entry in entries:
            if isinstance(entry, ObjectEntry):
                self._upload_object(root, entry)
            elif isinstance(entry, SegmentManifest) and not entry.replaces:
                for ending in SEGMENT_ENDINGS:
                    data = read_file(_segment_file(root, entry, ending))
                    key = _segment_key(entry, ending)
                    write_once(self._bucket, key, data, data.__eq__)
                    mark_crash_point(f"remote-segment{ending}")
            elif not isinstance(entry, JournalOpened | JournalSealed):
                raise build_unavailable_error(self.location)

    def _upload_object(self, root: Path, entry: ObjectEntry) -> None:
        """Write the file of a logged object."""
        from answerable.store.object_store import (
            decompress_object,
            get_temporary_object_path,
        )

        path = root / get_object_folder(entry) / entry.sha256
        try:
            data = read_file(get_temporary_object_path(path))
        except FileNotFoundError:
            data = read_file(path)

        def is_intact(found: bytes) -> bool:
            try:
                decompress_object(found, entry.sha256, entry.sha256)
            except VerificationError:
                return False
            return True

        write_once(self._bucket, f"{path.parent.name}/{path.name}", data, is_intact)
        mark_crash_point("remote-object")

    def fetch_segments(
        self,
        root: Path,
        segments: Iterable[SegmentManifest],
        endings: Sequence[str] = (".parquet",),
    ) -> None:
        """Read files of segments that are not in the local folder yet.

        Args:
            root: Folder of the store.
            segments: The segments.
            endings: Which of their files.

        Raises:
            VerificationError: A file is missing, or does not match its manifest.
        """
        wanted: list[tuple[SegmentManifest, str]] = []
        for each in segments:
            for ending in endings:
                path = _segment_file(root, each, ending)
                if path.is_file():
                    mark_used(path)
                else:
                    wanted.append((each, ending))
        if len(wanted) <= 1:
            for each, ending in wanted:
                self._fetch_segment_file(root, each, ending)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_PARALLEL_READS) as pool:
            list(pool.map(lambda pair: self._fetch_segment_file(root, *pair), wanted))

    def list_addresses(self, segments: Iterable[SegmentManifest]) -> list[str]:
        """List the addresses of the Parquet files of segments."""
        keys = (_segment_key(each, ".parquet") for each in segments)
        return [f"{self.location}/{key}" for key in keys]

    def fetch_segment_again(self, root: Path, segment: SegmentManifest) -> None:
        """Read all files of a segment, also those that are in the local folder.

        Raises:
            VerificationError: A file is missing, or does not match its manifest.
        """
        for ending in SEGMENT_ENDINGS:
            self._fetch_segment_file(root, segment, ending)

    def _fetch_segment_file(
        self, root: Path, segment: SegmentManifest, ending: str
    ) -> None:
        """Read a file of a segment into the local folder, after checking its digest."""
        key = _segment_key(segment, ending)
        found = self._bucket.get(key)
        if found is None:
            raise self.build_missing_error(key)
        if not _has_digest(found[0], _get_digest(segment, ending)):
            raise VerificationError(
                f"{key} in {self.location} does not match its manifest", RESTORE_HINT
            )
        path = _segment_file(root, segment, ending)
        make_store_folder(path.parent)
        if ending == ".leaves":  # its manifest is an entry of the log
            manifest = _segment_file(root, segment, ".manifest.json")
            write_file(manifest, encode_entry(segment), sync=False)
        write_file(path, found[0], sync=False)

    def build_missing_error(self, key: str) -> VerificationError:
        """Build the error for an object that the log names and the bucket lacks."""
        return VerificationError(f"{key} is missing in {self.location}", RESTORE_HINT)

    def fetch_object(self, path: Path, *, again: bool = False) -> None:
        """Read an object into the local folder, unless it is there.

        Raises:
            VerificationError: Its content does not match its digest.
        """
        from answerable.store.object_store import (
            decompress_object,
            get_temporary_object_path,
        )

        there = path.is_file() or get_temporary_object_path(path).is_file()
        if there and not again:
            return
        key = f"{path.parent.name}/{path.name}"
        found = self._bucket.get(key)
        if found is None:
            if again:
                raise self.build_missing_error(key)
            return
        try:
            decompress_object(found[0], path.name, f"{key} in {self.location}")
        except VerificationError as error:
            raise VerificationError(error.message, RESTORE_HINT) from None
        write_file(path, found[0], sync=False)


def _segment_key(segment: SegmentManifest, ending: str) -> str:
    """Return the name of a file of a segment in the bucket."""
    digest = _get_digest(segment, ending)[:32]
    return f"segments/day={segment.day}/{segment.segment}.{digest}{ending}"


def _get_digest(segment: SegmentManifest, ending: str) -> str:
    """Return the digest of a file of a segment, hex."""
    return segment.leaves_sha256 if ending == ".leaves" else segment.file_sha256


def _segment_file(root: Path, segment: SegmentManifest, ending: str) -> Path:
    """Return the path of a file of a segment."""
    return root / "segments" / f"day={segment.day}" / f"{segment.segment}{ending}"


def _has_digest(data: bytes, digest: str) -> bool:
    """Return whether bytes have a SHA-256 digest."""
    return hashlib.sha256(data).hexdigest() == digest


def get_object_folder(entry: ObjectEntry) -> str:
    """Return the folder of a logged object: `objects` or `quarantine`."""
    return "quarantine" if entry.of == "quarantine" else "objects"


def build_unavailable_error(location: str) -> UsageError:
    """Build the error for an operation that only a local store has."""
    return UsageError(
        f"not available for a store in object storage ({location})",
        "it adds, seals, proves and answers; see docs/object-storage.md",
    )
