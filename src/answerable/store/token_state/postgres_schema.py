"""Create and migrate the token service tables in PostgreSQL."""

from typing import Any

import psycopg

from answerable.model.errors import EnvironmentFailure

SCHEMA = "answerable_sts"

_ADVISORY_LOCK = 0x616E7377  # an otherwise unused lock number

# One entry for each version, applied in order; never changed once released.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE state (
            one integer PRIMARY KEY CHECK (one = 1),
            epoch bigint NOT NULL,
            swept bigint NOT NULL
        )""",
        "INSERT INTO state VALUES (1, 0, 0)",
        "CREATE TABLE seen (key bytea PRIMARY KEY, expires bigint NOT NULL)",
        "CREATE INDEX seen_by_end ON seen (expires)",
        # The body is text and no jsonb: that refuses U+0000, and changes numbers.
        """CREATE TABLE delegation (
            id text COLLATE "C" PRIMARY KEY,
            parent text COLLATE "C",
            depth integer NOT NULL,
            expires bigint NOT NULL,
            revoked bigint NOT NULL,
            body text NOT NULL
        )""",
        "CREATE INDEX delegation_by_end ON delegation (expires)",
        """CREATE INDEX delegation_by_parent ON delegation (parent)
            WHERE parent IS NOT NULL""",
        """CREATE TABLE ticket (
            sha256 text COLLATE "C" PRIMARY KEY,
            parent text COLLATE "C" NOT NULL,
            expires bigint NOT NULL,
            body text NOT NULL
        )""",
        "CREATE INDEX ticket_by_end ON ticket (expires)",
        "CREATE INDEX ticket_by_parent ON ticket (parent)",
        """CREATE TABLE token (
            jti text COLLATE "C" PRIMARY KEY,
            delegation text COLLATE "C" NOT NULL,
            sha256 bytea NOT NULL,
            expires bigint NOT NULL,
            revoked bigint NOT NULL
        )""",
        "CREATE INDEX token_by_end ON token (expires)",
        "CREATE INDEX token_by_delegation ON token (delegation)",
        """CREATE TABLE signing_key (
            kid text COLLATE "C" PRIMARY KEY,
            replica text COLLATE "C" NOT NULL,
            x text NOT NULL,
            y text NOT NULL,
            published bigint NOT NULL,
            signs_from bigint NOT NULL,
            signs_until bigint NOT NULL,
            killed bigint NOT NULL
        )""",
    ),
    # By these an older copy that was put back is known.
    (
        "ALTER TABLE state ADD COLUMN generation bigint NOT NULL DEFAULT 0",
        "ALTER TABLE state ADD COLUMN identity text NOT NULL DEFAULT ''",
    ),
)


def migrate(connection: psycopg.Connection[Any]) -> None:
    """Migrate the tables to the version of this release; one replica at a time.

    Raises:
        EnvironmentFailure: They are of a later release.
    """
    with connection.transaction():
        execute = connection.execute
        execute("SELECT pg_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))
        there = execute("SELECT to_regnamespace(%s)", (SCHEMA,)).fetchone()
        if there is None or there[0] is None:
            # Only where it is missing: a user may own the schema and not the database.
            execute(f"CREATE SCHEMA {SCHEMA}")
        execute("CREATE TABLE IF NOT EXISTS migration (version integer PRIMARY KEY)")
        row = execute("SELECT coalesce(max(version), 0) FROM migration").fetchone()
        found = row[0] if row else 0
        if found > len(MIGRATIONS):
            raise EnvironmentFailure(
                f"the schema {SCHEMA} has version {found}, this release reads up to "
                f"{len(MIGRATIONS)}",
                "upgrade answerable, or name another database: `sts.database`",
            )
        for version, statements in enumerate(MIGRATIONS[found:], found + 1):
            for statement in statements:
                execute(statement)
            execute("INSERT INTO migration VALUES (%s)", (version,))
