"""An agent reaches what the role of its connection string may do, and no more is known."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "postgres" / "sample"
HOST = "db.example.com"
AGENT = "agent:claude-code/ana"
DUMPS = f"pg:{SAMPLE},host={HOST}"


@pytest.fixture
def home(tmp_path: Path) -> str:
    """A home whose agent has a tool with a connection string."""
    folder = tmp_path / "ana"
    folder.mkdir()
    dsn = f"postgresql://app:CANARYsecret1@{HOST}/shop"
    config = {"mcpServers": {"db": {"command": "npx", "args": ["server", dsn]}}}
    (folder / ".claude.json").write_text(json.dumps(config))
    return f"home:{folder}"


def scan(store: Path, *sources: str) -> None:
    assert main(["--store", str(store), "-q", "scan", *sources]) == 0


def ask(store: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main(["--store", str(store), "-o", "json", *words]) == 0
    return json.loads(capsys.readouterr().out)["items"]


def test_an_agent_can_do_what_its_role_can(
    home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    scan(store, home, DUMPS)
    (item,) = ask(store, capsys, "can", AGENT, "DELETE", "sales.orders")
    assert item["verdict"] == "always"
    assert [step["to"] for step in item["path"]] == [
        f"postgres:{HOST}/shop/role/app",
        f"postgres:{HOST}/shop/role/migrator",
    ]
    rows = ask(store, capsys, "reach", AGENT, "--resource", "table:sales.*")
    assert ("INSERT", f"postgres:{HOST}/shop/table/sales.orders") in {
        (row["action"], row["resource"]) for row in rows
    }


def test_who_can_names_the_agents_behind_a_role(
    home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    scan(store, home, DUMPS)
    rows = ask(store, capsys, "who-can", "INSERT", "sales.orders")
    (row,) = [each for each in rows if each["subject"].endswith("role/app")]
    assert row["agents"] == [AGENT]


def test_without_the_dump_nothing_is_known(
    home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    scan(store, home)
    resource = f"postgres:{HOST}/shop/table/sales.orders"
    (item,) = ask(store, capsys, "can", AGENT, "DELETE", resource)
    assert item["verdict"] == "not-known"
    assert "pg" in {each["source"] for each in item["unknown"]}
    (row,) = ask(store, capsys, "reach", AGENT)
    assert row["verdict"] == "not-known"


def test_roles_alone_leave_tables_unknown(
    home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    scan(store, home, f"pg:{SAMPLE}/roles.sql,host={HOST}")
    resource = f"postgres:{HOST}/shop/table/sales.orders"
    (item,) = ask(store, capsys, "can", AGENT, "DELETE", resource)
    assert item["verdict"] == "not-known"


def test_a_role_of_one_server_is_none_of_another(
    home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    scan(store, home, f"pg:{SAMPLE},host=other.example.com")
    resource = "postgres:other.example.com/shop/table/sales.orders"
    (item,) = ask(store, capsys, "can", AGENT, "DELETE", resource)
    assert item["verdict"] in ("never", "not-known")
    (row,) = ask(store, capsys, "reach", AGENT)
    assert row["verdict"] == "not-known"


def test_no_secret_is_stored_or_shown(
    home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    roles = tmp_path / "roles.sql"
    text = (SAMPLE / "roles.sql").read_text()
    roles.write_text(text + "ALTER ROLE app PASSWORD 'CANARYsecret2';\n")
    scan(store, home, f"pg:{roles},{SAMPLE}/shop.sql,host={HOST}")
    shown = json.dumps(ask(store, capsys, "reach", AGENT))
    assert "CANARY" not in shown
    for path in store.rglob("*"):
        assert not path.is_file() or b"CANARY" not in path.read_bytes(), path


def test_a_name_in_two_databases_lists_both_and_is_no_call_of_another_platform(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    scan(store, DUMPS)
    scan(store, f"pg:{SAMPLE},host=other.example.com")
    role = f"postgres:{HOST}/shop/role/app"
    for words in (("can", role), ("who-can",)):
        capsys.readouterr()
        code = main(["--store", str(store), *words, "SELECT", "sales.orders"])
        assert code == 2
        error = capsys.readouterr().err
        assert "'sales.orders' matches several objects" in error
        assert "postgres:other.example.com/shop/table/sales.orders" in error


@pytest.mark.parametrize("sources", [("home", "pg"), ("home",)])
def test_identities_say_whether_their_permissions_were_collected(
    home: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sources: tuple[str, ...],
) -> None:
    places = {"home": home, "pg": DUMPS}
    scan(tmp_path / "store", *(places[each] for each in sources))
    items = ask(tmp_path / "store", capsys, "identities")
    (app,) = [each for each in items if each["id"].endswith("/shop/role/app")]
    assert app["permissions"] == ("collected" if "pg" in sources else "not collected")
