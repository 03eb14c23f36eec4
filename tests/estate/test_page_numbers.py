"""The comparison of two pages notices a number that becomes zero."""

from tests.estate.page_numbers import zeros


def test_a_number_that_becomes_zero_is_noticed() -> None:
    row = '<tr><th>a</th><td class="n" data-th="keys">{}</td></tr>'
    assert zeros(row.format(3), row.format(0)) == {("a", "keys")}
    assert not zeros(row.format(3), row.format("not known"))
    assert not zeros(row.format(0), row.format(0))
