"""One declaration of a field gives it to every format, and columns can be chosen."""

import csv
import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, NotRequired

import pytest

from answerable.cli.render.documents import RENDERERS, render_document
from answerable.cli.render.screen import Screen
from answerable.model.documents import inventory
from answerable.model.documents.columns import Column, list_item_columns
from answerable.model.documents.inventory import IdentityItem
from answerable.model.documents.registry import (
    ITEM_TYPES,
    get_item_type_of_document_kind,
    list_single_fact_columns,
)
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.column_selection import ColumnSelection
from answerable.presentation.serialization import to_csv, to_json, to_ndjson
from answerable.presentation.text import sanitize
from answerable.web.api.openapi import build_openapi
from answerable.web.api.operation_table import OPERATIONS
from answerable.web.pages.inventory_list_definitions import list_html_columns
from answerable.web.template_rendering import template_environment
from tests.cli.conftest import ITEMS
from tests.cli.field_tables import PAGE, TABLE, field_table
from tests.cli.test_render import poisoned
from tests.web.markup_checks import HOSTILE, markup_faults

NOW = 1_795_000_000_000_000_000
MEANS = "floor of the building where it runs"


class _WithFloor(IdentityItem):
    """The item of `identities`, and one field more."""

    building_floor: NotRequired[Annotated[str, Column(MEANS, "floor", 0)]]


@pytest.fixture
def extended(flows, monkeypatch: pytest.MonkeyPatch) -> Document:
    """A document of a kind whose item type got one field more."""
    monkeypatch.setattr(inventory, "IdentityItem", _WithFloor)
    document = flows.flow("identities")()
    items = [{**item, "building_floor": "ninth"} for item in document.items]
    return replace(document, items=items)


def table(document: Document, cells: int) -> str:
    return "\n".join(render_document(document, Screen(cells), NOW))


def html_list(document: Document) -> str:
    template = template_environment().from_string(
        '{% import "rows.html" as draw %}<table><tr>{% for c in columns %}'
        "{{ draw.head(c, sort) }}{% endfor %}</tr>{% for item in items %}<tr>"
        "{% for c in columns %}{{ draw.cell(c, item, loop.first) }}{% endfor %}</tr>"
        "{% endfor %}</table>"
    )
    return template.render(
        columns=list_html_columns(document.kind),
        items=document.items,
        sort=lambda name: (f"?sort={name}", ""),
    )


def openapi(document: Document) -> str:
    operations = [
        replace(each, item=get_item_type_of_document_kind(document.kind))
        for each in OPERATIONS
        if each.kind == document.kind
    ]
    schemas = build_openapi(operations)["components"]["schemas"]
    return json.dumps(schemas["_WithFloor"]["properties"]["building_floor"])


@pytest.mark.parametrize(
    ("render", "says"),
    [
        (lambda document: table(document, 60), ("floor", "ninth")),
        (lambda document: table(document, 80), ("floor", "ninth")),
        (lambda document: table(document, 120), ("floor", "ninth")),
        (lambda document: "\n".join(to_csv(document)), ("building_floor", "ninth")),
        (to_json, ('"building_floor": "ninth"',)),
        (lambda document: "\n".join(to_ndjson(document)), ('"building_floor"',)),
        (html_list, (">floor<", "ninth")),
        (openapi, (MEANS,)),
        (
            lambda document: field_table(get_item_type_of_document_kind(document.kind)),
            (f"| `building_floor` | text, optional | {MEANS} |",),
        ),
    ],
    ids=["60", "80", "120", "csv", "json", "ndjson", "html", "openapi", "docs"],
)
def test_a_field_added_to_one_item_type_is_in_every_format(
    extended: Document, render: Callable[[Document], str], says: tuple[str, ...]
) -> None:
    text = render(extended)
    assert not [each for each in says if each not in text]


@pytest.mark.parametrize("cells", [60, 80, 120])
@pytest.mark.parametrize("kind", sorted(set(ITEM_TYPES) & set(ITEMS) - set(RENDERERS)))
def test_a_table_names_each_column_that_it_leaves_out(flows, kind, cells) -> None:
    document = flows.flow(kind)()
    whole = table(document, 2_000).splitlines()[0]
    lines = table(document, cells).splitlines()
    note = " ".join(lines).partition("not shown: ")[2].partition(" (--wide")[0]
    dropped = [name.strip() for name in note.split(",") if name.strip()]
    kept = [name for name in whole.split("  ") if name.strip()]
    for name in (each.strip() for each in kept):
        assert (name in lines[0].split("  ") or f" {name}" in f" {lines[0]}") != (
            name in dropped
        )


def test_columns_are_chosen_by_field_or_by_head(flows, run) -> None:
    ran = run("identities", "--columns", "keys,owner_state,id", "-q")
    head, row, *_ = ran.out.splitlines()
    assert head.split() == ["keys", "owner", "state", "identity"]
    assert row.split() == ["1", "inferred", "arn:aws:iam::111122223333:user/report-job"]
    text = run("identities", "--columns", "keys,owner", "-o", "csv").out
    (row,) = csv.DictReader(io.StringIO(text))
    assert list(row) == ["credentials", "owner_state", "owner_person", "owner_score"]
    (item,) = json.loads(
        run("identities", "--columns", "keys,owner_state", "-o", "json").out
    )["items"]
    assert set(item) == {"owner", "credentials"}


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv"])
@pytest.mark.parametrize("option", ["--columns", "--sort"])
def test_a_column_that_does_not_exist_is_2_with_the_nearest(flows, run, form, option):
    ran = run("agents", option, "plcae", "-o", form)
    assert ran.code == 2
    assert ran.out == ""
    assert "no such column (got 'plcae', expected id, owner" in ran.err
    assert "hint: did you mean place?" in ran.err


@pytest.mark.parametrize("option", ["--columns", "--sort"])
def test_a_column_that_does_not_exist_is_2_where_the_list_is_not_known(
    tmp_path, run, option
):
    dump = tmp_path / "shop.sql"
    dump.write_text("-- Dumped by pg_dump version 16.1\nCREATE ROLE app;\n")
    store = str(tmp_path / "store")
    assert run("scan", "--store", store, f"pg:{dump}").code == 0
    assert "not known" in run("agents", "--store", store).out
    ran = run("agents", "--store", store, option, "plcae")
    assert (ran.code, ran.out) == (2, "")
    assert "no such column (got 'plcae', expected id, owner" in ran.err


def test_a_list_is_sorted_and_what_is_not_known_comes_last(flows, run) -> None:
    document = flows.flow("identities")()
    times = ["2026-01-01T00:00:00Z", None, "2026-03-01T00:00:00Z"]
    items = [
        {**document.items[0], "id": str(at), "last_used_at": time}
        for at, time in enumerate(times)
    ]
    flows.answers["identities"] = replace(document, items=items)

    def order(*words: str) -> list[str]:
        text = run("identities", "-o", "json", *words).out
        return [item["id"] for item in json.loads(text)["items"]]

    assert order("--sort", "last_used_at") == ["0", "2", "1"]
    assert order("--sort", "-last_used_at") == ["2", "0", "1"]
    assert order("--sort", "last used") == ["0", "2", "1"]


def test_wide_shows_all_columns_and_cuts_nothing(flows, run, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    narrow, wide = run("agents", "-q").out, run("agents", "-q", "--wide").out
    assert "not shown: " in narrow
    assert "not shown: " not in wide
    assert "~/.cursor/mcp.json" in wide.splitlines()[1]
    assert "written by" in wide.splitlines()[0]


def test_json_is_indented_on_a_terminal_and_one_line_in_a_pipe(
    flows, run, monkeypatch
) -> None:
    piped = run("agents", "-o", "json").out
    assert piped.count("\n") == 1
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown = run("agents", "-o", "json").out
    assert shown.startswith('{\n  "schema": "answerable/agents/v1"')
    assert json.loads(shown) == json.loads(piped)


def test_numbers_of_any_answer_are_sorted_as_numbers(flows, run) -> None:
    document = flows.flow("sql")()
    items = [{"n": number} for number in (9, None, 10, 1.5)]
    flows.answers["sql"] = replace(document, items=items)
    text = run("sql", "select 1", "--sort", "-n", "-o", "csv", "-q").out
    assert text.splitlines() == ["n", "10", "9", "1.5", '""']


SHAPES = {kind: get_item_type_of_document_kind(kind) for kind in ITEM_TYPES}
# Shown in docs/api.md, or as the table of another kind with more fields.
_TABLED_ELSEWHERE = {"snapshots", "can", "trace-unmediated", "sts-explain", "doctor"}


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_each_field_of_a_kind_states_its_meaning(kind: str) -> None:
    fields = [
        column.name
        for column in list_item_columns(SHAPES[kind])
        if not column.declared.means and not column.name.startswith("coverage_")
    ]
    assert fields == []


def test_each_item_type_has_its_field_table() -> None:
    tabled = {SHAPES[kind] for kind, _ in TABLE.findall(PAGE.read_text("utf-8"))}
    elsewhere = {SHAPES[kind] for kind in _TABLED_ELSEWHERE}
    assert set(SHAPES.values()) - tabled - elsewhere == set()


@pytest.mark.parametrize("kind", sorted(set(ITEM_TYPES) & set(ITEMS)))
def test_every_column_of_every_kind_is_in_a_wide_table_and_hostile_text_is_text(
    flows, kind: str
) -> None:
    document = flows.flow(kind)()
    hostile = replace(document, items=[poisoned(item) for item in document.items])
    names = tuple(column.name for column in list_single_fact_columns(document))
    chosen = [ColumnSelection(names)]
    if kind not in RENDERERS:
        chosen.insert(0, ColumnSelection(wide=True))
    for selection in chosen:
        for each in (document, hostile):
            lines = list(
                render_document(each, Screen(20_000), NOW, selection=selection)
            )
            assert lines == [sanitize(line) for line in lines]
    head = lines[0].split("  ")
    filled = {
        column.label
        for column in list_single_fact_columns(document)
        if any(column.get_value_of_item(item) for item in document.items)
    }
    assert {label for label in filled if label not in map(str.strip, head)} == set()


@pytest.mark.parametrize("kind", sorted(set(ITEM_TYPES) & set(ITEMS)))
def test_every_kind_can_be_an_html_list(flows, kind: str) -> None:
    document = flows.flow(kind)()
    for text in ("", *HOSTILE):
        items = [added_to_texts(item, text) for item in document.items]
        page = html_list(replace(document, items=items))
        assert markup_faults(page) == []
        assert page.count("<tr>") == 1 + len(document.items)


def added_to_texts(value: object, text: str) -> object:
    match value:
        case str():
            return value + text
        case dict():
            return {name: added_to_texts(each, text) for name, each in value.items()}
        case list():
            return [added_to_texts(each, text) for each in value]
    return value
