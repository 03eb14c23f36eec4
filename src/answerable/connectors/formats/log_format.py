"""Types of a log format: how records of one source are split, parsed and named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from answerable.model.connector import ConnectorDeclaration
from answerable.model.event import AuditEvent

LOG_FILE_SUFFIXES = (".json", ".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class RecordRefused:
    """Refused record with its reason.

    Attributes:
        reason: Reason, without any value of the record.
        skipped: True if it is well-formed but not an audit record.
        count: Number of records that are refused for it and other reasons.
    """

    reason: str
    skipped: bool = False
    count: int = 1


def refuse_after_parser_error(error: Exception) -> RecordRefused:
    """Refuse a record on which a parser failed unexpectedly.

    The record is quarantined: reading it again would fail again, and stop the rest of
    its log.

    Raises:
        Exception: The error itself, if the memory did not suffice: a retry may succeed.
    """
    if isinstance(error, MemoryError):
        raise error
    kind = type(error).__name__
    return RecordRefused(f"the parser failed ({kind}): please report this record")


ParsedRecord = AuditEvent | RecordRefused
EventFactory = Callable[[tuple[Any, ...]], AuditEvent]
LogOptions = Mapping[str, str]  # `NAME=VALUE` parts of the location
# A record gives one event, or a list of them (never a tuple: a worker's rows are).
RecordParser = Callable[
    [bytes, LogOptions, EventFactory], ParsedRecord | list[ParsedRecord]
]
# Parses records together: it gives what `RecordParser` gives for each, in order.
RecordBlockParser = Callable[
    [Sequence[bytes], LogOptions, EventFactory],
    Sequence[ParsedRecord | list[ParsedRecord]],
]


def make_event_from_row(row: tuple[Any, ...]) -> AuditEvent:
    """Make an event from a row of its fields, in order."""
    return AuditEvent(*row)


def accept_any_options(options: LogOptions) -> None:
    """Accept the options of a location without a check."""


@dataclass(frozen=True, slots=True)
class LogFormat:
    """Log format of one source.

    Attributes:
        declaration: Declaration of the connector.
        module: Dotted path of the module that defines this format as `FORMAT`; a
            parser process imports it.
        noun: Name of the log in messages, e.g. `Kubernetes audit`.
        parse: Parser of one record.
        parse_block: Faster parser of many records, None without one.
        lists: Members that hold the records of a wrapped list, e.g. `Records`.
        suffixes: Names of log files in a folder end in one of these.
        content_members: Members with the content of requests and answers; a quarantined
            record is kept up to the first of them.
        is_content: True if any part of a record may be content; of a quarantined record
            only the digest is kept.
        check_options: Raises `UsageError` for options that do not suffice.
    """

    declaration: ConnectorDeclaration
    module: str
    noun: str
    parse: RecordParser
    parse_block: RecordBlockParser | None = None
    lists: Sequence[str] = ()
    suffixes: tuple[str, ...] = LOG_FILE_SUFFIXES
    content_members: tuple[bytes, ...] = ()
    is_content: bool = False
    check_options: Callable[[LogOptions], None] = field(default=accept_any_options)

    def parse_records(
        self, raws: Sequence[bytes], options: LogOptions, event_factory: EventFactory
    ) -> Sequence[ParsedRecord | list[ParsedRecord]]:
        """Parse records, each to what `parse` gives for it."""
        if self.parse_block is not None:
            return self.parse_block(raws, options, event_factory)
        parse = self.parse
        return [parse(raw, options, event_factory) for raw in raws]
