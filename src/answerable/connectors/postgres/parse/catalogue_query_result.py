"""Parse the JSON response of the catalogue query that docs/postgres.md shows."""

import msgspec

from answerable.connectors.postgres.parse.catalogue_builder import CatalogueBuilder
from answerable.model.errors import ParseError
from answerable.model.postgres_ids import join_qualified_sql_name, quote_sql_identifier
from answerable.reach.postgres.catalogue import (
    PUBLIC,
    DatabaseObject,
    Grant,
    Membership,
    Role,
    RowPolicy,
)

FORMAT = "answerable/postgres-catalogue/v1"
_COMMANDS = {"*": "ALL", "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}


class AnswerRole(msgspec.Struct, frozen=True):
    """Row of pg_roles."""

    name: str
    superuser: bool
    inherit: bool
    create_role: bool
    login: bool
    bypass_rls: bool


class AnswerMembership(msgspec.Struct, frozen=True):
    """Row of pg_auth_members; `inherit` and `set_role` are null before version 16."""

    role: str
    member: str
    admin: bool
    inherit: bool | None = None
    set_role: bool | None = None


class AnswerGrant(msgspec.Struct, frozen=True):
    """Entry of `aclexplode`; the grantee null is PUBLIC."""

    grantee: str | None
    privilege: str


class AnswerColumn(msgspec.Struct, frozen=True):
    """Row of pg_attribute."""

    name: str
    grants: list[AnswerGrant] | None = None


class AnswerPolicy(msgspec.Struct, frozen=True):
    """Row of pg_policy; the role null is PUBLIC."""

    name: str
    command: str
    permissive: bool
    roles: list[str | None]
    using: str | None = None
    check: str | None = None


class AnswerObject(msgspec.Struct, frozen=True):
    """Object with its owner and grants; `signature` is set for a function."""

    kind: str
    name: str
    owner: str
    schema: str | None = None
    signature: str | None = None
    grants: list[AnswerGrant] | None = None
    columns: list[AnswerColumn] | None = None
    owner_rights: bool | None = None
    row_security: bool | None = None
    force_row_security: bool | None = None
    policies: list[AnswerPolicy] | None = None


class CatalogueAnswer(msgspec.Struct, frozen=True):
    """Answer of the catalogue query."""

    schema: str
    database: str
    version: int
    roles: list[AnswerRole]
    objects: list[AnswerObject]
    host: str = ""
    port: str = ""
    memberships: list[AnswerMembership] | None = None


def decode_catalogue_answer(data: bytes, place: str) -> CatalogueAnswer:
    """Decode the JSON answer of a catalogue query, made with psql.

    Raises:
        ParseError: It is not JSON, or has another form.
    """
    try:
        answer = msgspec.json.decode(data, type=CatalogueAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ParseError(
            f"not a result of the catalogue query: {error}", place
        ) from None
    if answer.schema != FORMAT:
        raise ParseError(f"expected the schema {FORMAT}", place)
    return answer


def add_answer_to_catalogue(
    builder: CatalogueBuilder, answer: CatalogueAnswer, place: str
) -> None:
    """Add a catalogue query's answer to the roles and objects of its server."""
    builder.version = answer.version // 10_000
    for role in answer.roles:
        builder.roles[role.name] = Role(**msgspec.structs.asdict(role), place=place)
    builder.memberships += [
        _build_membership(each, place) for each in answer.memberships or ()
    ]
    contents = builder.get_or_add_contents(answer.database)
    contents.has_grants = contents.has_owners = True
    for each in answer.objects:
        built = _build_database_object(each, place)
        databases = each.kind == "database"
        (builder.collected if databases else contents.collected).append(built)


def _build_membership(row: AnswerMembership, place: str) -> Membership:
    """Build a role membership from a row of `pg_auth_members`."""
    return Membership(
        role=row.role,
        member=row.member,
        inherit=row.inherit,
        set_role=row.set_role is not False,
        admin=row.admin,
        statement=f"GRANT {quote_sql_identifier(row.role)} TO {quote_sql_identifier(row.member)}",
        place=place,
    )


def _build_database_object(row: AnswerObject, place: str) -> DatabaseObject:
    """Build a database object (table, function...) from a catalogue row."""
    schema = row.schema or ""
    name = join_qualified_sql_name(*filter(None, (schema, row.name)))
    if row.signature is not None:
        name = f"{name}({row.signature})"
    where = f"{row.kind.replace('-', ' ').upper()} {name}"
    grants = _build_grants(row.grants or [], "", where, place)
    for column in row.columns or ():
        grants += _build_grants(column.grants or [], column.name, where, place)
    return DatabaseObject(
        kind=row.kind,
        name=name,
        schema=row.name if row.kind == "schema" else schema,
        owner=row.owner,
        grants=tuple(grants),
        columns=None if row.columns is None else tuple(c.name for c in row.columns),
        owner_rights=bool(row.owner_rights),
        row_security=bool(row.row_security),
        force_row_security=bool(row.force_row_security),
        policies=tuple(_build_row_policy(each, place) for each in row.policies or ()),
        place=place,
    )


def _build_grants(
    rows: list[AnswerGrant], column: str, where: str, place: str
) -> list[Grant]:
    """Build one grant per grantee from the entries of an object or column."""
    words: dict[str, set[str]] = {}
    for row in rows:
        words.setdefault(row.grantee or PUBLIC, set()).add(row.privilege)
    suffix = f"({quote_sql_identifier(column)})" if column else ""
    return [
        Grant(
            grantee=grantee,
            privileges=tuple(sorted(held)),
            column=column,
            statement=f"GRANT {', '.join(w + suffix for w in sorted(held))} ON {where} "
            f"TO {quote_sql_identifier(grantee) if grantee else 'PUBLIC'}",
            place=place,
        )
        for grantee, held in words.items()
    ]


def _build_row_policy(row: AnswerPolicy, place: str) -> RowPolicy:
    """Build a row security policy."""
    return RowPolicy(
        name=row.name,
        command=_COMMANDS.get(row.command, row.command),
        permissive=row.permissive,
        roles=tuple(role or PUBLIC for role in row.roles),
        using=row.using or "",
        check=row.check or "",
        place=place,
    )
