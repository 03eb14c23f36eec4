"""Render events that bypassed a gateway, and the counts of judged events."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render import lineage, lineage_tree
from answerable.cli.render.screen import Screen
from answerable.model.documents.mediation import MediationItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import UnmediatedEventItem
from answerable.presentation.text import sanitize

_REASON_TEXTS = {
    "no-call": "no call of the agent was in progress",
    "other-tool": "calls of the agent were in progress, but none through the tool with the "
    "credential",
}
_UNJUDGED_TEXTS = {
    "agent-missing": "the agent is not known",
    "agent-not-covered": "no gateway recorded the agent",
    "no-gateway-records": "no gateway recorded that time",
    "records-missing": "gateway records around that time are missing",
    "end-unknown": "the end of a call in progress is not known",
}


def render_unmediated_notes(
    document: Document, screen: Screen, now: int
) -> Iterator[str]:
    """Render the notes below a table of events, then the summary."""
    yield from lineage.render_table_notes(document, screen, now)
    yield from _render_unmediated_summary(document, screen)


def render_unmediated_chains(
    document: Document, screen: Screen, now: int
) -> Iterator[str]:
    """Render the delegation chains of calls past the gateway, and a summary."""
    yield from lineage_tree.render_tree(document, screen, now)
    yield from _render_unmediated_summary(document, screen)


def _render_unmediated_summary(document: Document, screen: Screen) -> Iterator[str]:
    """Render the counts of unmediated events by reason, then of the others."""
    items = cast("Sequence[UnmediatedEventItem]", document.items)
    yield ""
    for why, count in sorted(Counter(item["why"] for item in items).items()):
        yield from screen.wrap(
            f"unmediated: {count:,} ({_REASON_TEXTS.get(why) or sanitize(why)})", "    "
        )
    told = document.coverage.get("mediation")
    if told is not None:
        yield from _render_mediation_counts(told, screen)


def _render_mediation_counts(mediation: MediationItem, screen: Screen) -> Iterator[str]:
    """Render how many events are mediated, and how many could not be judged."""
    yield f"mediated: {mediation['mediated']:,}"
    for reason, count in cast("dict[str, int]", mediation["untold"]).items():
        if count:
            said = f"not known: {count:,} ({_UNJUDGED_TEXTS.get(reason) or sanitize(reason)})"
            yield from screen.wrap(said, "    ")
