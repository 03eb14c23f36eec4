"""The office of the demo: its server, its agent, and what surrounds them."""

import ast
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from answerable.cli import signing
from answerable.cli.demo import agent_chapters, environment
from answerable.cli.settings import Settings
from answerable.demo import office_database, office_server
from answerable.demo.invoice_agent import InvoiceAgent
from answerable.server.processes.ancestors import RUN_VARIABLE, StartedByAgent

KEY = "a-key-of-the-office"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    place = tmp_path / "office.db"
    office_database.create_database(place, KEY)
    return place


def looked_after(base: Path) -> None:
    """Take every invoice for looked after, so that a new one is next."""
    opened = office_database.open_database(base, KEY)
    with opened:
        opened.execute("UPDATE invoices SET noted = 1")
    opened.close()


class DirectTools:
    """The office's tools, without a gateway between; some are refused."""

    def __init__(self, place: Path, *refused: str) -> None:
        self._base = office_database.open_database(place, KEY)
        self._refused = refused
        self.called: list[tuple[str, dict[str, str]]] = []

    def call_tool(self, name: str, said: Mapping[str, str]) -> dict[str, Any]:
        self.called.append((name, dict(said)))
        if name in self._refused:
            data = {"decision": "deny", "decision_id": "d1"}
            return {"error": {"code": -31403, "message": "refused", "data": data}}
        return called(self._base, name, said)

    def sent(self) -> list[str]:
        return [said["to"] for name, said in self.called if name == "send_mail"]


def called(base: Any, name: str, said: Mapping[str, str]) -> dict[str, Any]:
    params = {"name": name, "arguments": dict(said)}
    answer = office_server.answer_message(
        base, {"id": 1, "method": "tools/call", "params": params}
    )
    assert answer is not None
    return answer


def test_it_speaks_both_revisions(base: Path) -> None:
    opened = office_database.open_database(base, KEY)

    def ask(method: str, **params: Any) -> Any:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = office_server.answer_message(opened, message)
        assert answer is not None
        return answer.get("result", answer.get("error"))

    assert "2026-07-28" in ask("server/discover")["supportedVersions"]
    older = ask("initialize", protocolVersion="2025-11-25")
    assert older["protocolVersion"] == "2025-11-25"
    assert {each["name"] for each in ask("tools/list")["tools"]} == set(
        office_server.TOOLS
    )
    assert ask("resources/list")["code"] == -32601
    assert (
        office_server.answer_message(opened, {"method": "notifications/initialized"})
        is None
    )


@pytest.mark.parametrize("said", [{}, {"id": 7}, {"id": None}])
def test_a_call_without_its_arguments_is_an_error_of_the_tool(
    base: Path, said: dict[str, Any]
) -> None:
    opened = office_database.open_database(base, KEY)
    assert called(opened, "read_customer", said)["result"]["isError"] is True
    assert called(opened, "no_such_tool", {})["result"]["isError"] is True


def test_what_stands_in_an_argument_is_no_sql(base: Path) -> None:
    opened = office_database.open_database(base, KEY)
    found = called(opened, "read_customer", {"id": "' OR 1=1 --"})["result"]
    assert found["structuredContent"] == {}


def test_another_key_opens_nothing(base: Path) -> None:
    with pytest.raises(PermissionError):
        office_database.open_database(base, "another-key")


def test_the_agent_writes_to_whoever_the_customer_belongs_to(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools = DirectTools(base)
    clerk = InvoiceAgent(tools, 0)  # type: ignore[arg-type] - the same tools, nearer by
    clerk.process_invoices(6)
    assert clerk.refused == 0
    assert tools.sent() == [owner for _, _, owner in office_database.CUSTOMERS]
    clerk.process_invoices(1)  # whoever was looked after longest ago is next
    assert tools.sent()[-1] == office_database.CUSTOMERS[0][2]
    assert "send_mail ana@corp.example" in capsys.readouterr().out


def test_it_obeys_a_letter_and_says_what_was_refused(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looked_after(base)
    office_database.receive_letter(base, KEY, environment.INJECTED_LETTER, "EUR")
    tools = DirectTools(base, "send_mail")
    clerk = InvoiceAgent(tools, 0)  # type: ignore[arg-type] - as above
    clerk.process_invoices(1)
    assert tools.sent()[0] == "audit@evil.example"
    mail = next(said for name, said in tools.called if name == "send_mail")
    assert "billing@bakery.example" in mail["text"]
    assert clerk.refused == 2
    assert "audit@evil.example Customers: deny d1" in capsys.readouterr().out


def test_francs_make_it_look_up_a_rate(base: Path) -> None:
    looked_after(base)
    office_database.receive_letter(base, KEY, environment.CURRENCY_LETTER, "CHF")
    tools = DirectTools(base)
    InvoiceAgent(tools, 0).process_invoices(1)  # type: ignore[arg-type] - as above
    assert ("exchange_rate", {"currency": "CHF"}) in tools.called


def test_its_programs_are_foreign_and_know_nothing_of_ours(root: Path) -> None:
    for file in (root / "src" / "answerable" / "office").glob("*.py"):
        for name in imported(file.read_text()):
            top = name.partition(".")[0]
            foreign = top in sys.stdlib_module_names or top == "cryptography"
            assert foreign or name.startswith("answerable.demo"), (file, name)


def imported(text: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names]
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
    return found


def test_a_sign_of_ours_in_a_foreign_program_is_noticed() -> None:
    assert imported("from answerable.store.store import Store") == [
        "answerable.store.store"
    ]


def test_an_agent_may_sign_in_a_made_up_store_and_in_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "_demo_stores", set())
    monkeypatch.setenv(RUN_VARIABLE, "1")
    ours, other = tmp_path / "demo", tmp_path / "real"
    signing.allow_demo_signing(ours)
    signing.require_human(Settings(store=str(ours)))
    with pytest.raises(StartedByAgent):
        signing.require_human(Settings(store=str(other)))


def test_where_the_kernel_says_too_little_it_is_told_and_nothing_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(agent_chapters, "can_attest_processes", lambda: False)
    assert agent_chapters.run_agent_chapters(lambda argv: pytest.fail(str(argv)), 8)
    assert "Linux 6.5" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
