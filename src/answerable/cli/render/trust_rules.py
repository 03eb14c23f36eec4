"""Render trust rules, and the results of matching claims to them."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trust_rules import TrustRuleItem
from answerable.model.trust_rule import TokenReuse
from answerable.presentation.text import sanitize


def render_rule_faults(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the rules with reusable tokens, and the faults of each rule."""
    items = cast("Sequence[TrustRuleItem]", document.items)
    for item in items:
        if item["reuse"] != TokenReuse.ONCE:
            line = (
                f"{item['rule']}: a copied token yields more tokens (reuse: "
                f"{item['reuse']})"
            )
            yield from screen.wrap(sanitize(line), " " * 4)
        for fault in item["faults"]:
            where = f"{fault['line']}:{fault['column']}: " if fault["line"] else ""
            at = f"{fault['at']}: " if fault["at"] else ""
            line = f"{screen.marks.no} {item['rule']}: {where}{at}{fault['what']}"
            yield from screen.wrap(sanitize(line), " " * 4)
