"""Dumps of a PostgreSQL server: roles, owners, grants, row security; and what is bad."""

from pathlib import Path

import msgspec
import pytest

from answerable.connectors.postgres import fetch
from answerable.connectors.postgres.parse import ServerName, parse
from answerable.model.connector import SyncContext
from answerable.model.errors import ParseError, UsageError
from answerable.reach.postgres.catalogue import Catalogue, DatabaseObject

HERE = Path(__file__).resolve().parents[2] / "data" / "postgres"
HEAD = "-- Dumped from database version 15.2\n-- Dumped by pg_dump version 15.2\n"


def read(*texts: str, host: str = "h", database: str = "shop") -> Catalogue:
    """Parse dump texts as the files of one server."""
    files = [(f"{n}.sql", text.encode()) for n, text in enumerate(texts)]
    parsed = parse(files, ServerName(host, database, "x"), source="pg:x", now=1)
    assert parsed.problems == ()
    return msgspec.json.decode(parsed.facts.catalogues[0].body, type=Catalogue)


def find(catalogue: Catalogue, kind: str, name: str) -> DatabaseObject:
    """Return one object."""
    every = [*catalogue.databases, *(o for c in catalogue.contents for o in c.objects)]
    (found,) = [each for each in every if (each.kind, each.name) == (kind, name)]
    return found


def granted(made: DatabaseObject) -> set[tuple[str, str, str]]:
    """Return (grantee, column, privileges) of each grant."""
    return {(g.grantee, g.column, " ".join(g.privileges)) for g in made.grants}


@pytest.fixture
def shop() -> Catalogue:
    """A real dump of roles and of a database."""
    return read(*[(HERE / name).read_text() for name in ("roles.sql", "shop.sql")])


def test_roles_have_their_attributes(shop: Catalogue) -> None:
    roles = {role.name: role for role in shop.roles or ()}
    assert set(roles) == {"alice", "bob", "postgres", "readers"}
    assert (roles["postgres"].superuser, roles["postgres"].bypass_rls) == (True, True)
    assert (roles["bob"].inherit, roles["alice"].inherit) == (False, True)
    assert (roles["readers"].login, roles["alice"].login) == (False, True)


def test_memberships_keep_their_options(shop: Catalogue) -> None:
    found = {(m.role, m.member): m for m in shop.memberships}
    assert found["readers", "alice"].admin
    assert found["alice", "bob"].inherit is None


def test_membership_options_of_version_16_are_read() -> None:
    made = read(
        "CREATE ROLE a; CREATE ROLE b;"
        "GRANT a TO b WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY p;"
    )
    (found,) = made.memberships
    assert (found.admin, found.inherit, found.set_role) == (True, False, False)
    assert made.version == 16


def test_a_revoke_ends_the_default_privileges(shop: Catalogue) -> None:
    assert granted(find(shop, "function", "s.f(a integer, OUT o text)")) == {
        ("alice", "", "EXECUTE"),
        ("readers", "", "EXECUTE"),
    }
    assert granted(find(shop, "type", "s.ty")) == {("alice", "", "USAGE")}
    assert granted(find(shop, "database", "shop")) == {
        ("alice", "", "CONNECT CREATE TEMPORARY"),
        ("", "", "TEMPORARY"),
        ("readers", "", "CONNECT"),
    }


def test_an_owner_may_have_revoked_its_own_privileges(shop: Catalogue) -> None:
    words = "DELETE INSERT REFERENCES TRIGGER TRUNCATE UPDATE"
    assert granted(find(shop, "table", 's."Odd t"')) == {("alice", "", words)}


def test_column_grants_are_per_column(shop: Catalogue) -> None:
    table = find(shop, "table", "public.t")
    assert {g for g in granted(table) if g[1]} == {
        ("readers", "a", "SELECT UPDATE"),
        ("bob", "a", "SELECT"),
        ("readers", "b", "UPDATE"),
    }
    assert table.columns == ("a", "b")


def test_row_security_and_its_policies_are_read(shop: Catalogue) -> None:
    table = find(shop, "table", "public.t")
    assert table.row_security
    first, second = table.policies
    assert (first.command, first.roles, first.permissive) == (
        "SELECT",
        ("readers",),
        True,
    )
    assert (second.command, second.permissive, second.using) == ("ALL", False, "true")


def test_a_sequence_has_the_owner_that_alter_table_names(shop: Catalogue) -> None:
    assert find(shop, "sequence", 's."Odd t_id_seq"').owner == "alice"
    assert find(shop, "sequence", 's."Odd t_n_seq"').owner == "alice"  # identity column


def test_views_and_definer_functions_run_with_their_owners_rights(
    shop: Catalogue,
) -> None:
    assert find(shop, "table", "s.v").owner_rights
    assert find(shop, "function", "s.f(a integer, OUT o text)").owner_rights
    assert not find(shop, "table", "s.mv").owner_rights
    text = "CREATE VIEW s.w WITH (security_invoker='true') AS SELECT 1;"
    assert not find(read(text), "table", "s.w").owner_rights


def test_the_schema_public_has_the_defaults_of_the_version() -> None:
    table = "CREATE TABLE public.t (a integer);"
    assert granted(find(read(HEAD + table), "schema", "public")) == {
        ("pg_database_owner", "", "CREATE USAGE"),
        ("", "", "USAGE"),
    }
    old = HEAD.replace("15.2", "14.9")
    assert granted(find(read(old + table), "schema", "public")) == {
        ("", "", "CREATE USAGE")
    }


def test_grants_on_the_schema_public_come_on_top_of_its_defaults() -> None:
    text = HEAD + "REVOKE USAGE ON SCHEMA public FROM PUBLIC;"
    assert granted(find(read(text), "schema", "public")) == {
        ("pg_database_owner", "", "CREATE USAGE")
    }


def test_another_owner_of_the_schema_public_has_its_default_privileges() -> None:
    text = HEAD + "ALTER SCHEMA public OWNER TO x;"
    assert granted(find(read(text), "schema", "public")) == {
        ("x", "", "CREATE USAGE"),
        ("", "", "USAGE"),
    }


def test_a_dump_without_owners_or_grants_says_so() -> None:
    bare = read("CREATE TABLE s.t (a integer);").contents[0]
    assert (bare.has_grants, bare.has_owners) == (False, False)
    (shop,) = read((HERE / "shop.sql").read_text()).contents
    assert (shop.has_grants, shop.has_owners) == (True, True)


def test_bodies_data_and_comments_are_no_statements() -> None:
    made = read(
        "/* GRANT SELECT /* nested */ ON t TO x; */\n"
        "CREATE FUNCTION s.f() RETURNS integer LANGUAGE sql\n"
        "BEGIN ATOMIC SELECT CASE WHEN true THEN 1 ELSE 2 END; SELECT 2; END;\n"
        "CREATE FUNCTION s.g() RETURNS text LANGUAGE sql "
        "AS $_$ GRANT ALL ON s.t TO x; $_$;\n"
        "COPY s.t (a) FROM stdin;\nGRANT ALL ON TABLE s.t TO x;\n\\.\n\n"
        "COMMENT ON TABLE s.t IS 'a; GRANT ALL ON TABLE s.t TO x; it''s';\n"
        "GRANT SELECT ON TABLE s.t TO y;\n"
    )
    assert granted(find(made, "table", "s.t")) == {("y", "", "SELECT")}


def test_each_connect_names_the_database_that_follows() -> None:
    made = read(
        "CREATE DATABASE one;\n\\connect one\nCREATE TABLE s.t (a integer);\n"
        "\\connect -reuse-previous=on \"dbname='it''s'\"\nCREATE SCHEMA x;\n"
        '\\connect "My db"\nCREATE SCHEMA y;\n'
    )
    assert [each.name for each in made.contents][::2] == ["one", "My db"]


def test_a_password_is_not_kept() -> None:
    text = (
        "CREATE ROLE a; ALTER ROLE a WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:canary';"
    )
    assert "canary" not in repr(read(text))


def test_a_grant_that_is_not_understood_is_a_problem_and_is_kept_as_unread() -> None:
    text = b"CREATE ROLE a; GRANT SELECT ON ALL TABLES IN SCHEMA s TO a;"
    parsed = parse([("d.sql", text)], ServerName("h", "d", "x"), source="s", now=1)
    (problem,) = parsed.problems
    assert problem.place == "d.sql:1"
    assert "GRANT SELECT ON statement not understood" in problem.what
    body = msgspec.json.decode(parsed.facts.catalogues[0].body, type=Catalogue)
    assert body.contents[0].unread == ("GRANT SELECT ON (d.sql:1)",)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PGDMP\x01", "is a pg_dump archive"),
        (b"hello", "has no role, owner or grant"),
        (b"", "has no role, owner or grant"),
    ],
)
def test_other_content_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse([("d.sql", data)], ServerName("", "", "x"), source="s", now=1)


def test_a_dump_that_is_cut_off_is_refused() -> None:
    text = (HERE / "shop.sql").read_bytes()
    roles = (HERE / "roles.sql").read_bytes()
    name = ServerName("h", "shop", "x")
    for cut in (len(text) // 3, text.index(b"-- PostgreSQL database dump complete")):
        with pytest.raises(ParseError, match=r"shop\.sql: the dump is truncated"):
            parse([("shop.sql", text[:cut])], name, source="pg:shop.sql", now=1)
        files = [("roles.sql", roles), ("shop.sql", text[:cut])]
        parsed = parse(files, name, source="pg:x", now=1)
        assert [problem.place for problem in parsed.problems] == ["shop.sql"]
        assert "schemas" not in parsed.collected


def context() -> SyncContext:
    return SyncContext(now=1, fingerprint=lambda text: text)


def test_a_folder_is_one_server_named_by_its_option() -> None:
    done = fetch.sync(f"{HERE},host=DB.example.com:5433", context())
    ids = [identity.id for identity in done.facts.identities]
    assert "postgres:db.example.com:5433/shop/role/alice" in ids
    assert done.collected == ("roles", "schemas", "database-grants")


def test_roles_alone_are_identities_without_a_database() -> None:
    done = fetch.sync(f"{HERE}/roles.sql,host=h", context())
    assert "postgres:h/role/bob" in [each.id for each in done.facts.identities]
    assert done.not_collected == ("schemas", "database-grants")


def test_a_server_without_a_name_is_called_after_its_file() -> None:
    done = fetch.sync(f"{HERE}/shop.sql", context())
    assert done.facts.catalogues[0].place == "shop"


def test_a_location_without_a_file_says_how_to_collect() -> None:
    with pytest.raises(UsageError) as error:
        fetch.sync("host=h", context())
    assert "pg_dumpall --roles-only" in error.value.hint


def test_a_dump_and_a_query_answer_agree(shop: Catalogue) -> None:
    asked = fetch.sync(f"{HERE}/answer.json", context()).facts.catalogues[0]
    answer = msgspec.json.decode(asked.body, type=Catalogue)
    assert (answer.host, answer.version) == ("db.example.com", 15)
    for made in (*shop.contents[0].objects, *shop.databases):
        other = find(answer, made.kind, made.name)
        assert granted(other) == granted(made), made.name
        assert (other.owner, other.owner_rights) == (made.owner, made.owner_rights)
        assert [p.name for p in other.policies] == [p.name for p in made.policies]


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "x"}'])
def test_another_json_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises((ParseError, UsageError)):
        fetch.sync(f"{tmp_path}/a.json", context())


def test_one_bad_file_of_several_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "b.sql").write_text("CREATE ROLE a;")
    done = fetch.sync(str(tmp_path), context())
    assert [each.place for each in done.problems] == [f"{tmp_path}/a.json"]
    assert len(done.facts.identities) == 1


def test_a_statement_that_is_not_understood_is_named_by_its_keywords_alone() -> None:
    text = b"CREATE ROLE a; GRANT hunter2secret ON TO; ALTER ROLE a PASSWORD hunter2;"
    parsed = parse([("d.sql", text)], ServerName("h", "d", "x"), source="pg:x", now=1)
    problems = " ".join(each.what for each in parsed.problems)
    assert "GRANT ... ON statement not understood" in problems
    assert "hunter2" not in (problems + str(parsed.facts)).lower()
