"""The recorder of one worker: decisions and ends, numbered, on their way to disk.

Everything here runs on the worker's event loop and touches memory only. A thread of its
own (`writer`) takes what has gathered, writes it and tells when it is on disk.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from answerable.gateway.recording.ticket import NotRecorded, Ticket
from answerable.gateway.wire.call import Call
from answerable.model.caller import Caller
from answerable.model.decision import Decision
from answerable.model.record import End

__all__ = ["End", "NotRecorded", "Recorder", "Ticket"]


class Recorder:
    """Records what one worker decides.

    Args:
        spool: Folder of all recorders' folders.
        worker: Number of the worker.
        most: Bytes that may wait in the whole spool.
        most_per_agent: Of those, bytes of any one agent.
        clock: Gives UTC nanoseconds.

    Raises:
        EnvironmentRefused: The spool cannot be written.
    """

    def __init__(
        self,
        spool: Path,
        worker: int,
        loop: asyncio.AbstractEventLoop,
        *,
        most: int = 1 << 30,
        most_per_agent: int = 256 << 20,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        raise NotImplementedError

    def decided(
        self, caller: Caller, call: Call, decision: Decision, body: bytes
    ) -> Ticket:
        """Record a decision before its call goes on.

        Raises:
            NotRecorded: It cannot be kept: then the call does not happen.
        """
        raise NotImplementedError

    def ended(self, ticket: Ticket, end: End) -> None:
        """Record how a call ended; a second end of a call is left out."""
        raise NotImplementedError

    def refused(
        self, why: str, caller: Caller | None, server: str, method: str
    ) -> None:
        """Count a request that was turned away before a decision."""
        raise NotImplementedError
