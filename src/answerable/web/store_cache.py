"""Cache over one store: connections per thread, and derived data.

Derived data is rebuilt when the store changes, and periodically because evidence
expires. A slow rebuild runs in the background while the previous data is served; only
the very first request waits.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TypeVar

from answerable.model.config import Config
from answerable.model.errors import AnswerableError
from answerable.services.gc_control import suspend_gc
from answerable.store.search_index import SearchIndex
from answerable.store.store import EvidenceStore
from answerable.web.store_view import StoreView, build_view, store_stamp
from answerable.web.total_cache import TotalCache

Derived = TypeVar("Derived")
_MINUTE = 60_000_000_000
# Data that takes at most this many CPU seconds is rebuilt inline, and is never stale.
_INLINE_SECONDS = 0.5
# Rebuilds take at most one part in this many of the time.
_REBUILD_SHARE = 5
_CLOSE_TIMEOUT = 1.0  # seconds that an end waits for what is made beside
_logger = logging.getLogger(__name__)


class StoreCache:
    """Cache over one store.

    Args:
        root: Folder of the store.
        config: The configuration, None without one.
        spools: Folders of decisions that are not in the store yet.

    Attributes:
        is_ready: Whether the first load has finished, or failed.
        totals: Sizes of paginated answers.
    """

    def __init__(
        self, root: Path, config: Config | None = None, spools: tuple[Path, ...] = ()
    ) -> None:
        self.root, self.config, self.spools = root, config, spools
        self._skim = SearchIndex()
        self._own = threading.local()
        self._open: list[EvidenceStore] = []
        self._lock = threading.Lock()
        self._standing: StoreView | None = None
        self._stamp = b""
        self._looked = 0.0
        self._threads: list[threading.Thread] = []
        self.is_ready = False
        self.totals = TotalCache()

    @property
    def now(self) -> int:
        """Return the time, UTC nanoseconds."""
        return time.time_ns()

    @contextmanager
    def open_store(self) -> Iterator[EvidenceStore]:
        """Return this thread's connection to the store."""
        held: EvidenceStore | None = getattr(self._own, "store", None)
        if held is None:
            held = self._own.store = EvidenceStore.open(
                self.root, now=self.now, create=False, index=self._skim
            )
            self._open.append(held)
        yield held

    def close(self) -> bool:
        """Close the store in every thread.

        Returns:
            False if a thread still reads.
        """
        until = time.monotonic() + _CLOSE_TIMEOUT
        for each in self._threads:
            each.join(max(0.0, until - time.monotonic()))
            if each.is_alive():
                return False
        while self._open:
            self._open.pop().close()
        self._skim.close()
        self._own = threading.local()
        return True

    def version(self) -> str:
        """Return the version of the store and its derived data."""
        standing = self.current_view()
        with self.open_store() as store:
            said = store_stamp(store) + standing.version.encode()
        return hashlib.sha256(said).hexdigest()[:24]

    def start_loading(self, warm: Callable[["StoreCache"], None]) -> None:
        """Start the first load in the background.

        Args:
            warm: Builds the other cached data.
        """
        work = threading.Thread(target=self._load_first, args=(warm,), daemon=True)
        self._threads.append(work)
        work.start()

    def _load_first(self, warm: Callable[["StoreCache"], None]) -> None:
        try:
            with suspend_gc():
                warm(self)
        except AnswerableError as error:
            _logger.warning("the store view could not be loaded: %s", error.message)
        finally:
            self._close_connection()
            self.is_ready = True  # requests report the error

    def current_view(self) -> StoreView:
        """Return the current view; a slightly older one during a slow rebuild."""
        making: StoreView | None = getattr(self._own, "making", None)
        if making is not None:
            return making
        with self.open_store() as store:
            state, known = store_stamp(store), self._standing
            if known is not None and not self._needs_rebuild(known, state, self.now):
                return known
            if known is not None and known.took > _INLINE_SECONDS:
                self._rebuild_in_background(known)
                return known
            with self._lock:
                made = self._standing
                if made is not None and not self._needs_rebuild(made, state, self.now):
                    return made
                return self._rebuild(store, state)

    def get_derived(self, name: str, make: Callable[[StoreView], Derived]) -> Derived:
        """Return data derived from the current view, built once per view."""
        return self.current_view().get_derived(name, make)

    def _needs_rebuild(self, known: StoreView, state: bytes, now: int) -> bool:
        # A build of one second is repeated after five minutes or more.
        lasts = max(_MINUTE, int(known.took * _REBUILD_SHARE * _MINUTE))
        old = not known.at <= now < min(known.at + lasts, known.until)
        return old or state != self._stamp

    def _rebuild(self, store: EvidenceStore, state: bytes) -> StoreView:
        before = self._standing
        slow = before is None or before.took > _INLINE_SECONDS
        with suspend_gc(collect_previous=before is not None) if slow else nullcontext():
            made = build_view(store, self.now, before)
            if before is not None:
                self._own.making = made
                try:
                    made.rebuild_from(before)
                finally:
                    self._own.making = None
        self._stamp, self._standing, self._looked = state, made, time.monotonic()
        return made

    def _rebuild_in_background(self, known: StoreView) -> None:
        """Start a background rebuild, one at a time and rate-limited."""
        if time.monotonic() - self._looked < _REBUILD_SHARE * known.took:
            return
        if self._lock.acquire(blocking=False):
            self._start_rebuild()

    def _start_rebuild(self) -> None:
        try:
            work = threading.Thread(target=self._rebuild_thread, daemon=True)
            self._threads = [each for each in self._threads if each.is_alive()]
            self._threads.append(work)
            work.start()
        except BaseException:
            self._lock.release()
            raise

    def _rebuild_thread(self) -> None:
        try:
            with self.open_store() as store:
                self._rebuild(store, store_stamp(store))
        except AnswerableError as error:
            _logger.warning("the store view could not be reloaded: %s", error.message)
        finally:
            self._looked = time.monotonic()
            self._close_connection()
            self._lock.release()

    def _close_connection(self) -> None:
        held: EvidenceStore | None = getattr(self._own, "store", None)
        if held is not None:
            self._open.remove(held)
            held.close()
            self._own.store = None
