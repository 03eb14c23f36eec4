"""`who-can` names agents, lists the most severe first, and answers about patterns."""

from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor
from tests.web.api.conftest import told
from tests.web.conftest import shown

AGENT = "agent:claude-code/ana/reporter"
BOT = "arn:aws:iam::111122223333:user/report-bot"
READER = "arn:aws:iam::111122223333:role/data-reader"
DATA = "arn:aws:s3:::example-customer-data/*"
ALL = {"action": "s3:GetObject", "resource": "arn:aws:s3:::*"}


def test_everyone_who_can_on_a_part_is_listed_with_its_agents(
    desk: StoreCache, admin: Visitor
) -> None:
    items = told(desk, admin, "/who-can", **ALL).document.items
    (reader,) = (item for item in items if item["subject"] == READER)
    assert AGENT in reader["agents"]
    assert (reader["covers"], reader["verdict"]) == ("part", "only-if")
    assert [part["resource"] for part in reader["parts"]] == [DATA]
    inside = [item for item in items if ":oidc-provider/" not in item["subject"]]
    agents = [bool(item["agents"]) for item in inside if not item.get("unknown")]
    assert agents == sorted(agents, reverse=True)
    assert True in agents


def test_pages_and_the_command_line_show_the_parts_and_the_agents(
    desk: StoreCache, admin: Visitor, estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = shown(desk, admin, "/who-can", **ALL)
    assert AGENT in page
    assert DATA in page
    can = shown(desk, admin, "/can", subject=BOT, **ALL, direct="yes")
    assert "part of" in can
    assert "arn:aws:s3:::example-reports/*" in can
    capsys.readouterr()
    store = ["--store", str(estate / "store")]
    assert main([*store, "who-can", ALL["action"], ALL["resource"], "--direct"]) == 0
    out = capsys.readouterr().out
    assert "agents: " in out
    assert AGENT in out
    assert "part of arn:aws:s3:::*" in out
    code = main(
        [*store, "can", BOT, ALL["action"], ALL["resource"], "--expect", "never"]
    )
    assert code == 1
