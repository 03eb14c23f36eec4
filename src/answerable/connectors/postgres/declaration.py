"""Declare the PostgreSQL connector: its name, location and coverage."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

ROLES = "roles"
SCHEMAS = "schemas"
DATABASE_GRANTS = "database-grants"

DECLARATION = ConnectorDeclaration(
    name="pg",
    gives="inventory",
    location="FILE or DIR[,FILE...][,host=HOST][,dbname=NAME]",
    about="roles, memberships, owners, grants and row security of a PostgreSQL server",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "FILE, or DIR/*.sql: text of `pg_dumpall --roles-only` and "
        "`pg_dump --schema-only --create`",
        "FILE, or DIR/*.json: the result of the catalogue query of docs/postgres.md",
    ),
    permissions=(),
    collects=(ROLES, SCHEMAS, DATABASE_GRANTS),
    location_options=("host", "dbname"),
)
