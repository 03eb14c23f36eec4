"""Sealing: a closed journal becomes Parquet segments, committed by one log append."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from answerable.evidence.journal import Journal
from answerable.evidence.merkle import root
from answerable.evidence.records import (
    MANIFEST_SCHEMA,
    Entry,
    JournalOpened,
    JournalSealed,
    Manifest,
    encode_entry,
)
from answerable.model.errors import EnvironmentRefused
from answerable.store.columns import NAMES, from_canonical
from answerable.store.disk import (
    FILE_MODE,
    make_folder,
    reached,
    refused,
    sync_file,
    sync_folder,
    write_file,
)
from answerable.store.engine import Engine, quoted
from answerable.store.layout import Layout

ROWS = 50_000
DAY_NS = 86_400_000_000_000
# DuckDB rounds row groups up to whole vectors of 2,048.
_ROW_GROUP = 12_288


def day_name(day: int) -> str:
    """Spell a day number since 1970 as `YYYY-MM-DD`."""
    return datetime.fromtimestamp(day * 86_400, tz=UTC).strftime("%Y-%m-%d")


def segment_id(journal: str, day: str, part: int) -> str:
    """Name a segment: the same journal, day and part always get the same name."""
    text = f"{journal}\n{day}\n{part}".encode()
    return hashlib.sha256(text).hexdigest()[:32]


def write_segments(
    layout: Layout,
    name: str,
    journal: Journal,
    previous: str,
    elsewhere: Sequence[Manifest],
    now: int,
) -> list[Manifest | JournalSealed]:
    """Write every segment of a journal.

    Args:
        layout: Where.
        name: The journal.
        journal: Its records.
        previous: Segment before the first, empty for none.
        elsewhere: Segments that other processes sealed since the journal was opened;
            a record that is in one of them is left out.
        now: UTC nanoseconds.

    Returns:
        The log entries that commit them, the journal's own last.
    """
    manifests: list[Manifest | JournalSealed] = []
    skipped: set[int] = set()
    if journal.records:
        engine = Engine(layout.segments)
        try:
            engine.load_records("journal", journal.records)
            engine.run(f"CREATE TABLE parsed AS {from_canonical('journal')}")
            engine.connection.unregister("journal")
            skipped = _sealed_rows(layout, engine, elsewhere)
            for day, part, rows in _plan(engine, skipped):
                manifest = _write(
                    layout, engine, name, journal, day, part, rows, previous, now
                )
                manifests.append(manifest)
                previous = manifest.segment
        finally:
            engine.close()
    sealed = JournalSealed(
        journal=name,
        count=len(journal.records),
        duplicate=len(skipped),
        chain=journal.head.chain.hex() if journal.head else "",
        at=str(now),
    )
    return [*manifests, sealed]


def sealed_since(entries: Sequence[Entry], name: str) -> list[Manifest]:
    """Give the segments logged after a journal was opened, by other journals.

    What was logged before, the journal's process knew when it took in events.
    """
    start = next(
        (
            place
            for place, entry in enumerate(entries)
            if isinstance(entry, JournalOpened) and entry.journal == name
        ),
        0,
    )
    return [
        entry
        for entry in entries[start:]
        if isinstance(entry, Manifest) and entry.journal != name
    ]


def _sealed_rows(
    layout: Layout, engine: Engine, elsewhere: Sequence[Manifest]
) -> set[int]:
    if not elsewhere:
        return set()
    listed = ", ".join(
        quoted(str(layout.segment_file(m.day, m.segment, ".parquet").absolute()))
        for m in elsewhere
    )
    found = engine.run(
        "SELECT n FROM parsed SEMI JOIN "  # noqa: S608 - our own names
        f"read_parquet([{listed}], union_by_name=true) USING (event_id, raw_sha256)"
    )
    return {int(str(row)) for (row,) in found}


def _plan(engine: Engine, skipped: set[int]) -> list[tuple[int, int, list[int]]]:
    """Cut the journal by day, then into parts, in journal order."""
    days: dict[int, list[int]] = {}
    for row, time in engine.run("SELECT n, event_time FROM parsed ORDER BY n"):
        if row not in skipped:
            # Python's floor: DuckDB's // cuts towards zero, wrong before 1970.
            day = int(str(time)) // DAY_NS
            days.setdefault(day, []).append(int(str(row)))
    return [
        (day, at // ROWS, rows[at : at + ROWS])
        for day, rows in sorted(days.items())
        for at in range(0, len(rows), ROWS)
    ]


def _write(
    layout: Layout,
    engine: Engine,
    name: str,
    journal: Journal,
    day: int,
    part: int,
    rows: Sequence[int],
    previous: str,
    now: int,
) -> Manifest:
    date = day_name(day)
    segment = segment_id(name, date, part)
    make_folder(layout.segments / f"day={date}")
    from arro3.core import Array, DataType, Table

    picked = Table.from_pydict({"n": Array(list(rows), DataType.int32())})
    engine.connection.register("picked", picked)
    engine.run(
        "CREATE OR REPLACE TABLE segment AS SELECT parsed.* FROM parsed "
        "SEMI JOIN picked USING (n) ORDER BY identity, event_time, event_id, n"
    )
    engine.connection.unregister("picked")
    order = [int(str(row)) for (row,) in engine.run("SELECT n FROM segment")]
    leaves = [journal.leaves[row] for row in order]
    file = layout.segment_file(date, segment, ".parquet")
    beside = file.with_name(f".{file.name}.new")
    reached("segment-begin")
    with refused("write", file):
        try:
            reached("segment-parquet-write")
            engine.run(
                f"COPY (SELECT {NAMES} FROM segment) "  # noqa: S608 - our own names
                f"TO {quoted(str(beside.absolute()))} "
                f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP})"
            )
            beside.chmod(FILE_MODE)
            sync_file(beside)
            digest = hashlib.sha256(beside.read_bytes()).hexdigest()
            beside.replace(file)
            sync_folder(file.parent)
        except BaseException:
            # A full disk needs every byte back.
            beside.unlink(missing_ok=True)
            raise
    reached("segment-parquet")
    packed = b"".join(leaves)
    write_file(layout.segment_file(date, segment, ".leaves"), packed)
    reached("segment-leaves")
    ((low, high, schema),) = engine.run(
        "SELECT min(event_time), max(event_time), max(schema) FROM segment"
    )
    manifest = Manifest(
        segment=segment,
        day=date,
        file_sha256=digest,
        leaves_sha256=hashlib.sha256(packed).hexdigest(),
        event_root=root(leaves).hex(),
        count=len(order),
        min_time=str(low),
        max_time=str(high),
        event_schema=int(str(schema)),
        journal=name,
        previous=previous,
        at=str(now),
        schema=MANIFEST_SCHEMA,
    )
    write_file(
        layout.segment_file(date, segment, ".manifest.json"), encode_entry(manifest)
    )
    reached("segment-manifest")
    return manifest


def refuse_damage(error: FileNotFoundError) -> EnvironmentRefused:
    """Say that a file of the store is missing."""
    return EnvironmentRefused(
        f"a file of the store is missing: {error.filename}",
        "find what is missing with: answerable evidence verify",
    )
