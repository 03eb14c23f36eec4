"""Parse log files in a child process, so that parsing and storing overlap.

The child runs this module. It writes frames to its standard output: four bytes of
length, four of CRC-32, then a batch or a closing word in MessagePack. The pipe blocks
the child when the reader is more than a few frames behind, so memory stays flat.

The child builds rows of fields instead of events. For a reader that stores them it
encodes the rows as canonical records: nothing is encoded or decoded again. For any
other they are sent by column, and the parent fills one field of all events at a time.
"""

import gc
import queue
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from functools import lru_cache
from importlib import import_module
from itertools import repeat
from typing import IO, cast

import msgspec
from isal import isal_zlib

from answerable.connectors.encoded_batches import keep_row
from answerable.model.connector import EventBatch, EventContext, EventLimits
from answerable.model.encoded_event import EncodedEvents, SealingFields
from answerable.model.errors import AnswerableError, EnvironmentFailure, UsageError
from answerable.model.event import AuditEvent
from answerable.model.ids import EventId
from answerable.model.log_position import FilePosition

# Small enough to keep both processes busy.
BATCH_SIZE = 2_000
_PIPE_BYTES = 1 << 20  # fewer turns between the processes
# Frames read ahead while the store makes a batch durable: some 1.3 MB each.
_MAX_QUEUED_FRAMES = 25
_STOP_TIMEOUT = 0.2
# The C library keeps so much freed memory once a block of this size was freed: memory of
# the last rows is used again, instead of new pages. Nothing is written to the block.
_KEPT_BYTES = 8 << 20
_ID_BYTES, _HASH_BYTES = 16, 32
_HEAD = struct.Struct(">II")  # length and CRC-32 of the body


class _ParseOrder(msgspec.Struct):
    format: str
    location: str
    limits: EventLimits
    cursor: dict[str, FilePosition] | None
    now: int
    ingest_time: int


class _EncodedColumns(msgspec.Struct, array_like=True):
    """Encoded events of a batch, by field; fields of one size are joined."""

    event_ids: bytes
    times: list[int]
    digests: bytes
    records: list[bytes]
    leaves: bytes
    fields: list[tuple[int, SealingFields | None]]


class _BatchFrame(msgspec.Struct):
    batch: EventBatch | None = None
    encoded: _EncodedColumns | None = None
    count: int = 0
    columns: msgspec.Raw = msgspec.Raw(b"\x90")  # none
    refused: str = ""
    message: str = ""
    hint: str = ""


_FIELDS = fields(AuditEvent)
# A column of one value stands for all events of the batch, an empty one for "not said".
_COLUMNS = msgspec.msgpack.Decoder(
    msgspec.defstruct(
        "_Columns",
        [(each.name, list[each.type], []) for each in _FIELDS],  # type: ignore[name-defined]  # a column of each
        array_like=True,
    )
)
# Events are frozen for everyone else: one is not made before its fields are set.
_SETTERS = [getattr(AuditEvent, each.name).__set__ for each in _FIELDS]
_FRAME = msgspec.msgpack.Decoder(_BatchFrame)
# New memory for each frame would cost more than to fill it.
_ENCODER, _BUFFER = msgspec.msgpack.Encoder(), bytearray()
_REFUSALS: dict[str, type[AnswerableError]] = {
    "UsageError": UsageError,
    "EnvironmentFailure": EnvironmentFailure,
}


def read_in_subprocess(
    log_format: str, location: str, context: EventContext
) -> Iterator[EventBatch]:
    """Yield the batches of a location, parsed by a child process.

    Args:
        log_format: Module that defines the log format as `FORMAT`.
        location: File or folder, with the format's options.
        context: Context with limits, and positions of an earlier run.

    Raises:
        UsageError: As for `read`.
        EnvironmentFailure: As for `read`, or the child ended early.
    """
    order = msgspec.json.encode(
        _ParseOrder(
            log_format,
            location,
            context.limits,
            None if context.cursor is None else dict(context.cursor),
            context.now,
            context.ingest_time,
        )
    )
    bytes(_KEPT_BYTES)
    child = subprocess.Popen(  # noqa: S603 - this interpreter and this module
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pipesize=_PIPE_BYTES,
    )
    try:
        if child.stdin is None or child.stdout is None:
            raise EnvironmentFailure("no pipe to the parsing process")
        child.stdin.write(order)
        child.stdin.close()
        yield from _decode_batches(child.stdout)
    finally:
        child.kill()
        child.wait()  # the reading thread sees the end of the pipe, and closes the pipe


def _read_frame(pipe: IO[bytes]) -> bytes:
    """Read a frame; empty if the pipe ends first, or the frame is damaged."""
    head = pipe.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return b""
    size, checksum = _HEAD.unpack(head)
    body = pipe.read(size)
    return body if len(body) == size and isal_zlib.crc32(body) == checksum else b""


def _prefetch_frames(pipe: IO[bytes]) -> Iterator[bytes]:
    """Prefetch frames while earlier ones are stored, so the child need not wait."""
    bodies: queue.Queue[bytes] = queue.Queue(_MAX_QUEUED_FRAMES)
    ended = threading.Event()

    def offer(body: bytes) -> None:
        while not ended.is_set():
            with suppress(queue.Full):
                bodies.put(body, timeout=_STOP_TIMEOUT)
                return

    def pump() -> None:
        body = b"-"
        while body and not ended.is_set():
            try:
                body = _read_frame(pipe)
            except (OSError, ValueError):
                body = b""
            offer(body)
        pipe.close()

    reader = threading.Thread(target=pump, name="log-frames", daemon=True)
    reader.start()
    try:
        while True:
            yield bodies.get()
    finally:
        ended.set()


def _decode_batches(pipe: IO[bytes]) -> Iterator[EventBatch]:
    """Yield the batches from the pipe; raises the child's error."""
    for body in _prefetch_frames(pipe):
        if not body:
            raise EnvironmentFailure(
                "the parser process ended early or its output is damaged; "
                "the records read so far are stored",
                "ingest the same input again: nothing is stored twice",
            )
        frame = _FRAME.decode(body)
        if frame.refused:
            raise _REFUSALS.get(frame.refused, EnvironmentFailure)(
                frame.message, frame.hint
            )
        if frame.batch is None:
            return
        if frame.encoded is not None:
            yield replace(frame.batch, encoded=_unpack_encoded(frame.encoded))
            continue
        yield replace(frame.batch, events=_unpack_events(frame.columns, frame.count))


def _pack_batch(batch: EventBatch) -> _BatchFrame:
    """Pack a batch of encoded events, or of rows as columns, for the other process."""
    if len(batch.encoded):
        columns = _pack_encoded(batch.encoded)
        return _BatchFrame(replace(batch, encoded=EncodedEvents()), columns)
    rows = cast("Sequence[tuple[object, ...]]", batch.events)
    return _BatchFrame(replace(batch, events=()), None, len(rows), _pack_columns(rows))


def _pack_encoded(events: EncodedEvents) -> _EncodedColumns:
    """Join the values of one size: a value of its own costs more than its bytes."""
    return _EncodedColumns(
        b"".join(events.event_ids),
        events.event_times,
        b"".join(events.digests),
        events.records,
        b"".join(events.leaves),
        events.fields,
    )


def _unpack_encoded(columns: _EncodedColumns) -> EncodedEvents:
    """Unpack what `_pack_encoded` packed."""
    count = len(columns.records)
    event_ids, digests, leaves = (
        list(_make_values_struct(size, count).unpack(joined))
        for joined, size in (
            (columns.event_ids, _ID_BYTES),
            (columns.digests, _HASH_BYTES),
            (columns.leaves, _HASH_BYTES),
        )
    )
    return EncodedEvents(
        cast("list[EventId]", event_ids),
        columns.times,
        digests,
        columns.records,
        leaves,
        columns.fields,
    )


@lru_cache(16)
def _make_values_struct(size: int, count: int) -> struct.Struct:
    """Make the struct of values of one size, which is faster than to slice them."""
    return struct.Struct(f"{size}s" * count)


def _pack_columns(rows: Sequence[tuple[object, ...]]) -> msgspec.Raw:
    """Encode rows as columns; a constant column keeps one value."""
    columns = [
        column[:1]
        if column[0] == column[-1] and column.count(column[0]) == len(column)
        else column
        for column in zip(*rows, strict=True)
    ]
    return msgspec.Raw(msgspec.msgpack.encode(columns))


def _unpack_events(packed: msgspec.Raw, count: int) -> tuple[AuditEvent, ...]:
    """Decode columns from the parser process to audit events."""
    columns = _COLUMNS.decode(packed)
    events = tuple(map(object.__new__, repeat(AuditEvent, count)))
    for each, setter in zip(_FIELDS, _SETTERS, strict=True):
        column = getattr(columns, each.name) or [each.default]
        values = repeat(column[0], count) if len(column) == 1 else column
        deque(map(setter, events, values), maxlen=0)
    return events


def main() -> None:
    """Parse the location named by the order on standard input."""
    from answerable.connectors.log_reader import (
        open_log,
        read_encoded,
        read_without_subprocess,
    )

    order = msgspec.json.decode(sys.stdin.buffer.read(), type=_ParseOrder)
    limits = order.limits
    limits = EventLimits(
        min(limits.batch, BATCH_SIZE), limits.record_bytes, limits.file_bytes
    )
    bytes(_KEPT_BYTES)
    gc.disable()  # batches hold no cycles, and looking for them costs a tenth
    with suppress(BrokenPipeError):
        try:
            log = open_log(
                import_module(order.format).FORMAT, order.location, order.cursor
            )
            context = EventContext(
                limits, order.cursor, order.now, ingest_time=order.ingest_time
            )
            batches = (
                read_encoded(log, context)
                if order.ingest_time
                else read_without_subprocess(log, context, keep_row)
            )
            for batch in batches:
                _write_frame(_pack_batch(batch))
        except AnswerableError as refusal:
            _write_frame(
                _BatchFrame(
                    refused=type(refusal).__name__,
                    message=refusal.message,
                    hint=refusal.hint,
                )
            )
            return
        _write_frame(_BatchFrame())
        sys.stdout.buffer.flush()


def _write_frame(frame: _BatchFrame) -> None:
    """Write a frame to standard output, with its length and checksum first."""
    _ENCODER.encode_into(frame, _BUFFER)
    sys.stdout.buffer.write(_HEAD.pack(len(_BUFFER), isal_zlib.crc32(_BUFFER)))
    sys.stdout.buffer.write(_BUFFER)


if __name__ == "__main__":
    main()
