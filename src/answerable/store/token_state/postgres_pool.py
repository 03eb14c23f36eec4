"""Pool connections to PostgreSQL, opened on demand.

Each transaction has its own connection. A failed connection is closed and not reused. A
step whose commit was not confirmed counts as not applied: the caller issues nothing.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors

from answerable.store.token_state.interface import TokenStateUnavailable
from answerable.store.token_state.postgres_schema import SCHEMA

MAX_CONNECTIONS = 4  # per process
TIMEOUT_SECONDS = 5  # seconds for a connection, and for any one statement
MAX_ATTEMPTS = 3  # attempts of a transaction that conflicts with another one

Cursor = psycopg.Cursor[tuple[Any, ...]]


class TransactionConflict(TokenStateUnavailable):
    """Conflict with another transaction; nothing was changed, a retry may succeed."""


class PostgresPool:
    """Pool of connections.

    Args:
        address: `postgresql://...`; never shown, since it may hold a password.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._idle: list[psycopg.Connection[tuple[Any, ...]]] = []
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._closed = False

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Open a transaction that is committed at the end of the context.

        Raises:
            TokenStateUnavailable: No connection, or the commit was not confirmed.
        """
        if self._closed or not self._places.acquire(timeout=TIMEOUT_SECONDS):
            raise _build_unavailable_error("every connection to PostgreSQL is in use")
        connection = None
        try:
            connection = self._idle.pop() if self._idle else self._open_connection()
            with connection.transaction(), connection.cursor() as cursor:
                yield cursor
        except (errors.DeadlockDetected, errors.SerializationFailure) as error:
            raise TransactionConflict(type(error).__name__) from None
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise _build_unavailable_error(type(error).__name__) from None
        finally:
            if connection is not None:
                self._return_connection(connection)
            self._places.release()

    @contextmanager
    def dedicated_connection(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Open a connection outside the pool, for migrating the tables."""
        try:
            with self._open_connection() as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise _build_unavailable_error(type(error).__name__) from None

    def close(self) -> None:
        """Close idle connections and open no more."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _open_connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect with timeouts, synchronous commits and our schema."""
        connection = psycopg.connect(
            self._address,
            autocommit=True,
            connect_timeout=TIMEOUT_SECONDS,
            application_name="answerable sts",
        )
        # A confirmed commit must be on the server's disk, despite its default.
        connection.execute(
            f"SET synchronous_commit = on; SET statement_timeout = '{TIMEOUT_SECONDS}s'; "
            f"SET lock_timeout = '{TIMEOUT_SECONDS}s'; SET search_path = {SCHEMA}; "
            "SET idle_in_transaction_session_timeout = '30s'; "
            "SET default_transaction_isolation = 'read committed'"
        )
        return connection

    def _return_connection(
        self, connection: psycopg.Connection[tuple[Any, ...]]
    ) -> None:
        """Return a connection to the pool; close it unless it is idle."""
        status = connection.info.transaction_status
        if (
            connection.closed
            or self._closed
            or status != psycopg.pq.TransactionStatus.IDLE
        ):
            connection.close()
        else:
            self._idle.append(connection)


def _build_unavailable_error(reason: str) -> TokenStateUnavailable:
    """Build the error for an unavailable database, without hosts or users."""
    # No message of the driver: it may name hosts, users and more.
    return TokenStateUnavailable(
        f"the database does not respond ({reason})",
        "check that it is running and that its address is correct; no tokens are "
        "issued until it responds",
    )
