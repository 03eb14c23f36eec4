"""Database file `control.db`: private access, migration, detection of unclean stops.

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

from answerable.model.errors import EnvironmentRefused
from answerable.store.durable_files import FILE_MODE, make_folder, refused, sync_folder
from answerable.store.token_state.interface import MARGIN, ControlUnavailable, Lineage
from answerable.store.token_state.sqlite_schema import migrate

NAME = "control.db"
BUSY = 5.0  # seconds to wait for another process's commit
_LOOK = 3  # milliseconds between two attempts
_PATIENCE = 50  # milliseconds that commits wait for readers of a full log
LONG = 32 << 20  # WAL size from which it may be reset
FULL = 64 << 20  # WAL size at which commits wait for the reset
LAST = 256 << 20  # WAL size at which a commit resets it itself
# Bytes of a page of a new file: half of SQLite's own default. One exchange changes a few
# hundred bytes, and writes whole pages, to the log and to the file.
PAGE = 2048

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def answering(path: Path) -> Iterator[None]:
    """Translate SQLite exceptions into errors that a caller can act on."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except (sqlite3.OperationalError, sqlite3.ProgrammingError) as error:
        why = getattr(error, "sqlite_errorname", "") or "closed"
        raise ControlUnavailable(
            f"{path} does not answer ({why})",
            "see that its disk has room and answers; nothing is given meanwhile",
        ) from error
    except sqlite3.DatabaseError as error:
        raise EnvironmentRefused(
            f"{path} is damaged",
            "move it away: what it remembered is then lost, so let each token that "
            "may have been exchanged expire before the next start",
        ) from error


def boot_id() -> str:
    """Read the boot id of the machine; empty where the system has none."""
    try:
        return _BOOT.read_text("ascii").strip()
    except OSError:
        return ""


class SqliteFile:
    """Open database file.

    Args:
        folder: State folder of the token service, created if missing.
        now: NumericDate.
        boot: Boot id of the machine.

    Raises:
        EnvironmentRefused: It may not be used, is damaged, or is of a newer release.
    """

    def __init__(self, folder: Path, now: float, boot: str) -> None:
        self.path = folder / NAME
        self._beside: tuple[sqlite3.Connection, ...] = ()  # two of `tidy`
        self._tidying = threading.Lock()
        self._version = 0  # of the content, when it was copied last
        self._is_long = False  # the log, then
        make_folder(folder)
        with refused("use", self.path):
            _make(self.path)
            self._lock = os.open(
                self.path.with_name(f"{NAME}.lock"), os.O_RDWR | os.O_CREAT, FILE_MODE
            )
        try:
            with answering(self.path):
                self._open(now, boot)
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self, now: float, boot: str) -> None:
        alone = _flock(self._lock, fcntl.LOCK_EX)
        if not alone:
            fcntl.flock(self._lock, fcntl.LOCK_SH)
        self.connection = self._connect()
        try:
            self._prepare()
            self._begin(alone, now, boot)
        except BaseException:
            self.connection.close()
            raise
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self.path,
            timeout=BUSY,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=128,
        )

    def begin(self) -> None:
        """Begin a write transaction.

        SQLite's own backoff grows to a tenth of a second, so a process that commits
        without a pause would starve the others.
        """
        ends = time.monotonic() + BUSY
        while True:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > ends:
                    raise
            else:
                return

    def lineage(self) -> Lineage:
        """Read the generation and the identity, within a transaction."""
        asked = "SELECT generation, identity FROM state"
        generation, identity = self.connection.execute(asked).fetchone()
        return Lineage(generation, identity, self._identity())

    def advance(self, least: int) -> int:
        """Increase the generation, within a transaction."""
        asked = """UPDATE state SET generation = max(generation, ?) + 1, identity = ?
            RETURNING generation"""
        row = self.connection.execute(asked, (least, self._identity())).fetchone()
        return int(row[0])

    def _identity(self) -> str:
        with refused("use", self.path):
            return f"inode {self.path.stat().st_ino}"

    def tidy(self, *, stays: bool = True) -> None:
        """Checkpoint the write-ahead log into the file while commits continue.

        Within a commit this would take milliseconds instead of microseconds. It runs
        often with little work: a large write-back delays every other sync on that disk,
        such as that of the evidence journal.

        A fully copied log is reset by the next commit, which then waits for the disk. A
        reader of uncopied pages prevents the reset, so one reader stays in the log
        until it is long, and moves forward when new pages arrive.

        Args:
            stays: Keep that reader; False where commits fail, e.g. on a full disk.
        """
        with self._tidying, answering(self.path):
            if self._lock < 0:
                return
            if not self._beside:
                self._beside = (self._connect(), self._connect())
                self._beside[0].execute(f"PRAGMA busy_timeout = {_PATIENCE}")
            copies, reads = self._beside
            try:
                self._copy(copies, reads, stays=stays)
            except BaseException:
                _leave(reads)
                raise

    def _copy(
        self, copies: sqlite3.Connection, reads: sqlite3.Connection, *, stays: bool
    ) -> None:
        (version,) = copies.execute("PRAGMA data_version").fetchone()
        if version != self._version or not stays:
            _leave(reads)
            self._version = version
            if stays and not self._is_long:
                reads.execute("BEGIN")
                reads.execute("SELECT one FROM state").fetchone()
        copy = copies.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone
        _, pages, _ = copy()
        self._is_long = pages * self._page > LONG
        if pages * self._page > FULL:
            # The rest is little, and commits wait for that alone.
            _leave(reads)
            copies.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def _prepare(self) -> None:
        execute = self.connection.execute
        for setting in (
            f"page_size = {PAGE}",  # of a file with nothing in it
            "journal_mode = WAL",
            "synchronous = FULL",
            "cache_size = -16000",  # KiB
            "temp_store = MEMORY",
            "trusted_schema = OFF",
        ):
            execute(f"PRAGMA {setting}")
        migrate(self.connection, self.path)
        (self._page,) = execute("PRAGMA page_size").fetchone()
        # `tidy` copies off the path of commits. This is for a process that only ever
        # commits.
        execute(f"PRAGMA wal_autocheckpoint = {LAST // self._page}")

    def _begin(self, alone: bool, now: float, boot: str) -> None:
        """Detect whether the last stop may have lost records."""
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        (last,) = execute("SELECT boot FROM state").fetchone()
        if alone and last and last != boot:
            begin_epoch(self.connection, now)
        # Without a boot id, every unclosed stop counts as unclean.
        execute("UPDATE state SET boot = ?", (boot or "unnamed start",))
        execute("COMMIT")
        # What tells of a loss must not be lost itself: from the log into the file, and
        # the names of both into their folder.
        execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        sync_folder(self.path.parent)
        execute("PRAGMA synchronous = NORMAL")
        execute(f"PRAGMA busy_timeout = {_LOOK}")

    def close(self) -> None:
        """Close the file; the last process marks the stop as clean."""
        with self._tidying:
            self._close()

    def _close(self) -> None:
        if self._lock < 0:
            return
        for each in self._beside:
            each.close()
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        try:
            if _flock(self._lock, fcntl.LOCK_EX):
                with answering(self.path):
                    execute = self.connection.execute
                    execute("PRAGMA synchronous = FULL")
                    execute("UPDATE state SET boot = ''")
                    execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self.connection.close()
            os.close(self._lock)
            self._lock = -1


def _leave(connection: sqlite3.Connection) -> None:
    """End the read transaction of a connection."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def begin_epoch(connection: sqlite3.Connection, now: float) -> int:
    """Start a new epoch, inside a transaction: earlier uses are refused from now on.

    The clock of a booting machine may be behind, so the last sweep sets a minimum.
    """
    connection.execute(
        "UPDATE state SET epoch = max(epoch, ?, iif(swept, swept + ?, 0))",
        (math.ceil(now), MARGIN),
    )
    connection.execute("DELETE FROM ticket")
    return int(connection.execute("SELECT epoch FROM state").fetchone()[0])


def _make(path: Path) -> None:
    """Create the file before SQLite does, so that it is never readable by others."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE)
    try:
        facts = os.fstat(handle)
    finally:
        os.close(handle)
    if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
        raise EnvironmentRefused(
            f"{path} belongs to another user, or others may read it",
            f"give it to the user that runs the token service: chmod 600 {path}",
        )


def _flock(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
