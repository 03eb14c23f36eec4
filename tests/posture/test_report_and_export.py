"""`report` and `export`: the estate as files for people and for other tools."""

import csv
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.usecases.posture import write_report
from tests.posture.test_findings_command import FILES, KEY, SECRET, write

HOSTILE = "<img src=x>|[a](http://b)@all"
EXPORTS = {
    "cyclonedx": {"answerable.cdx.json"},
    "opengraph": {"answerable.opengraph.json"},
    "ocsf": {"findings.ocsf.ndjson"},
    "csv": {"agents.csv", "credentials.csv", "identities.csv", "findings.csv"},
}


@pytest.fixture
def store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return a store with a server of a hostile name."""
    files = dict(FILES)
    config = json.loads(files["shop/.mcp.json"])
    config["mcpServers"][HOSTILE] = {"command": "npx", "args": ["-y", "@acme/db@1.2.3"]}
    config["mcpServers"]["docs"] = {"type": "http", "url": "https://docs.example/mcp"}
    files["shop/.mcp.json"] = json.dumps(config)
    place = str(tmp_path / "store")
    main(["--store", place, "scan", f"repo:{write(tmp_path / 'work', files)}"])
    capsys.readouterr()
    return place


class Tags(HTMLParser):
    """Tags of an HTML file, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_html_report_opens_offline_without_script(
    store: str, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    assert main(["--store", store, "report", str(path)]) == 0
    tags = Tags()
    tags.feed(path.read_text())
    assert {tag for tag, _ in tags.found}.isdisjoint({"script", "img", "link", "a"})
    assert not any({"src", "href"} & set(names) for _, names in tags.found)
    text = path.read_text()
    assert SECRET not in text
    assert text.count("<h2>") == text.count("</h2>") >= 4
    assert "the same static aws-access-key" in text


def test_the_markdown_report_adds_no_markup_of_a_file(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--store", store, "report", "--markdown"]) == 0
    text = capsys.readouterr().out
    assert SECRET not in text
    assert "<img" not in text
    assert "@all" not in text


def test_a_report_counts_the_rules_without_data_that_it_does_not_show(
    store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--store", store, "-o", "json", "findings"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    gaps = sum(each["state"] == "not-evaluated" for each in items)
    assert gaps > 3
    monkeypatch.setattr(write_report, "MOST_FINDINGS", 2)
    main(["--store", store, "report", "--markdown"])
    text = capsys.readouterr().out
    assert f"{gaps:,} rules were not evaluated" in text
    _, _, table = text.partition("## Not evaluated")
    assert f"{gaps - 2:,} more are not shown." in table.partition("\n## ")[0]


def test_a_report_without_a_scan_counts_nothing_as_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    place = str(tmp_path / "store")
    main(["--store", place, "scan", f"repo:{tmp_path / 'empty'}"])
    capsys.readouterr()
    main(["--store", place, "report", "--markdown"])
    text = capsys.readouterr().out
    assert "Not known: the sources of identities were not scanned" in text
    assert "Not collected: " in text


@pytest.mark.parametrize("form", EXPORTS)
def test_an_export_writes_its_files_without_a_secret(
    form: str, store: str, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    assert main(["--store", store, "export", "--to", form, str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == EXPORTS[form]
    for path in folder.iterdir():
        assert SECRET not in path.read_text()
    assert any(KEY in path.read_text() or form == "ocsf" for path in folder.iterdir())


def test_the_bill_of_materials_names_packages_services_and_credentials(
    store: str, tmp_path: Path
) -> None:
    main(["--store", store, "export", "--to", "cyclonedx", str(tmp_path / "out")])
    bom = json.loads((tmp_path / "out" / "answerable.cdx.json").read_text())
    assert "pkg:npm/%40acme/db@1.2.3" in {e.get("purl") for e in bom["components"]}
    assert ["https://docs.example/mcp"] in [e.get("endpoints") for e in bom["services"]]
    references = [e["bom-ref"] for e in (*bom["components"], *bom["services"])]
    assert len(references) == len(set(references))
    for each in bom["dependencies"]:
        assert {each["ref"], *each["dependsOn"]} <= set(references)


def test_every_edge_of_the_graph_joins_two_nodes(store: str, tmp_path: Path) -> None:
    main(["--store", store, "export", "--to", "opengraph", str(tmp_path / "out")])
    text = (tmp_path / "out" / "answerable.opengraph.json").read_text()
    graph = json.loads(text)["graph"]
    known = {each["id"] for each in graph["nodes"]}
    assert {each["kind"] for each in graph["edges"]} >= {"Uses", "Holds"}
    for edge in graph["edges"]:
        assert {edge["start"]["value"], edge["end"]["value"]} <= known
    for node in graph["nodes"]:
        assert 1 <= len(node["kinds"]) <= 3
        assert "objectid" not in node["properties"]
    # Rules of https://github.com/SpecterOps/chow, the validator of BloodHound's payloads.
    assert set(json.loads(text)) <= {"metadata", "graph"}
    for each in (*graph["nodes"], *graph["edges"]):
        for name, value in each["properties"].items():
            assert re.fullmatch(r"[a-z0-9_-]{1,128}", name)
            values = value if isinstance(value, list) else [value]
            assert len({type(one) for one in values}) <= 1
            assert all(isinstance(one, str | int | float | bool) for one in values)
    for edge in graph["edges"]:
        assert re.fullmatch(r"(?!tag(_|$))[A-Za-z0-9_]+", edge["kind"], re.IGNORECASE)


@pytest.mark.world
def test_an_independent_reader_accepts_the_graph(store: str, tmp_path: Path) -> None:
    reader = pytest.importorskip("bhopengraph.OpenGraph")
    main(["--store", store, "export", "--to", "opengraph", str(tmp_path / "out")])
    path = tmp_path / "out" / "answerable.opengraph.json"
    graph = reader.OpenGraph()
    assert graph.import_from_file(str(path))
    written = json.loads(path.read_text())["graph"]
    assert graph.get_node_count() == len(written["nodes"])
    # The reader keeps one of several equal edges.
    assert 0 < graph.get_edge_count() <= len(written["edges"])
    _, problems = graph.validate_graph()
    assert [each for each in problems if "is isolated" not in each] == []


def test_the_lists_of_csv_have_a_row_for_each_item(store: str, tmp_path: Path) -> None:
    main(["--store", store, "export", "--to", "csv", str(tmp_path / "out")])
    with (tmp_path / "out" / "credentials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert any(row["id"] == f"cred:aws/{KEY}" for row in rows)


@pytest.mark.parametrize("words", [("report",), ("export", "--to", "csv")])
def test_a_place_that_cannot_be_written_is_one_error(
    words: tuple[str, ...],
    store: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--store", store, *words, str(tmp_path / "file" / "inside")]) == 5
    assert capsys.readouterr().err.startswith("error: ")


def test_a_named_pipe_is_refused_and_an_older_report_survives_an_error(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert main(["--store", store, "report", str(tmp_path / "pipe")]) == 2
    assert main(["--store", store, "report", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("is not a regular file") == 2
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "agents.csv").mkdir()
    assert main(["--store", store, "export", "--to", "csv", str(tmp_path / "out")]) == 5
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["agents.csv"]


@pytest.mark.parametrize("folder", ["", "file", "pipe"])
def test_an_export_goes_to_a_named_folder_alone(
    folder: str,
    store: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    os.mkfifo("pipe")
    Path("file").write_text("kept")
    assert main(["--store", store, "export", "--to", "csv", folder]) == 2
    assert "is not a folder" in capsys.readouterr().err
    assert sorted(each.name for each in place.iterdir()) == ["file", "pipe"]
    assert Path("file").read_text() == "kept"


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"suppressions: ["])
def test_a_reviewed_file_that_cannot_be_read_is_a_usage_error(
    content: bytes | None,
    store: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "reviews.yaml"
    if content is not None:
        path.write_bytes(content)
    for command in ("findings", "report"):
        assert main(["--store", store, command, "--suppressions", str(path)]) == 2
        error = capsys.readouterr().err.splitlines()
        assert [line.partition(":")[0] for line in error] == ["error", "hint"]


@pytest.mark.world
def test_the_published_schema_accepts_the_bill_of_materials(
    store: str, tmp_path: Path
) -> None:
    validation = pytest.importorskip("cyclonedx.validation.json")
    schema = pytest.importorskip("cyclonedx.schema")
    main(["--store", store, "export", "--to", "cyclonedx", str(tmp_path / "out")])
    text = (tmp_path / "out" / "answerable.cdx.json").read_text()
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
