"""Read Claude Code session files from a folder or standard input, in batches."""

from collections.abc import Iterator

from answerable.connectors.claude_code.parse import FORMAT
from answerable.connectors.log_reader import read_log
from answerable.model.connector import EventBatch, EventContext


def read(location: str, context: EventContext) -> Iterator[EventBatch]:
    """Yield the records of a location; see `read_log`."""
    return read_log(FORMAT, location, context)
