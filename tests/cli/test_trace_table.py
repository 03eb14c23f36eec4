"""Rows of `trace` as a table: time, six hops, outcome and the id of the event."""

from dataclasses import replace

import pytest

from answerable.cli.render.documents import render_document
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
