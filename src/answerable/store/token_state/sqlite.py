"""Token service state in SQLite, for one machine and any number of processes.

Expired rows are deleted gradually: see `sqlite_sweep`.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from answerable.model.delegation import Delegation, Ticket
from answerable.model.errors import AnswerableError
from answerable.model.signing_key import SigningKey
from answerable.store.token_state.interface import (
    DONE,
    MARGIN,
    MAX_LINKS,
    Chain,
    Committed,
    Dead,
    Died,
    Exchange,
    IdTaken,
    IssuedToken,
    Lineage,
    Outcome,
    Use,
    one_by_one,
)
from answerable.store.token_state.row_encoding import (
    Subject,
    read_delegation,
    read_ticket,
    row_of,
    row_of_token,
    written,
)
from answerable.store.token_state.sqlite_expiry import Hands
from answerable.store.token_state.sqlite_file import (
    SqliteFile,
    answering,
    begin_epoch,
    boot_id,
)
from answerable.store.token_state.sqlite_replay_cache import Uses
from answerable.store.token_state.sqlite_revocation import end, stamp

_LINK = "SELECT parent, expires, revoked FROM delegation WHERE id = ?"
_TAKE = "DELETE FROM ticket WHERE sha256 = ? AND parent = ? AND expires >= ?"
_OPEN = "INSERT INTO delegation VALUES (?, ?, ?, 0, ?)"
_RECORD = """INSERT INTO token (delegation, jti, sha256, expires, revoked)
    VALUES (?, ?, ?, ?, ?)"""
_NAMING = """SELECT id, body FROM delegation
    WHERE revoked = 0 AND instr(body, ?) ORDER BY id"""
_WITHIN = """SELECT id, body FROM delegation WHERE instr(body, ?)"""
_BELOW = """WITH RECURSIVE below(id) AS (
        SELECT value FROM json_each(?)
        UNION SELECT delegation.id FROM delegation JOIN below ON parent = below.id)
    SELECT id FROM delegation
    WHERE id IN (SELECT id FROM below) AND expires >= ? ORDER BY id"""
_PUBLISH = """INSERT INTO signing_key VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (kid) DO UPDATE SET signs_from = excluded.signs_from,
    signs_until = excluded.signs_until, published = excluded.published"""


class SqliteControl:
    """State in the file `control.db`.

    Args:
        folder: State folder of the token service.
        now: NumericDate.
        boot: Boot id of the machine; for tests.

    Raises:
        EnvironmentRefused: The file may not be used, is damaged, or is of a newer
            release.
    """

    def __init__(self, folder: Path, now: float, boot: str | None = None) -> None:
        self._file = SqliteFile(folder, now, boot_id() if boot is None else boot)
        self._execute = self._file.connection.execute
        self._lock = threading.Lock()
        self._uses = Uses(self._file.connection)
        self._hands = Hands(self._execute, self._uses.forget)
        try:
            with self._writing():
                pass  # what was used before is known from here on
        except BaseException:
            self._file.close()
            raise

    def epoch(self) -> int:
        """See `Control`."""
        with self._reading():
            return int(self._execute("SELECT epoch FROM state").fetchone()[0])

    def new_epoch(self, now: float) -> int:
        """See `Control`."""
        with self._writing(durable=True):
            return begin_epoch(self._file.connection, now)

    def lineage(self) -> Lineage:
        """See `Control`; the inode identifies the file."""
        with self._reading():
            return self._file.lineage()

    def advance(self, least: int) -> int:
        """See `Control`."""
        with self._writing(durable=True):
            return self._file.advance(least)

    def end_all(self, now: float) -> Died:
        """See `Control`."""
        asked = "SELECT id FROM delegation WHERE revoked = 0 ORDER BY id"
        with self._writing(durable=True):
            living = [id for (id,) in self._execute(asked).fetchall()]
            return end(self._execute, living, now)

    def see(self, use: Use, now: float) -> Outcome:
        """See `Control`."""
        return self.commit(Exchange(uses=(use,)), now).outcome

    def commit(self, exchange: Exchange, now: float) -> Committed:
        """See `Control`."""
        with answering(self._file.path), self._lock:
            try:
                self._begin()
                done = self._commit(exchange, now)
                if done is DONE:
                    self._hands.committed(now)
            except sqlite3.IntegrityError:
                self._rollback()
                raise IdTaken("an id of the exchange is on record already") from None
            except BaseException:
                self._rollback()
                raise
            if done is not DONE:
                self._execute("ROLLBACK")
                return done
            self._end()
            return done

    def _begin(self) -> None:
        """Begin a transaction that records uses."""
        self._file.begin()
        self._uses.begin()

    def _end(self) -> None:
        """Commit the transaction."""
        self._execute("COMMIT")
        self._uses.committed()

    def commit_all(
        self, exchanges: Sequence[Exchange], now: float
    ) -> tuple[Committed | AnswerableError, ...]:
        """See `Control`; in one transaction, unless one of them fails."""
        if self._commit_together(exchanges, now):
            return (DONE,) * len(exchanges)
        return one_by_one(self.commit, exchanges, now)

    def _commit_together(self, exchanges: Sequence[Exchange], now: float) -> bool:
        """Apply all exchanges or none, and tell whether they were applied."""
        with answering(self._file.path), self._lock:
            try:
                self._begin()
                if self._put(exchanges, now):
                    self._hands.committed(now, len(exchanges))
                    self._end()
                    return True
            except sqlite3.IntegrityError:
                pass  # an id is taken: whose, is found out one by one
            except BaseException:
                self._rollback()
                raise
            self._rollback()
            return False

    def _put(self, exchanges: Sequence[Exchange], now: float) -> bool:
        """Insert the rows of several exchanges; False where one of them fails."""
        many = self._file.connection.executemany
        uses = [use for each in exchanges for use in each.uses]
        if uses and not self._uses.see_all(uses):
            return False
        for each in exchanges:
            if each.under and self._find_dead(each.under, now)[0]:
                return False
            if each.ticket and not self._take(each, now):
                return False
        many(_OPEN, [row_of(each.opens) for each in exchanges if each.opens])
        many(_RECORD, [row_of_token(each.token) for each in exchanges if each.token])
        return True

    def _commit(self, exchange: Exchange, now: float) -> Committed:
        execute = self._execute
        seen = self._uses.see(exchange.uses)
        if seen is not None:
            return seen
        if exchange.under:
            dead, why = self._find_dead(exchange.under, now)
            if dead:
                return Committed(Outcome.DEAD, dead=dead, why=why)
        if exchange.ticket and not self._take(exchange, now):
            return Committed(Outcome.TICKET)
        if exchange.opens is not None:
            execute(_OPEN, row_of(exchange.opens))
        if exchange.token is not None:
            execute(_RECORD, row_of_token(exchange.token))
        return DONE

    def _take(self, exchange: Exchange, now: float) -> bool:
        asked = (exchange.ticket, exchange.under, int(now))
        return self._execute(_TAKE, asked).rowcount > 0

    def _find_dead(self, id: str, now: float) -> tuple[str, Dead | None]:
        """Find the inactive link nearest to the root; empty if all are active."""
        dead, why = "", None
        at: str | None = id
        for _ in range(MAX_LINKS):
            if at is None:
                return dead, why
            row = self._execute(_LINK, (at,)).fetchone()
            if row is None:
                return at, Dead.UNKNOWN
            parent, expires, revoked = row
            if revoked:
                dead, why = at, Dead.REVOKED
            elif now > expires:
                dead, why = at, Dead.EXPIRED
            at = parent
        return (at, Dead.UNKNOWN) if at is not None else (dead, why)

    def delegation(self, id: str) -> Delegation | None:
        """See `Control`."""
        with self._reading():
            return self._delegation(id)

    def _delegation(self, id: str) -> Delegation | None:
        asked = "SELECT body FROM delegation WHERE id = ?"
        row = self._execute(asked, (id,)).fetchone()
        return None if row is None else read_delegation(row[0])

    def chain(self, id: str, now: float) -> Chain:
        """See `Control`."""
        with self._reading():
            links: list[Delegation] = []
            at = id
            while at and len(links) < MAX_LINKS:
                link = self._delegation(at)
                if link is None:
                    break
                links.append(link)
                at = link.parent
            dead, why = self._find_dead(id, now)
        return Chain(tuple(links), dead, why)

    def children(self, id: str) -> tuple[Delegation, ...]:
        """See `Control`."""
        asked = "SELECT body FROM delegation WHERE parent = ? ORDER BY id"
        with self._reading():
            rows = self._execute(asked, (id,)).fetchall()
        return tuple(read_delegation(body) for (body,) in rows)

    def put_ticket(self, ticket: Ticket, now: float) -> Committed:
        """See `Control`."""
        row = (ticket.sha256, ticket.parent, ticket.expires, written(ticket))
        try:
            with self._writing():
                dead, why = self._find_dead(ticket.parent, now)
                if dead:
                    return Committed(Outcome.DEAD, dead=dead, why=why)
                self._execute("INSERT INTO ticket VALUES (?, ?, ?, ?)", row)
                self._hands.committed(now)
        except sqlite3.IntegrityError:
            raise IdTaken("a ticket of that digest is on record already") from None
        return DONE

    def ticket(self, sha256: str, now: float) -> Ticket | None:
        """See `Control`."""
        asked = "SELECT body FROM ticket WHERE sha256 = ? AND expires >= ?"
        with self._reading():
            row = self._execute(asked, (sha256, int(now))).fetchone()
        return None if row is None else read_ticket(row[0])

    def token(self, delegation: str, jti: str) -> IssuedToken | None:
        """See `Control`."""
        asked = """SELECT jti, delegation, sha256, expires, revoked FROM token
            WHERE delegation = ? AND jti = ?"""
        with self._reading():
            row = self._execute(asked, (delegation, jti)).fetchone()
        return None if row is None else IssuedToken(*row)

    def revoke_delegation(self, id: str, now: float) -> Died:
        """See `Control`."""
        with self._writing(durable=True):
            return end(self._execute, [id], now)

    def revoke_subject(self, subject: str, now: float) -> Died:
        """See `Control`."""
        if subject.startswith("run:"):
            return self.revoke_delegation(subject.removeprefix("run:"), now)
        whom = Subject(subject)
        # Read first: the whole table is looked at, and nobody has to wait for that.
        with self._reading():
            rows = self._execute(_NAMING, (whom.spelled,)).fetchall()
        named = [id for id, body in rows if whom.is_named(body)]
        with self._writing(durable=True):
            return end(self._execute, named, now)

    def given_to(self, subject: str, now: float) -> tuple[str, ...]:
        """See `Control`."""
        with self._reading():
            if subject.startswith("run:"):
                named = [subject.removeprefix("run:")]
            else:
                whom = Subject(subject)
                rows = self._execute(_WITHIN, (whom.spelled,))
                named = [id for id, body in rows if whom.is_named(body)]
            asked = (json.dumps(named), int(now) - MARGIN)
            return tuple(id for (id,) in self._execute(_BELOW, asked))

    def publish_key(self, key: SigningKey) -> None:
        """See `Control`."""
        times = (key.published, key.signs_from, key.signs_until, key.killed)
        with self._writing(durable=True):
            self._execute(_PUBLISH, (key.kid, key.replica, key.x, key.y, *times))

    def keys(self) -> tuple[SigningKey, ...]:
        """See `Control`."""
        with self._reading():
            asked = "SELECT * FROM signing_key ORDER BY replica, signs_from, kid"
            rows = self._execute(asked).fetchall()
        return tuple(SigningKey(*row) for row in rows)

    def kill_key(self, kid: str, now: float) -> bool:
        """See `Control`."""
        asked = "UPDATE signing_key SET killed = ? WHERE kid = ? AND killed = 0"
        with self._writing(durable=True):
            return self._execute(asked, (stamp(now), kid)).rowcount > 0

    def remove_key(self, kid: str) -> None:
        """See `Control`."""
        with self._writing():
            self._execute("DELETE FROM signing_key WHERE kid = ?", (kid,))

    def sweep(self, now: float, most: int = 1000) -> int:
        """See `Control`."""
        gone = -1
        try:
            with self._writing():
                gone = self._hands.sweep(now, max(most // 4, 1))
        finally:
            self._file.tidy(stays=gone >= 0)
        return gone

    def close(self) -> None:
        """See `Control`."""
        with self._lock:
            self._file.close()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with answering(self._file.path), self._lock:
            self._execute("BEGIN")
            try:
                yield
            finally:
                self._rollback()

    @contextmanager
    def _writing(self, *, durable: bool = False) -> Iterator[None]:
        """Run a write transaction; `durable` syncs it and all earlier ones to disk."""
        with answering(self._file.path), self._lock:
            if durable:
                self._execute("PRAGMA synchronous = FULL")
            try:
                try:
                    self._begin()
                    yield
                    self._end()
                except BaseException:
                    self._rollback()
                    raise
            finally:
                if durable:
                    self._execute("PRAGMA synchronous = NORMAL")

    def _rollback(self) -> None:
        if self._file.connection.in_transaction:
            self._execute("ROLLBACK")
