"""Parsing in a process of its own: parse and store overlap on two processors.

The child runs this module. It writes frames to its standard output: four bytes of
length, then a batch or a closing word in MessagePack. The pipe holds it back when the
reader is slower, so memory stays flat.
"""

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, cast

import msgspec

from answerable.model.connector import EventBatch, EventContext, EventLimits
from answerable.model.errors import AnswerableError, EnvironmentRefused, UsageError
from answerable.model.event import AuditEvent

# Small enough to keep both processes busy.
BATCH = 2_000
_PIPE = 1 << 20  # fewer turns between the processes


class _Order(msgspec.Struct):
    location: str
    limits: EventLimits


class _Frame(msgspec.Struct):
    batch: EventBatch | None = None
    refused: str = ""
    message: str = ""
    hint: str = ""


_FRAME = msgspec.msgpack.Decoder(_Frame)
_REFUSALS: dict[str, type[AnswerableError]] = {
    "UsageError": UsageError,
    "EnvironmentRefused": EnvironmentRefused,
}


def read_apart(location: str, context: EventContext) -> Iterator[EventBatch]:
    """Yield the batches of a location, parsed by a child process.

    Raises:
        UsageError: As the connector.
        EnvironmentRefused: As the connector, or the child ended early.
    """
    order = msgspec.json.encode(_Order(location, context.limits))
    child = subprocess.Popen(  # noqa: S603 - this interpreter and this module
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pipesize=_PIPE,
    )
    try:
        if child.stdin is None or child.stdout is None:
            raise EnvironmentRefused("no pipe to the parsing process")
        child.stdin.write(order)
        child.stdin.close()
        yield from _batches(child.stdout)
    finally:
        if child.stdout is not None:
            child.stdout.close()
        child.kill()
        child.wait()


def _batches(pipe: IO[bytes]) -> Iterator[EventBatch]:
    while True:
        head = pipe.read(4)
        size = int.from_bytes(head, "big")
        body = pipe.read(size) if len(head) == 4 else b""
        if len(body) < size or not body:
            raise EnvironmentRefused(
                "the parsing process ended early; what it read is stored",
                "ingest the same input again: nothing is stored twice",
            )
        frame = _FRAME.decode(body)
        if frame.refused:
            raise _REFUSALS.get(frame.refused, EnvironmentRefused)(
                frame.message, frame.hint
            )
        if frame.batch is None:
            return
        yield frame.batch


def _sparse(**fields: object) -> dict[str, object]:
    """Keep what an event says, without the defaults.

    It is written to the pipe as the event itself would be, and costs less to make, to
    carry and to read back.
    """
    return {name: value for name, value in fields.items() if value}


_SPARSE = cast("Callable[..., AuditEvent]", _sparse)


def main() -> None:
    """Parse what the order on standard input names."""
    from answerable.connectors.cloudtrail.fetch import read_here
    from answerable.connectors.cloudtrail.open import find

    order = msgspec.json.decode(sys.stdin.buffer.read(), type=_Order)
    limits = order.limits
    limits = EventLimits(
        min(limits.batch, BATCH), limits.record_bytes, limits.file_bytes
    )
    gc.disable()  # batches hold no cycles, and looking for them costs a tenth
    with suppress(BrokenPipeError):
        try:
            found = find(order.location)
            for batch in read_here(found, EventContext(limits), _SPARSE):
                _write(_Frame(batch))
        except AnswerableError as refusal:
            _write(
                _Frame(
                    refused=type(refusal).__name__,
                    message=refusal.message,
                    hint=refusal.hint,
                )
            )
            return
        _write(_Frame())
        sys.stdout.buffer.flush()


def _write(frame: _Frame) -> None:
    body = msgspec.msgpack.encode(frame)
    sys.stdout.buffer.write(len(body).to_bytes(4, "big"))
    sys.stdout.buffer.write(body)


if __name__ == "__main__":
    main()
