"""Statistics of one segment: sources, values of columns, and kinds of events in it.

They are derived from the Parquet file of the segment, and tell which segments a query
need not read.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import msgspec

from answerable.model.delegated_credential import DELEGATED_PREFIX
from answerable.store.bloom_filter import build_bloom_filter
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.event_columns import COLUMNS
from answerable.store.segment_scope import (
    ACCESS_KEY,
    IMPERSONATION,
    SIGN_IN,
    TOKEN,
    VALUE_COLUMNS,
)

# Raised when the statistics of the same rows change.
STATISTICS_VERSION = 1
# More values are kept as a Bloom filter.
_MAX_EXACT_VALUES = 8
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


class SegmentStatistics(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Statistics of the rows of a segment.

    Attributes:
        file_sha256: Digest of its Parquet file, hex.
        complete: The file has every column of this release.
        sources: Number of events of each source.
        kinds: Names in `EVENT_KINDS` of which it has events.
        values: Values of each column of `VALUE_COLUMNS`, in that order.
    """

    file_sha256: str
    complete: bool
    sources: dict[str, int]
    kinds: tuple[str, ...]
    values: tuple[TextSet, ...]


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
    rows = engine.run(
        f"SELECT filename, histogram(source), {kinds}, {lists} FROM read_parquet("  # noqa: S608 - our own names
        f"[{listed}], union_by_name={'false' if len(complete) == len(files) else 'true'}, "
        "hive_partitioning=false, filename=true) GROUP BY filename"
    )
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
        )
    return found


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
