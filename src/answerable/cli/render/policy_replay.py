"""Render a policy replay: totals, then the calls whose decision changes."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.policy_replay import (
    ChangedDecisionsItem,
    PolicyReplayItem,
)
from answerable.model.documents.shared_shapes import Document


def render_policy_replay(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the totals, and a row per group of changed calls."""
    for item in cast("Sequence[PolicyReplayItem]", document.items):
        yield (
            f"would deny {item['would_have_denied']:,} of {item['calls']:,} calls, "
            f"and allow {item['would_have_passed']:,} that are blocked now"
        )
        if item["in_name"]:
            yield (
                f"{item['in_name']:,} more would be denied without effect: "
                "their mode blocks nothing"
            )
        if item["left_out"]:
            yield f"{item['left_out']:,} recent calls were not evaluated again"
        if item["turned"]:
            yield ""
            yield from render_table(
                _COLUMNS, _build_changed_call_rows(item["turned"]), screen
            )
        if item["more"]:
            yield f"and {item['more']:,} more calls"


_COLUMNS = (
    TableColumn("calls", 0, right=True),
    TableColumn("agent", 0, floor=20),
    TableColumn("server", 1),
    TableColumn("now", 2),
    TableColumn("then", 0, floor=12),
)


def _build_changed_call_rows(
    changes: Sequence[ChangedDecisionsItem],
) -> list[tuple[str, ...]]:
    """Build a table row per group of changed decisions."""
    return [
        (
            f"{each['count']:,}",
            each["agent"],
            each["server"],
            _format_decision(
                each["before"], each["rules_before"], passes=each["passed"]
            ),
            _format_decision(
                each["after"], each["rules"] or [each["reason"]], passes=each["passes"]
            ),
        )
        for each in changes
    ]


def _format_decision(effect: str, rules: Sequence[str], *, passes: bool) -> str:
    """Format an effect, whether the call passes anyway, and the deciding rules."""
    let = ", forwarded" if passes and effect != "allow" else ""
    return f"{effect}{let}" + (f" ({', '.join(rules)})" if rules else "")
