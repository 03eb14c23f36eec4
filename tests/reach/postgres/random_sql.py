"""Random roles, objects, grants and row policies as SQL for a real server."""

import random
from collections.abc import Iterator

TABLE = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]
KINDS = {
    "TABLE": TABLE,
    "SEQUENCE": ["USAGE", "SELECT", "UPDATE"],
    "FUNCTION": ["EXECUTE"],
    "TYPE": ["USAGE"],
    "SCHEMA": ["USAGE", "CREATE"],
    "DATABASE": ["CONNECT", "CREATE", "TEMPORARY"],
}
PREDEFINED = ["pg_read_all_data", "pg_write_all_data", "pg_monitor"]
DATABASE = "shop"


def random_roles(rng: random.Random, count: int) -> Iterator[str]:
    """Yield statements that make roles and their memberships."""
    names = [f"role{n}" for n in range(count - 2)] + ['"Odd ""role"', '"a/b%c"']
    for name in names:
        words = [
            rng.choice(["LOGIN", "LOGIN", "NOLOGIN"]),
            rng.choice(["INHERIT", "INHERIT", "NOINHERIT"]),
            *(["SUPERUSER"] if rng.random() < 0.04 else []),
            *(["BYPASSRLS"] if rng.random() < 0.1 else []),
            *(["CREATEROLE"] if rng.random() < 0.05 else []),
        ]
        yield f"CREATE ROLE {name} {' '.join(words)} PASSWORD 'canary-{rng.random()}'"
    for _ in range(count * 3 // 2):
        one, other = sorted(rng.sample(range(count), 2))
        admin = " WITH ADMIN OPTION" if rng.random() < 0.1 else ""
        yield f"GRANT {names[one]} TO {names[other]}{admin}"
    for name in PREDEFINED:
        yield f"GRANT {name} TO {rng.choice(names)}"
    yield f"CREATE DATABASE {DATABASE} OWNER {rng.choice(names)}"
    if rng.random() < 0.7:
        yield f"REVOKE CONNECT ON DATABASE {DATABASE} FROM PUBLIC"
        for name in rng.sample(names, count // 2):
            yield f"GRANT CONNECT ON DATABASE {DATABASE} TO {name}"


def random_objects(rng: random.Random, names: list[str]) -> Iterator[str]:
    """Yield statements that make objects with owners, grants and row policies."""
    owned: list[tuple[str, str]] = []
    schemas = ["public", "sales", '"Big Data"']
    for schema in schemas[1:]:
        yield f"CREATE SCHEMA {schema}"
        owned.append(("SCHEMA", schema))
    yield "GRANT USAGE ON SCHEMA public TO PUBLIC"
    for schema in schemas:
        for n in range(4):
            table = f"{schema}.t{n}"
            more = ", id integer GENERATED ALWAYS AS IDENTITY" if n == 1 else ""
            yield f'CREATE TABLE {table} (a integer, b text, "C d" integer{more})'
            yield " ".join(("INSERT INTO", table, "VALUES (1, 'x', 2)"))
            owned.append(("TABLE", table))
        yield f"CREATE VIEW {schema}.v AS TABLE {schema}.t0"
        yield f"CREATE MATERIALIZED VIEW {schema}.m AS SELECT 1 AS a"
        yield f"CREATE SEQUENCE {schema}.q"
        yield f"CREATE TYPE {schema}.y AS (a integer)"
        yield f"CREATE DOMAIN {schema}.d AS integer"
        owned += [("TABLE", f"{schema}.v"), ("TABLE", f"{schema}.m")]
        owned += [("SEQUENCE", f"{schema}.q")]
        owned += [("TYPE", f"{schema}.y"), ("TYPE", f"{schema}.d")]
        for arguments in ("integer", "a text DEFAULT 'x;y', OUT b integer"):
            definer = " SECURITY DEFINER" if rng.random() < 0.3 else ""
            body = "AS $_$ SELECT 1; $_$"
            yield (
                f"CREATE FUNCTION {schema}.f({arguments}) RETURNS integer "
                f"LANGUAGE sql{definer} {body}"
            )
        owned += [
            ("FUNCTION", f"{schema}.f(integer)"),
            ("FUNCTION", f"{schema}.f(text)"),
        ]
    for kind, name in owned:
        yield from _random_grants(rng, kind, name, names)
    yield from _random_grants(rng, "SCHEMA", "public", names)
    yield from _random_grants(rng, "DATABASE", DATABASE, names, change_owner=False)
    for kind, name in owned:
        if kind == "TABLE" and name[-2:-1] == "t" and rng.random() < 0.6:
            yield from _random_policies(rng, name, names)


def _random_grants(
    rng: random.Random,
    kind: str,
    name: str,
    names: list[str],
    *,
    change_owner: bool = True,
) -> Iterator[str]:
    if change_owner and rng.random() < 0.9:
        word = "VIEW" if name.endswith(".v") else kind
        word = "MATERIALIZED VIEW" if name.endswith(".m") else word
        word = "DOMAIN" if name.endswith(".d") else word
        yield f"ALTER {word} {name} OWNER TO {rng.choice(names)}"
    for _ in range(rng.randrange(5)):
        words = ", ".join(rng.sample(KINDS[kind], rng.randint(1, len(KINDS[kind]))))
        to = rng.choice([*names, "PUBLIC"])
        if rng.random() < 0.3:
            yield f"REVOKE {words} ON {kind} {name} FROM {to}"
        else:
            option = (
                " WITH GRANT OPTION" if to != "PUBLIC" and rng.random() < 0.2 else ""
            )
            yield f"GRANT {words} ON {kind} {name} TO {to}{option}"
    if kind == "TABLE" and name[-2:-1] == "t":
        for _ in range(rng.randrange(3)):
            column = rng.choice(["a", "b", '"C d"'])
            word = rng.choice(["SELECT", "INSERT", "UPDATE", "REFERENCES"])
            yield f"GRANT {word} ({column}) ON TABLE {name} TO {rng.choice(names)}"


def _random_policies(rng: random.Random, table: str, names: list[str]) -> Iterator[str]:
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    if rng.random() < 0.3:
        yield f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"
    for n in range(rng.randrange(4)):
        command = rng.choice(["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"])
        kind = rng.choice(["PERMISSIVE", "PERMISSIVE", "RESTRICTIVE"])
        to = rng.choice(["PUBLIC", *names])
        expression = rng.choice(["true", "a = 1"])
        clause = "WITH CHECK" if command == "INSERT" else "USING"
        yield (
            f"CREATE POLICY p{n} ON {table} AS {kind} FOR {command} TO {to} "
            f"{clause} ({expression})"
        )
