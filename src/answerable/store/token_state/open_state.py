"""Open the token service state in SQLite or PostgreSQL."""

import os
from collections.abc import Mapping
from pathlib import Path

from answerable.model.errors import UsageError
from answerable.store.token_state.interface import TokenState
from answerable.store.token_state.sqlite import SqliteTokenState


def open_token_state(
    folder: Path,
    now: float,
    database: str = "",
    environ: Mapping[str, str] = os.environ,
) -> TokenState:
    """Open the token service's database: SQLite file or PostgreSQL.

    Args:
        folder: Its state folder.
        now: NumericDate.
        database: Environment variable with a PostgreSQL address,
            empty for SQLite in the folder.
        environ: The environment.

    Raises:
        UsageError: The variable is not set, or the extra `postgres` not installed.
        EnvironmentFailure: The state cannot be used, or is of a newer release.
    """
    if not database:
        return SqliteTokenState(folder, now)
    address = environ.get(database, "")
    if not address:
        raise UsageError(
            f"the environment variable {database} is not set",
            "set the variable to the address of the database: postgresql://...",
        )
    # On use: the driver is an extra.
    from answerable.store.token_state.postgres import PostgresTokenState

    return PostgresTokenState(address)
