"""Write records in group commits: a thread writes one group at a time, and syncs it.

All queued records form one group. A group of the buffered class waits for more up to
`GROUP_SECONDS` seconds. With a record of the durable class it is written together with the
others of the same loop iteration: each group costs the loop's thread several handovers
of the interpreter lock. Records that arrive while the disk works form the next group.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from answerable.evidence.spool_format import encode_spool_lines
from answerable.server.recording.record_ticket import RecordTicket
from answerable.server.recording.spool_segments import (
    SegmentWriter,
    count_spooled_bytes,
)

GROUP_SECONDS = 0.020
RETRY_SECONDS = 0.5  # after an error of the disk
MEASURE_SECONDS = 1.0
STALL_SECONDS = (
    2.0  # seconds over one group, after which the disk is taken to have stopped
)
MAX_WAITING = 32 << 20  # bytes of records in memory


class JournalEntry(msgspec.Struct, frozen=True):
    """Record on its way to disk.

    Attributes:
        agent: Agent whose quota it counts against, empty for none.
        ticket: Ticket that waits for it, or None.
    """

    record: bytes
    agent: str
    ticket: RecordTicket | None


class ThreadSignal:
    """Event that one thread sets for another; several sets count as one.

    `threading.Event` does that in Python, at several times the cost.
    """

    def __init__(self) -> None:
        self._rung = threading.Lock()  # held while it is silent
        self._rung.acquire()

    def notify(self) -> None:
        """Wake the waiting thread, now or at its next wait."""
        if self._rung.locked():
            self._rung.release()

    def wait(self, seconds: float) -> bool:
        """Wait until the signal is set; return whether it was."""
        return self._rung.acquire(timeout=seconds)

    def clear(self) -> None:
        """Clear the wake-up signal of the writer thread."""
        self._rung.acquire(blocking=False)


class WriterCallbacks(NamedTuple):
    """Callbacks of the writer, called in the event loop.

    Attributes:
        written: Called with tickets whose records are on disk.
        failed: Called with tickets whose records are not, and the reason; the writer
            retries.
        released: Called with the shipped bytes by agent.
    """

    written: Callable[[list[RecordTicket]], None]
    failed: Callable[[list[RecordTicket], str], None]
    released: Callable[[dict[str, int]], None]


class GroupCommitWriter:
    """Writer of the entries of one recorder, in order.

    Args:
        spool: Folder of all recorders' folders.
        segments: Segment files of the recorder.
        loop: Event loop of the callbacks.

    Attributes:
        spooled: Bytes in the whole spool, measured a second ago, plus bytes written
            since.
    """

    def __init__(
        self,
        spool: Path,
        segments: SegmentWriter,
        loop: asyncio.AbstractEventLoop,
        heard: WriterCallbacks,
    ) -> None:
        self.spooled = 0
        with contextlib.suppress(OSError):  # it is measured again in a second
            self.spooled = count_spooled_bytes(spool)
        self._spool, self._segments = spool, segments
        self._loop, self._heard = loop, heard
        self._queue: deque[JournalEntry] = deque()
        self._some, self._now = ThreadSignal(), ThreadSignal()
        self._going = False  # the next round of the loop has it written
        self._closing = False
        self._failing = False
        # Each is set by one thread alone.
        self._put, self._done = 0, 0  # bytes of records
        self._began = 0.0  # the group that the disk works on, 0 for none
        self._measured = time.monotonic()
        self._left: list[JournalEntry] = []  # taken from the queue, and not yet on disk
        self._used: dict[int, dict[str, int]] = {}  # bytes by file and agent
        self._thread = threading.Thread(
            target=self._write_loop, name="recorder", daemon=True
        )
        self._thread.start()

    @property
    def is_disk_stalled(self) -> bool:
        """True where the disk neither completes nor fails a write."""
        began = self._began
        stalls = began > 0 and time.monotonic() - began > STALL_SECONDS
        return stalls or self._put - self._done >= MAX_WAITING

    def enqueue(self, entry: JournalEntry, *, at_once: bool) -> None:
        """Queue a record to write; called in the event loop's thread."""
        self._put += len(entry.record)
        # A deque is appended to and taken from by two threads without a lock.
        self._queue.append(entry)
        if at_once:
            if not self._going:
                self._going = True
                self._loop.call_soon(self._wake_thread)
        else:
            self._some.notify()

    def _wake_thread(self) -> None:
        """Wake the writer thread."""
        self._going = False
        self._now.notify()
        self._some.notify()

    def close(self) -> None:
        """Write the rest, once, and end the thread."""
        self._closing = True
        self._wake_thread()
        self._thread.join()
        self._segments.close()

    def _write_loop(self) -> None:
        """Write groups until closed; the body of the writer thread."""
        closing = False
        try:
            while not closing:
                self._wait_for_group()
                closing = self._closing  # read before the last entries are taken
                self._write_group()
                if time.monotonic() - self._measured >= MEASURE_SECONDS:
                    self._measure_spool()
        finally:  # also where this thread fails: no ticket waits for ever
            if not closing or self._left:
                tickets = _list_tickets([*self._left, *self._queue])
                self._call_in_event_loop(
                    self._heard.failed, tickets, "the writer ended"
                )

    def _wait_for_group(self) -> None:
        """Wait for records, then a moment for more of them."""
        if self._failing:
            self._now.wait(RETRY_SECONDS)
        elif self._some.wait(MEASURE_SECONDS):
            self._now.wait(GROUP_SECONDS)
        # What was put until now is taken now.
        self._some.clear()
        self._now.clear()

    def _write_group(self) -> None:
        """Write and sync all queued records; keep them for a retry on failure."""
        group = self._left
        with contextlib.suppress(IndexError):
            while True:
                group.append(self._queue.popleft())
        if not group:
            return
        tickets = _list_tickets(group)
        records = [entry.record for entry in group]
        data, chain = encode_spool_lines(records, self._segments.chain)
        self._began = time.monotonic()
        try:
            self._segments.write(data, chain)
        except OSError as error:
            self._failing = True
            self._left = [
                JournalEntry(entry.record, entry.agent, None) for entry in group
            ]
            self._call_in_event_loop(
                self._heard.failed, tickets, os.strerror(error.errno or 0)
            )
            return
        finally:
            self._began = 0.0
        self._left = []
        self._done += sum(map(len, records))
        self._count_group_bytes(group, len(data))
        if tickets or self._failing:
            self._failing = False
            self._call_in_event_loop(self._heard.written, tickets)

    def _count_group_bytes(self, group: list[JournalEntry], size: int) -> None:
        """Add a written group to the bytes in the spool, by agent."""
        self.spooled += size
        used = self._used.setdefault(self._segments.current, {})
        for entry in group:
            if entry.agent:
                used[entry.agent] = used.get(entry.agent, 0) + len(entry.record)

    def _measure_spool(self) -> None:
        """Measure the spool, and detect shipped files; ignore an unreadable spool."""
        self._measured = time.monotonic()
        # An unreadable spool must not end this thread, which writes the evidence.
        with contextlib.suppress(OSError):
            self.spooled = (
                count_spooled_bytes(self._spool) - self._segments.preallocated_bytes
            )
            for number in self._segments.find_shipped_files(set(self._used)):
                self._call_in_event_loop(self._heard.released, self._used.pop(number))

    def _call_in_event_loop(self, callback: Callable[..., None], *said: object) -> None:
        """Call a callback in the event loop."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(callback, *said)


def _list_tickets(entries: Iterable[JournalEntry]) -> list[RecordTicket]:
    """List the tickets of the journal entries that have one."""
    return [entry.ticket for entry in entries if entry.ticket is not None]
