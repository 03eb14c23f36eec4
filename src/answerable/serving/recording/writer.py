"""The thread that writes: one group at a time, on disk before anybody is told.

Whatever has gathered is one group. A group of the buffered class waits for more up to
`GROUP` seconds. As soon as one of the durable class is there, it goes with what else the
same round of the loop hands over: each group costs the loop's thread several handings
over of the interpreter. What comes while the disk works is the next group.
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

from answerable.evidence.spool import lines
from answerable.serving.recording.segments import Segments, waiting
from answerable.serving.recording.ticket import Ticket

GROUP = 0.020
RETRY = 0.5  # after an error of the disk
MEASURE = 1.0
STALL = 2.0  # seconds over one group, after which the disk is taken to have stopped
MOST_WAITING = 32 << 20  # bytes of records in memory


class Entry(msgspec.Struct, frozen=True):
    """A record on its way to disk.

    Attributes:
        record: Encoded.
        agent: Whose quota it counts against, empty for nobody's.
        ticket: Whoever waits for it, or None.
    """

    record: bytes
    agent: str
    ticket: Ticket | None


class Bell:
    """Rung by one thread for another, which hears it once, however often it was.

    `threading.Event` does that in Python, for several times as much.
    """

    def __init__(self) -> None:
        self._rung = threading.Lock()  # held while it is silent
        self._rung.acquire()

    def ring(self) -> None:
        """Wake whoever waits, or comes to."""
        if self._rung.locked():
            self._rung.release()

    def wait(self, seconds: float) -> bool:
        """Wait until it is rung, and say whether it was."""
        return self._rung.acquire(timeout=seconds)

    def silence(self) -> None:
        """Forget that it was rung."""
        self._rung.acquire(blocking=False)


class Heard(NamedTuple):
    """What the loop is told; each is called there.

    Attributes:
        written: Tickets whose records are on disk.
        failed: Tickets whose records are not, and why; the writer tries again.
        released: Bytes by agent that were shipped.
    """

    written: Callable[[list[Ticket]], None]
    failed: Callable[[list[Ticket], str], None]
    released: Callable[[dict[str, int]], None]


class Writer:
    """Writes entries of one recorder, in their order.

    Args:
        spool: Folder of all recorders' folders.
        segments: Files of this one.
        loop: Whose tickets it tells of.
        heard: What the loop is told.

    Attributes:
        spooled: Bytes in the whole spool, as of a second ago, and what was written
            since.
    """

    def __init__(
        self,
        spool: Path,
        segments: Segments,
        loop: asyncio.AbstractEventLoop,
        heard: Heard,
    ) -> None:
        self.spooled = 0
        with contextlib.suppress(OSError):  # it is measured again in a second
            self.spooled = waiting(spool)
        self._spool, self._segments = spool, segments
        self._loop, self._heard = loop, heard
        self._queue: deque[Entry] = deque()
        self._some, self._now = Bell(), Bell()
        self._going = False  # the next round of the loop has it written
        self._closing = False
        self._failing = False
        # Each is set by one thread alone.
        self._put, self._done = 0, 0  # bytes of records
        self._began = 0.0  # the group that the disk works on, 0 for none
        self._measured = time.monotonic()
        self._left: list[Entry] = []  # taken from the queue, and not yet on disk
        self._used: dict[int, dict[str, int]] = {}  # bytes by file and agent
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def is_behind(self) -> bool:
        """Whether the disk neither takes nor refuses what it was given."""
        began = self._began
        stalls = began > 0 and time.monotonic() - began > STALL
        return stalls or self._put - self._done >= MOST_WAITING

    def put(self, entry: Entry, *, at_once: bool) -> None:
        """Hand over an entry; on the loop's thread."""
        self._put += len(entry.record)
        # A deque is appended to and taken from by two threads without a lock.
        self._queue.append(entry)
        if at_once:
            if not self._going:
                self._going = True
                self._loop.call_soon(self._go)
        else:
            self._some.ring()

    def _go(self) -> None:
        self._going = False
        self._now.ring()
        self._some.ring()

    def close(self) -> None:
        """Write what is left, once, and end."""
        self._closing = True
        self._go()
        self._thread.join()
        self._segments.close()

    def _run(self) -> None:
        closing = False
        try:
            while not closing:
                self._wait()
                closing = self._closing  # read before the last entries are taken
                self._write()
                if time.monotonic() - self._measured >= MEASURE:
                    self._measure()
        finally:  # also where this thread itself fails: nobody waits for ever
            if not closing or self._left:
                tickets = _tickets([*self._left, *self._queue])
                self._tell(self._heard.failed, tickets, "the writer ended")

    def _wait(self) -> None:
        if self._failing:
            self._now.wait(RETRY)
        elif self._some.wait(MEASURE):
            self._now.wait(GROUP)
        # What was put until now is taken now.
        self._some.silence()
        self._now.silence()

    def _write(self) -> None:
        group = self._left
        with contextlib.suppress(IndexError):
            while True:
                group.append(self._queue.popleft())
        if not group:
            return
        tickets = _tickets(group)
        records = [entry.record for entry in group]
        data, chain = lines(records, self._segments.chain)
        self._began = time.monotonic()
        try:
            self._segments.write(data, chain)
        except OSError as error:
            self._failing = True
            self._left = [Entry(entry.record, entry.agent, None) for entry in group]
            self._tell(self._heard.failed, tickets, os.strerror(error.errno or 0))
            return
        finally:
            self._began = 0.0
        self._left = []
        self._done += sum(map(len, records))
        self._count(group, len(data))
        if tickets or self._failing:
            self._failing = False
            self._tell(self._heard.written, tickets)

    def _count(self, group: list[Entry], size: int) -> None:
        self.spooled += size
        used = self._used.setdefault(self._segments.current, {})
        for entry in group:
            if entry.agent:
                used[entry.agent] = used.get(entry.agent, 0) + len(entry.record)

    def _measure(self) -> None:
        """See what was shipped meanwhile; where that cannot be seen, nothing was."""
        self._measured = time.monotonic()
        # Whatever happens to the spool, this thread goes on: it writes the evidence.
        with contextlib.suppress(OSError):
            self.spooled = waiting(self._spool) - self._segments.room
            for number in self._segments.gone(set(self._used)):
                self._tell(self._heard.released, self._used.pop(number))

    def _tell(self, what: Callable[..., None], *said: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(what, *said)


def _tickets(entries: Iterable[Entry]) -> list[Ticket]:
    return [entry.ticket for entry in entries if entry.ticket is not None]
