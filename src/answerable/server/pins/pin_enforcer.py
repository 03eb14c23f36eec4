"""Enforce pins: compare the definitions that servers send with the pinned ones.

An observation takes effect in this process at once, and is written in the background:
under the lock it is compared once more, with the pins of other processes. Where writing
fails, it stays in effect here and is written later.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, product

from answerable.authorization.pins.canonical_definitions import (
    build_canonical_definition,
)
from answerable.authorization.pins.lookalikes import NameIndex, compare_name_similarity
from answerable.authorization.pins.pin_comparison import (
    ObservedList,
    compare_identity_with_pin,
    compare_list_with_pins,
    is_quarantined,
)
from answerable.model.config import UpstreamServer
from answerable.model.definition_pin import (
    DefinitionKind,
    McpDefinition,
    ServerPins,
    build_definition_id,
    get_definition_key,
    split_definition_key,
)
from answerable.model.errors import EnvironmentFailure
from answerable.server.pins.pin_files import PinFiles
from answerable.server.pins.pin_watch import PinListener, PinWatch, QuarantineTarget

WRITE_INTERVAL = 1.0  # seconds from one writing to the next
LIST_LIFETIME = 60.0  # seconds until a list is stale
LIST_TIMEOUT = 5.0  # seconds for a server to answer a list request
MAX_REPORTED = 20  # similar names reported per write
MAX_CACHED = 1024  # cached definitions, by their bytes
MAX_CACHED_BYTES = 4096  # bytes of one
MAX_COMPARED = 100_000  # pairs of names per write

PinChange = Callable[[ServerPins], ServerPins]
PinnedItem = tuple[str, DefinitionKind, str]  # server, kind, name


class PinEnforcer(PinWatch):
    """Learns the definitions of servers, and enforces the pins.

    Args:
        bound: Decision point of this process.
        clock: Returns UTC nanoseconds.

    Raises:
        EnvironmentFailure: A file cannot be read at the start.
    """

    def __init__(
        self,
        files: PinFiles,
        servers: Iterable[UpstreamServer],
        bound: QuarantineTarget,
        loop: asyncio.AbstractEventLoop,
        told: PinListener,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._clock = clock
        self._pending: dict[str, list[PinChange]] = {}
        self._writing: asyncio.Task[None] | None = None
        self._known: dict[tuple[DefinitionKind, str, bytes], McpDefinition] = {}
        self._stale_at: dict[tuple[str, DefinitionKind], float] = {}
        self._by_name: dict[DefinitionKind, NameIndex] = {}
        super().__init__(files, servers, bound, loop, told)

    def is_pinned(self, server: str) -> bool:
        """Return whether a server's definitions are pinned."""
        return server in self._pinning

    def compare_list(
        self,
        server: str,
        kind: DefinitionKind,
        items: Iterable[tuple[str, bytes]],
        *,
        is_last: bool,
        is_requested: bool,
    ) -> None:
        """Compare a server's listed tool definitions with the pinned ones.

        Args:
            server: Name of the server.
            kind: Kind of the items.
            items: Pairs (name, JSON).
            is_last: It is the last page.
            is_requested: It answers a list request.
        """
        if server not in self._pinning:
            return
        definitions = tuple(
            self._build_definition(kind, name, raw) for name, raw in items
        )
        if is_last and is_requested:
            self._stale_at[server, kind] = self._loop.time() + LIST_LIFETIME
        self._apply_pin_change(
            server,
            partial(
                compare_list_with_pins,
                listed=ObservedList(kind, definitions, is_last, is_requested),
                server=server,
                pinning=self._pinning[server],
                now=self._clock(),
                names=self._pinned_names(kind),
            ),
        )

    def check_identity(self, server: str, identity: str) -> bool:
        """Compare the identity of a server with the pinned one; False if it differs.

        Args:
            server: Name of the server.
            identity: Digest of its TLS key, of its command and program, or its URL.
        """
        pinning = self._pinning.get(server)
        if pinning is None:
            return True
        self._apply_pin_change(
            server,
            partial(
                compare_identity_with_pin,
                identity=identity,
                pinning=pinning,
                now=self._clock(),
            ),
        )
        return not self._pins[server].has_identity_changed

    def is_quarantined(self, server: str, kind: DefinitionKind, name: str) -> bool:
        """Return whether a definition is in quarantine: changed, or not approved."""
        pinning = self._pinning.get(server)
        return pinning is not None and is_quarantined(
            self._pins[server], pinning, kind, name
        )

    def is_list_stale(self, server: str, kind: DefinitionKind) -> bool:
        """Return whether a server's list of a kind should be requested again."""
        if server not in self._pinning:
            return False
        return self._loop.time() > self._stale_at.get((server, kind), 0.0)

    def mark_list_requested(self, server: str, kind: DefinitionKind) -> None:
        """Note that a list is requested, so that no other call requests it too."""
        self._stale_at[server, kind] = self._loop.time() + LIST_TIMEOUT

    async def flush(self) -> None:
        """Write pending observations once; failed ones are made again later."""
        self.close()
        if self._writing is not None:
            self._writing.cancel()
        for server, changes in self._pending.items():
            await asyncio.to_thread(self._write_observations, server, tuple(changes))

    def _build_definition(
        self, kind: DefinitionKind, name: str, raw_json: bytes
    ) -> McpDefinition:
        """Return the normalised definition of a raw item, cached by its text."""
        key = (kind, name, raw_json)
        found = self._known.get(key)
        if found is None:
            found = build_canonical_definition(kind, name, raw_json)
            if len(raw_json) > MAX_CACHED_BYTES:
                return found
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            self._known[key] = found
        return found

    def _pinned_names(self, kind: DefinitionKind) -> NameIndex:
        """Return the names of all servers' pinned items of one kind."""
        found = self._by_name.get(kind)
        if found is None:
            found = self._by_name[kind] = NameIndex(
                (server, key, pin.definition.name, pin.definition.sha256)
                for server, pins in self._pins.items()
                for key, pin in pins.items.items()
                if pin.definition.kind is kind
            )
        return found

    def _replace_pins(self, server: str, pins: ServerPins) -> None:
        """Replace the pins of a server, and clear the cached item names."""
        self._by_name.clear()
        super()._replace_pins(server, pins)

    def _merge_pending_observations(self, server: str, pins: ServerPins) -> ServerPins:
        """Apply pending observations to the file's pins."""
        for change in self._pending.get(server, ()):
            pins = change(pins)
        return pins

    def _apply_pin_change(self, server: str, change: PinChange) -> None:
        """Apply a change to the pins in memory, and schedule its write."""
        before = self._pins[server]
        after = change(before)
        if after is before:
            return
        self._replace_pins(server, after)
        self._apply_quarantine()
        self._pending.setdefault(server, []).append(change)
        if self._writing is None:
            self._writing = self._loop.create_task(self._write_pending_observations())

    async def _write_pending_observations(self) -> None:
        """Write until no observation is pending, at most once a second."""
        while self._pending:
            for server, changes in list(self._pending.items()):
                count = len(changes)
                known = tuple(self._iterate_pinned_items())
                write = partial(self._write_observations, server, tuple(changes), known)
                if await asyncio.to_thread(write):
                    del changes[:count]
                if not changes:
                    del self._pending[server]
            await asyncio.sleep(WRITE_INTERVAL)
        self._writing = None

    def _iterate_pinned_items(self) -> Iterator[PinnedItem]:
        """Yield every item of every server."""
        for server, pins in self._pins.items():
            for key in pins.items.keys() | pins.seen.keys():
                yield server, *split_definition_key(key)

    def _write_observations(
        self,
        server: str,
        changes: tuple[PinChange, ...],
        existing_items: tuple[PinnedItem, ...] = (),
    ) -> bool:
        """Write observations, and report new names that resemble others; in a thread.

        Args:
            server: Name of the server.
            changes: Pending observations.
            existing_items: Items of all servers.

        Returns:
            Whether it is on disk.
        """
        before: set[str] = set()

        def change(pins: ServerPins) -> ServerPins:
            before.update(pins.items.keys() | pins.seen.keys())
            for each in changes:
                pins = each(pins)
            return pins

        try:
            after = self.files.change_pins(server, change)
        except EnvironmentFailure as error:
            self._loop.call_soon_threadsafe(self._report_failure, error.message)
            return False
        fresh = (after.items.keys() | after.seen.keys()) - before
        found = _find_lookalikes(server, sorted(fresh), existing_items)
        for each in islice(found, MAX_REPORTED):
            self._loop.call_soon_threadsafe(self._told.on_lookalike, *each)
        return True


def _find_lookalikes(
    server: str, new_keys: Sequence[str], existing_items: Sequence[PinnedItem]
) -> Iterator[tuple[str, str, str]]:
    """Yield pairs of a new item and an existing one with a similar name."""
    new = frozenset(new_keys)
    for key, (other, other_kind, other_name) in islice(
        product(new_keys, existing_items), MAX_COMPARED
    ):
        kind, name = split_definition_key(key)
        if other_kind is not kind or (other, other_name) == (server, name):
            continue
        if (
            other == server
            and other_name > name
            and get_definition_key(kind, other_name) in new
        ):
            continue  # reported for the other one
        how = compare_name_similarity(name, other_name)
        if how is not None and name:
            like = build_definition_id(other, kind, other_name)
            yield build_definition_id(server, kind, name), like, how.value
