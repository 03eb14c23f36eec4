"""Rows of `trace` as a table: time, six hops, outcome and the id of the event."""

from dataclasses import replace

import pytest

from answerable.cli.render.documents import render_document
from answerable.cli.render.lineage_tree import render_tree
from answerable.cli.render.screen import Screen

NOW = 1_795_000_000_000_000_000


@pytest.fixture
def document(flows):
    return flows.flow("trace")()


@pytest.mark.parametrize(
    ("cells", "head"),
    [
        (2000, "time (UTC) person agent tool identity action resource outcome event"),
        (80, "time (UTC) person identity action resource outcome"),
        (60, "time (UTC) person action outcome"),
    ],
)
def test_a_row_has_its_time_outcome_and_id(document, cells, head):
    lines = list(render_document(document, Screen(cells), NOW))
    assert lines[0].split() == head.split()
    first = document.items[0]
    assert lines[1].startswith(first["event_time"].replace("T", " ")[:19] + " ")
    assert first["outcome"] in lines[1]
    assert (first["event_id"] in lines[1]) is ("event" in head)


def test_a_denied_row_says_so_once(document):
    denied = [{**item, "outcome": "denied"} for item in document.items]
    lines = list(render_document(replace(document, items=denied), Screen(200), NOW))
    assert lines[1].count("denied") == 1


@pytest.mark.parametrize("kind", ["trace", "trace-tree"])
def test_a_self_reported_action_is_shown_and_marked(document, kind):
    hop = {"value": "otel:tools/call", "status": "missing", "source": "why not"}
    item = document.items[0]
    said = [{**item, "hops": {**item["hops"], "action": hop}}]
    told = replace(document, items=said, total=-1)
    render = render_tree if kind == "trace-tree" else render_document
    text = "\n".join(render(told, Screen(400), NOW))
    before, note, _ = text.partition(" action missing: why not")
    number = before.split()[-1]
    marked = f" {number} otel:tools/call (self-reported)"
    assert note
    assert marked in text
