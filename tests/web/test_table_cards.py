"""Cells named after the heads of their columns, for the cards of narrow screens."""

from answerable.web.table_cards import name_cells

HEAD = '<thead><tr><th>A</th><th class="n p2">B "b" <small>x</small></th></tr></thead>'


def test_each_cell_has_the_name_of_its_column() -> None:
    page = f'<table>{HEAD}<tr><th>1</th><td class="p2">2</td></tr></table>'
    named = name_cells(page)
    assert '<td class="p2" data-th="B &quot;b&quot;">2</td>' in named
    assert '<table class="cards">' in named
    assert "<th>1</th>" in named


def test_a_wide_cell_moves_the_names_of_the_next() -> None:
    head = '<thead><tr><th>A</th><th>B</th><th class="p3">C</th></tr></thead>'
    page = f'<table class="x">{head}<tr><td colspan="2">1</td><td>2</td></tr></table>'
    named = name_cells(page)
    assert '<td colspan="2" data-th="A">1</td><td data-th="C">2</td>' in named
    assert '<table class="cards x">' in named


def test_a_table_whose_columns_stay_is_left_alone() -> None:
    whole = "<table><thead><tr><th>A</th></tr></thead><tr><td>1</td></tr></table>"
    events = f'<table class="rows events">{HEAD}<tr><td>1</td></tr></table>'
    for page in (whole, events, "<p>no table</p>"):
        assert name_cells(page) == page


def test_a_long_word_of_a_cell_can_wrap() -> None:
    word, tag = "x" * 500 + "&lt;" * 30, '<td title="' + "y" * 500 + '">'
    page = f"<p>{word}</p><table><tr>{tag}{word} end</td></tr></table>"
    wrapped = name_cells(page)
    assert wrapped.replace("<wbr>", "") == page
    assert wrapped.startswith(f"<p>{word}</p>")
    assert tag in wrapped
    pieces = wrapped.partition(tag)[2].partition(" ")[0].split("<wbr>")
    assert max(len(each.replace("&lt;", "<")) for each in pieces) == 24
    short = "<table><tr><td>" + "z" * 79 + "</td></tr></table>"
    assert name_cells(short) == short
