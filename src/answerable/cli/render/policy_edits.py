"""Render the effects of policy edits, cuts, and risky identities."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import cast

from answerable.cli.render.permissions import (
    format_verdict,
    render_path,
    render_statements,
)
from answerable.cli.render.screen import Screen
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.what_if import (
    AccessChangeItem,
    CutSetItem,
    ExposureItem,
)
from answerable.presentation.permission_proof_text import CHANGE_LABELS
from answerable.presentation.text import sanitize
from answerable.presentation.unknown_permission_text import (
    describe_searched_scope,
    describe_unknown_verdict,
)

_MOST = 6


def render_what_if(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render changes by subject, each with both verdicts and its path."""
    items = cast("Sequence[AccessChangeItem]", document.items)
    subject = ""
    for change, group in groupby(items, key=lambda item: item["change"]):
        yield f"{CHANGE_LABELS.get(change, sanitize(change))}:"
        for item in group:
            if item["subject"] != subject:
                subject = item["subject"]
                yield f"  {sanitize(subject)}"
                agents = ", ".join(map(sanitize, item["agents"][:_MOST]))
                if agents:
                    yield from screen.wrap(f"    agents: {agents}", "      ")
            yield from _render_change(item, screen)
        subject = ""
    if "looked" in document.coverage:
        yield ""
        yield from screen.wrap(
            sanitize(describe_searched_scope(document.coverage["looked"])), "  "
        )


def _render_change(item: AccessChangeItem, screen: Screen) -> Iterator[str]:
    """Render an access change: both verdicts, path and deciding statements."""
    does = (
        "can become" if item["kind"] == "identity" else sanitize(item["action"]) + " on"
    )
    admin = ", an administrator" if item["admin"] and item["kind"] == "identity" else ""
    part = " of part of it" if item["covers_after"] == "part" else ""
    words = f"{format_verdict(item['before'], screen)}, then {format_verdict(item['after'], screen)}"
    assumed = " +assumes" if item["assuming"] else ""
    yield from screen.wrap(
        f"    {words}{part}{assumed}  {does} {sanitize(item['resource'])}{admin}",
        "        ",
    )
    for each in item.get("unknown", []):
        yield from screen.wrap(
            f"        {sanitize(describe_unknown_verdict(each))}", "          "
        )
    steps = item["path"]
    if item["kind"] == "permission":
        # The statements of a path are listed with the identity at its end.
        steps = [{**step, "determining": []} for step in steps]
    yield from render_path(steps, item["subject"], screen, "        ")
    if item["kind"] == "permission":
        yield from render_statements(item["determining"], screen, "        ")


def render_cuts(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render each set of statements with the remaining permissions and broken calls."""
    items = cast("Sequence[CutSetItem]", document.items)
    for number, item in enumerate(items):
        if not number:
            yield from screen.wrap(
                f"{sanitize(item['subject'])} {sanitize(item['action'])} on "
                f"{sanitize(item['resource'])}: {format_verdict(item['before'], screen)}",
                "    ",
            )
        yield ""
        if item["statements"]:
            assumed = f", assuming no {', '.join(item['assuming'])} allows"
            yield (
                f"cut {number + 1}: {format_verdict(item['verdict'], screen)}"
                f"{assumed if item['assuming'] else ''}"
            )
        for each in item.get("unknown", []):
            yield from screen.wrap(
                f"  {sanitize(describe_unknown_verdict(each))}", "    "
            )
        for one in item["statements"]:
            yield from screen.wrap(f"  --without {sanitize(one['id'])}", "      ")
            if one["text"]:
                yield from screen.wrap(f"      {sanitize(one['text'])}", "      ")
        if item["statements"]:
            yield from _render_broken_calls(item, screen)


def _render_broken_calls(item: CutSetItem, screen: Screen) -> Iterator[str]:
    """Render the recorded calls that a cut would break."""
    used = item["breaks"]["used"]
    if used is None:
        yield "  breaks: not known, the log does not cover it"
        return
    since = item["breaks"]["since"] or ""
    if not used:
        yield f"  breaks: no call recorded since {sanitize(since)}"
    for each in used:
        yield from screen.wrap(
            f"  breaks: {sanitize(each['action'])} by {sanitize(each['identity'])}, "
            f"{each['count']:,} calls, last {sanitize(each['last_used'] or '')}",
            "      ",
        )


def render_exposures(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render risky identities, most severe first, with the reasons."""
    items = cast("Sequence[ExposureItem]", document.items)
    for gravity, group in groupby(items, key=lambda item: item["gravity"]):
        yield f"{sanitize(gravity)}:"
        for item in group:
            yield f"  {sanitize(item['subject'])}"
            yield from _render_exposure(item, screen)
    if "looked" in document.coverage:
        yield ""
        yield from screen.wrap(
            sanitize(describe_searched_scope(document.coverage["looked"])), "  "
        )


def _render_exposure(item: ExposureItem, screen: Screen) -> Iterator[str]:
    """Render why an identity is risky: verdicts, entries, agents and path."""
    for each in item.get("unknown", []):
        yield from screen.wrap(
            f"    {sanitize(describe_unknown_verdict(each))}", "      "
        )
    words = {key: item[key] for key in _EXPOSURE_TEXTS}  # type: ignore[literal-required]
    for name, word in words.items():
        if word not in ("never", "not-known"):
            yield f"    {format_verdict(word, screen)}  {_EXPOSURE_TEXTS[name]}"
    if item["entered_by"]:
        some = ", ".join(map(sanitize, item["entered_by"][:_MOST]))
        yield from screen.wrap(f"    entered by {some}", "      ")
    if item["becomes"]:
        some = ", ".join(map(sanitize, item["examples"][:_MOST]))
        yield from screen.wrap(f"    becomes {item['becomes']:,}: {some}", "      ")
    if item["agents"]:
        some = ", ".join(map(sanitize, item["agents"][:_MOST]))
        yield from screen.wrap(f"    agents: {some}", "      ")
    yield from render_path(item["path"], item["subject"], screen, "    ")


_EXPOSURE_TEXTS = {
    "admin": "administrator, or can become one",
    "public": "its trust policy allows anyone",
    "external": "its trust policy allows an external principal",
}
