"""The documentation of the rules is the catalogue."""

from tests.posture.rule_pages import DOCS, derived_pages


def test_each_page_and_the_table_are_as_derived() -> None:
    pages = derived_pages()
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text, path
    assert {*(DOCS / "findings").glob("*.md")} == {p for p in pages if p.parent != DOCS}
