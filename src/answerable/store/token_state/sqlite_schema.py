"""Create and migrate the tables of `control.db`."""

import sqlite3
from pathlib import Path

from answerable.model.errors import EnvironmentFailure

# One entry for each version, applied in order; never changed once released.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE state (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            epoch INTEGER NOT NULL,
            swept INTEGER NOT NULL,
            boot TEXT NOT NULL
        ) STRICT""",
        "INSERT INTO state VALUES (1, 0, 0, '')",
        """CREATE TABLE seen (
            key BLOB PRIMARY KEY,
            expires INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE delegation (
            id TEXT PRIMARY KEY,
            parent TEXT,
            expires INTEGER NOT NULL,
            revoked INTEGER NOT NULL,
            body TEXT NOT NULL
        ) STRICT, WITHOUT ROWID""",
        """CREATE INDEX delegation_by_parent ON delegation (parent)
            WHERE parent IS NOT NULL""",
        """CREATE TABLE ticket (
            sha256 TEXT PRIMARY KEY,
            parent TEXT NOT NULL,
            expires INTEGER NOT NULL,
            body TEXT NOT NULL
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE token (
            jti TEXT PRIMARY KEY,
            delegation TEXT NOT NULL,
            sha256 BLOB NOT NULL,
            expires INTEGER NOT NULL,
            revoked INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX token_by_delegation ON token (delegation)",
        """CREATE TABLE signing_key (
            kid TEXT PRIMARY KEY,
            replica TEXT NOT NULL,
            x TEXT NOT NULL,
            y TEXT NOT NULL,
            published INTEGER NOT NULL,
            signs_from INTEGER NOT NULL,
            signs_until INTEGER NOT NULL,
            killed INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
    ),
    # Long rows that are only ever put behind the last one: without a rowid, every
    # fourth would move its neighbours to other pages.
    (
        "DROP INDEX delegation_by_parent",
        "ALTER TABLE delegation RENAME TO delegation_1",
        """CREATE TABLE delegation (
            id TEXT NOT NULL PRIMARY KEY,
            parent TEXT,
            expires INTEGER NOT NULL,
            revoked INTEGER NOT NULL,
            body TEXT NOT NULL
        ) STRICT""",
        "INSERT INTO delegation SELECT * FROM delegation_1 ORDER BY id",
        "DROP TABLE delegation_1",
        """CREATE INDEX delegation_by_parent ON delegation (parent)
            WHERE parent IS NOT NULL""",
    ),
    # A query for a token knows its delegation: one index finds both.
    (
        "DROP INDEX token_by_delegation",
        "ALTER TABLE token RENAME TO token_1",
        """CREATE TABLE token (
            delegation TEXT NOT NULL,
            jti TEXT NOT NULL,
            sha256 BLOB NOT NULL,
            expires INTEGER NOT NULL,
            revoked INTEGER NOT NULL,
            PRIMARY KEY (delegation, jti)
        ) STRICT, WITHOUT ROWID""",
        """INSERT INTO token SELECT delegation, jti, sha256, expires, revoked
            FROM token_1 ORDER BY delegation, jti""",
        "DROP TABLE token_1",
        # What is good once lies anywhere in the order of its keys, so each of them wrote
        # a page of its own. It is put behind the last one, and found in memory.
        """CREATE TABLE used (
            number INTEGER PRIMARY KEY,
            key BLOB NOT NULL,
            expires INTEGER NOT NULL
        ) STRICT""",
        """INSERT INTO used (key, expires)
            SELECT substr(key, 1, 16), expires FROM seen""",
        "DROP TABLE seen",
    ),
    # By these an older copy that was put back is known.
    (
        "ALTER TABLE state ADD COLUMN generation INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE state ADD COLUMN identity TEXT NOT NULL DEFAULT ''",
    ),
)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Migrate the tables to the version of this release.

    Raises:
        EnvironmentFailure: They are of a later release.
    """
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    try:
        execute(
            "CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY) STRICT"
        )
        (found,) = execute("SELECT ifnull(max(version), 0) FROM migration").fetchone()
        if found > len(MIGRATIONS):
            raise EnvironmentFailure(
                f"{path} has version {found}, this release reads up to "
                f"{len(MIGRATIONS)}",
                "upgrade answerable, or name another state folder: `sts.state`",
            )
        for version, statements in enumerate(MIGRATIONS[found:], found + 1):
            for statement in statements:
                execute(statement)
            execute("INSERT INTO migration VALUES (?)", (version,))
    except BaseException:
        execute("ROLLBACK")
        raise
    execute("COMMIT")
