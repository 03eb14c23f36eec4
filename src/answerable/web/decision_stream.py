"""Live stream of decisions: one spool reader for all listeners, filtered per visitor.

The spools are polled twice a second while there are listeners. Recent decisions are
kept, so a page that lost its connection can resume. An event `gap` reports dropped
decisions.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

from answerable.connectors.gateway.spool_tail import SpoolTail
from answerable.model.decision import DecisionEffect
from answerable.model.documents.decisions import DecisionItem
from answerable.model.event import AuditEvent
from answerable.services.authorization.decision_items import build_decision_item
from answerable.services.authorization.decision_records import FoundDecision
from answerable.store.decision_queries import DecisionFilter as Wanted
from answerable.usecases.authorization.list_decisions import matches_filter
from answerable.web.pages.decisions import DECISION_FILTERS, build_filter
from answerable.web.routing import RouteRequest, StreamEvent, StreamRoute
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

POLL_INTERVAL = 0.5  # seconds
BUFFER_SIZE = 2000  # decisions
MAX_PER_POLL = 100  # of one look, for one page


class _BufferedDecision(NamedTuple):
    number: int
    event: AuditEvent


class DecisionStream:
    """Live decisions of some spools."""

    def __init__(self, spools: tuple[Path, ...]) -> None:
        self.spools = spools
        self._tails = [SpoolTail(each) for each in spools]
        # A number means nothing to another process.
        self._name = secrets.token_hex(4)
        self._kept: deque[_BufferedDecision] = deque(maxlen=BUFFER_SIZE)
        self._number = 0
        self._listening = 0
        self._changed = asyncio.Condition()
        self._beginning = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    async def listen(self, wanted: Wanted, heard: str) -> AsyncIterator[StreamEvent]:
        """Yield decisions from now on, or from the last event of a page.

        Args:
            heard: Id of the last received event; empty for none.
        """
        self._listening += 1
        try:
            await self._start_reader()
            at = self._parse_event_id(heard)
            if at is None:
                at = self._number
                if heard:
                    yield StreamEvent("gap", {}, f"{self._name}.{at}")
            while True:
                fresh = self._buffered_since(at)
                at = self._number
                for happened in self._select_events(fresh, wanted):
                    yield happened
                async with self._changed:
                    while self._number <= at:
                        await self._changed.wait()
        finally:
            self._listening -= 1

    async def _start_reader(self) -> None:
        """Start the reader if it does not run; existing decisions are skipped."""
        async with self._beginning:
            if self._reading is None or self._reading.done():
                await asyncio.to_thread(self._poll_spools)
                self._reading = asyncio.ensure_future(self._read_loop())

    def _parse_event_id(self, heard: str) -> int | None:
        name, _, number = heard.partition(".")
        known = name == self._name and number.isascii() and number.isdecimal()
        if not known or len(number) > 18:
            return None
        at = int(number)
        oldest = self._number - len(self._kept)
        return at if oldest <= at <= self._number else None

    def _buffered_since(self, at: int) -> list[_BufferedDecision]:
        behind = min(self._number - at, len(self._kept))
        return list(islice(self._kept, len(self._kept) - behind, None))

    def _select_events(
        self, fresh: list[_BufferedDecision], wanted: Wanted
    ) -> list[StreamEvent]:
        own = [each for each in fresh if matches_filter(each.event, wanted)]
        told = [
            StreamEvent(
                "decision", decision_row(each.event), f"{self._name}.{each.number}"
            )
            for each in own[-MAX_PER_POLL:]
        ]
        if len(own) > MAX_PER_POLL:
            told.append(StreamEvent("gap", {}, ""))
        return told

    async def _read_loop(self) -> None:
        """Poll the spools while there are listeners."""
        while self._listening:
            await asyncio.sleep(POLL_INTERVAL)
            if await asyncio.to_thread(self._poll_spools):
                async with self._changed:
                    self._changed.notify_all()

    def _poll_spools(self) -> bool:
        return self._buffer_events(
            event for tail in self._tails for event in tail.read_new_decisions()
        )

    def _buffer_events(self, events: Iterable[AuditEvent]) -> bool:
        before = self._number
        for event in sorted(events, key=lambda each: each.event_time):
            self._number += 1
            self._kept.append(_BufferedDecision(self._number, event))
        return self._number > before


def decision_row(event: AuditEvent) -> dict[str, object]:
    """Return a decision as a table row."""
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
    desk: StoreCache, visit: Visitor, asked: RouteRequest
) -> AsyncIterator[StreamEvent]:
    """Stream the decisions that a visitor may see."""
    live = _STREAMS_BY_CACHE.get(desk)
    if live is None or live.spools != desk.spools:
        live = _STREAMS_BY_CACHE[desk] = DecisionStream(desk.spools)
    return live.listen(build_filter(visit, asked.query), asked.heard)


STREAMS: tuple[StreamRoute, ...] = (
    StreamRoute(
        "/live",
        stream_decisions,
        frozenset({WebPermission.INVESTIGATE, WebPermission.OWN}),
        DECISION_FILTERS,
    ),
)
