"""Statistics of one segment: sources, values of columns, and kinds of events in it.

They are derived from the Parquet file of the segment, and tell which segments a query
need not read.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import cast

import msgspec

from answerable.evidence.canonical_event import SealFields, find_fact
from answerable.model.delegated_credential import DELEGATED_PREFIX
from answerable.model.encoded_event import VALUE_COLUMNS, SealingFields
from answerable.model.provenance import WrittenBy
from answerable.model.time_units import DAY_NS
from answerable.store.bloom_filter import build_bloom_filter
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.event_columns import COLUMNS, DATA_SERVICE, build_fact_sql
from answerable.store.segment_scope import (
    ACCESS_KEY,
    IMPERSONATION,
    SIGN_IN,
    TOKEN,
)

# Raised when the statistics of the same rows change.
STATISTICS_VERSION = 2
# More values are kept as a Bloom filter.
_MAX_EXACT_VALUES = 8
_CONSOLE_FACT = b'["console","true"]'  # no text has a bare quote
_REQUEST_FACT = b'["request_id","'
_SEARCHED_FACTS = (b"category", b"console", b"region")
_get_stream_fields = attrgetter("written_by", "source", "scope", "action")
_get_source, _get_facts = attrgetter("source"), attrgetter("facts")
_GET_VALUES = {name: attrgetter(name) for name in VALUE_COLUMNS}
_BLANK = "''"
# Kinds of events, with the SQL condition that each of their rows meets.
EVENT_KINDS: Mapping[str, str] = {
    TOKEN: "starts_with(credential, 'cred:token/') "
    "OR starts_with(credential, 'cred:k8s-jti/')",
    IMPERSONATION: f"starts_with(credential, '{DELEGATED_PREFIX}')",
    SIGN_IN: "person <> '' OR list_contains(facts, ['console', 'true'])",
    ACCESS_KEY: "starts_with(credential, 'cred:aws/AKIA')",
}
# A set of texts: the texts themselves, or a Bloom filter.
TextSet = tuple[str, ...] | bytes
# Source, scope, region and service of data events of a stream, and its days since 1970.
RecordedDays = tuple[str, str, str, str, tuple[int, ...]]


class SegmentStatistics(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Statistics of the rows of a segment.

    Attributes:
        file_sha256: Digest of its Parquet file, hex.
        complete: The file has every column of this release.
        sources: Number of events of each source.
        kinds: Names in `EVENT_KINDS` of which it has events.
        values: Values of each column of `VALUE_COLUMNS`, in that order.
        recorded: Days of each stream of events that are not self-reported.
        size: Bytes of its Parquet file; 0 if an earlier release computed the rest.
    """

    file_sha256: str
    complete: bool
    sources: dict[str, int]
    kinds: tuple[str, ...]
    values: tuple[TextSet, ...]
    recorded: tuple[RecordedDays, ...]
    size: int = 0


def compute_statistics(
    engine: DuckDbEngine, files: Mapping[Path, str]
) -> dict[Path, SegmentStatistics]:
    """Compute the statistics of segment files.

    Args:
        engine: Engine that may read the files.
        files: Digest of each file, hex.
    """
    if not files:
        return {}
    names = {str(path.absolute()): path for path in files}
    listed = ", ".join(map(quote_text, names))
    complete = _find_complete_files(engine, listed)
    lists = ", ".join(f"list(DISTINCT {name})" for name in VALUE_COLUMNS)
    kinds = ", ".join(f"bool_or({condition})" for condition in EVENT_KINDS.values())
    read = (
        f"read_parquet([{listed}], "
        f"union_by_name={'false' if len(complete) == len(files) else 'true'}, "
        "hive_partitioning=false, filename=true)"
    )
    rows = engine.run(
        f"SELECT filename, histogram(source), {kinds}, {lists} FROM {read} "  # noqa: S608 - our own names
        "GROUP BY filename"
    )
    recorded = _list_recorded_days(engine, read)
    found: dict[Path, SegmentStatistics] = {}
    for name, sources, *rest in rows:
        path = names[cast("str", name)]
        flags, values = rest[: len(EVENT_KINDS)], rest[len(EVENT_KINDS) :]
        found[path] = SegmentStatistics(
            files[path],
            name in complete,
            cast("dict[str, int]", sources),
            tuple(kind for kind, has in zip(EVENT_KINDS, flags, strict=True) if has),
            tuple(_build_text_set(cast("list[str | None]", each)) for each in values),
            tuple(recorded.get(name, ())),
            size=path.stat().st_size,
        )
    return found


def _list_recorded_days(
    engine: DuckDbEngine, read: str
) -> dict[object, list[RecordedDays]]:
    """List the days of each stream, by file name.

    Args:
        engine: Engine that may read the files.
        read: SQL of their rows.
    """
    rows = engine.run(
        f"SELECT filename, e.source, e.scope, region, {DATA_SERVICE}, "  # noqa: S608 - our own names
        f"list(DISTINCT e.event_time // {DAY_NS}) FROM (SELECT *, "
        f"{build_fact_sql('category', _BLANK)} AS category, "
        f"{build_fact_sql('region', _BLANK)} AS region FROM {read} e) e "
        "WHERE e.written_by <> 'self-reported' GROUP BY ALL ORDER BY ALL"
    )
    found: dict[object, list[RecordedDays]] = defaultdict(list)
    for name, *stream, days in rows:
        listed = (*stream, tuple(cast("list[int]", days)))
        found[name].append(cast("RecordedDays", listed))
    return found


class StatisticsCollector:
    """Collector of the statistics of a new segment, from the fields of its rows.

    They equal those that `compute_statistics` reads from its file.

    Args:
        day: Day of the rows, since 1970.
    """

    def __init__(self, day: int) -> None:
        self._day = day
        self._sources: Counter[str] = Counter()
        self._values: dict[str, set[str]] = {name: set() for name in VALUE_COLUMNS}
        self._streams: set[tuple[str, str, str, str]] = set()
        self._has_console = False

    def add(self, rows: Sequence[SealFields]) -> None:
        """Add rows; a few hundred at a time cost least."""
        self._sources.update(map(_get_source, rows))
        for name, get_value in _GET_VALUES.items():
            self._values[name].update(map(get_value, rows))
        facts = _select_repeated_facts(list(map(bytes, map(_get_facts, rows))))
        for (written_by, source, scope, action), pairs in set(
            zip(map(_get_stream_fields, rows), facts, strict=True)
        ):
            self._has_console = self._has_console or _CONSOLE_FACT in pairs
            if written_by != WrittenBy.SELF_REPORTED:
                is_data = find_fact(pairs, b"category") == "Data"
                service = action.partition(":")[0] if is_data else ""
                region = find_fact(pairs, b"region") or ""
                self._streams.add((source, scope, region, service))

    def add_fields(self, fields: SealingFields) -> None:
        """Add the collected fields of rows of the day."""
        self._sources.update(fields.sources)
        for found, values in zip(self._values.values(), fields.values, strict=True):
            found.update(values)
        self._streams.update(fields.streams)
        self._has_console = self._has_console or fields.has_console

    def build(self, file_sha256: str, size: int) -> SegmentStatistics:
        """Build the statistics of all rows.

        Args:
            file_sha256: Digest of the segment's file, hex.
            size: Bytes of the file.
        """
        values = self._values
        starts = {
            TOKEN: ("cred:token/", "cred:k8s-jti/"),
            IMPERSONATION: (DELEGATED_PREFIX,),
            ACCESS_KEY: ("cred:aws/AKIA",),
        }
        kinds = {
            kind
            for kind, prefixes in starts.items()
            if any(text.startswith(prefixes) for text in values["credential"])
        }
        if self._has_console or any(values["person"]):
            kinds.add(SIGN_IN)
        return SegmentStatistics(
            file_sha256,
            True,
            dict(self._sources),
            tuple(kind for kind in EVENT_KINDS if kind in kinds),
            tuple(_build_text_set(values[name]) for name in VALUE_COLUMNS),
            tuple((*stream, (self._day,)) for stream in sorted(self._streams)),
            size=size,
        )


def _select_repeated_facts(facts: list[bytes]) -> list[bytes]:
    """Select the first facts of each row, with all that are searched.

    Facts are in the order of their names. Few rows differ in those before the id of
    the request.
    """
    parts = [each.partition(_REQUEST_FACT) for each in facts]
    rest = b"\n".join(map(itemgetter(2), parts))
    if any(b'["%b","' % name in rest for name in _SEARCHED_FACTS):
        return facts
    return list(map(itemgetter(0), parts))


def _find_complete_files(engine: DuckDbEngine, listed: str) -> set[str]:
    """Find the files that have every column of this release."""
    rows = engine.run(
        f"SELECT file_name, list(name) FROM parquet_schema([{listed}]) GROUP BY ALL"  # noqa: S608 - quoted
    )
    needed = set(COLUMNS)
    return {
        cast("str", name)
        for name, columns in rows
        if needed <= set(cast("Sequence[str]", columns))
    }


def _build_text_set(values: Iterable[str | None]) -> TextSet:
    """Build the set of the distinct values of a column."""
    texts = sorted({value or "" for value in values})
    if len(texts) <= _MAX_EXACT_VALUES:
        return tuple(texts)
    return build_bloom_filter(texts)
