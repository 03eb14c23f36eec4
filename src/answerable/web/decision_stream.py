"""Stream new decisions as server-sent events, filtered per visitor.

The spools are polled twice a second while there are listeners. Recent decisions are
kept, so a page that lost its connection can resume. An event `gap` reports dropped
decisions.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

from answerable.connectors.gateway.spool_tail import SpoolTail
from answerable.model.decision import DecisionEffect
from answerable.model.documents.decisions import DecisionItem
from answerable.model.event import AuditEvent
from answerable.services.authorization.decision_output import build_decision_item
from answerable.services.authorization.decision_records import FoundDecision
from answerable.store.decision_queries import DecisionFilter as Wanted
from answerable.usecases.authorization.list_decisions import matches_decision_filter
from answerable.web.killed_subjects import is_killed, read_killed_subjects
from answerable.web.pages.decisions import DECISION_FILTERS, build_filter
from answerable.web.routing import RouteRequest, StreamEvent, StreamRoute
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

POLL_INTERVAL = 0.5  # seconds
BUFFER_SIZE = 2000  # decisions
MAX_PER_POLL = 100  # decisions sent to one page per poll


class _BufferedDecision(NamedTuple):
    number: int
    event: AuditEvent


class DecisionStream:
    """Live decisions of some spools."""

    def __init__(self, spools: tuple[Path, ...]) -> None:
        self.spools = spools
        self._tails = [SpoolTail(each) for each in spools]
        # Event numbers are valid only in the process with this id.
        self._stream_id = secrets.token_hex(4)
        self._buffer: deque[_BufferedDecision] = deque(maxlen=BUFFER_SIZE)
        self._number = 0
        self._listener_count = 0
        self._changed = asyncio.Condition()
        self._start_lock = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    async def listen(
        self,
        wanted: Wanted,
        last_event_id: str,
        read_killed: Callable[[], frozenset[str] | None] = frozenset,
    ) -> AsyncIterator[StreamEvent]:
        """Yield matching decisions from now on, or after the last received event.

        Args:
            last_event_id: Id of the last received event; empty for none.
            read_killed: Reads the killed subjects, which rows mark.
        """
        self._listener_count += 1
        try:
            await self._start_reader()
            position = self._parse_event_id(last_event_id)
            if position is None:
                position = self._number
                if last_event_id:
                    yield StreamEvent("gap", {}, f"{self._stream_id}.{position}")
            while True:
                fresh = self._get_decisions_after(position)
                position = self._number
                killed = await asyncio.to_thread(read_killed) if fresh else None
                for event in _encode_decisions(
                    self._stream_id,
                    [e for e in fresh if matches_decision_filter(e.event, wanted)],
                    killed,
                ):
                    yield event
                async with self._changed:
                    while self._number <= position:
                        await self._changed.wait()
        finally:
            self._listener_count -= 1

    async def _start_reader(self) -> None:
        """Start the spool reader if none runs; earlier decisions are skipped."""
        async with self._start_lock:
            if self._reading is None or self._reading.done():
                await asyncio.to_thread(self._poll_spools)
                self._reading = asyncio.ensure_future(self._run_spool_reader())

    def _parse_event_id(self, event_id: str) -> int | None:
        """Return the buffer position of an event id; None if it is not buffered."""
        name, _, number = event_id.partition(".")
        known = name == self._stream_id and number.isascii() and number.isdecimal()
        if not known or len(number) > 18:
            return None
        position = int(number)
        oldest = self._number - len(self._buffer)
        return position if oldest <= position <= self._number else None

    def _get_decisions_after(self, position: int) -> list[_BufferedDecision]:
        """Return recent decisions that come after a stream position."""
        count = min(self._number - position, len(self._buffer))
        return list(islice(self._buffer, len(self._buffer) - count, None))

    async def _run_spool_reader(self) -> None:
        """Poll the spools twice a second while there are listeners."""
        while self._listener_count:
            await asyncio.sleep(POLL_INTERVAL)
            if await asyncio.to_thread(self._poll_spools):
                async with self._changed:
                    self._changed.notify_all()

    def _poll_spools(self) -> bool:
        """Read new decisions of all spools; True if there are any."""
        return self._buffer_decisions(
            event for tail in self._tails for event in tail.read_new_decisions()
        )

    def _buffer_decisions(self, events: Iterable[AuditEvent]) -> bool:
        """Append events to the buffer in time order; True if there are any."""
        before = self._number
        for event in sorted(events, key=lambda each: each.event_time):
            self._number += 1
            self._buffer.append(_BufferedDecision(self._number, event))
        return self._number > before


def _encode_decisions(
    stream_id: str,
    decisions: list[_BufferedDecision],
    killed: frozenset[str] | None,
) -> list[StreamEvent]:
    """Encode the newest 100 decisions; a `gap` marks dropped ones."""
    events = [
        StreamEvent(
            "decision",
            build_decision_row(each.event, killed),
            f"{stream_id}.{each.number}",
        )
        for each in decisions[-MAX_PER_POLL:]
    ]
    if len(decisions) > MAX_PER_POLL:
        events.append(StreamEvent("gap", {}, ""))
    return events


def build_decision_row(
    event: AuditEvent, killed: frozenset[str] | None = None
) -> dict[str, object]:
    """Return the table columns of a decision, as JSON values."""
    found: DecisionItem = build_decision_item(FoundDecision(event, False))
    wanted = found["amendment"]
    held_back = (
        found["effect"] in (DecisionEffect.ASK, DecisionEffect.DENY)
        and not found["passed"]
    )
    return {
        "id": found["id"],
        "at": found["at"],
        "agent": found["agent"],
        "killed": is_killed(found["agent"], killed),
        "person": found["person"] or "",
        "effect": found["effect"],
        "layer": found["layer"],
        "mode": found["mode"],
        "target": found["target"],
        "name": found["name"],
        "server": found["server"],
        "reason": found["reason"],
        "sentence": found["findings"][0]["sentence"] if found["findings"] else "",
        "outcome": found["outcome"] if found["passed"] else "held back",
        "ask": held_back and wanted is not None and wanted["by"] == "owner",
    }


_STREAMS_BY_CACHE: WeakKeyDictionary[StoreCache, DecisionStream] = WeakKeyDictionary()


def stream_decisions(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> AsyncIterator[StreamEvent]:
    """Handle `/live`: stream the decisions that a visitor may see."""
    live = _STREAMS_BY_CACHE.get(cache)
    if live is None or live.spools != cache.spools:
        live = _STREAMS_BY_CACHE[cache] = DecisionStream(cache.spools)
    return live.listen(
        build_filter(visitor, request.query),
        request.last_event_id,
        partial(read_killed_subjects, cache),
    )


STREAMS: tuple[StreamRoute, ...] = (
    StreamRoute(
        "/live",
        stream_decisions,
        frozenset({WebPermission.INVESTIGATE, WebPermission.OWN}),
        DECISION_FILTERS,
    ),
)
