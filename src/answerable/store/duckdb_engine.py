"""Open a locked-down DuckDB: limited memory and folders, no extensions, no network."""

import errno
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from answerable.model.errors import EnvironmentFailure
from answerable.store.durable_files import ERRNO_HINTS

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from answerable.store.query_tables import NamedTable, ParquetTable

ResultT = TypeVar("ResultT")
MEMORY_LIMIT = "384MB"
LATE_MATERIALIZATION_ROWS = 100_000
KEPT_DATABASE = "kept"


def quote_text(text: str) -> str:
    """Quote a text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def preload_duckdb() -> None:
    """Import DuckDB early, for a process that will act as another user."""
    import duckdb  # noqa: F401 - that it is loaded


_BATCH_ROWS = 5_000


def _share_equal_texts(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Replace equal texts by one object: many rows name few identities."""
    texts: dict[object, object] = {}
    share = texts.setdefault
    return [tuple([share(v, v) if type(v) is str else v for v in row]) for row in rows]


class DuckDbEngine:
    """In-memory database over the segments of a store, for one thread.

    Args:
        segments: Folder of the segments.
        memory: Memory limit.
        threads: Number of threads: one takes least processor time, two end sooner.
        with_kept_database: Attach a second, compacted database `kept`.
        files: Files outside that folder that queries may read.
        folders: Other folders that queries may read.
    """

    def __init__(
        self,
        segments: Path,
        memory: str = MEMORY_LIMIT,
        *,
        threads: int = 2,
        with_kept_database: bool = False,
        files: Sequence[Path] = (),
        folders: Sequence[Path] = (),
    ) -> None:
        import _duckdb as duckdb

        from answerable.store.spill_folders import SpillFolder

        self._spill: SpillFolder | None = SpillFolder()
        self._thread: ThreadPoolExecutor | None = None
        self.temporary_tables: dict[str, NamedTable | ParquetTable] = {}
        self.connection = duckdb.connect(
            config={
                "memory_limit": memory,
                "threads": threads,
                # Idle ones give back all memory that the process has freed, and it is
                # allocated again.
                "async_threads": 0,
                "temp_directory": self._spill.name,
                "python_enable_replacements": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        if with_kept_database:
            self.connection.execute(f"ATTACH ':memory:' AS {KEPT_DATABASE} (COMPRESS)")
        # The order matters: folders first, then no other access, then the lock.
        for setting in (
            # The newest rows are found in the columns asked about, then read whole.
            f"late_materialization_max_rows = {LATE_MATERIALIZATION_ROWS}",
            # What a segment says of itself never changes.
            "parquet_metadata_cache = true",
            f"allowed_directories = [{', '.join(quote_text(f'{f.absolute()}/') for f in (segments, *folders))}]",
            f"allowed_paths = [{', '.join(quote_text(str(f.absolute())) for f in files)}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self.connection.execute(f"SET {setting}").fetchall()

    def open_cursor(self) -> "DuckDbEngine":
        """Open an engine on the same databases for another thread."""
        made = copy(self)
        made.connection, made._spill = self.connection.cursor(), None
        made._thread, made.temporary_tables = None, {}
        return made

    def compact(self) -> None:
        """Compact the attached database `kept`; deferred while others write."""
        import _duckdb as duckdb

        with suppress(duckdb.TransactionException):
            self.connection.execute(f"CHECKPOINT {KEPT_DATABASE}").fetchall()

    def close(self) -> None:
        """Close the database, end its thread and free its memory."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        self.connection.close()
        if self._spill is not None:
            self._spill.cleanup()

    def run(
        self, query: str, parameters: Sequence[object] = ()
    ) -> list[tuple[object, ...]]:
        """Run an SQL query with DuckDB and return all rows.

        Raises:
            EnvironmentFailure: A file is missing or the disk is full.
        """
        import _duckdb as duckdb

        def call() -> list[tuple[object, ...]]:
            result = self.connection.execute(query, list(parameters))
            if not result.description:
                return []
            rows = batch = result.fetchmany(_BATCH_ROWS)
            while len(batch) == _BATCH_ROWS:
                batch = _share_equal_texts(result.fetchmany(_BATCH_ROWS))
                rows += batch
            return rows

        try:
            return self.run_interruptible(call)
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            said = str(error).splitlines()[0]
            hint = "check the store: answerable evidence verify"
            if (full := os.strerror(errno.ENOSPC)) in said:
                said, hint = full, ERRNO_HINTS[errno.ENOSPC]
            raise EnvironmentFailure(
                f"the query engine was refused: {said}", hint
            ) from error

    def run_interruptible(self, call: Callable[[], ResultT]) -> ResultT:
        """Run a call of the connection so that Ctrl-C interrupts it.

        DuckDB ignores signals while a query runs, so the query runs in the engine's
        thread and the main thread interrupts it.

        Raises:
            KeyboardInterrupt: The process was interrupted; the query has ended.
        """
        if threading.current_thread() is not threading.main_thread():
            return call()
        from concurrent.futures import ThreadPoolExecutor, wait  # slow to import

        if self._thread is None:
            self._thread = ThreadPoolExecutor(1)
        running = self._thread.submit(call)
        try:
            return running.result()
        except KeyboardInterrupt:
            while not running.done():  # one that comes too early is lost
                self.connection.interrupt()
                wait([running], 0.05)
            raise

    def load_records(self, name: str, records: Sequence[bytes], first: int = 0) -> None:
        """Load canonical records into a table `name(n, record)`; `first` is the first n."""
        from arro3.core import Array, DataType, Table

        table = Table.from_pydict(
            {
                "n": Array(range(first, first + len(records)), DataType.int32()),
                # The cast checks that they are UTF-8, and copies none of them.
                "record": Array(records, DataType.binary()).cast(DataType.utf8()),
            }
        )
        self.register_arrow(name, table)

    def register_arrow(self, name: str, table: object) -> None:
        """Let queries read an Arrow table under a name.

        The package adapts the table; importing it takes a tenth of a second, so queries
        without such a table load its extension module alone.
        """
        import duckdb  # noqa: F401 - it registers the adapters of Arrow

        self.connection.register(name, table)
