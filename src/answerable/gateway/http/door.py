"""What all connections of one worker share, and what happens to all of them at once."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Protocol

from answerable.gateway.exchange import Exchange
from answerable.gateway.http.fair_queue import FairQueue
from answerable.gateway.sessions import Sessions
from answerable.gateway.wire.opening import Opening, remembering
from answerable.model.limits import Limits
from answerable.serving.admission import AdmissionControl, Slot
from answerable.serving.callers.callers import Callers
from answerable.serving.link import Link
from answerable.serving.ticker import Ticker
from answerable.serving.wire.place import Served


class Open(Protocol):
    """A client's connection."""

    def drain(self) -> None:
        """Finish what is under way, and take nothing more."""

    def recheck(self) -> None:
        """Cut what is under way, where it may not go on any more."""

    def abort(self) -> None:
        """Close at once."""


class Peers(Protocol):
    """The workers of one gateway, each of which owns some of the principals."""

    def owns(self, principal: str) -> bool:
        """Say whether a principal is this worker's."""

    def hand_over(
        self,
        transport: asyncio.Transport,
        principal: str,
        link: Link,
        served: Served,
        received: bytes,
        slot: Slot | None,
    ) -> None:
        """Give a connection to the owner, with what was read of it."""


@dataclass(slots=True)
class Door:
    """One worker's door.

    Attributes:
        exchange: Decides, remembers and records.
        callers: Identifies.
        sessions: Binds session ids of older servers.
        limits: What it bears.
        ticker: Tells of what is late.
        loop: The worker's loop.
        read: Reads the head of a request.
        clock: Gives UTC seconds.
        peers: The other workers, None where there is but this one.
        draining: It takes nothing more.
        fronts: Connections that are open.
        in_flight: Calls under way, by principal.
        held_bytes: Bytes of large bodies of these, by principal.
        waiters: Calls that wait for such bytes, by principal.
        queue: Calls that wait for their caller's turn.
        tasks: What is done beside the calls.
        admission: Decides which connections stay open.
    """

    exchange: Exchange
    callers: Callers
    sessions: Sessions
    limits: Limits
    ticker: Ticker
    loop: asyncio.AbstractEventLoop
    read: Callable[[bytes], Opening] = field(default_factory=remembering)
    clock: Callable[[], float] = time.time
    peers: Peers | None = None
    draining: bool = False
    fronts: set[Open] = field(default_factory=set)
    in_flight: dict[str, int] = field(default_factory=dict)
    held_bytes: dict[str, int] = field(default_factory=dict)
    waiters: dict[str, deque[Callable[[], None]]] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    queue: FairQueue = field(init=False)
    admission: AdmissionControl = field(init=False)

    def __post_init__(self) -> None:
        self.admission = AdmissionControl(self.limits)
        self.queue = FairQueue(self.loop)

    def may_enter(self, principal: str) -> bool:
        """Say whether a principal may have one more call under way."""
        return self.in_flight.get(principal, 0) < self.limits.calls_per_caller

    def hold(self, principal: str, size: int) -> bool:
        """Count bytes of a body that comes; False where they are too many."""
        held = self.held_bytes.get(principal, 0) + size
        if held > self.limits.bytes_per_caller:
            return False
        self.held_bytes[principal] = held
        return True

    def release(self, principal: str, size: int) -> None:
        """Count them no more, and have calls look again that wait for some."""
        left = self.held_bytes[principal] - size
        if left:
            self.held_bytes[principal] = left
        else:
            del self.held_bytes[principal]
        for look in self.waiters.pop(principal, ()):
            look()

    def wait_for_bytes(self, principal: str, look: Callable[[], None]) -> None:
        """Have a call look again once bytes of its caller are free."""
        self.waiters.setdefault(principal, deque()).append(look)

    def entered(self, principal: str) -> None:
        """One more is under way."""
        self.in_flight[principal] = self.in_flight.get(principal, 0) + 1

    def left(self, principal: str) -> None:
        """One less is."""
        left = self.in_flight[principal] - 1
        if left:
            self.in_flight[principal] = left
        else:
            del self.in_flight[principal]

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Have something done that no call waits for in line."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def drain(self) -> None:
        """Take nothing more; what is under way goes on, streams of a session end."""
        self.draining = True
        for front in list(self.fronts):
            front.drain()

    def recheck(self) -> None:
        """A kill came: cut whatever it forbids."""
        for front in list(self.fronts):
            front.recheck()

    def abort(self) -> None:
        """Cut everything."""
        for front in list(self.fronts):
            front.abort()
