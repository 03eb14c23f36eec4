"""Render trust rules, and the results of matching claims to them."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.core import Document
from answerable.model.documents.trust_rules import (
    RuleMatchItem,
    TokenCheckItem,
    TrustRuleItem,
)
from answerable.model.trust_rule import TokenReuse
from answerable.presentation.text import sanitize


def render_rules(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a line per rule, then the faults."""
    items = cast("Sequence[TrustRuleItem]", document.items)
    columns = (
        TableColumn("rule", 0),
        TableColumn("whom", 1, floor=12),
        TableColumn("agent", 0, floor=16),
        TableColumn("owner", 2, floor=10),
        TableColumn("gets", 1, floor=16),
    )
    rows = [
        (
            item["rule"],
            " ".join(
                (item["subject"], *(f"{k}={v}" for k, v in item["match"].items()))
            ),
            item["agent"],
            item["owner"] or "",
            ", ".join(_format_grants(item)),
        )
        for item in items
    ]
    yield from render_table(columns, rows, screen, keep_together=True)
    for item in items:
        if item["reuse"] != TokenReuse.ONCE:
            line = f"{item['rule']}: a copied token gives more (reuse: {item['reuse']})"
            yield from screen.wrap(sanitize(line), " " * 4)
        for fault in item["faults"]:
            where = f"{fault['line']}:{fault['column']}: " if fault["line"] else ""
            at = f"{fault['at']}: " if fault["at"] else ""
            line = f"{screen.marks.no} {item['rule']}: {where}{at}{fault['what']}"
            yield from screen.wrap(sanitize(line), " " * 4)


def _format_grants(item: TrustRuleItem) -> Iterator[str]:
    """Yield the audience and the scopes of each grant."""
    for grant in item["grants"]:
        scopes = f" ({' '.join(grant['scopes'])})" if grant["scopes"] else ""
        yield f"{grant['audience']}{scopes}"


def render_matches(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the matching rule, and the first failed condition of each other rule."""
    items = cast("Sequence[RuleMatchItem]", document.items)
    columns = (
        TableColumn("rule", 0),
        TableColumn("", 0),
        TableColumn("claim", 1),
        TableColumn("is", 1),
        TableColumn("expected", 2, floor=12),
    )
    marks = screen.marks
    rows = [
        (
            item["rule"],
            f"{marks.yes} fits" if item["fits"] else f"{marks.no} no",
            item["claim"],
            item["how"],
            item["expected"],
        )
        for item in items
    ]
    yield from render_table(columns, rows, screen)


def render_token_checks(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render each check of a token; unknown ones have a question mark."""
    marks = {True: f"{screen.marks.yes} ok  ", False: f"{screen.marks.no} no  "}
    for item in cast("Sequence[TokenCheckItem]", document.items):
        mark = "?     " if item["ok"] is None else marks[item["ok"]]
        detail = f": {item['detail']}" if item["detail"] else ""
        yield from screen.wrap(sanitize(f"{mark} {item['check']}{detail}"), " " * 6)
        if item["hint"] and not item["ok"]:
            yield from screen.wrap(sanitize(f"      {item['hint']}"), " " * 6)
