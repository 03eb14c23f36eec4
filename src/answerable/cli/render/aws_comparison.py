"""Renderer of verdicts next to those of the AWS policy simulator."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.proof import statement_lines
from answerable.cli.render.screen import Screen
from answerable.model.documents.core import ComparedItem, Document
from answerable.presentation.text import safe

_MOST = 20


def compared(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the number of matches, then each difference with its statements."""
    items = cast("Sequence[ComparedItem]", document.items)
    told = Counter(item["outcome"] for item in items)
    sure = told["agrees"] + told["differs"]
    mark = screen.marks.no if told["differs"] else screen.marks.yes
    agreed = f"{told['agrees']:,} of {sure:,} agree with iam:SimulatePrincipalPolicy"
    yield from screen.wrap(f"{mark} {agreed}" if sure else "nothing was compared")
    for outcome, what in (
        ("open", "left open"),
        ("set-aside", "set aside"),
        ("unanswered", "not answered"),
    ):
        reasons = Counter(
            item["reason"] for item in items if item["outcome"] == outcome
        )
        for reason, times in reasons.most_common():
            yield from screen.wrap(f"  {times:,} {what}: {safe(reason)}", "    ")
    differing = [item for item in items if item["outcome"] == "differs"]
    for item in differing[:_MOST]:
        yield ""
        yield from _difference(item, screen)
    if len(differing) > _MOST:
        yield f"and {len(differing) - _MOST} more; -o json lists them"


def _difference(item: ComparedItem, screen: Screen) -> Iterator[str]:
    yield from screen.wrap(
        f"{safe(item['subject'])} {safe(item['action'])} on {safe(item['resource'])}"
    )
    yield f"  here: {safe(item['verdict'])}"
    yield from statement_lines(item["determining"], screen, "    ")
    matched = ", ".join(map(safe, item["matched"])) or "no statement matched"
    yield from screen.wrap(
        f"  AWS: {safe(item['simulated'] or '')} ({matched})", "    "
    )
