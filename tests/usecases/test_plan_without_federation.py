"""`plan` for passwords of databases, and for keys that no platform replaces."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from answerable.cli.sample.fake_access_keys import make_fake_secret
from answerable.services.posture.database_logins import describe_database_login

RDS = "shop.abc.eu-central-1.rds.amazonaws.com"
Item = dict[str, Any]


def plan_home(
    root: Path, servers: dict[str, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> list[Item]:
    """Scan a home whose servers have these variables; return the plans."""
    home = root / "ana"
    home.mkdir()
    configured = {
        name: {"command": "npx", "args": ["-y", "x@1.0.0"], "env": variables}
        for name, variables in servers.items()
    }
    (home / ".claude.json").write_text(json.dumps({"mcpServers": configured}))
    store = ("--store", str(root / "store"), "-q")
    assert main(["scan", f"home:{home}", *store]) == 0
    capsys.readouterr()
    main(["plan", "-o", "json", *store])
    printed = capsys.readouterr().out
    assert make_fake_secret("password") not in printed
    items: list[Item] = json.loads(printed)["items"]
    return items


@pytest.mark.parametrize(
    ("host", "replaced_by"),
    [
        (RDS, "IAM database authentication of Amazon RDS"),
        (
            "shop.postgres.database.azure.com",
            "Microsoft Entra authentication of Azure Database for PostgreSQL",
        ),
        ("a.b.eu-central1.sql.goog", "IAM database authentication of Cloud SQL"),
        (
            "db.corp.example",
            "client certificate of the workload (pg_hba.conf: cert)",
        ),
        (
            f"{RDS}.evil.example",
            "client certificate of the workload (pg_hba.conf: cert)",
        ),
    ],
)
def test_a_password_of_a_database_has_the_login_of_its_server(
    host: str, replaced_by: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dsn = f"postgresql://app:{make_fake_secret('password')}@{host}/shop"
    (item,) = plan_home(tmp_path, {"db": {"DATABASE_URL": dsn}}, capsys)
    assert item["identity"] == f"postgres:{host}/shop/role/app"
    assert item["replaced_by"] == replaced_by
    assert {each["verdict"] for each in item["proofs"]} == {"not-known"}
    assert len(item["steps"]) == 3


def test_a_role_cannot_change_the_command_of_a_step() -> None:
    login = describe_database_login(f'postgres:{RDS}/shop/role/a";drop')
    assert login is not None
    assert login.command == 'GRANT rds_iam TO "a"";drop"'
    assert describe_database_login("arn:aws:iam::1:role/a") is None


def test_a_key_without_a_known_platform_is_named_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = make_fake_secret("password")
    servers = {"a": {"CRM_API_KEY": key}, "b": {"AZURE_CLIENT_SECRET": key[::-1]}}
    first, last = plan_home(tmp_path, servers, capsys)
    assert first["replaced_by"] == "federated credential of the application"
    assert last["replaced_by"] == "no attested platform known"
    assert (last["name"], last["proofs"], last["terraform"]) == ("CRM_API_KEY", [], "")
    assert [each["command"] for each in last["steps"]] == [""]
