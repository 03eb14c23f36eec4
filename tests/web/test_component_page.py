"""Each example of the page of components renders, and each shared mark has one."""

import re
from pathlib import Path

import pytest
from jinja2 import nodes

from answerable.web.template_rendering import template_environment
from tests.web.browser.component_sheet import list_examples
from tests.web.markup_checks import markup_faults

EXAMPLES = list_examples(Path("docs/web-components.md"))
_TEMPLATES = Path("src/answerable/web/templates")
_ASSETS = Path("src/answerable/web/assets")


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_renders_as_valid_markup(example: str) -> None:
    made = template_environment().from_string(example).render()
    assert made.strip()
    page = f"<!doctype html><html lang=en><title>x</title><main>{made}</main></html>"
    assert markup_faults(page) == []


def test_each_shared_mark_has_an_example() -> None:
    text = (_TEMPLATES / "marks.html").read_text(encoding="utf-8")
    tree = template_environment().parse(text)
    made = {each.name for each in tree.find_all(nodes.Macro)}
    shown = set(re.findall(r"marks\.(\w+)\(", "".join(EXAMPLES)))
    # A hidden field, a part of others, and marks of what is killed now.
    assert made - shown == {"csrf", "parts", "killed", "unknown_kills"}


def test_each_class_of_an_example_has_a_style() -> None:
    styles = "".join(each.read_text(encoding="utf-8") for each in _ASSETS.glob("*.css"))
    named = {
        name
        for example in EXAMPLES
        for group in re.findall(r'class="([^"]*)"', example)
        for name in group.split()
    }
    assert named - set(re.findall(r"\.([a-z][\w-]*)", styles)) == set()
