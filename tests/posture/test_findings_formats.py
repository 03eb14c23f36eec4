"""`findings -o sarif` and `-o ocsf`: the same findings in formats of other tools."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from answerable.posture.rule_catalogue import RULES
from tests.posture.test_findings_command import FILES, SECRET, write


@pytest.fixture
def store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return a store with a key in two places and an agent without owner."""
    place = str(tmp_path / "store")
    main(["--store", place, "scan", f"repo:{write(tmp_path / 'work', FILES)}"])
    capsys.readouterr()
    return place


def list_findings(
    store: str, form: str, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """List the findings in a format; returns the exit code and the output."""
    code = main(["--store", store, "findings", "-o", form])
    printed = capsys.readouterr().out
    assert SECRET not in printed
    return code, printed


def test_sarif_has_the_findings_of_the_json_document(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = list_findings(store, "json", capsys)
    items: list[dict[str, Any]] = json.loads(text)["items"]
    same_code, text = list_findings(store, "sarif", capsys)
    log = json.loads(text)
    (run,) = log["runs"]
    assert (log["version"], same_code) == ("2.1.0", code)
    assert [each["id"] for each in run["tool"]["driver"]["rules"]] == [
        e.id for e in RULES
    ]
    results = run["results"]
    fingerprints = [e["partialFingerprints"]["answerable/finding/v1"] for e in results]
    assert fingerprints == [each["id"] for each in items]
    for result, item in zip(results, items, strict=True):
        evaluated = item["state"] != "not-evaluated"
        assert result["kind"] == ("fail" if evaluated else "open")
        assert (result["level"] == "none") is not evaluated
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == item["rule"]


def test_a_file_of_a_project_is_relative_in_sarif(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, text = list_findings(store, "sarif", capsys)
    places = [
        place["physicalLocation"]["artifactLocation"]["uri"]
        for result in json.loads(text)["runs"][0]["results"]
        for place in result["locations"]
        if "physicalLocation" in place
    ]
    assert {"shop/.env", "shop/.mcp.json"} <= set(places)
    assert not any(place.startswith("/") or "store" in place for place in places)


def test_ocsf_has_an_event_for_each_finding(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, text = list_findings(store, "json", capsys)
    items = json.loads(text)["items"]
    _, text = list_findings(store, "ocsf", capsys)
    events = [json.loads(line) for line in text.splitlines()]
    assert [each["finding_info"]["uid"] for each in events] == [e["id"] for e in items]
    for event, item in zip(events, items, strict=True):
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert (event["severity_id"] == 0) is (item["state"] == "not-evaluated")


@pytest.mark.parametrize("form", ["sarif", "ocsf"])
def test_another_document_has_no_such_format(
    store: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--store", store, "agents", "-o", form]) == 2
    assert f"-o {form} is only available for findings" in capsys.readouterr().err


@pytest.mark.world
def test_an_independent_reader_accepts_sarif(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sarif = pytest.importorskip("sarif_pydantic")
    _, text = list_findings(store, "sarif", capsys)
    read = sarif.Sarif.model_validate_json(text)
    assert len(read.runs[0].results) == len(json.loads(text)["runs"][0]["results"])


@pytest.mark.world
def test_the_published_schema_accepts_ocsf(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    schemas = pytest.importorskip("ocsf_json_schema")
    jsonschema = pytest.importorskip("jsonschema")
    schema = schemas.OcsfJsonSchemaEmbedded(
        schemas.get_ocsf_schema(version="1.8.0")
    ).get_class_schema("detection_finding")
    _, text = list_findings(store, "ocsf", capsys)
    for line in text.splitlines():
        jsonschema.validate(json.loads(line), schema)
