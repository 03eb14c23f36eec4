"""Answers on a dump of a real server are the server's own: `make world`."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from answerable.model.postgres_ids import build_postgres_role_id
from answerable.reach.postgres.privileges import OWNER_ACTIONS
from tests.reach.postgres.random_sql import DATABASE, random_objects, random_roles
from tests.reach.postgres.strategies import seeded
from tests.store.token_state.postgres_server import postgres

pytestmark = pytest.mark.world

ROLES, QUESTIONS = 40, 2_000
HOST = "db.example.com"
DOCS = Path(__file__).resolve().parents[3] / "docs" / "postgres.md"
ALLOWED = {"always", "only-if"}

# Every question that the server can be asked, with its answer: the privilege itself, USAGE
# on the schema, CONNECT for a role that may log in, and a permissive policy that applies.
EVERY_ANSWER = r"""
WITH relation AS (
  SELECT c.*, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE nspname IN ('public', 'sales', 'Big Data') AND relkind IN ('r', 'v', 'm', 'S')
), named AS (
  SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, oid,
    format('%I.%I', nspname, relname) AS name, relnamespace AS schema FROM relation
  UNION ALL SELECT 'function', p.oid, format('%I.%I(%s)', nspname, proname,
    pg_get_function_identity_arguments(p.oid)), pronamespace
  FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
  WHERE nspname IN ('public', 'sales', 'Big Data')
  UNION ALL SELECT 'type', t.oid, format('%I.%I', nspname, typname), typnamespace
  FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
  WHERE nspname IN ('public', 'sales', 'Big Data') AND typname IN ('y', 'd')
  UNION ALL SELECT 'schema', oid, format('%I', nspname), NULL FROM pg_namespace
  WHERE nspname IN ('public', 'sales', 'Big Data')
  UNION ALL SELECT 'database', oid, datname, NULL FROM pg_database
  WHERE datname = current_database()
), asked AS (
  SELECT r.rolname, r.oid AS role, r.rolcanlogin, k.*, privilege, NULL::name AS "column"
  FROM named k JOIN (VALUES
    ('table', ARRAY['SELECT','INSERT','UPDATE','DELETE','TRUNCATE','REFERENCES','TRIGGER']),
    ('sequence', ARRAY['USAGE','SELECT','UPDATE']), ('function', ARRAY['EXECUTE']),
    ('type', ARRAY['USAGE']), ('schema', ARRAY['USAGE','CREATE']),
    ('database', ARRAY['CONNECT','CREATE','TEMPORARY'])
  ) p (kind, words) USING (kind), unnest(words) privilege, pg_roles r
  WHERE r.rolname !~ '^pg_'
  UNION ALL
  SELECT r.rolname, r.oid, r.rolcanlogin, 'column', k.oid, k.name, k.schema, privilege,
    attname
  FROM named k JOIN pg_attribute a ON attrelid = k.oid AND attnum > 0,
    unnest(ARRAY['SELECT','INSERT','UPDATE','REFERENCES']) privilege, pg_roles r
  WHERE k.kind = 'table' AND r.rolname !~ '^pg_'
), answered AS (
  SELECT asked.*, CASE kind
    WHEN 'table' THEN has_table_privilege(role, oid, privilege)
    WHEN 'column' THEN has_column_privilege(role, oid, "column", privilege)
    WHEN 'sequence' THEN has_sequence_privilege(role, oid, privilege)
    WHEN 'function' THEN has_function_privilege(role, oid, privilege)
    WHEN 'type' THEN has_type_privilege(role, oid, privilege)
    WHEN 'schema' THEN has_schema_privilege(role, oid, privilege)
    ELSE has_database_privilege(role, oid, privilege) END
    AND (schema IS NULL OR has_schema_privilege(role, schema, 'USAGE'))
    AND (kind = 'database' OR NOT rolcanlogin
      OR has_database_privilege(role, current_database(), 'CONNECT')) AS granted
  FROM asked
)
SELECT json_agg(json_build_object('role', rolname, 'kind', kind,
  'name', name || coalesce('.' || quote_ident("column"), ''), 'privilege', privilege,
  'allowed', granted AND (kind NOT IN ('table', 'column')
    OR privilege NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    OR NOT (SELECT relrowsecurity AND NOT rolsuper AND NOT rolbypassrls
        AND (relforcerowsecurity OR NOT pg_has_role(role, relowner, 'USAGE'))
      FROM pg_class c, pg_roles r WHERE c.oid = answered.oid AND r.oid = role)
    OR EXISTS (SELECT FROM pg_policy WHERE polrelid = answered.oid AND polpermissive
      AND (polcmd = '*' OR polcmd = CASE privilege WHEN 'SELECT' THEN 'r'
        WHEN 'INSERT' THEN 'a' WHEN 'UPDATE' THEN 'w' ELSE 'd' END)
      AND (SELECT bool_or(p = 0 OR pg_has_role(role, p, 'USAGE'))
        FROM unnest(polroles) p)))))
FROM answered
"""


@dataclass(frozen=True)
class Server:
    """A running server with random grants, and what it answers itself."""

    folder: str
    answers: list[dict[str, Any]]

    def psql(self, sql: str, *options: str, database: str = DATABASE) -> str:
        """Run SQL as the superuser."""
        command = ["psql", "-XAtq", "-h", self.folder, "-U", "sts", "-d", database]
        done = subprocess.run(
            [*command, *options], input=sql, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or "ON_ERROR_STOP" not in str(options), done.stderr
        return done.stdout


def _dump(server: Server, *arguments: str) -> str:
    program, *rest = arguments
    command = [program, "-h", server.folder, "-U", "sts", *rest]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with 40 roles."""
    rng = seeded(20231)
    with postgres() as address:
        made = Server(address.partition("host=")[2], [])
        strict = ("-v", "ON_ERROR_STOP=1")
        roles = list(random_roles(rng, ROLES - 1))  # and the superuser
        made.psql(";\n".join(roles) + ";", *strict, database="postgres")
        names = [
            each.split(" ", 2)[2] for each in roles if each.startswith("CREATE ROLE")
        ]
        names = [
            name.rpartition(" PASSWORD")[0].partition(" LOGIN")[0] for name in names
        ]
        names = [name.partition(" NOLOGIN")[0] for name in names]
        objects = list(random_objects(rng, names))
        made.psql(";\n".join(objects) + ";", *strict)
        made.answers.extend(json.loads(made.psql(EVERY_ANSWER, *strict)))
        yield made


@pytest.fixture(scope="module", params=["dump", "query"])
def store(
    server: Server,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A store with a scan of the server: of its dumps, or of the documented query."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "dump":
        roles = _dump(server, "pg_dumpall", "--roles-only")
        assert "canary" not in roles  # SCRAM
        (folder / "roles.sql").write_text(roles)
        dumped = _dump(server, "pg_dump", "--schema-only", "--create", DATABASE)
        (folder / "shop.sql").write_text(dumped)
    else:
        query = DOCS.read_text().partition("```sql\n")[2].partition("```")[0]
        (folder / "shop.json").write_text(server.psql(query))
    made = folder / "store"
    assert main(["--store", str(made), "-q", "scan", f"pg:{folder},host={HOST}"]) == 0
    return made


def ask(store: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Run one command; its document."""
    capsys.readouterr()
    assert main(["--store", str(store), "-o", "json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def is_allowed(item: dict[str, Any]) -> bool:
    """Return whether the whole object is allowed, under conditions or without."""
    return item["verdict"] in ALLOWED and item.get("covers") != "part"


def subject(answer: dict[str, Any]) -> str:
    """Return the id of the role of a question."""
    return build_postgres_role_id(HOST, DATABASE, answer["role"])


def resource(answer: dict[str, Any]) -> str:
    """Return the id of the object of a question."""
    return f"postgres:{HOST}/{DATABASE}/{answer['kind']}/{answer['name']}"


def test_can_answers_as_the_server_does(
    server: Server, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = seeded(7)
    wrong = []
    columns = {
        (subject(answer), answer["privilege"], resource(answer))
        for answer in server.answers
        if answer["kind"] == "column" and answer["allowed"]
    }
    for answer in rng.sample(server.answers, QUESTIONS):
        call = (subject(answer), answer["privilege"], resource(answer))
        (item,) = ask(store, capsys, "can", *call, "--direct")["items"]
        if is_allowed(item) != answer["allowed"]:
            wrong.append((answer, item["verdict"]))
        for part in item.get("parts", ()):
            assert (call[0], call[1], part["resource"]) in columns, (answer, part)
    assert wrong == []


def test_reach_lists_what_the_server_allows(
    server: Server, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    allowed: dict[str, set[tuple[str, str]]] = {}
    for answer in server.answers:
        allowed.setdefault(subject(answer), set())
        if answer["allowed"]:
            allowed[subject(answer)].add((answer["privilege"], resource(answer)))
    assert len(allowed) == ROLES
    for role, rows in allowed.items():
        listed = ask(store, capsys, "reach", role, "--direct")["items"]
        got = {(row["action"], row["resource"]) for row in listed}
        if ("*", f"postgres:{HOST}/{DATABASE}/*/*") in got:
            assert all(row["admin"] for row in listed)
            continue
        got = {pair for pair in got if pair[0] not in OWNER_ACTIONS}
        got = {pair for pair in got if "/language/" not in pair[1]}
        tables = {(a, r) for a, r in rows if "/column/" not in r}
        assert {pair for pair in got if "/column/" not in pair[1]} == tables, role
        columns = {pair for pair in got if "/column/" in pair[1]}
        assert columns <= rows, role
        for action, column in rows - tables:
            table = column.replace("/column/", "/table/")
            whole = (action, _strip_column(table))
            assert (action, column) in columns or whole in tables, (role, column)


def _strip_column(name: str) -> str:
    """Return a table's id from that of its column."""
    if name.endswith('"'):
        return name[: name.rindex('."')]
    return name.rpartition(".")[0]


def test_who_can_lists_the_roles_that_the_server_allows(
    server: Server, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_call: dict[tuple[str, str], set[str]] = {}
    for answer in server.answers:
        found = by_call.setdefault((answer["privilege"], resource(answer)), set())
        if answer["allowed"]:
            found.add(subject(answer))
    for call in seeded(3).sample(sorted(by_call), 40):
        items = ask(store, capsys, "who-can", *call, "--direct")["items"]
        listed = {item["subject"] for item in items if is_allowed(item)}
        assert listed == by_call[call], call


def test_a_role_reaches_what_set_role_gives_it(
    server: Server, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = json.loads(
        server.psql(
            "SELECT json_agg(json_build_array(a.rolname, b.rolname,"
            " pg_has_role(a.oid, b.oid, 'MEMBER'), pg_has_role(a.oid, b.oid, 'USAGE')))"
            " FROM pg_roles a, pg_roles b WHERE a.rolname !~ '^pg_'"
        )
    )
    for member, role, is_member, inherits in seeded(5).sample(pairs, 150):
        key = build_postgres_role_id(HOST, DATABASE, member)
        for action, want in (("MEMBER", is_member), ("USAGE", inherits)):
            named = build_postgres_role_id(HOST, DATABASE, role)
            (item,) = ask(store, capsys, "can", key, action, named, "--direct")["items"]
            assert (item["verdict"] == "always") == want, (member, action, role)


def test_reading_succeeds_exactly_where_the_answer_says_so(
    server: Server, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = [a for a in server.answers if a["privilege"] == "SELECT"]
    tables = [a for a in tables if a["kind"] == "table" and a["name"][-2] == "t"]
    for answer in seeded(11).sample(tables, 80):
        role = answer["role"].replace('"', '""')
        read = (
            "SET SESSION AUTHORIZATION",
            f'"{role}";',
            "SELECT a FROM",
            answer["name"],
        )
        rows = server.psql(" ".join(read), "-v", "ON_ERROR_STOP=0").split()
        call = (subject(answer), "SELECT", resource(answer))
        (item,) = ask(store, capsys, "can", *call, "--direct")["items"]
        if item["verdict"] == "always":
            assert rows == ["1"], answer
        elif rows:
            # SET SESSION AUTHORIZATION needs no CONNECT; the answer does.
            connect = (subject(answer), "CONNECT", f"database:{DATABASE}")
            (opened,) = ask(store, capsys, "can", *connect, "--direct")["items"]
            assert "never" in opened["verdict"] or item["verdict"] in ALLOWED, answer


def test_what_if_is_what_a_revoke_does(
    server: Server,
    store: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    grants = server.psql(
        "SELECT format('%I FROM %I', r.rolname, m.rolname) FROM pg_auth_members"
        " JOIN pg_roles r ON r.oid = roleid JOIN pg_roles m ON m.oid = member"
        " WHERE NOT m.rolsuper AND m.rolname ~ '^role' AND NOT admin_option"
    ).splitlines()
    for grant in sorted(grants):
        role, member = grant.split(" FROM ")
        key = f"postgres:{HOST}/{DATABASE}/role/{member}"
        edit = f"GRANT {role} TO {member}"
        admin = ask(store, capsys, "what-if", key, "--limit", "0", "--without", edit)
        if 2 < len(admin["items"]) < 60:
            break
    server.psql(f"REVOKE {grant};", "-v", "ON_ERROR_STOP=1")
    try:
        roles = _dump(server, "pg_dumpall", "--roles-only")
        (tmp_path / "roles.sql").write_text(roles)
        dumped = _dump(server, "pg_dump", "--schema-only", "--create", DATABASE)
        (tmp_path / "shop.sql").write_text(dumped)
    finally:
        server.psql(f"GRANT {role} TO {member};", "-v", "ON_ERROR_STOP=1")
    after = tmp_path / "store"
    source = f"pg:{tmp_path},host={HOST}"
    assert main(["--store", str(after), "-q", "scan", source]) == 0
    assert admin["items"]
    for item in admin["items"][:30]:
        if item["action"] == "*":
            continue
        call = (item["subject"], item["action"], item["resource"])
        (old,) = ask(store, capsys, "can", *call)["items"]
        (new,) = ask(after, capsys, "can", *call)["items"]
        assert (old["verdict"], new["verdict"]) == (item["before"], item["after"]), call
