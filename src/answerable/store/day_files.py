"""Derived Parquet files in `derived/`, one for each day of segments.

A kind of few rows has one file for each month before the newest. The name of
a file has the generation of the day's segments and a MAC of the content, so that late
events, compaction, retention and erasure give a day another file. A missing, damaged or
foreign file is written again, and deleting one is harmless.
"""

import contextlib
import hashlib
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from answerable.evidence.log_entries import count_erasures
from answerable.model.errors import AnswerableError, EnvironmentFailure
from answerable.store.checked_files import select_valid_files
from answerable.store.damaged_segments import (
    compute_file_digest,
    require_intact_files,
)
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import (
    FILE_MODE,
    make_private_folder,
    translate_os_errors,
)
from answerable.store.erasure_guard import put_derived_file
from answerable.store.event_engine import SegmentReadFailure
from answerable.store.event_sources import build_segment_rows_sql
from answerable.store.query_tables import ParquetTable

if TYPE_CHECKING:
    from answerable.evidence.log_entries import SegmentManifest
    from answerable.store.event_sources import EventSources
    from answerable.store.store import EvidenceStore

_GENERATION_HEX = 24
_MONTH = len("2026-01")
TAIL = "tail-"  # begins the name of a file of unsealed events


@dataclass(frozen=True, slots=True)
class DayFileKind:
    """Kind of rows that are derived from the events of a day.

    Attributes:
        name: Name of the kind.
        folder: Name of its folder in `derived/`.
        version: Raised when the rows of the same segments change.
        build_rows: Builds the SQL of the rows from the SQL of a table of events.
        order: Columns that the rows are sorted by, in SQL.
        by_month: The days of each month before the newest one share a file. It has the
            rows of their files, so each row has to be of one day.
        options: Further options of the Parquet files.
    """

    name: str
    folder: str
    version: int
    build_rows: Callable[[str], str]
    order: str
    by_month: bool = False
    options: str = ""


@dataclass(frozen=True, slots=True)
class DayFiles:
    """Files with the rows of some segments.

    Attributes:
        paths: The files.
        sources: The segments, and the unsealed events of that time.
        erasures: Number of erasures before these were read.
    """

    paths: Sequence[Path]
    sources: "EventSources"
    erasures: int


def open_day_files(store: "EvidenceStore", kind: DayFileKind) -> DayFiles:
    """Find the file of each day of the readable segments; write the missing ones.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    erasures = count_erasures(store.log.entries())

    def open_files(sources: "EventSources") -> DayFiles:
        paths = _open_files(store, sources, kind, erasures)
        return DayFiles(paths, sources, erasures)

    return store.queries.call_with_sources(open_files)


def _open_files(
    store: "EvidenceStore", sources: "EventSources", kind: DayFileKind, erasures: int
) -> list[Path]:
    """Find the file of each day of segments; write the missing ones."""
    days: dict[str, list[SegmentManifest]] = defaultdict(list)
    newest = _find_newest_month(sources)
    for each in sources.segments:
        is_old = kind.by_month and each.day[:_MONTH] < newest
        days[each.day[:_MONTH] if is_old else each.day].append(each)
    folder = store.derived / kind.folder
    known = _list_valid_files(store, kind, folder)
    wanted = {day: _compute_generation(day, part) for day, part in days.items()}
    missing = [day for day, generation in wanted.items() if generation not in known]
    if missing:
        make_private_folder(folder)
        rows = {wanted[day]: days[day] for day in sorted(missing)}
        of_days = DayFiles(tuple(known.values()), sources, erasures)
        known |= _write_files(store, of_days, kind, rows)
    return [known[generation] for generation in wanted.values()]


def _find_newest_month(sources: "EventSources") -> str:
    """Find the month of the day before the newest one.

    On the first day of a month, most late events are of the month before.
    """
    newest = max((each.day for each in sources.segments), default="")
    if not newest:
        return ""
    return (date.fromisoformat(newest) - timedelta(days=1)).isoformat()[:_MONTH]


def write_tail_file(store: "EvidenceStore", found: DayFiles, kind: DayFileKind) -> Path:
    """Write the rows of the unsealed events, unless there is a file with them.

    Args:
        store: The store.
        found: Files of the sealed events of that time.
        kind: Kind of the rows.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    sources, newer = found.sources, found.sources.newer_segments
    digest = hashlib.sha256()
    for name, data in sorted(sources.journals.items()):
        digest.update(f"{name} {hashlib.sha256(data).hexdigest()}\n".encode())
    for name in sorted(each.file_sha256 for each in newer):  # may have the same records
        digest.update(f"{name}\n".encode())
    generation = f"{TAIL}{digest.hexdigest()[:_GENERATION_HEX]}"
    folder = store.derived / kind.folder
    known = _list_valid_files(store, kind, folder).get(generation)
    if known is not None:
        return known
    make_private_folder(folder)
    files = [sources.layout.segment_file(e.day, e.segment, ".parquet") for e in newer]
    engine = DuckDbEngine(folder, files=files)
    try:
        sources.load_unsealed_records_into(engine, "tail")
        rows = _GenerationRows(generation, kind.build_rows("tail"), found.erasures)
        return _write_file(store, engine, kind, rows)
    finally:
        engine.close()


def remove_other_files(
    store: "EvidenceStore", kind: DayFileKind, kept: Iterable[Path]
) -> None:
    """Remove files of obsolete generations; a process that reads one reads rows."""
    names = {each.name for each in kept}
    with contextlib.suppress(OSError):
        for path in (store.derived / kind.folder).iterdir():
            if path.name not in names:
                path.unlink(missing_ok=True)


def rewrite_day_files(store: "EvidenceStore", kind: DayFileKind, *, kept: bool) -> None:
    """Write the files again of days of which rows were removed.

    Where that is impossible, all are removed: they name what was removed.

    Args:
        store: The store.
        kind: Kind of the rows.
        kept: False to remove the files.
    """
    paths: Sequence[Path] = ()
    if kept:
        with contextlib.suppress(AnswerableError):
            paths = open_day_files(store, kind).paths
    remove_other_files(store, kind, paths)


def _list_valid_files(
    store: "EvidenceStore", kind: DayFileKind, folder: Path
) -> dict[str, Path]:
    """List the files of a folder whose name has the MAC of their content."""

    def has_own_mac(file: Path) -> bool:
        return is_valid_file(store, kind, file)

    files = select_valid_files(
        store, _get_form(kind), folder.glob("*.parquet"), has_own_mac
    )
    return {each.stem.rpartition("-")[0]: each for each in files}


def is_valid_file(store: "EvidenceStore", kind: DayFileKind, path: Path) -> bool:
    """Return whether the name of a file has the MAC of its content."""
    generation, _, mac = path.stem.rpartition("-")
    return mac == _compute_mac(store, kind, generation, path)


@dataclass(frozen=True, slots=True)
class _GenerationRows:
    """Rows of one generation.

    Attributes:
        generation: The generation.
        query: SQL of the rows.
        erasures: Number of erasures before their events were read.
    """

    generation: str
    query: str
    erasures: int


def _write_files(
    store: "EvidenceStore",
    found: DayFiles,
    kind: DayFileKind,
    days: "Mapping[str, Sequence[SegmentManifest]]",
) -> dict[str, Path]:
    """Write the files of some days, by generation; return them likewise.

    The file of a month is merged from those of its days, if all are there.

    Args:
        store: The store.
        found: Valid files of other generations, and the sources.
        kind: Kind of the rows.
        days: Segments of each generation to write.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    sources = found.sources
    queries: dict[str, str] = {}
    read: dict[Path, str] = {}
    for generation, part in days.items():
        if of_days := _find_files_of_days(found.paths, part):
            merged = ParquetTable(of_days).build_rows_sql()
            queries[generation] = f"SELECT * FROM {merged}"  # noqa: S608 - quoted
            continue
        sources.layout.require_segments(part)
        paths = [sources.segment_path(each) for each in part]
        read |= {Path(p): e.file_sha256 for p, e in zip(paths, part, strict=True)}
        queries[generation] = kind.build_rows(build_segment_rows_sql(paths))
    require_intact_files(read)
    written: dict[str, Path] = {}
    # An engine keeps the metadata of each file that it has read, so a month has its own.
    for group in [[each] for each in queries] if kind.by_month else [[*queries]]:
        engine = DuckDbEngine(store.derived / kind.folder, files=tuple(read))
        try:
            for each in group:
                rows = _GenerationRows(each, queries[each], found.erasures)
                written[each] = _write_file(store, engine, kind, rows)
        finally:
            engine.close()
    return written


def _find_files_of_days(
    files: Iterable[Path], segments: "Sequence[SegmentManifest]"
) -> tuple[Path, ...]:
    """Find the files of the days of segments; none if one is missing."""
    known = {each.stem.rpartition("-")[0]: each for each in files}
    days: dict[str, list[SegmentManifest]] = defaultdict(list)
    for each in segments:
        days[each.day].append(each)
    found = [known.get(_compute_generation(day, part)) for day, part in days.items()]
    return tuple(each for each in found if each) if all(found) else ()


def _write_file(
    store: "EvidenceStore",
    engine: DuckDbEngine,
    kind: DayFileKind,
    rows: _GenerationRows,
) -> Path:
    """Write one file, and return its path.

    Another process may write the same one.

    Args:
        store: The store.
        engine: Engine that may read the events.
        kind: Kind of the rows.
        rows: Rows of the file.
    """
    generation = rows.generation
    folder = store.derived / kind.folder
    temp_path = folder / f".{generation}.{secrets.token_hex(8)}.new"
    try:
        _run_copy(
            engine,
            f"COPY ({rows.query} ORDER BY {kind.order}) "
            f"TO {quote_text(str(temp_path.absolute()))} "
            f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1{kind.options})",
        )
        mac = _compute_mac(store, kind, generation, temp_path)
        file = folder / f"{generation}-{mac}.parquet"
        with (
            put_derived_file(store.layout, store.log, rows.erasures),
            translate_os_errors("write", file),
        ):
            temp_path.chmod(FILE_MODE)
            temp_path.replace(file)
    finally:
        with contextlib.suppress(OSError):
            temp_path.unlink(missing_ok=True)
    return file


def _run_copy(engine: DuckDbEngine, query: str) -> None:
    """Run a query that writes a file.

    Raises:
        EnvironmentFailure: The disk cannot be written; no segment is damaged.
        SegmentReadFailure: Another process has removed a segment file.
    """
    import _duckdb as duckdb

    try:
        engine.run(query)
    except EnvironmentFailure as error:
        raise EnvironmentFailure(error.message, error.hint) from None
    except duckdb.PermissionException:  # it looks for a missing file elsewhere
        raise SegmentReadFailure("a segment file is missing") from None


def _compute_generation(day: str, segments: Sequence["SegmentManifest"]) -> str:
    """Compute the generation of a day, which changes with the rows of its segments."""
    files = sorted(each.file_sha256 for each in segments)
    digest = hashlib.sha256("\n".join(files).encode()).hexdigest()
    return f"{day}-{digest[:_GENERATION_HEX]}"


def _compute_mac(
    store: "EvidenceStore", kind: DayFileKind, generation: str, file: Path
) -> str:
    """Compute the MAC of a file, with the fingerprint key of the store."""
    named = f"{_get_form(kind)} {generation} {compute_file_digest(file)}"
    return store.fingerprint(named)


def _get_form(kind: DayFileKind) -> str:
    """Return the name and the version of a kind."""
    return f"{kind.name} {kind.version}"
