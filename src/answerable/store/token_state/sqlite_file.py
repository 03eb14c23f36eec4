"""Open the SQLite file `control.db`: private access, migration, unclean stops.

Two facts in one row detect a stop that may have lost records: the boot id of the last
use, and whether the last process closed the file. Processes hold a lock on a file next
to it, which the kernel releases however they end, so each knows whether it is the only
one.
"""

import fcntl
import math
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from answerable.model.errors import EnvironmentFailure
from answerable.store.durable_files import (
    FILE_MODE,
    make_private_folder,
    sync_folder,
    translate_os_errors,
)
from answerable.store.token_state.interface import (
    EXPIRY_MARGIN,
    DatabaseGeneration,
    TokenStateUnavailable,
)
from answerable.store.token_state.sqlite_schema import migrate

FILE_NAME = "control.db"
BUSY_TIMEOUT = 5.0  # seconds to wait for another process's commit
_BUSY_POLL_MS = 3  # milliseconds between two attempts
_READER_WAIT_MS = 50  # milliseconds that commits wait for readers of a full log
WAL_CHECKPOINT_BYTES = 32 << 20  # WAL size from which it may be reset
WAL_WAIT_BYTES = 64 << 20  # WAL size at which commits wait for the reset
WAL_MAX_BYTES = 256 << 20  # WAL size at which a commit resets it itself
# Bytes of a page of a new file: half of SQLite's own default. One exchange changes a few
# hundred bytes, and writes whole pages, to the log and to the file.
PAGE_BYTES = 2048

_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def translate_sqlite_errors(path: Path) -> Iterator[None]:
    """Translate SQLite exceptions into errors that a caller can act on."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except (sqlite3.OperationalError, sqlite3.ProgrammingError) as error:
        why = getattr(error, "sqlite_errorname", "") or "closed"
        raise TokenStateUnavailable(
            f"{path} does not respond ({why})",
            "check that its disk responds and has free space; no tokens are "
            "issued until then",
        ) from error
    except sqlite3.DatabaseError as error:
        raise EnvironmentFailure(
            f"{path} is damaged",
            "move it away; its state is then lost, so wait until every token that "
            "may have been exchanged has expired before the next start",
        ) from error


def read_boot_id() -> str:
    """Read the boot id of the machine; empty where the system has none."""
    try:
        return _BOOT_ID_FILE.read_text("ascii").strip()
    except OSError:
        return ""


class SqliteFile:
    """Open database file.

    Args:
        folder: State folder of the token service, created if missing.
        now: NumericDate.
        boot: Boot id of the machine.

    Raises:
        EnvironmentFailure: It may not be used, is damaged, or is of a newer release.
    """

    def __init__(self, folder: Path, now: float, boot: str) -> None:
        self.path = folder / FILE_NAME
        self._beside: tuple[sqlite3.Connection, ...] = ()  # two of `checkpoint_wal`
        self._tidying = threading.Lock()
        self._version = 0  # of the content, when it was copied last
        self._is_long = False  # the log, then
        make_private_folder(folder)
        with translate_os_errors("use", self.path):
            _create_private_file(self.path)
            self._lock = os.open(
                self.path.with_name(f"{FILE_NAME}.lock"),
                os.O_RDWR | os.O_CREAT,
                FILE_MODE,
            )
        try:
            with translate_sqlite_errors(self.path):
                self._open_database(now, boot)
        except BaseException:
            os.close(self._lock)
            raise

    def _open_database(self, now: float, boot: str) -> None:
        """Open the database under the process lock, and detect an unclean stop."""
        alone = _try_flock(self._lock, fcntl.LOCK_EX)
        if not alone:
            fcntl.flock(self._lock, fcntl.LOCK_SH)
        self.connection = self._open_connection()
        try:
            self._apply_pragmas()
            self._detect_unclean_stop(alone, now, boot)
        except BaseException:
            self.connection.close()
            raise
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def _open_connection(self) -> sqlite3.Connection:
        """Open another connection to the database."""
        return sqlite3.connect(
            self.path,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=128,
        )

    def begin_write_transaction(self) -> None:
        """Begin a write transaction (`BEGIN IMMEDIATE`).

        SQLite's own backoff grows to a tenth of a second, so a process that commits
        without a pause would starve the others.
        """
        ends = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > ends:
                    raise
            else:
                return

    def read_generation(self) -> DatabaseGeneration:
        """Read the generation and the identity, within a transaction."""
        asked = "SELECT generation, identity FROM state"
        generation, identity = self.connection.execute(asked).fetchone()
        return DatabaseGeneration(generation, identity, self._read_file_identity())

    def advance_generation(self, minimum: int) -> int:
        """Increase the generation, within a transaction."""
        asked = """UPDATE state SET generation = max(generation, ?) + 1, identity = ?
            RETURNING generation"""
        row = self.connection.execute(
            asked, (minimum, self._read_file_identity())
        ).fetchone()
        return int(row[0])

    def _read_file_identity(self) -> str:
        """Return the inode number of the file, which a copy does not share."""
        with translate_os_errors("use", self.path):
            return f"inode {self.path.stat().st_ino}"

    def checkpoint_wal(self, *, keep_reader: bool = True) -> None:
        """Checkpoint the write-ahead log into the file while commits continue.

        Within a commit this would take milliseconds instead of microseconds. It runs
        often with little work: a large write-back delays every other sync on that disk,
        such as that of the evidence journal.

        A fully copied log is reset by the next commit, which then waits for the disk. A
        reader of uncopied pages prevents the reset, so one reader stays in the log
        until it is long, and moves forward when new pages arrive.

        Args:
            keep_reader: False where commits fail, e.g. on a full disk.
        """
        with self._tidying, translate_sqlite_errors(self.path):
            if self._lock < 0:
                return
            if not self._beside:
                self._beside = (self._open_connection(), self._open_connection())
                self._beside[0].execute(f"PRAGMA busy_timeout = {_READER_WAIT_MS}")
            copies, reads = self._beside
            try:
                self._checkpoint_and_move_reader(copies, reads, keep_reader=keep_reader)
            except BaseException:
                _end_read_transaction(reads)
                raise

    def _checkpoint_and_move_reader(
        self,
        writer: sqlite3.Connection,
        reader: sqlite3.Connection,
        *,
        keep_reader: bool,
    ) -> None:
        """Checkpoint the write-ahead log, and keep its reader at the end."""
        (version,) = writer.execute("PRAGMA data_version").fetchone()
        if version != self._version or not keep_reader:
            _end_read_transaction(reader)
            self._version = version
            if keep_reader and not self._is_long:
                reader.execute("BEGIN")
                reader.execute("SELECT one FROM state").fetchone()
        copy = writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone
        _, pages, _ = copy()
        self._is_long = pages * self._page > WAL_CHECKPOINT_BYTES
        if pages * self._page > WAL_WAIT_BYTES:
            # The rest is little, and commits wait for that alone.
            _end_read_transaction(reader)
            writer.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def _apply_pragmas(self) -> None:
        """Set the pragmas of the connection, and migrate the tables."""
        execute = self.connection.execute
        for setting in (
            f"page_size = {PAGE_BYTES}",  # of a file with nothing in it
            "journal_mode = WAL",
            "synchronous = FULL",
            "cache_size = -16000",  # KiB
            "temp_store = MEMORY",
            "trusted_schema = OFF",
        ):
            execute(f"PRAGMA {setting}")
        migrate(self.connection, self.path)
        (self._page,) = execute("PRAGMA page_size").fetchone()
        # `checkpoint_wal` copies off the path of commits. This is for a process that only ever
        # commits.
        execute(f"PRAGMA wal_autocheckpoint = {WAL_MAX_BYTES // self._page}")

    def _detect_unclean_stop(
        self, is_only_process: bool, now: float, boot: str
    ) -> None:
        """Declare earlier records incomplete if the last stop may have lost some."""
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        (last,) = execute("SELECT boot FROM state").fetchone()
        if is_only_process and last and last != boot:
            write_complete_since(self.connection, now)
        # Without a boot id, every unclosed stop counts as unclean.
        execute("UPDATE state SET boot = ?", (boot or "unnamed start",))
        execute("COMMIT")
        # What tells of a loss must not be lost itself: from the log into the file, and
        # the names of both into their folder.
        execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        sync_folder(self.path.parent)
        execute("PRAGMA synchronous = NORMAL")
        execute(f"PRAGMA busy_timeout = {_BUSY_POLL_MS}")

    def close(self) -> None:
        """Close the file; the last process marks the stop as clean."""
        with self._tidying:
            self._close_connections()

    def _close_connections(self) -> None:
        """Close all connections; the last process marks the stop as clean."""
        if self._lock < 0:
            return
        for each in self._beside:
            each.close()
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        try:
            if _try_flock(self._lock, fcntl.LOCK_EX):
                with translate_sqlite_errors(self.path):
                    execute = self.connection.execute
                    execute("PRAGMA synchronous = FULL")
                    execute("UPDATE state SET boot = ''")
                    execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self.connection.close()
            os.close(self._lock)
            self._lock = -1


def _end_read_transaction(connection: sqlite3.Connection) -> None:
    """End the read transaction of a connection."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def write_complete_since(connection: sqlite3.Connection, now: float) -> int:
    """Record that uses before now may be lost, so that they are refused.

    The clock of a booting machine may be behind, so the last sweep sets a minimum.
    """
    connection.execute(
        "UPDATE state SET epoch = max(epoch, ?, iif(swept, swept + ?, 0))",
        (math.ceil(now), EXPIRY_MARGIN),
    )
    connection.execute("DELETE FROM ticket")
    return int(connection.execute("SELECT epoch FROM state").fetchone()[0])


def _create_private_file(path: Path) -> None:
    """Create the file before SQLite does, so that it is never readable by others."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE)
    try:
        facts = os.fstat(handle)
    finally:
        os.close(handle)
    if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
        raise EnvironmentFailure(
            f"{path} belongs to another user, or others can read it",
            f"make the user that runs the token service its owner: chmod 600 {path}",
        )


def _try_flock(descriptor: int, operation: int) -> bool:
    """Try to lock a file without waiting; return whether it is locked."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
