"""Render a decision: request, reason, and the exception that would allow it."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.model.documents.decisions import DecisionItem, ProposedExceptionItem
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.decision_reasons import REASONS
from answerable.presentation.text import sanitize

_INDENT = " " * 10


def render_decisions(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the effect first, then the request and the deciding rules."""
    for number, item in enumerate(cast("Sequence[DecisionItem]", document.items)):
        if number:
            yield ""
            yield f"{screen.marks.no} another record has the same id"
        yield from _render_decision(item, screen)
    for word in document.coverage["not_collected"]:
        yield from screen.wrap(f"not read: {sanitize(word)}")


def _render_decision(item: DecisionItem, screen: Screen) -> Iterator[str]:
    """Render a decision as name-value lines, then its findings and quoted rules."""
    passed = "forwarded" if item["passed"] else "blocked"
    why = REASONS.get(item["reason"], "")
    reason = f"{item['reason']} ({why})" if why else item["reason"]
    rows = [
        ("decision", f"{item['id']} at {item['at']}"),
        ("answer", f"{item['effect']}, {passed} in mode {item['mode']}"),
        ("reason", f"{reason}, layer {item['layer']}"),
        ("agent", item["agent"] + ("" if item["known"] else " (not known)")),
        ("person", item["person"] or ""),
        ("caller", f"{item['principal']} by {item['shown']}, run {item['run']}"),
        ("act", f"{item['action']} {_format_decided_call(item)}"),
        ("as", item["identity"] or ""),
        ("outcome", _format_outcome(item)),
        ("policy", (item["policy"] or "")[:16]),
        (
            "record",
            f"{item['recorder']} number {item['sequence']}, {_format_record_place(item)}",
        ),
    ]
    for name, value in rows:
        if value:
            yield from screen.wrap(f"{name:<10}{sanitize(value)}", _INDENT)
    for found in item["findings"]:
        yield from screen.wrap(
            f"{'baseline':<10}{sanitize(found['sentence'])}", _INDENT
        )
        if found["expected"]:
            usual = "; ".join(found["expected"])
            yield from screen.wrap(f"{_INDENT}usual: {sanitize(usual)}", _INDENT)
        origin = f"{_INDENT}origin of the value: {found['origin']}"
        yield from screen.wrap(sanitize(origin), _INDENT)
        if found["example"]:
            yield f"{_INDENT}nearest normal call: {sanitize(found['example'])}"
    for each in item["explained"]:
        where, evidence = each["path"] or "the argument", each["evidence"]
        by = f" ({evidence[:16]})" if evidence else ""
        told = f"{where} {each['value']}, by {each['origin']}{by}"
        yield from screen.wrap(f"{'explained':<10}{sanitize(told)}", _INDENT)
    for rule in item["determining"]:
        place = f" in {rule['place']}" if rule["place"] else ""
        stale = "" if rule["current"] or not rule["text"] else " (changed since)"
        yield from screen.wrap(f"{'decided':<10}{sanitize(rule['id'] + place + stale)}")
        for line in (rule["text"] or "").splitlines():
            yield from screen.wrap(_INDENT + "| " + sanitize(line), _INDENT + "| ")
    if item["amendment"] is not None:
        yield from _render_wanted_exception(item["amendment"], screen)


def _format_decided_call(item: DecisionItem) -> str:
    """Format name, server and argument digest of the decided call."""
    named = item["name"] or item["target"]
    arguments = item["arguments"]
    digest = f" with arguments {arguments[:12]}" if arguments else ""
    return f"{named} at {item['server']}{digest}"


def _format_outcome(item: DecisionItem) -> str:
    """Format the outcome of a call, and how it ended."""
    ended = item["ended"]
    return f"{item['outcome']} ({ended})" if ended else item["outcome"]


def _format_record_place(item: DecisionItem) -> str:
    """Format whether the decision record is in the store or still in the spool."""
    return "in the store" if item["stored"] else "not shipped yet"


def _render_wanted_exception(
    wanted: ProposedExceptionItem, screen: Screen
) -> Iterator[str]:
    """Render the policy exception that would allow the call once signed."""
    named = wanted["name"] or wanted["target"]
    arguments = wanted["arguments"]
    narrow = f", only arguments {arguments[:12]}" if arguments else ""
    who = "the agent's owner signs" if wanted["by"] == "owner" else "two persons sign"
    yield from screen.wrap(
        f"{'amendment':<10}would be allowed once {who}: "
        + sanitize(f"{wanted['agent']}, {named} at {wanted['server']}{narrow}"),
        _INDENT,
    )
