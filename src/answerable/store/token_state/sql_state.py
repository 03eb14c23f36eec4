"""Queries of the token service state that SQLite and PostgreSQL answer alike."""

import json
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from answerable.model.delegation import Delegation, DelegationTicket
from answerable.model.token_signing_key import SigningKey
from answerable.store.token_state.interface import (
    EXPIRY_MARGIN,
    CommitOutcome,
    ExchangeCommit,
    IssuedTokenRecord,
    RevokedDelegations,
    TokenState,
)
from answerable.store.token_state.replay_keys import ReplayKey
from answerable.store.token_state.revocation import revocation_time
from answerable.store.token_state.row_encoding import (
    SubjectMatcher,
    decode_delegation,
    decode_ticket,
)

# Executes a statement with `?` for parameters; returns a cursor.
Execute = Callable[[str, tuple[object, ...]], Any]

_RUN_PREFIX = "run:"
_SELECT_ISSUED = """SELECT jti, delegation, sha256, expires, revoked FROM token
    WHERE delegation = ? AND jti = ?"""
_UPSERT_KEY = """INSERT INTO signing_key VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (kid) DO UPDATE SET signs_from = excluded.signs_from,
    signs_until = excluded.signs_until, published = excluded.published"""


class SqlTokenState(TokenState):
    """State of the token service in an SQL database.

    Attributes:
        SELECT_BY_SUBJECT: Selects id and body of the active delegations that contain a
            text, parents before children where revocations lock them.
        SELECT_CONTAINING: Selects id and body of all delegations that contain a text.
        SELECT_DESCENDANTS: Selects the ids below those of a JSON array, by expiry.
    """

    SELECT_BY_SUBJECT: ClassVar[str]
    SELECT_CONTAINING: ClassVar[str]
    SELECT_DESCENDANTS: ClassVar[str]

    @abstractmethod
    def _read_transaction(self) -> AbstractContextManager[Execute]:
        """Run database reads in one consistent transaction."""

    @abstractmethod
    def _write_transaction(
        self, *, durable: bool = False
    ) -> AbstractContextManager[Execute]:
        """Run a write transaction; `durable` syncs it and all earlier ones to disk."""

    @abstractmethod
    def _revoke_delegations(self, ids: list[str], now: float) -> RevokedDelegations:
        """Revoke delegations and their descendants durably."""

    def read_complete_since(self) -> int:
        """Return the time since which no record was lost; 0 if none ever was."""
        with self._read_transaction() as execute:
            return int(execute("SELECT epoch FROM state", ()).fetchone()[0])

    def record_single_use_key(self, use: ReplayKey, now: float) -> CommitOutcome:
        """Record a single-use key: returns `COMMITTED`, `SEEN` or `PERHAPS_SEEN`."""
        return self.commit(ExchangeCommit(uses=(use,)), now).outcome

    def find_delegation(self, id: str) -> Delegation | None:
        """Find a delegation, active or not; None for an unknown id."""
        with self._read_transaction() as execute:
            return read_delegation(execute, id)

    def list_child_delegations(self, id: str) -> tuple[Delegation, ...]:
        """List the direct children of a delegation."""
        asked = "SELECT body FROM delegation WHERE parent = ? ORDER BY id"
        with self._read_transaction() as execute:
            rows = execute(asked, (id,)).fetchall()
        return tuple(decode_delegation(body) for (body,) in rows)

    def find_ticket(self, sha256: str, now: float) -> DelegationTicket | None:
        """Find an unused, unexpired ticket. `commit` consumes it."""
        asked = "SELECT body FROM ticket WHERE sha256 = ? AND expires >= ?"
        with self._read_transaction() as execute:
            row = execute(asked, (sha256, int(now))).fetchone()
        return None if row is None else decode_ticket(row[0])

    def find_token(self, delegation: str, jti: str) -> IssuedTokenRecord | None:
        """Find an issued token by its delegation and `jti`; None for an unknown one."""
        with self._read_transaction() as execute:
            row = execute(_SELECT_ISSUED, (delegation, jti)).fetchone()
        return None if row is None else IssuedTokenRecord(*row)

    def revoke_delegation(self, id: str, now: float) -> RevokedDelegations:
        """Revoke a delegation and its descendants, with their tokens and tickets."""
        return self._revoke_delegations([id], now)

    def revoke_subject(self, subject: str, now: float) -> RevokedDelegations:
        """Revoke every delegation that names a subject, and all their descendants."""
        # The whole table is scanned, so not within the write transaction.
        with self._read_transaction() as execute:
            named = _find_named(execute, self.SELECT_BY_SUBJECT, subject)
        return self._revoke_delegations(named, now)

    def list_delegations_of_subject(self, subject: str, now: float) -> tuple[str, ...]:
        """List the delegations that name a subject, and descendants, active or not."""
        with self._read_transaction() as execute:
            named = _find_named(execute, self.SELECT_CONTAINING, subject)
            asked = (json.dumps(named), int(now) - EXPIRY_MARGIN)
            rows = execute(self.SELECT_DESCENDANTS, asked).fetchall()
        return tuple(id for (id,) in rows)

    def publish_signing_key(self, key: SigningKey) -> None:
        """Publish a signing key to every replica; a known key gets the new times."""
        times = (key.published, key.signs_from, key.signs_until, key.killed)
        with self._write_transaction(durable=True) as execute:
            execute(_UPSERT_KEY, (key.kid, key.replica, key.x, key.y, *times))

    def list_signing_keys(self) -> tuple[SigningKey, ...]:
        """List the signing keys of all replicas, by (replica, signs_from, kid)."""
        asked = "SELECT * FROM signing_key ORDER BY replica, signs_from, kid"
        with self._read_transaction() as execute:
            rows = execute(asked, ()).fetchall()
        return tuple(SigningKey(*row) for row in rows)

    def revoke_signing_key(self, kid: str, now: float) -> bool:
        """Revoke a signing key; False if it is unknown or already revoked."""
        asked = "UPDATE signing_key SET killed = ? WHERE kid = ? AND killed = 0"
        with self._write_transaction(durable=True) as execute:
            return bool(execute(asked, (revocation_time(now), kid)).rowcount > 0)

    def delete_signing_key(self, kid: str) -> None:
        """Delete a signing key."""
        with self._write_transaction() as execute:
            execute("DELETE FROM signing_key WHERE kid = ?", (kid,))


def read_delegation(execute: Execute, id: str) -> Delegation | None:
    """Read a delegation within a transaction; None for an unknown id."""
    row = execute("SELECT body FROM delegation WHERE id = ?", (id,)).fetchone()
    return None if row is None else decode_delegation(row[0])


def _find_named(execute: Execute, query: str, subject: str) -> list[str]:
    """Find the ids of the delegations that name a subject."""
    if subject.startswith(_RUN_PREFIX):
        return [subject.removeprefix(_RUN_PREFIX)]
    matcher = SubjectMatcher(subject)
    rows = execute(query, (matcher.spelled,)).fetchall()
    return [id for id, body in rows if matcher.matches(body)]
