"""Render verdicts next to those of the AWS policy simulator."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.permission_proof import render_statement_lines
from answerable.cli.render.screen import Screen
from answerable.model.documents.shared_shapes import AwsComparisonItem, Document
from answerable.presentation.text import sanitize

_MOST = 20


def render_comparison(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the number of matches, then each difference with its statements."""
    items = cast("Sequence[AwsComparisonItem]", document.items)
    told = Counter(item["outcome"] for item in items)
    sure = told["agrees"] + told["differs"]
    mark = screen.marks.no if told["differs"] else screen.marks.yes
    agreed = f"{told['agrees']:,} of {sure:,} verdicts agree with iam:SimulatePrincipalPolicy"
    yield from screen.wrap(f"{mark} {agreed}" if sure else "nothing was compared")
    for outcome, what in (
        ("open", "not decided"),
        ("set-aside", "excluded"),
        ("unanswered", "no result"),
    ):
        reasons = Counter(
            item["reason"] for item in items if item["outcome"] == outcome
        )
        for reason, times in reasons.most_common():
            yield from screen.wrap(f"  {times:,} {what}: {sanitize(reason)}", "    ")
    differing = [item for item in items if item["outcome"] == "differs"]
    for item in differing[:_MOST]:
        yield ""
        yield from _render_difference(item, screen)
    if len(differing) > _MOST:
        yield f"and {len(differing) - _MOST} more; -o json lists them"


def _render_difference(item: AwsComparisonItem, screen: Screen) -> Iterator[str]:
    """Render a differing verdict with the statements that both sides matched."""
    yield from screen.wrap(
        f"{sanitize(item['subject'])} {sanitize(item['action'])} on {sanitize(item['resource'])}"
    )
    yield f"  here: {sanitize(item['verdict'])}"
    yield from render_statement_lines(item["determining"], screen, "    ")
    matched = ", ".join(map(sanitize, item["matched"])) or "no statement matched"
    yield from screen.wrap(
        f"  AWS: {sanitize(item['simulated'] or '')} ({matched})", "    "
    )
