"""Pin enforcement: observed definitions are compared with the pins as they arrive.

An observation takes effect in this process at once, and is written in the background:
under the lock it is compared once more, with the pins of other processes. Where writing
fails, it stays in effect here and is written later.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, product

from answerable.authorization.pins.definitions import define
from answerable.authorization.pins.lookalikes import Names, alike
from answerable.authorization.pins.observation import Listed, meet, observe, withholds
from answerable.model.config import Server
from answerable.model.errors import EnvironmentRefused
from answerable.model.pin import Definition, Kind, Pins, item_id, item_key, item_of
from answerable.server.pins.pin_files import PinFiles
from answerable.server.pins.pin_watch import Bound, PinWatch, Told

AGAIN = 1.0  # seconds from one writing to the next
FRESH = 60.0  # seconds until a list is stale
PATIENCE = 5.0  # seconds for a server to answer a list request
MOST_TOLD = 20  # similar names reported per write
REMEMBERED = 1024  # cached definitions, by their bytes
MOST_REMEMBERED = 4096  # bytes of one
MOST_COMPARED = 100_000  # pairs of names per write

Change = Callable[[Pins], Pins]
Item = tuple[str, Kind, str]  # server, kind, name


class PinKeeper(PinWatch):
    """Learns the definitions of servers, and enforces the pins.

    Args:
        bound: Decision point of this process.
        clock: Returns UTC nanoseconds.

    Raises:
        EnvironmentRefused: A file cannot be read at the start.
    """

    def __init__(
        self,
        files: PinFiles,
        servers: Iterable[Server],
        bound: Bound,
        loop: asyncio.AbstractEventLoop,
        told: Told,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._clock = clock
        self._pending: dict[str, list[Change]] = {}
        self._writing: asyncio.Task[None] | None = None
        self._known: dict[tuple[Kind, str, bytes], Definition] = {}
        self._stale_at: dict[tuple[str, Kind], float] = {}
        self._by_name: dict[Kind, Names] = {}
        super().__init__(files, servers, bound, loop, told)

    def holds(self, server: str) -> bool:
        """Tell whether a server's definitions are pinned."""
        return server in self._pinning

    def listed(
        self,
        server: str,
        kind: Kind,
        items: Iterable[tuple[str, bytes]],
        *,
        is_last: bool,
        is_asked: bool,
    ) -> None:
        """Record a list of a server, or a page of one.

        Args:
            server: Name of the server.
            kind: Kind of the items.
            items: Pairs (name, JSON).
            is_last: It is the last page.
            is_asked: It answers a list request.
        """
        if server not in self._pinning:
            return
        definitions = tuple(self._define(kind, name, raw) for name, raw in items)
        if is_last and is_asked:
            self._stale_at[server, kind] = self._loop.time() + FRESH
        self._see(
            server,
            partial(
                observe,
                listed=Listed(kind, definitions, is_last, is_asked),
                server=server,
                pinning=self._pinning[server],
                now=self._clock(),
                names=self._names(kind),
            ),
        )

    def met(self, server: str, identity: str) -> bool:
        """Record the identity of a server; tell whether it is the pinned one.

        Args:
            server: Name of the server.
            identity: Digest of its TLS key, of its command and program, or its URL.
        """
        pinning = self._pinning.get(server)
        if pinning is None:
            return True
        self._see(
            server, partial(meet, identity=identity, pinning=pinning, now=self._clock())
        )
        return not self._pins[server].is_another

    def withholds(self, server: str, kind: Kind, name: str) -> bool:
        """Tell whether an item is in quarantine."""
        pinning = self._pinning.get(server)
        return pinning is not None and withholds(
            self._pins[server], pinning, kind, name
        )

    def is_stale(self, server: str, kind: Kind) -> bool:
        """Tell whether a server's list of a kind should be requested again."""
        if server not in self._pinning:
            return False
        return self._loop.time() > self._stale_at.get((server, kind), 0.0)

    def looking(self, server: str, kind: Kind) -> None:
        """Note a request under way, so that it is not repeated for a while."""
        self._stale_at[server, kind] = self._loop.time() + PATIENCE

    async def written(self) -> None:
        """Write pending observations, once; failed ones are learned again."""
        self.close()
        if self._writing is not None:
            self._writing.cancel()
        for server, changes in self._pending.items():
            await asyncio.to_thread(self._write, server, tuple(changes))

    def _define(self, kind: Kind, name: str, raw: bytes) -> Definition:
        key = (kind, name, raw)
        found = self._known.get(key)
        if found is None:
            found = define(kind, name, raw)
            if len(raw) > MOST_REMEMBERED:
                return found
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = found
        return found

    def _names(self, kind: Kind) -> Names:
        """Return the names of the pinned items of all servers."""
        found = self._by_name.get(kind)
        if found is None:
            found = self._by_name[kind] = Names(
                (server, key, pin.definition.name, pin.definition.sha256)
                for server, pins in self._pins.items()
                for key, pin in pins.items.items()
                if pin.definition.kind is kind
            )
        return found

    def _replace(self, server: str, pins: Pins) -> None:
        self._by_name.clear()
        super()._replace(server, pins)

    def _onto(self, server: str, pins: Pins) -> Pins:
        """Apply pending observations to the file's pins."""
        for change in self._pending.get(server, ()):
            pins = change(pins)
        return pins

    def _see(self, server: str, change: Change) -> None:
        before = self._pins[server]
        after = change(before)
        if after is before:
            return
        self._replace(server, after)
        self._enforce()
        self._pending.setdefault(server, []).append(change)
        if self._writing is None:
            self._writing = self._loop.create_task(self._write_all())

    async def _write_all(self) -> None:
        """Write until nothing is pending, at most once a second."""
        while self._pending:
            for server, changes in list(self._pending.items()):
                count = len(changes)
                known = tuple(self._items())
                write = partial(self._write, server, tuple(changes), known)
                if await asyncio.to_thread(write):
                    del changes[:count]
                if not changes:
                    del self._pending[server]
            await asyncio.sleep(AGAIN)
        self._writing = None

    def _items(self) -> Iterator[Item]:
        """Yield every item of every server."""
        for server, pins in self._pins.items():
            for key in pins.items.keys() | pins.seen.keys():
                yield server, *item_of(key)

    def _write(
        self, server: str, changes: tuple[Change, ...], known: tuple[Item, ...] = ()
    ) -> bool:
        """Write observations, and report new names that resemble others; in a thread.

        Args:
            server: Name of the server.
            changes: Pending observations.
            known: Items of all servers.

        Returns:
            Whether it is on disk.
        """
        before: set[str] = set()

        def change(pins: Pins) -> Pins:
            before.update(pins.items.keys() | pins.seen.keys())
            for each in changes:
                pins = each(pins)
            return pins

        try:
            after = self.files.change(server, change)
        except EnvironmentRefused as error:
            self._loop.call_soon_threadsafe(self._refuse, error.message)
            return False
        fresh = (after.items.keys() | after.seen.keys()) - before
        found = _alike(server, sorted(fresh), known)
        for each in islice(found, MOST_TOLD):
            self._loop.call_soon_threadsafe(self._told.alike, *each)
        return True


def _alike(
    server: str, fresh: Sequence[str], known: Sequence[Item]
) -> Iterator[tuple[str, str, str]]:
    """Yield the existing items that new ones resemble."""
    new = frozenset(fresh)
    for key, (other, other_kind, other_name) in islice(
        product(fresh, known), MOST_COMPARED
    ):
        kind, name = item_of(key)
        if other_kind is not kind or (other, other_name) == (server, name):
            continue
        if other == server and other_name > name and item_key(kind, other_name) in new:
            continue  # reported for the other one
        how = alike(name, other_name)
        if how is not None and name:
            like = item_id(other, kind, other_name)
            yield item_id(server, kind, name), like, how.value
