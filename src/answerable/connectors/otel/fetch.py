"""Read OpenTelemetry exports from files, folders or standard input, in batches."""

from collections.abc import Iterator

from answerable.connectors.log_reader import read_log
from answerable.connectors.otel.parse import FORMAT
from answerable.model.connector import EventBatch, EventContext


def read(location: str, context: EventContext) -> Iterator[EventBatch]:
    """Yield the records of a location; see `read_log`."""
    return read_log(FORMAT, location, context)
