"""Token service state in PostgreSQL, for any number of replicas.

Every transaction takes its locks in one order, which prevents deadlocks: single-use
keys by value, then a chain from its root down. A commit takes a shared lock on each
link of its chain; a revocation takes an exclusive one. So either the commit sees the
revocation, or the revocation sees the new delegation.
"""

import math
from collections.abc import Sequence
from contextlib import suppress

from psycopg.errors import UniqueViolation

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
from answerable.store.token_state.postgres_pool import AGAIN, Crossed, Cursor, Pool
from answerable.store.token_state.postgres_schema import migrate
from answerable.store.token_state.row_encoding import (
    Subject,
    read_delegation,
    read_ticket,
    written,
)

EVERY = 64  # commits of one process between two sweeps
_TABLES = (
    ("seen", "key"),
    ("delegation", "id"),
    ("token", "jti"),
    ("ticket", "sha256"),
)

_SEE = "INSERT INTO seen VALUES (%s, %s) ON CONFLICT DO NOTHING"
# From the root down; a link whose parent is gone is the last one.
_CHAIN = """WITH RECURSIVE link AS (
    SELECT id, parent, 1 AS up FROM delegation WHERE id = %s
    UNION ALL
    SELECT d.id, d.parent, link.up + 1 FROM delegation d JOIN link ON d.id = link.parent
    WHERE link.up < %s
) SELECT id FROM link ORDER BY up DESC"""
_LINKS = """SELECT id, parent, expires, revoked, body FROM delegation
    WHERE id = ANY(%s) ORDER BY depth, id"""
_TAKE = "DELETE FROM ticket WHERE sha256 = %s AND parent = %s AND expires >= %s"
_OPEN = "INSERT INTO delegation VALUES (%s, %s, %s, %s, 0, %s)"
_RECORD = "INSERT INTO token VALUES (%s, %s, %s, %s, %s)"
_END = "UPDATE delegation SET revoked = %s WHERE id = %s AND revoked = 0"
_END_TOKENS = """UPDATE token SET revoked = %s
    WHERE delegation = %s AND revoked = 0 AND expires >= %s RETURNING jti"""
_NAMING = """SELECT id, body FROM delegation
    WHERE revoked = 0 AND position(%s IN body) > 0 ORDER BY depth, id"""
_WITHIN = "SELECT id, body FROM delegation WHERE position(%s IN body) > 0"
_BELOW = """WITH RECURSIVE below(id) AS (
        SELECT unnest(%s::text[]) COLLATE "C"
        UNION SELECT delegation.id FROM delegation JOIN below ON parent = below.id)
    SELECT id FROM delegation
    WHERE id IN (SELECT id FROM below) AND expires >= %s ORDER BY id"""
_PUBLISH = """INSERT INTO signing_key VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (kid) DO UPDATE SET signs_from = excluded.signs_from,
    signs_until = excluded.signs_until, published = excluded.published"""

_Link = tuple[str, str | None, int, int, str]


class PostgresControl:
    """State in a PostgreSQL database.

    Args:
        address: `postgresql://...` of the primary.

    Raises:
        EnvironmentRefused: The database cannot be used, or is of a newer release.
    """

    def __init__(self, address: str) -> None:
        self._pool = Pool(address)
        with self._pool.connected() as connection:
            migrate(connection)
        self._commits = 0

    def epoch(self) -> int:
        """See `Control`."""
        with self._pool.transaction() as cursor:
            return int(_one(cursor.execute("SELECT epoch FROM state"))[0])

    def new_epoch(self, now: float) -> int:
        """See `Control`."""
        asked = "UPDATE state SET epoch = greatest(epoch, %s) RETURNING epoch"
        with self._pool.transaction() as cursor:
            epoch = int(_one(cursor.execute(asked, (math.ceil(now),)))[0])
            cursor.execute("DELETE FROM ticket")
            return epoch

    def lineage(self) -> Lineage:
        """See `Control`; a restored dump has new oids, another cluster a new id."""
        asked = "SELECT generation, identity FROM state"
        with self._pool.transaction() as cursor:
            row = cursor.execute(asked).fetchone()
            assert row is not None, "the table `state` has one row"  # noqa: S101 - for types
            return Lineage(int(row[0]), str(row[1]), _identity(cursor))

    def advance(self, least: int) -> int:
        """See `Control`."""
        asked = """UPDATE state SET generation = greatest(generation, %s) + 1,
            identity = %s RETURNING generation"""
        with self._pool.transaction() as cursor:
            found = _identity(cursor)
            return int(_one(cursor.execute(asked, (least, found)))[0])

    def end_all(self, now: float) -> Died:
        """See `Control`."""
        asked = "SELECT id FROM delegation WHERE revoked = 0 ORDER BY depth, id"
        with self._pool.transaction() as cursor:
            living = [id for (id,) in cursor.execute(asked).fetchall()]
        return self._revoke(living, now)

    def see(self, use: Use, now: float) -> Outcome:
        """See `Control`."""
        return self.commit(Exchange(uses=(use,)), now).outcome

    def commit(self, exchange: Exchange, now: float) -> Committed:
        """See `Control`."""
        try:
            with self._pool.transaction() as cursor:
                done = _commit(cursor, exchange, now)
                if done is not DONE:
                    raise _RolledBack
        except _RolledBack:
            return done
        except UniqueViolation:
            raise IdTaken("an id of the exchange is on record already") from None
        self._sweep_now_and_then(now)
        return done

    def commit_all(
        self, exchanges: Sequence[Exchange], now: float
    ) -> tuple[Committed | AnswerableError, ...]:
        """See `Control`; one by one, since each takes its locks in order."""
        return one_by_one(self.commit, exchanges, now)

    def delegation(self, id: str) -> Delegation | None:
        """See `Control`."""
        with self._pool.transaction() as cursor:
            asked = "SELECT body FROM delegation WHERE id = %s"
            row = cursor.execute(asked, (id,)).fetchone()
        return None if row is None else read_delegation(row[0])

    def chain(self, id: str, now: float) -> Chain:
        """See `Control`."""
        with self._pool.transaction() as cursor:
            links = _links(cursor, id)
        dead, why = _find_dead(id, links, now)
        found = tuple(read_delegation(link[4]) for link in reversed(links))
        return Chain(found, dead, why)

    def children(self, id: str) -> tuple[Delegation, ...]:
        """See `Control`."""
        asked = "SELECT body FROM delegation WHERE parent = %s ORDER BY id"
        with self._pool.transaction() as cursor:
            rows = cursor.execute(asked, (id,)).fetchall()
        return tuple(read_delegation(body) for (body,) in rows)

    def put_ticket(self, ticket: Ticket, now: float) -> Committed:
        """See `Control`."""
        row = (ticket.sha256, ticket.parent, ticket.expires, written(ticket))
        try:
            with self._pool.transaction() as cursor:
                links = _links(cursor, ticket.parent, lock=True)
                dead, why = _find_dead(ticket.parent, links, now)
                if dead:
                    return Committed(Outcome.DEAD, dead=dead, why=why)
                cursor.execute("INSERT INTO ticket VALUES (%s, %s, %s, %s)", row)
        except UniqueViolation:
            raise IdTaken("a ticket of that digest is on record already") from None
        self._sweep_now_and_then(now)
        return DONE

    def ticket(self, sha256: str, now: float) -> Ticket | None:
        """See `Control`."""
        asked = "SELECT body FROM ticket WHERE sha256 = %s AND expires >= %s"
        with self._pool.transaction() as cursor:
            row = cursor.execute(asked, (sha256, int(now))).fetchone()
        return None if row is None else read_ticket(row[0])

    def token(self, delegation: str, jti: str) -> IssuedToken | None:
        """See `Control`."""
        asked = "SELECT * FROM token WHERE jti = %s AND delegation = %s"
        with self._pool.transaction() as cursor:
            row = cursor.execute(asked, (jti, delegation)).fetchone()
        return None if row is None else IssuedToken(*row)

    def revoke_delegation(self, id: str, now: float) -> Died:
        """See `Control`."""
        return self._revoke([id], now)

    def revoke_subject(self, subject: str, now: float) -> Died:
        """See `Control`."""
        if subject.startswith("run:"):
            return self.revoke_delegation(subject.removeprefix("run:"), now)
        whom = Subject(subject)
        with self._pool.transaction() as cursor:
            rows = cursor.execute(_NAMING, (whom.spelled,)).fetchall()
        return self._revoke([id for id, body in rows if whom.is_named(body)], now)

    def given_to(self, subject: str, now: float) -> tuple[str, ...]:
        """See `Control`."""
        with self._pool.transaction() as cursor:
            if subject.startswith("run:"):
                named = [subject.removeprefix("run:")]
            else:
                whom = Subject(subject)
                rows = cursor.execute(_WITHIN, (whom.spelled,)).fetchall()
                named = [id for id, body in rows if whom.is_named(body)]
            rows = cursor.execute(_BELOW, (named, int(now) - MARGIN)).fetchall()
        return tuple(id for (id,) in rows)

    def _revoke(self, ids: list[str], now: float) -> Died:
        # Two revocations can conflict in one tree; one of them then retries.
        for _ in range(AGAIN):
            with suppress(Crossed), self._pool.transaction() as cursor:
                return _revoke(cursor, ids, now)
        with self._pool.transaction() as cursor:
            return _revoke(cursor, ids, now)

    def publish_key(self, key: SigningKey) -> None:
        """See `Control`."""
        times = (key.published, key.signs_from, key.signs_until, key.killed)
        with self._pool.transaction() as cursor:
            cursor.execute(_PUBLISH, (key.kid, key.replica, key.x, key.y, *times))

    def keys(self) -> tuple[SigningKey, ...]:
        """See `Control`."""
        asked = "SELECT * FROM signing_key ORDER BY replica, signs_from, kid"
        with self._pool.transaction() as cursor:
            rows = cursor.execute(asked).fetchall()
        return tuple(SigningKey(*row) for row in rows)

    def kill_key(self, kid: str, now: float) -> bool:
        """See `Control`."""
        asked = "UPDATE signing_key SET killed = %s WHERE kid = %s AND killed = 0"
        with self._pool.transaction() as cursor:
            return cursor.execute(asked, (_stamp(now), kid)).rowcount > 0

    def remove_key(self, kid: str) -> None:
        """See `Control`."""
        with self._pool.transaction() as cursor:
            cursor.execute("DELETE FROM signing_key WHERE kid = %s", (kid,))

    def sweep(self, now: float, most: int = 1000) -> int:
        """See `Control`."""
        limit = int(now) - MARGIN
        gone = 0
        with self._pool.transaction() as cursor:
            # First, so that no other replica takes for new what goes now.
            cursor.execute("UPDATE state SET swept = greatest(swept, %s)", (limit,))
            for table, key in _TABLES:
                # Rows that another sweep or a revocation holds are for the next time.
                asked = f"""DELETE FROM {table} WHERE {key} IN (
                    SELECT {key} FROM {table} WHERE expires < %s ORDER BY expires
                    LIMIT %s FOR UPDATE SKIP LOCKED)"""  # noqa: S608 - our own names
                gone += cursor.execute(asked, (limit, most)).rowcount
        return gone

    def _sweep_now_and_then(self, now: float) -> None:
        self._commits += 1
        if self._commits % EVERY == 0:
            self.sweep(now, 8 * EVERY)

    def close(self) -> None:
        """See `Control`."""
        self._pool.close()


class _RolledBack(Exception):  # noqa: N818 - takes a transaction back, and is no error
    """Request to roll the transaction back."""


def _commit(cursor: Cursor, exchange: Exchange, now: float) -> Committed:
    if exchange.uses:
        seen = _see(cursor, exchange.uses)
        if seen is not None:
            return seen
    if exchange.under:
        links = _links(cursor, exchange.under, lock=True)
        dead, why = _find_dead(exchange.under, links, now)
        if dead:
            return Committed(Outcome.DEAD, dead=dead, why=why)
    if exchange.ticket:
        asked = (exchange.ticket, exchange.under, int(now))
        if not cursor.execute(_TAKE, asked).rowcount:
            return Committed(Outcome.TICKET)
    opens, token = exchange.opens, exchange.token
    if opens is not None:
        facts = (opens.id, opens.parent or None, opens.depth, opens.expires)
        cursor.execute(_OPEN, (*facts, written(opens)))
    if token is not None:
        row = (token.jti, token.delegation, token.sha256, token.expires)
        cursor.execute(_RECORD, (*row, token.revoked))
    return DONE


def _see(cursor: Cursor, uses: tuple[Use, ...]) -> Committed | None:
    for use in sorted(uses, key=lambda each: each.key):
        if not cursor.execute(_SEE, (use.key, use.expires)).rowcount:
            return Committed(Outcome.SEEN, use)
    # Checked after the insert: a sweep that deleted a row has updated `swept` before.
    epoch, swept = _one(cursor.execute("SELECT epoch, swept FROM state"))
    for use in uses:
        if use.since < epoch or use.expires < swept:
            return Committed(Outcome.PERHAPS_SEEN, use)
    return None


def _links(cursor: Cursor, id: str, *, lock: bool = False) -> list[_Link]:
    """Read a chain from its root down; `lock` keeps it active until the commit."""
    ids = [row[0] for row in cursor.execute(_CHAIN, (id, MAX_LINKS)).fetchall()]
    asked = _LINKS + (" FOR SHARE" if lock else "")
    return cursor.execute(asked, (ids,)).fetchall() if ids else []


def _find_dead(id: str, links: list[_Link], now: float) -> tuple[str, Dead | None]:
    """Find the inactive link nearest to the root; empty if all are active."""
    if not links:
        return id, Dead.UNKNOWN
    missing = links[0][1]
    if missing is not None:
        return missing, Dead.UNKNOWN
    for link, _, expires, revoked, _ in links:
        if revoked:
            return link, Dead.REVOKED
        if now > expires:
            return link, Dead.EXPIRED
    return "", None


def _revoke(cursor: Cursor, level: list[str], now: float) -> Died:
    delegations: list[str] = []
    tokens: list[str] = []
    below = "SELECT id FROM delegation WHERE parent = %s ORDER BY id"
    stamp = _stamp(now)
    ended: set[str] = set()
    while level:
        beneath: list[str] = []
        for id in level:
            if id in ended:
                continue
            ended.add(id)
            if cursor.execute(_END, (stamp, id)).rowcount:
                delegations.append(id)
            # After the lock is ours, so that it sees whatever a commit opened before.
            beneath += (row[0] for row in cursor.execute(below, (id,)).fetchall())
            cursor.execute(_END_TOKENS, (stamp, id, int(now)))
            tokens += (row[0] for row in cursor.fetchall())
            cursor.execute("DELETE FROM ticket WHERE parent = %s", (id,))
        level = beneath
    return Died(tuple(delegations), tuple(tokens))


def _identity(cursor: Cursor) -> str:
    """Return the identity of the cluster, the database and the table.

    The user may lack `pg_control_system`; the oids alone then detect a dump.
    """
    asked = """SELECT oid, 'state'::regclass::oid FROM pg_database
        WHERE datname = current_database()"""
    database, table = _one(cursor.execute(asked))
    granted = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')::integer"
    cluster = 0
    if _one(cursor.execute(granted))[0]:
        told = cursor.execute("SELECT system_identifier FROM pg_control_system()")
        (cluster,) = _one(told)
    return f"cluster {cluster} database {database} table {table}"


def _one(cursor: Cursor) -> tuple[int, ...]:
    row = cursor.fetchone()
    assert row is not None, "the table `state` has one row"  # noqa: S101 - for types
    return row


def _stamp(now: float) -> int:
    return max(int(now), 1)  # 0 means not revoked
