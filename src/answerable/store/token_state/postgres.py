"""Store the token service state in PostgreSQL, for any number of replicas.

A transaction locks single-use keys by value, then a chain from its root down, so that
no deadlock occurs. A commit takes a shared lock on each link, a revocation an exclusive
one: either the commit sees the revocation, or the revocation sees the new delegation.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from psycopg.errors import UniqueViolation

from answerable.model.delegation import DelegationTicket
from answerable.model.errors import AnswerableError
from answerable.store.token_state.interface import (
    COMMITTED,
    EXPIRY_MARGIN,
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
from answerable.store.token_state.postgres_pool import (
    MAX_ATTEMPTS,
    Cursor,
    PostgresPool,
    TransactionConflict,
)
from answerable.store.token_state.postgres_schema import migrate
from answerable.store.token_state.replay_keys import ReplayKey
from answerable.store.token_state.revocation import revoke_delegations
from answerable.store.token_state.row_encoding import (
    decode_delegation,
    encode_row_as_json,
)
from answerable.store.token_state.sql_state import Execute, SqlTokenState

COMMITS_PER_SWEEP = 64  # commits of one process between two sweeps
_TABLES = (
    ("seen", "key"),
    ("delegation", "id"),
    ("token", "jti"),
    ("ticket", "sha256"),
)

_INSERT_USE = "INSERT INTO seen VALUES (%s, %s) ON CONFLICT DO NOTHING"
# From the root down; a link whose parent is gone is the last one.
_SELECT_CHAIN = """WITH RECURSIVE link AS (
    SELECT id, parent, 1 AS up FROM delegation WHERE id = %s
    UNION ALL
    SELECT d.id, d.parent, link.up + 1 FROM delegation d JOIN link ON d.id = link.parent
    WHERE link.up < %s
) SELECT id FROM link ORDER BY up DESC"""
_SELECT_LINKS = """SELECT id, parent, expires, revoked, body FROM delegation
    WHERE id = ANY(%s) ORDER BY depth, id"""
_DELETE_TICKET = (
    "DELETE FROM ticket WHERE sha256 = %s AND parent = %s AND expires >= %s"
)
_INSERT_DELEGATION = "INSERT INTO delegation VALUES (%s, %s, %s, %s, 0, %s)"
_INSERT_TOKENS = "INSERT INTO token VALUES (%s, %s, %s, %s, %s)"
_LinkRow = tuple[str, str | None, int, int, str]


class PostgresTokenState(SqlTokenState):
    """State of the token service in the PostgreSQL primary at `postgresql://...`.

    Raises:
        EnvironmentFailure: The database cannot be used, or is of a newer release.
    """

    SELECT_BY_SUBJECT = """SELECT id, body FROM delegation
        WHERE revoked = 0 AND position(? IN body) > 0 ORDER BY depth, id"""
    SELECT_CONTAINING = "SELECT id, body FROM delegation WHERE position(? IN body) > 0"
    SELECT_DESCENDANTS = """WITH RECURSIVE below(id) AS (
            SELECT json_array_elements_text(?::json) COLLATE "C"
            UNION SELECT delegation.id FROM delegation JOIN below ON parent = below.id)
        SELECT id FROM delegation
        WHERE id IN (SELECT id FROM below) AND expires >= ? ORDER BY id"""

    def __init__(self, address: str) -> None:
        self._pool = PostgresPool(address)
        with self._pool.dedicated_connection() as connection:
            migrate(connection)
        self._commits = 0

    def declare_possible_loss(self, now: float) -> int:
        """Declare that records before now may be lost, for example after a restore."""
        asked = "UPDATE state SET epoch = greatest(epoch, %s) RETURNING epoch"
        with self._pool.transaction() as cursor:
            epoch = int(_fetch_state_row(cursor.execute(asked, (math.ceil(now),)))[0])
            cursor.execute("DELETE FROM ticket")
            return epoch

    def read_generation(self) -> DatabaseGeneration:
        """Read the generation; identify the database by cluster, database and table."""
        asked = "SELECT generation, identity FROM state"
        with self._pool.transaction() as cursor:
            row = cursor.execute(asked).fetchone()
            assert row is not None, "the table `state` has one row"  # noqa: S101 - for types
            return DatabaseGeneration(
                int(row[0]), str(row[1]), _read_database_identity(cursor)
            )

    def advance_generation(self, minimum: int) -> int:
        """Raise the generation above `minimum` durably, and record the identity."""
        asked = """UPDATE state SET generation = greatest(generation, %s) + 1,
            identity = %s RETURNING generation"""
        with self._pool.transaction() as cursor:
            found = _read_database_identity(cursor)
            return int(_fetch_state_row(cursor.execute(asked, (minimum, found)))[0])

    def revoke_all(self, now: float) -> RevokedDelegations:
        """Revoke every active delegation with its tokens and tickets."""
        asked = "SELECT id FROM delegation WHERE revoked = 0 ORDER BY depth, id"
        with self._pool.transaction() as cursor:
            living = [id for (id,) in cursor.execute(asked).fetchall()]
        return self._revoke_delegations(living, now)

    def commit(self, exchange: ExchangeCommit, now: float) -> CommitResult:
        """Apply all state changes of one token exchange, or none."""
        try:
            with self._pool.transaction() as cursor:
                done = _commit_exchange(cursor, exchange, now)
                if done is not COMMITTED:
                    raise _RollbackRequested
        except _RollbackRequested:
            return done
        except UniqueViolation:
            raise IdConflict("an id of the exchange is already recorded") from None
        self._delete_expired_periodically(now)
        return done

    def commit_batch(
        self, exchanges: Sequence[ExchangeCommit], now: float
    ) -> tuple[CommitResult | AnswerableError, ...]:
        """Commit several exchanges one by one, since each takes its locks in order."""
        return commit_exchanges_one_by_one(self.commit, exchanges, now)

    def find_delegation_chain(self, id: str, now: float) -> DelegationChain:
        """Find a delegation with its chain, and whether it is active."""
        with self._pool.transaction() as cursor:
            links = _read_chain_links(cursor, id)
        dead, why = _find_inactive_link(id, links, now)
        found = tuple(decode_delegation(link[4]) for link in reversed(links))
        return DelegationChain(found, dead, why)

    def store_ticket(self, ticket: DelegationTicket, now: float) -> CommitResult:
        """Store a delegation ticket; returns `DEAD` if its parent is inactive."""
        row = (ticket.sha256, ticket.parent, ticket.expires, encode_row_as_json(ticket))
        try:
            with self._pool.transaction() as cursor:
                links = _read_chain_links(cursor, ticket.parent, lock=True)
                dead, why = _find_inactive_link(ticket.parent, links, now)
                if dead:
                    return CommitResult(CommitOutcome.DEAD, dead=dead, why=why)
                cursor.execute("INSERT INTO ticket VALUES (%s, %s, %s, %s)", row)
        except UniqueViolation:
            raise IdConflict("a ticket with that digest is already recorded") from None
        self._delete_expired_periodically(now)
        return COMMITTED

    def _revoke_delegations(self, ids: list[str], now: float) -> RevokedDelegations:
        """Revoke delegations; of two revocations in one tree, one may have to retry."""
        for _ in range(MAX_ATTEMPTS):
            with suppress(TransactionConflict), self._write_transaction() as execute:
                return revoke_delegations(execute, ids, now)
        with self._write_transaction() as execute:
            return revoke_delegations(execute, ids, now)

    @contextmanager
    def _write_transaction(self, *, durable: bool = False) -> Iterator[Execute]:
        """Run a transaction; each is on disk once it is committed."""
        del durable
        with self._pool.transaction() as cursor:
            yield lambda query, values: cursor.execute(query.replace("?", "%s"), values)

    _read_transaction = _write_transaction

    def delete_expired(self, now: float, max_rows: int = 1000) -> int:
        """Delete expired rows; takes milliseconds, so call it in the background."""
        limit = int(now) - EXPIRY_MARGIN
        gone = 0
        with self._pool.transaction() as cursor:
            # First, so that no other replica takes for new what goes now.
            cursor.execute("UPDATE state SET swept = greatest(swept, %s)", (limit,))
            for table, key in _TABLES:
                # Rows that another sweep or a revocation holds are for the next time.
                asked = f"""DELETE FROM {table} WHERE {key} IN (
                    SELECT {key} FROM {table} WHERE expires < %s ORDER BY expires
                    LIMIT %s FOR UPDATE SKIP LOCKED)"""  # noqa: S608 - our own names
                gone += cursor.execute(asked, (limit, max_rows)).rowcount
        return gone

    def _delete_expired_periodically(self, now: float) -> None:
        """Delete some expired rows after every few commits."""
        self._commits += 1
        if self._commits % COMMITS_PER_SWEEP == 0:
            self.delete_expired(now, 8 * COMMITS_PER_SWEEP)

    def close(self) -> None:
        """Close the database; a clean stop begins no epoch."""
        self._pool.close()


class _RollbackRequested(Exception):  # noqa: N818 - takes a transaction back, and is no error
    """Request to roll the transaction back."""


def _commit_exchange(
    cursor: Cursor, exchange: ExchangeCommit, now: float
) -> CommitResult:
    """Apply an exchange within the transaction; the result says why not."""
    if exchange.uses:
        seen = _insert_single_use_keys(cursor, exchange.uses)
        if seen is not None:
            return seen
    if exchange.under:
        links = _read_chain_links(cursor, exchange.under, lock=True)
        dead, why = _find_inactive_link(exchange.under, links, now)
        if dead:
            return CommitResult(CommitOutcome.DEAD, dead=dead, why=why)
    if exchange.ticket:
        asked = (exchange.ticket, exchange.under, int(now))
        if not cursor.execute(_DELETE_TICKET, asked).rowcount:
            return CommitResult(CommitOutcome.TICKET)
    opens, token = exchange.opens, exchange.token
    if opens is not None:
        facts = (opens.id, opens.parent or None, opens.depth, opens.expires)
        cursor.execute(_INSERT_DELEGATION, (*facts, encode_row_as_json(opens)))
    if token is not None:
        row = (token.jti, token.delegation, token.sha256, token.expires)
        cursor.execute(_INSERT_TOKENS, (*row, token.revoked))
    return COMMITTED


def _insert_single_use_keys(
    cursor: Cursor, uses: tuple[ReplayKey, ...]
) -> CommitResult | None:
    """Insert single-use keys; return a result if one was or may have been used."""
    for use in sorted(uses, key=lambda each: each.key):
        if not cursor.execute(_INSERT_USE, (use.key, use.expires)).rowcount:
            return CommitResult(CommitOutcome.SEEN, use)
    # Checked after the insert: a sweep that deleted a row has updated `swept` before.
    epoch, swept = _fetch_state_row(cursor.execute("SELECT epoch, swept FROM state"))
    for use in uses:
        if use.since < epoch or use.expires < swept:
            return CommitResult(CommitOutcome.PERHAPS_SEEN, use)
    return None


def _read_chain_links(cursor: Cursor, id: str, *, lock: bool = False) -> list[_LinkRow]:
    """Read a chain from its root down; `lock` keeps it active until the commit."""
    ids = [
        row[0]
        for row in cursor.execute(_SELECT_CHAIN, (id, MAX_CHAIN_LINKS)).fetchall()
    ]
    asked = _SELECT_LINKS + (" FOR SHARE" if lock else "")
    return cursor.execute(asked, (ids,)).fetchall() if ids else []


def _find_inactive_link(
    id: str, links: list[_LinkRow], now: float
) -> tuple[str, InactiveReason | None]:
    """Find the inactive link nearest to the root; empty if all are active."""
    if not links:
        return id, InactiveReason.UNKNOWN
    missing = links[0][1]
    if missing is not None:
        return missing, InactiveReason.UNKNOWN
    for link, _, expires, revoked, _ in links:
        if revoked:
            return link, InactiveReason.REVOKED
        if now > expires:
            return link, InactiveReason.EXPIRED
    return "", None


def _read_database_identity(cursor: Cursor) -> str:
    """Return the identity of the cluster, the database and the table.

    The user may lack `pg_control_system`; the oids alone then detect a dump.
    """
    asked = """SELECT oid, 'state'::regclass::oid FROM pg_database
        WHERE datname = current_database()"""
    database, table = _fetch_state_row(cursor.execute(asked))
    granted = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')::integer"
    cluster = 0
    if _fetch_state_row(cursor.execute(granted))[0]:
        told = cursor.execute("SELECT system_identifier FROM pg_control_system()")
        (cluster,) = _fetch_state_row(told)
    return f"cluster {cluster} database {database} table {table}"


def _fetch_state_row(cursor: Cursor) -> tuple[int, ...]:
    """Fetch the single row of database-wide state."""
    row = cursor.fetchone()
    assert row is not None, "the table `state` has one row"  # noqa: S101 - for types
    return row
