"""Random PostgreSQL servers: roles, memberships, owners, grants and row policies."""

import random

from answerable.reach.postgres.catalogue import (
    PUBLIC,
    Catalogue,
    Database,
    DatabaseObject,
    Grant,
    Membership,
    Role,
    RowPolicy,
)
from answerable.reach.postgres.privileges import PRIVILEGES, get_default_privileges


def seeded(seed: int) -> random.Random:
    """Return a generator of repeatable cases."""
    return random.Random(seed)  # noqa: S311 - cases, not keys


HOST, DATABASE = "h", "shop"
KINDS = ("table", "sequence", "function", "type", "schema")
PREDEFINED = (
    "pg_read_all_data",
    "pg_write_all_data",
    "pg_database_owner",
    "pg_maintain",
)


def random_catalogue(rng: random.Random, version: int, roles: int = 6) -> Catalogue:
    """Draw a server with one database."""
    names = [f"r{n}" for n in range(roles)]
    made = tuple(
        Role(
            name,
            superuser=rng.random() < 0.1,
            inherit=rng.random() < 0.7,
            create_role=rng.random() < 0.1,
            login=rng.random() < 0.7,
            bypass_rls=rng.random() < 0.1,
        )
        for name in names
    )
    memberships = tuple(_membership(rng, names, version) for _ in range(roles))
    owners = [*names, "pg_database_owner"]
    objects = [_object(rng, "schema", f"s{n}", "", owners) for n in range(2)]
    for kind in KINDS[:-1]:
        for n in range(2):
            schema = f"s{rng.randrange(2)}"
            name = f"{schema}.{kind}{n}" + ("()" if kind == "function" else "")
            objects.append(_object(rng, kind, name, schema, owners))
    own = _object(rng, "database", DATABASE, "", names)
    return Catalogue(
        host=HOST,
        version=version,
        roles=made,
        memberships=tuple(m for m in memberships if m.role != m.member),
        databases=(own,),
        contents=(Database(DATABASE, tuple(objects)),),
    )


def _membership(rng: random.Random, names: list[str], version: int) -> Membership:
    role = rng.choice([*names, *names, *PREDEFINED])
    member = rng.choice(names)
    # No circles: a grant that makes one is refused.
    if role in names and role >= member:
        role, member = member, role
    if version < 16:
        return Membership(role, member, admin=rng.random() < 0.2)
    return Membership(
        role,
        member,
        inherit=rng.random() < 0.6,
        set_role=rng.random() < 0.7,
        admin=rng.random() < 0.2,
    )


def _object(
    rng: random.Random, kind: str, name: str, schema: str, owners: list[str]
) -> DatabaseObject:
    owner = rng.choice(owners)
    grants = [g for g in get_default_privileges(kind, owner) if rng.random() < 0.8]
    for _ in range(rng.randrange(3)):
        grantee = rng.choice([PUBLIC, *owners])
        words = rng.sample(PRIVILEGES[kind], rng.randint(1, len(PRIVILEGES[kind])))
        grants.append(Grant(grantee, tuple(sorted(words))))
    columns = None
    policies: tuple[RowPolicy, ...] = ()
    if kind == "table":
        columns = ("a", "b")
        for _ in range(rng.randrange(2)):
            words = rng.sample(PRIVILEGES["column"], 2)
            column = rng.choice(columns)
            grants.append(Grant(rng.choice([PUBLIC, *owners]), tuple(words), column))
        policies = tuple(_policy(rng, owners, n) for n in range(rng.randrange(4)))
    return DatabaseObject(
        kind=kind,
        name=name,
        schema=name if kind == "schema" else schema,
        owner=owner,
        grants=tuple(grants),
        columns=columns,
        row_security=kind == "table" and rng.random() < 0.5,
        force_row_security=rng.random() < 0.3,
        policies=policies,
    )


def _policy(rng: random.Random, owners: list[str], number: int) -> RowPolicy:
    command = rng.choice(["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"])
    expressions = ["true", f"(a = {number})"]
    using = "" if command == "INSERT" else rng.choice(expressions)
    check = "" if command in ("SELECT", "DELETE") else rng.choice(["", *expressions])
    return RowPolicy(
        name=f"p{number}",
        command=command,
        permissive=rng.random() < 0.7,
        roles=tuple(rng.sample([PUBLIC, *owners], 2)),
        using=using,
        check=check,
    )
