"""Names of derived data in the store cache: no two pages share one."""

import ast
from collections import Counter
from pathlib import Path


def names_in(text: str) -> list[str]:
    """Names under which a module asks the store cache for derived data."""
    return [
        node.args[0].value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "get_derived"
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    ]


def test_no_two_pages_share_a_name_of_derived_data(root: Path) -> None:
    modules = (root / "src" / "answerable" / "web").rglob("*.py")
    count = Counter(name for each in modules for name in names_in(each.read_text()))
    assert count
    assert [name for name, times in count.items() if times > 1] == []


def test_a_name_that_is_used_twice_is_noticed() -> None:
    text = (
        'desk.get_derived("a", made)\n'
        'self.current_view().get_derived("a", made)\n'
        'get_derived(store, "b")'
    )
    assert names_in(text) == ["a", "a"]
