"""Cache one store: a connection per thread, and data derived from the inventory.

Derived data is rebuilt when the store changes, and periodically because evidence
expires. A slow rebuild runs in the background while the previous data is served; only
the very first request waits.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from answerable.model.config import Config
from answerable.model.errors import AnswerableError
from answerable.services.python_gc_pause import (
    collect_replaced_results,
    pause_garbage_collection,
)
from answerable.store.search_index import SearchIndex
from answerable.store.shared_values import SharedValues
from answerable.store.store import EvidenceStore
from answerable.web.auth.signature_counters import SignatureCounters
from answerable.web.background_answers import BackgroundAnswers
from answerable.web.result_cache import ResultCache
from answerable.web.store_view import (
    SLOW_DERIVED,
    StoreView,
    build_view,
    compute_store_stamp,
)

if TYPE_CHECKING:
    from answerable.posture.facts import ArgumentLimit
    from answerable.services.lineage.lineage_search import EventHistogram
    from answerable.services.lineage.recorded_calls import CallCount

Derived = TypeVar("Derived")
_MINUTE = 60_000_000_000
# Data that takes at most this many CPU seconds is rebuilt inline, and is never stale.
_INLINE_SECONDS = 0.5
# Rebuilds take at most 1/5 of the time.
_REBUILD_SHARE = 5
_CLOSE_TIMEOUT = 1.0  # seconds that `close` waits for background threads
_STAMP_LENGTH = 16  # hex digits of the stamp that pages carry
_CHANGE_TIMEOUT = 20.0  # seconds that a change waits for the view that contains it
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
        histograms: Numbers of events over time.
        recorded_calls: Counts of the recorded calls of a subject.
        background_answers: Answers over very many events.
        signature_counters: Signature counts of security keys.
    """

    def __init__(
        self, root: Path, config: Config | None = None, spools: tuple[Path, ...] = ()
    ) -> None:
        self.root, self.config, self.spools = root, config, spools
        self._search_index = SearchIndex()
        self._shared_values = SharedValues()
        self._is_inventory_replaced = False
        self._local = threading.local()
        self._open: list[EvidenceStore] = []
        self._lock = threading.Lock()
        self._tasks_lock = threading.Lock()
        self._view: StoreView | None = None
        self._stamp = b""
        self._checked_at = 0.0
        self._threads: list[threading.Thread] = []
        self.is_ready = False
        self.totals: ResultCache[int] = ResultCache()
        self.histograms: ResultCache[EventHistogram] = ResultCache()
        self.recorded_calls: ResultCache[Sequence[CallCount]] = ResultCache()
        self.background_answers = BackgroundAnswers()
        self.signature_counters = SignatureCounters()
        self._newest_slow: dict[str, object] = {}
        self._slow_locks = {name: threading.Lock() for name in SLOW_DERIVED}

    @property
    def now(self) -> int:
        """Return the time, UTC nanoseconds."""
        return time.time_ns()

    @contextmanager
    def open_store(self) -> Iterator[EvidenceStore]:
        """Yield the store connection of this thread, opened on first use."""
        store: EvidenceStore | None = getattr(self._local, "store", None)
        if store is None:
            store = self._local.store = EvidenceStore.open(
                self.root, now=self.now, create=False, index=self._search_index
            )
            store.shared_values = self._shared_values
            self._open.append(store)
        yield store

    def close(self) -> bool:
        """Close every thread's connection to the evidence store.

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
        self._search_index.close()
        self._local = threading.local()
        return True

    def read_argument_limits(self) -> "tuple[ArgumentLimit, ...] | None":
        """Read the limits by policies of the gateway; None if they are not known."""
        if self.config is None:
            return None
        from answerable.server.argument_limits import read_limits_of_server

        return read_limits_of_server(self.config, self.root)

    def version(self) -> str:
        """Return a digest that changes with the store or its derived data."""
        view = self.current_view()
        with self.open_store() as store:
            stamp = compute_store_stamp(store) + view.version.encode()
        return hashlib.sha256(stamp).hexdigest()[:24]

    @property
    def has_view(self) -> bool:
        """Return whether a view is built, so that a read does not wait for the first load."""
        return self._view is not None

    def start_loading(self, warm_up: Callable[["StoreCache"], None]) -> None:
        """Start the first load in a background thread.

        Args:
            warm_up: Builds the other cached data.
        """
        thread = threading.Thread(target=self._load_first, args=(warm_up,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _load_first(self, warm_up: Callable[["StoreCache"], None]) -> None:
        """Run the warm-up, then mark the cache as ready."""
        try:
            with pause_garbage_collection():
                warm_up(self)
        except AnswerableError as error:
            _logger.warning("the store view could not be loaded: %s", error.message)
        finally:
            self._close_connection()
            self.is_ready = True  # requests report the error

    def start_in_background(
        self, name: str, task: Callable[["StoreCache"], object]
    ) -> threading.Thread:
        """Run a task in a background thread, unless one of this name still runs."""
        with self._tasks_lock:
            self._threads = [each for each in self._threads if each.is_alive()]
            for each in self._threads:
                if each.name == name:
                    return each
            thread = threading.Thread(
                target=self._run_task, args=(task,), name=name, daemon=True
            )
            self._threads.append(thread)
            thread.start()
            return thread

    def _run_task(self, task: Callable[["StoreCache"], object]) -> None:
        """Run a background task, then close the connection of its thread."""
        try:
            task(self)
        except AnswerableError as error:
            _logger.warning("a background task failed: %s", error.message)
        finally:
            self._close_connection()

    def current_view(self) -> StoreView:
        """Return the current view; during a slow rebuild the previous one."""
        making: StoreView | None = getattr(self._local, "making", None)
        if making is not None:
            return making
        with self.open_store() as store:
            stamp, view = compute_store_stamp(store), self._view
            if view is not None and not self._needs_rebuild(view, stamp, self.now):
                return view
            if view is not None and view.build_seconds > _INLINE_SECONDS:
                self._rebuild_in_background(view)
                return view
            with self._lock:
                rebuilt = self._view
                if rebuilt is not None and not self._needs_rebuild(
                    rebuilt, stamp, self.now
                ):
                    return rebuilt
                return self._rebuild_view(store, stamp)

    def discard_view(self) -> None:
        """Discard the view, so that the next request builds it from the store."""
        self._view = None

    def read_stamp(self) -> bytes:
        """Return a digest that changes with the content of the store."""
        with self.open_store() as store:
            return compute_store_stamp(store)

    def get_shown_stamp(self) -> str:
        """Return a digest of the store's content at the time of the current view.

        It changes when pages show other content, not when the same is evaluated again.
        """
        self.current_view()
        return self._stamp.hex()[:_STAMP_LENGTH]

    def wait_for_change(self, before: bytes) -> bool:
        """Wait for a view that contains a change of this thread.

        Args:
            before: `read_stamp` before the change.

        Returns:
            False if the view still lacks the change after `_CHANGE_TIMEOUT`.
        """
        stamp, view = self.read_stamp(), self._view
        if view is None or stamp == before or not self._is_old(view, stamp):
            return True
        if view.build_seconds <= _INLINE_SECONDS:
            self.current_view()
            return True
        until = time.monotonic() + _CHANGE_TIMEOUT
        # A rebuild that already runs may have started before the change.
        if not self._lock.acquire(timeout=_CHANGE_TIMEOUT):
            return False
        built = self._view or view
        if not self._is_old(built, stamp):
            self._lock.release()
            return True
        rebuild = self._start_rebuild()
        rebuild.join(max(0.0, until - time.monotonic()))
        return not rebuild.is_alive() and self._view is not built

    def get_derived(self, name: str, build: Callable[[StoreView], Derived]) -> Derived:
        """Return data derived from the current view, built once per view."""
        if name not in SLOW_DERIVED:
            return self.current_view().get_derived(name, build)
        with self._slow_locks[name]:  # of several that need it, one builds it
            built = self.current_view().get_derived(name, build)
        self._newest_slow[name] = built
        return built

    def get_newest(self, name: str, kind: type[Derived]) -> Derived | None:
        """Return slow data of the newest view that has it; None if none has."""
        found = self._newest_slow.get(name)
        return found if isinstance(found, kind) else None

    def _is_old(self, view: StoreView, stamp: bytes) -> bool:
        """Tell whether the store has changed, or the view is too old, at this time."""
        return self._needs_rebuild(view, stamp, self.now)

    def _needs_rebuild(self, view: StoreView, stamp: bytes, now: int) -> bool:
        """Return whether the store has changed, or the view is too old."""
        # A build of one second is repeated after five minutes or more.
        lasts = max(_MINUTE, int(view.build_seconds * _REBUILD_SHARE * _MINUTE))
        old = not view.at <= now < min(view.at + lasts, view.until)
        return old or stamp != self._stamp

    def _rebuild_view(self, store: EvidenceStore, stamp: bytes) -> StoreView:
        """Build the view and its derived data, and replace the current one."""
        before = self._view
        slow = before is None or before.build_seconds > _INLINE_SECONDS
        if slow and self._is_inventory_replaced:
            collect_replaced_results()
            self._is_inventory_replaced = False
        with pause_garbage_collection() if slow else nullcontext():
            view = build_view(store, self.now, before)
            if before is not None:
                self._local.making = view
                try:
                    view.rebuild_from(before)
                finally:
                    self._local.making = None
        if before is not None and before.inventory.facts is not view.inventory.facts:
            self._is_inventory_replaced = True
        self._stamp, self._view, self._checked_at = stamp, view, time.monotonic()
        return view

    def _rebuild_in_background(self, view: StoreView) -> None:
        """Start a background rebuild, one at a time and rate-limited."""
        if time.monotonic() - self._checked_at < _REBUILD_SHARE * view.build_seconds:
            return
        if self._lock.acquire(blocking=False):
            self._start_rebuild()

    def _start_rebuild(self) -> threading.Thread:
        """Start the rebuild thread; it releases the lock."""
        try:
            work = threading.Thread(target=self._rebuild_thread, daemon=True)
            self._threads = [each for each in self._threads if each.is_alive()]
            self._threads.append(work)
            work.start()
            return work
        except BaseException:
            self._lock.release()
            raise

    def _rebuild_thread(self) -> None:
        """Rebuild the view in this thread, then close its connection."""
        try:
            with self.open_store() as store:
                self._rebuild_view(store, compute_store_stamp(store))
        except AnswerableError as error:
            _logger.warning("the store view could not be reloaded: %s", error.message)
        finally:
            self._checked_at = time.monotonic()
            self._close_connection()
            self._lock.release()

    def _close_connection(self) -> None:
        """Close this thread's connection to the evidence store."""
        held: EvidenceStore | None = getattr(self._local, "store", None)
        if held is not None:
            self._open.remove(held)
            held.close()
            self._local.store = None
