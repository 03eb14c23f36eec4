"""Policies of the gateway that undeclared arguments bypass (`findings --config`)."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.authorization.pins.canonical_definitions import (
    build_canonical_definition,
)
from answerable.cli.main import main
from answerable.connectors.config.fetch import read_config_file
from answerable.model.definition_pin import (
    NO_PINS,
    DefinitionApproval,
    DefinitionKind,
    DefinitionPin,
    ServerPins,
)
from answerable.server.pins.pin_files import PinFiles
from answerable.usecases.lineage.manage_cases import add_to_case, create_case
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import WebRole
from tests.posture.conftest import write
from tests.web.conftest import shown, visitor

RULE = "open-argument-schema"
AMOUNT = {"amount": {"type": "integer"}}
CLOSED = {
    "type": "object",
    "properties": AMOUNT,
    "required": ["amount"],
    "additionalProperties": False,
}
OPEN = {name: said for name, said in CLOSED.items() if name != "additionalProperties"}
POLICY = """\
// Refunds of a person are small.
@id("small-refunds")
permit (
  principal == Agent::"agent:declared/invoices",
  action == Action::"tools/call",
  resource == Tool::"tool:mcp/shop/refund"
) when { context.arguments.amount <= 100 };
"""
WIDE = """\
@id("never-large")
forbid (principal, action == Action::"tools/call", resource in Server::"server:shop")
when { context.arguments has amount && context.arguments.amount > 1000 };
"""
NAMES = """\
@id("reads")
permit (principal, action == Action::"tools/call",
  resource == Tool::"tool:mcp/shop/refund");
"""
CONFIG = {
    "store": "store",
    "servers": {"shop": {"url": "http://127.0.0.1:1/mcp"}},
    "agents": {"invoices": {"owner": "ana@corp.example"}},
    "policy": ["policies/*.cedar"],
}


def pin(folder: Path, schema: dict[str, object] | None, *, approved: bool) -> None:
    """Pin the tool of the server, as a person approved it or as it was first seen."""
    said: dict[str, object] = {"name": "refund"}
    if schema is not None:
        said["inputSchema"] = schema
    tool = build_canonical_definition(
        DefinitionKind.TOOL, "refund", json.dumps(said).encode()
    )
    word = DefinitionApproval("person:ana@corp.example", "0" * 64, 1)
    pinned = DefinitionPin(tool, 1, word if approved else None)

    def change(_: ServerPins) -> ServerPins:
        return ServerPins(items={tool.key: pinned})

    PinFiles(folder / "store" / "gateway").change_pins("shop", change)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a configuration, a policy and a scanned store."""
    monkeypatch.delenv("ANSWERABLE_STORE", raising=False)
    files = {
        "answerable.yaml": json.dumps(CONFIG),
        "policies/refunds.cedar": POLICY,
        "shop/.git/HEAD": "x\n",
    }
    write(tmp_path, files)
    store = str(tmp_path / "store")
    assert main(["--store", store, "scan", f"repo:{tmp_path / 'shop'}"]) == 0
    return tmp_path


def find(
    folder: Path, capsys: pytest.CaptureFixture[str], *words: str
) -> list[dict[str, Any]]:
    config = str(folder / "answerable.yaml")
    capsys.readouterr()
    main(["-o", "json", "findings", "--config", config, *words])
    items = json.loads(capsys.readouterr().out)["items"]
    return [each for each in items if each["rule"] == RULE]


@pytest.mark.parametrize("schema", [None, OPEN, {"type": "object"}])
@pytest.mark.parametrize("approved", [True, False])
def test_a_limit_on_a_tool_with_an_open_schema_is_found(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    schema: dict[str, object] | None,
    *,
    approved: bool,
) -> None:
    if approved and schema != OPEN:
        (folder / "policies" / "refunds.cedar").write_text(WIDE)
    pin(folder, schema, approved=approved)
    (item,) = find(folder, capsys)
    assert (item["state"], item["severity"]) == ("open", "medium")
    assert item["subject"] == "tool:mcp/shop/refund"
    assert item["evidence"][0]["file"] == str(folder / "policies" / "refunds.cedar")
    assert item["evidence"][0]["line"] in (1, 2)
    assert "tools approve" in item["fix"]["command"] or approved


def test_an_approved_closed_schema_is_no_finding(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pin(folder, CLOSED, approved=True)
    assert find(folder, capsys) == []
    pin(folder, CLOSED, approved=False)  # the gateway enforces approved schemas alone
    assert len(find(folder, capsys)) == 1


def test_a_policy_that_reads_no_argument_is_no_finding(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "policies" / "refunds.cedar").write_text(NAMES)
    pin(folder, OPEN, approved=True)
    assert find(folder, capsys) == []


def test_a_server_whose_tools_were_never_seen_is_not_evaluated(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "policies" / "refunds.cedar").write_text(WIDE)
    PinFiles(folder / "store" / "gateway").change_pins("shop", lambda _: NO_PINS)
    (item,) = find(folder, capsys)
    assert (item["state"], item["subject"]) == ("not-evaluated", "tool:mcp/shop/*")


def test_without_the_configuration_the_rule_is_not_evaluated(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pin(folder, OPEN, approved=True)
    capsys.readouterr()
    main(["--store", str(folder / "store"), "-o", "json", "findings"])
    items = json.loads(capsys.readouterr().out)["items"]
    (item,) = [each for each in items if each["rule"] == RULE]
    assert item["state"] == "not-evaluated"
    assert item["fix"]["command"] == "answerable findings --config FILE"


def test_the_report_has_the_finding_of_the_command(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pin(folder, OPEN, approved=True)
    capsys.readouterr()
    config = str(folder / "answerable.yaml")
    assert main(["report", "--markdown", "--config", config]) == 0
    assert "an undeclared argument of shop/refund bypasses" in capsys.readouterr().out


def test_the_exports_have_the_finding_of_the_command(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pin(folder, OPEN, approved=True)
    (item,) = find(folder, capsys)
    config = str(folder / "answerable.yaml")
    for form, name in (("csv", "findings.csv"), ("ocsf", "findings.ocsf.ndjson")):
        out = folder / "out"
        assert main(["export", "--config", config, "--to", form, str(out)]) == 0
        assert item["id"] in (out / name).read_text()
    sarif = ["-o", "sarif", "findings", "--config", config]
    capsys.readouterr()
    main(sarif)
    assert item["id"] in capsys.readouterr().out


def test_the_page_of_a_server_with_the_configuration_has_the_finding(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pin(folder, OPEN, approved=True)
    (item,) = find(folder, capsys)
    config = read_config_file(str(folder / "answerable.yaml")).config
    cache = StoreCache(folder / "store", config)
    investigator = visitor(WebRole.INVESTIGATOR)
    try:
        page = shown(cache, investigator, "/finding", id=item["id"])
        assert "an undeclared argument of shop/refund bypasses" in page
        with cache.open_store() as store:
            title = "Refunds"
            made = create_case(store, title, "person:ana", now=cache.now).items[0]
            case = add_to_case(
                store,
                str(made["id"]),
                [item["id"]],
                "person:ana",
                now=cache.now,
                read_limits=cache.read_argument_limits,
            )
        assert case.items[0]["findings"] == 1
        (folder / "policies" / "refunds.cedar").write_text("permit (principal")
        assert cache.read_argument_limits() is None
    finally:
        cache.close()


def test_an_invalid_policy_is_an_error_with_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "policies" / "refunds.cedar").write_text("permit (principal")
    capsys.readouterr()
    assert main(["findings", "--config", str(folder / "answerable.yaml")]) == 2
    assert "refunds.cedar:1" in capsys.readouterr().err
