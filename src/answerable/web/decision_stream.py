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

from answerable.connectors.gateway.spool_tail import Tail
from answerable.model.decision import Effect
from answerable.model.documents.decisions import DecisionItem
from answerable.model.event import AuditEvent
from answerable.services.authorization.decision_items import item
from answerable.services.authorization.decision_records import Found
from answerable.store.decision_queries import Asked as Wanted
from answerable.usecases.authorization.list_decisions import fits
from answerable.web.pages.decisions import FILTERS, wanted_of
from answerable.web.routing import Asked, Happened, Stream
from answerable.web.store_cache import Desk
from answerable.web.visitor import May, Visit

EVERY = 0.5  # seconds
KEPT = 2000  # decisions
MOST = 100  # of one look, for one page


class _Came(NamedTuple):
    number: int
    event: AuditEvent


class Live:
    """Live decisions of some spools."""

    def __init__(self, spools: tuple[Path, ...]) -> None:
        self.spools = spools
        self._tails = [Tail(each) for each in spools]
        # A number means nothing to another process.
        self._name = secrets.token_hex(4)
        self._kept: deque[_Came] = deque(maxlen=KEPT)
        self._number = 0
        self._listening = 0
        self._changed = asyncio.Condition()
        self._beginning = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    async def listen(self, wanted: Wanted, heard: str) -> AsyncIterator[Happened]:
        """Yield decisions from now on, or from the last event of a page.

        Args:
            heard: Id of the last received event; empty for none.
        """
        self._listening += 1
        try:
            await self._begin()
            at = self._place(heard)
            if at is None:
                at = self._number
                if heard:
                    yield Happened("gap", {}, f"{self._name}.{at}")
            while True:
                fresh = self._since(at)
                at = self._number
                for happened in self._told(fresh, wanted):
                    yield happened
                async with self._changed:
                    while self._number <= at:
                        await self._changed.wait()
        finally:
            self._listening -= 1

    async def _begin(self) -> None:
        """Start the reader if it does not run; existing decisions are skipped."""
        async with self._beginning:
            if self._reading is None or self._reading.done():
                await asyncio.to_thread(self._look)
                self._reading = asyncio.ensure_future(self._read())

    def _place(self, heard: str) -> int | None:
        name, _, number = heard.partition(".")
        known = name == self._name and number.isascii() and number.isdecimal()
        if not known or len(number) > 18:
            return None
        at = int(number)
        oldest = self._number - len(self._kept)
        return at if oldest <= at <= self._number else None

    def _since(self, at: int) -> list[_Came]:
        behind = min(self._number - at, len(self._kept))
        return list(islice(self._kept, len(self._kept) - behind, None))

    def _told(self, fresh: list[_Came], wanted: Wanted) -> list[Happened]:
        own = [each for each in fresh if fits(each.event, wanted)]
        told = [
            Happened("decision", shown(each.event), f"{self._name}.{each.number}")
            for each in own[-MOST:]
        ]
        if len(own) > MOST:
            told.append(Happened("gap", {}, ""))
        return told

    async def _read(self) -> None:
        """Poll the spools while there are listeners."""
        while self._listening:
            await asyncio.sleep(EVERY)
            if await asyncio.to_thread(self._look):
                async with self._changed:
                    self._changed.notify_all()

    def _look(self) -> bool:
        return self._keep(event for tail in self._tails for event in tail.read())

    def _keep(self, events: Iterable[AuditEvent]) -> bool:
        before = self._number
        for event in sorted(events, key=lambda each: each.event_time):
            self._number += 1
            self._kept.append(_Came(self._number, event))
        return self._number > before


def shown(event: AuditEvent) -> dict[str, object]:
    """Return a decision as a table row."""
    found: DecisionItem = item(Found(event, False))
    wanted = found["amendment"]
    held_back = found["effect"] in (Effect.ASK, Effect.DENY) and not found["passed"]
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


_LIVE: WeakKeyDictionary[Desk, Live] = WeakKeyDictionary()


def tell(desk: Desk, visit: Visit, asked: Asked) -> AsyncIterator[Happened]:
    """Stream the decisions that a visitor may see."""
    live = _LIVE.get(desk)
    if live is None or live.spools != desk.spools:
        live = _LIVE[desk] = Live(desk.spools)
    return live.listen(wanted_of(visit, asked.query), asked.heard)


STREAMS: tuple[Stream, ...] = (
    Stream("/live", tell, frozenset({May.INVESTIGATE, May.OWN}), FILTERS),
)
