"""DSNs, `.pgpass` lines and PG variables name the role that they log in as."""

import json
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.connectors.formats.postgres_dsn import parse_dsn_role

PLAIN = "postgres:db.example.com/shop/role/app"


@pytest.mark.parametrize(
    ("dsn", "role"),
    [
        ("postgres://app:pw@db.example.com/shop", PLAIN),
        ("postgresql://app:pw@DB.example.com:5432/shop?sslmode=require", PLAIN),
        ("postgresql+asyncpg://app:pw@db.example.com/shop", PLAIN),
        ("jdbc:postgresql://db.example.com/shop?user=app&password=pw", PLAIN),
        ("host=db.example.com dbname=shop user=app password='p w'", PLAIN),
        ("postgres://app:pw@db.example.com:6432/shop", PLAIN.replace("m/", "m:6432/")),
        ("postgres://app:pw@db.example.com", "postgres:db.example.com/app/role/app"),
        ("postgres://app:pw@/shop", "postgres:localhost/shop/role/app"),
        ("postgres://app:pw@[::1]:5432/shop", "postgres:::1/shop/role/app"),
        (
            "postgres://a%2Fb:pw@db.example.com/shop",
            "postgres:db.example.com/shop/role/a%2Fb",
        ),
        ("postgres://app:${PW}@db.example.com/shop", PLAIN),
        ("postgres://${USER}:pw@db.example.com/shop", ""),
        ("postgres://app:pw@one,two/shop", ""),
        ("postgres://db.example.com/shop", ""),
        ("mysql://app:pw@db.example.com/shop", ""),
        ("Server=x;User=app;Password=pw", ""),
    ],
)
def test_a_connection_string_names_its_role(dsn: str, role: str) -> None:
    found = parse_dsn_role(dsn)
    assert (found.id if found else "") == role


SERVERS = {
    "argument": {"command": "npx", "args": ["server", "postgres://app:pw12@db/shop"]},
    "variable": {
        "command": "x",
        "env": {"DATABASE_URL": "postgres://app:pw34@db/shop"},
    },
    "no password": {"command": "npx", "args": ["server", "postgres://app@db/shop"]},
    "variable without a password": {
        "command": "x",
        "env": {"DATABASE_URL": "postgresql://app@db/shop?sslmode=require"},
    },
    "libpq": {
        "command": "x",
        "env": {
            "PGHOST": "db",
            "PGUSER": "app",
            "PGDATABASE": "shop",
            "PGPASSWORD": "canary-secret",
        },
    },
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_tool_acts_as_the_role_of_its_connection_string(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "ana"
    home.mkdir()
    config = {"mcpServers": {"db": SERVERS[name]}}
    (home / ".claude.json").write_text(json.dumps(config))
    store = str(tmp_path / "store")
    assert main(["--store", store, "-q", "scan", f"home:{home}"]) == 0
    capsys.readouterr()
    assert main(["--store", store, "-o", "json", "agents"]) == 0
    (agent,) = json.loads(capsys.readouterr().out)["items"]
    used = [tool["identity"] for tool in agent["tools"] if tool["credential"]]
    # Without a password the host authenticates it: for a shell of the account, too.
    users = 2 if "password" in name else 1
    assert used == ["postgres:db/shop/role/app"] * users
    assert main(["--store", store, "-o", "json", "identities"]) == 0
    (identity,) = json.loads(capsys.readouterr().out)["items"]
    assert (identity["id"], identity["kind"]) == (used[0], "postgres-role")


def test_an_environment_file_names_its_roles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (
        "DATABASE_URL=postgres://app:canary-1@db/shop",
        "REPLICA_URL=postgres://reader@db/shop",
        *("PGHOST=db", "PGUSER=lib", "PGDATABASE=shop", "PGPASSWORD=canary-2"),
    )
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo/.env").write_text("\n".join(lines))
    store = str(tmp_path / "store")
    assert main(["--store", store, "-q", "scan", f"repo:{tmp_path}/repo"]) == 0
    capsys.readouterr()
    assert main(["--store", store, "-o", "json", "credentials"]) == 0
    told = capsys.readouterr().out
    assert "canary" not in told
    proved = {item["identity"]: item["class"] for item in json.loads(told)["items"]}
    roles = {name: f"postgres:db/shop/role/{name}" for name in ("app", "reader", "lib")}
    assert proved == {
        roles["app"]: "literal",
        roles["reader"]: "ambient",
        roles["lib"]: "literal",
    }
    assert main(["--store", store, "-o", "json", "identities"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert {item["id"] for item in items} == set(roles.values())


def test_a_pgpass_line_names_its_role(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "ana"
    home.mkdir()
    lines = "db:5432:shop:app:canary-1\n*:*:*:root:canary-2\n"
    (home / ".pgpass").write_text(lines)
    store = str(tmp_path / "store")
    assert main(["--store", store, "-q", "scan", f"home:{home}"]) == 0
    capsys.readouterr()
    assert main(["--store", store, "-o", "json", "credentials"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    proved = {item["identity"] for item in items}
    assert proved == {"postgres:db/shop/role/app", None}
