"""Store the token service state in SQLite, for any number of processes."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from answerable.model.delegation import Delegation, DelegationTicket
from answerable.model.errors import AnswerableError
from answerable.store.token_state.interface import (
    COMMITTED,
    MAX_CHAIN_LINKS,
    CommitOutcome,
    CommitResult,
    DatabaseGeneration,
    DelegationChain,
    ExchangeCommit,
    IdConflict,
    InactiveReason,
    RevokedDelegations,
    commit_exchanges_one_by_one,
)
from answerable.store.token_state.revocation import revoke_delegations
from answerable.store.token_state.row_encoding import (
    build_delegation_row,
    build_token_row,
    encode_row_as_json,
)
from answerable.store.token_state.sql_state import (
    Execute,
    SqlTokenState,
    read_delegation,
)
from answerable.store.token_state.sqlite_expiry import ExpiryCursors
from answerable.store.token_state.sqlite_file import (
    SqliteFile,
    read_boot_id,
    translate_sqlite_errors,
    write_complete_since,
)
from answerable.store.token_state.sqlite_replay_cache import SqliteReplayCache

_SELECT_LINK = "SELECT parent, expires, revoked FROM delegation WHERE id = ?"
_DELETE_TICKET = "DELETE FROM ticket WHERE sha256 = ? AND parent = ? AND expires >= ?"
_INSERT_DELEGATION = "INSERT INTO delegation VALUES (?, ?, ?, 0, ?)"
_INSERT_TOKENS = """INSERT INTO token (delegation, jti, sha256, expires, revoked)
    VALUES (?, ?, ?, ?, ?)"""


class SqliteTokenState(SqlTokenState):
    """State of the token service in the file `control.db`.

    Args:
        folder: State folder of the token service.
        now: NumericDate.
        boot: Boot id of the machine; for tests.

    Raises:
        EnvironmentFailure: The file may not be used, is damaged, or is of a newer
            release.
    """

    SELECT_BY_SUBJECT = """SELECT id, body FROM delegation
        WHERE revoked = 0 AND instr(body, ?) ORDER BY id"""
    SELECT_CONTAINING = "SELECT id, body FROM delegation WHERE instr(body, ?)"
    SELECT_DESCENDANTS = """WITH RECURSIVE below(id) AS (
            SELECT value FROM json_each(?)
            UNION SELECT delegation.id FROM delegation JOIN below ON parent = below.id)
        SELECT id FROM delegation
        WHERE id IN (SELECT id FROM below) AND expires >= ? ORDER BY id"""

    def __init__(self, folder: Path, now: float, boot: str | None = None) -> None:
        self._file = SqliteFile(folder, now, read_boot_id() if boot is None else boot)
        self._execute = self._file.connection.execute
        self._lock = threading.Lock()
        self._uses = SqliteReplayCache(self._file.connection)
        self._expiry = ExpiryCursors(self._execute, self._uses.drop_expired_keys)
        try:
            with self._write_transaction():
                pass  # loads the uses that are on record
        except BaseException:
            self._file.close()
            raise

    def declare_possible_loss(self, now: float) -> int:
        """Declare that records before now may be lost, for example after a restore."""
        with self._write_transaction(durable=True):
            return write_complete_since(self._file.connection, now)

    def read_generation(self) -> DatabaseGeneration:
        """Read the generation; identify the database by the inode of its file."""
        with self._read_transaction():
            return self._file.read_generation()

    def advance_generation(self, minimum: int) -> int:
        """Raise the generation above `minimum` durably, and record the identity."""
        with self._write_transaction(durable=True):
            return self._file.advance_generation(minimum)

    def revoke_all(self, now: float) -> RevokedDelegations:
        """Revoke every active delegation with its tokens and tickets."""
        asked = "SELECT id FROM delegation WHERE revoked = 0 ORDER BY id"
        with self._write_transaction(durable=True):
            living = [id for (id,) in self._execute(asked).fetchall()]
            return revoke_delegations(self._execute, living, now)

    def commit(self, exchange: ExchangeCommit, now: float) -> CommitResult:
        """Apply all state changes of one token exchange, or none."""
        with translate_sqlite_errors(self._file.path), self._lock:
            try:
                self._begin_transaction()
                done = self._commit_exchange(exchange, now)
                if done is COMMITTED:
                    self._expiry.delete_expired_after_commits(now)
            except sqlite3.IntegrityError:
                self._roll_back_transaction()
                raise IdConflict("an id of the exchange is already recorded") from None
            except BaseException:
                self._roll_back_transaction()
                raise
            if done is not COMMITTED:
                self._execute("ROLLBACK")
                return done
            self._commit_transaction()
            return done

    def _begin_transaction(self) -> None:
        """Begin a transaction that may record single-use keys."""
        self._file.begin_write_transaction()
        self._uses.load_keys_of_other_processes()

    def _commit_transaction(self) -> None:
        """Commit the transaction, then cache its single-use keys."""
        self._execute("COMMIT")
        self._uses.cache_committed_keys()

    def commit_batch(
        self, exchanges: Sequence[ExchangeCommit], now: float
    ) -> tuple[CommitResult | AnswerableError, ...]:
        """Commit several exchanges in one transaction, unless one of them fails."""
        if self._try_commit_batch(exchanges, now):
            return (COMMITTED,) * len(exchanges)
        return commit_exchanges_one_by_one(self.commit, exchanges, now)

    def _try_commit_batch(
        self, exchanges: Sequence[ExchangeCommit], now: float
    ) -> bool:
        """Apply all exchanges or none, and tell whether they were applied."""
        with translate_sqlite_errors(self._file.path), self._lock:
            try:
                self._begin_transaction()
                if self._insert_batch(exchanges, now):
                    self._expiry.delete_expired_after_commits(now, len(exchanges))
                    self._commit_transaction()
                    return True
            except sqlite3.IntegrityError:
                pass  # an id is taken; committing one by one finds which
            except BaseException:
                self._roll_back_transaction()
                raise
            self._roll_back_transaction()
            return False

    def _insert_batch(self, exchanges: Sequence[ExchangeCommit], now: float) -> bool:
        """Insert the rows of several exchanges; False where one of them fails."""
        uses = [use for each in exchanges for use in each.uses]
        if uses and not self._uses.record_all_keys(uses):
            return False
        for each in exchanges:
            if each.under and self._find_inactive_link(each.under, now)[0]:
                return False
            if each.ticket and not self._consume_ticket(each, now):
                return False
        opened = [build_delegation_row(each.opens) for each in exchanges if each.opens]
        tokens = [build_token_row(each.token) for each in exchanges if each.token]
        self._file.connection.executemany(_INSERT_DELEGATION, opened)
        self._file.connection.executemany(_INSERT_TOKENS, tokens)
        return True

    def _commit_exchange(self, exchange: ExchangeCommit, now: float) -> CommitResult:
        """Apply an exchange within the transaction; the result says why not."""
        seen = self._uses.record_keys_in_order(exchange.uses)
        if seen is not None:
            return seen
        if exchange.under:
            dead, why = self._find_inactive_link(exchange.under, now)
            if dead:
                return CommitResult(CommitOutcome.DEAD, dead=dead, why=why)
        if exchange.ticket and not self._consume_ticket(exchange, now):
            return CommitResult(CommitOutcome.TICKET)
        if exchange.opens is not None:
            self._execute(_INSERT_DELEGATION, build_delegation_row(exchange.opens))
        if exchange.token is not None:
            self._execute(_INSERT_TOKENS, build_token_row(exchange.token))
        return COMMITTED

    def _consume_ticket(self, exchange: ExchangeCommit, now: float) -> bool:
        """Delete the exchange's ticket; False if there is none that is valid."""
        asked = (exchange.ticket, exchange.under, int(now))
        return self._execute(_DELETE_TICKET, asked).rowcount > 0

    def _find_inactive_link(
        self, id: str, now: float
    ) -> tuple[str, InactiveReason | None]:
        """Find the inactive link nearest to the root; empty if all are active."""
        dead, why = "", None
        at: str | None = id
        for _ in range(MAX_CHAIN_LINKS):
            if at is None:
                return dead, why
            row = self._execute(_SELECT_LINK, (at,)).fetchone()
            if row is None:
                return at, InactiveReason.UNKNOWN
            parent, expires, revoked = row
            if revoked:
                dead, why = at, InactiveReason.REVOKED
            elif now > expires:
                dead, why = at, InactiveReason.EXPIRED
            at = parent
        return (at, InactiveReason.UNKNOWN) if at is not None else (dead, why)

    def find_delegation_chain(self, id: str, now: float) -> DelegationChain:
        """Find a delegation with its chain, and whether it is active."""
        with self._read_transaction() as execute:
            links: list[Delegation] = []
            at = id
            while at and len(links) < MAX_CHAIN_LINKS:
                link = read_delegation(execute, at)
                if link is None:
                    break
                links.append(link)
                at = link.parent
            dead, why = self._find_inactive_link(id, now)
        return DelegationChain(tuple(links), dead, why)

    def store_ticket(self, ticket: DelegationTicket, now: float) -> CommitResult:
        """Store a delegation ticket; returns `DEAD` if its parent is inactive."""
        row = (ticket.sha256, ticket.parent, ticket.expires, encode_row_as_json(ticket))
        try:
            with self._write_transaction():
                dead, why = self._find_inactive_link(ticket.parent, now)
                if dead:
                    return CommitResult(CommitOutcome.DEAD, dead=dead, why=why)
                self._execute("INSERT INTO ticket VALUES (?, ?, ?, ?)", row)
                self._expiry.delete_expired_after_commits(now)
        except sqlite3.IntegrityError:
            raise IdConflict("a ticket with that digest is already recorded") from None
        return COMMITTED

    def delete_expired(self, now: float, max_rows: int = 1000) -> int:
        """Delete expired rows; takes milliseconds, so call it in the background."""
        gone = -1
        try:
            with self._write_transaction():
                gone = self._expiry.delete_expired_at_cursors(
                    now, max(max_rows // 4, 1)
                )
        finally:
            self._file.checkpoint_wal(keep_reader=gone >= 0)
        return gone

    def close(self) -> None:
        """Close the database; a clean stop begins no epoch."""
        with self._lock:
            self._file.close()

    def _revoke_delegations(self, ids: list[str], now: float) -> RevokedDelegations:
        """Revoke delegations and their descendants durably."""
        with self._write_transaction(durable=True) as execute:
            return revoke_delegations(execute, ids, now)

    @contextmanager
    def _read_transaction(self) -> Iterator[Execute]:
        """Run a read transaction and roll it back."""
        with translate_sqlite_errors(self._file.path), self._lock:
            self._execute("BEGIN")
            try:
                yield self._execute
            finally:
                self._roll_back_transaction()

    @contextmanager
    def _write_transaction(self, *, durable: bool = False) -> Iterator[Execute]:
        """Run a write transaction; `durable` syncs it and all earlier ones to disk."""
        with translate_sqlite_errors(self._file.path), self._lock:
            if durable:
                self._execute("PRAGMA synchronous = FULL")
            try:
                try:
                    self._begin_transaction()
                    yield self._execute
                    self._commit_transaction()
                except BaseException:
                    self._roll_back_transaction()
                    raise
            finally:
                if durable:
                    self._execute("PRAGMA synchronous = NORMAL")

    def _roll_back_transaction(self) -> None:
        """Roll back the open transaction, if there is one."""
        if self._file.connection.in_transaction:
            self._execute("ROLLBACK")
