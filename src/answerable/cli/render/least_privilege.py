"""Render least privilege: counts, proofs, observed actions and gaps."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.listing import render_items
from answerable.cli.render.screen import Screen
from answerable.model.documents.least_privilege import (
    LeastPrivilegeItem,
    ObservedActionItem,
)
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.text import sanitize

_MAX_NAMED = 10
_MAX_CLAUSES = 20


def render_least_privilege(
    document: Document, screen: Screen, now: int
) -> Iterator[str]:
    """Render the counts of an identity, the proofs and the observed actions."""
    (item,) = cast("Sequence[LeastPrivilegeItem]", document.items)
    yield sanitize(item["identity"])
    yield from screen.wrap(_format_counts(item))
    yield from screen.wrap(_format_not_recorded(item))
    for policy in item["policies"]:
        yield f"policy {policy['name']}: {policy['size']} of {policy['limit']} characters"
    for refusal in item["refusals"]:
        yield from screen.wrap(f"refused: {refusal}")
    for proof in item["proofs"]:
        yield f"proof {proof['proof']}: {proof['verdict']}"
        for detail in proof["details"][:_MAX_NAMED]:
            yield from screen.wrap(f"  {sanitize(detail)}", "    ")
    yield ""
    yield from render_items(ObservedActionItem, item["actions"], screen, now)
    for clause in item["omitted"][:_MAX_CLAUSES]:
        named = f"{clause['action']} {clause['text']}"
        text = f"not in the policy ({clause['reason']}): {named}"
        yield from screen.wrap(sanitize(text), "  ")


def _format_counts(item: LeastPrivilegeItem) -> str:
    """Format the numbers of granted, reachable, used and kept actions."""
    counts = {
        "granted": item["granted"],
        "reachable": item["reachable"],
        "used": item["used"],
        "kept": item["kept"],
    }
    parts = [
        f"{name} {'not known' if count is None else format(count, ',')}"
        for name, count in counts.items()
    ]
    granted, kept = item["granted"], item["kept"]
    factor = f"; {granted / kept:,.1f} times fewer actions" if granted and kept else ""
    return f"actions: {', '.join(parts)}{factor}"


def _format_not_recorded(item: LeastPrivilegeItem) -> str:
    """Format which granted actions no log records."""
    silent = [each for each in item["services"] if each["not_recorded"]]
    unused = sum(each["unused"] for each in item["services"])
    total = sum(each["not_recorded"] for each in silent)
    if item["granted"] is None:
        return "unused: not known"
    text = f"granted and never used: {unused:,}"
    if not total:
        return text
    silent.sort(key=lambda each: -each["not_recorded"])
    names = ", ".join(each["service"] for each in silent[:_MAX_NAMED])
    more = ", ..." if len(silent) > _MAX_NAMED else ""
    return f"{text}; not recorded by any log: {total:,} ({names}{more})"
