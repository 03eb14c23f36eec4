"""Renderers of policy edits, cuts and risky identities."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import cast

from answerable.cli.render.permissions import path, statements, verdict
from answerable.cli.render.screen import Screen
from answerable.model.documents.core import Document
from answerable.model.documents.what_if import CutItem, ExposureItem, WhatIfItem
from answerable.presentation.text import safe
from answerable.presentation.unknown_text import looked, would_tell

_HEADS = {
    "appears": "appears",
    "stronger": "becomes stronger",
    "weaker": "becomes weaker",
    "falls-away": "falls away",
    "not-known": "not known",
}
_MOST = 6


def what_if(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render changes by subject, each with both verdicts and its path."""
    items = cast("Sequence[WhatIfItem]", document.items)
    subject = ""
    for change, group in groupby(items, key=lambda item: item["change"]):
        yield f"{_HEADS.get(change, safe(change))}:"
        for item in group:
            if item["subject"] != subject:
                subject = item["subject"]
                yield f"  {safe(subject)}"
                agents = ", ".join(map(safe, item["agents"][:_MOST]))
                if agents:
                    yield from screen.wrap(f"    agents: {agents}", "      ")
            yield from _change(item, screen)
        subject = ""
    if "looked" in document.coverage:
        yield ""
        yield from screen.wrap(safe(looked(document.coverage["looked"])), "  ")


def _change(item: WhatIfItem, screen: Screen) -> Iterator[str]:
    does = "can become" if item["kind"] == "identity" else safe(item["action"]) + " on"
    admin = ", an administrator" if item["admin"] and item["kind"] == "identity" else ""
    part = " of part of it" if item["covers_after"] == "part" else ""
    words = f"{verdict(item['before'], screen)}, then {verdict(item['after'], screen)}"
    assumed = " +assumes" if item["assuming"] else ""
    yield from screen.wrap(
        f"    {words}{part}{assumed}  {does} {safe(item['resource'])}{admin}",
        "        ",
    )
    for each in item.get("unknown", []):
        yield from screen.wrap(f"        {safe(would_tell(each))}", "          ")
    steps = item["path"]
    if item["kind"] == "permission":
        # The statements of a path are listed with the identity at its end.
        steps = [{**step, "determining": []} for step in steps]
    yield from path(steps, item["subject"], screen, "        ")
    if item["kind"] == "permission":
        yield from statements(item["determining"], screen, "        ")


def cuts(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render each set of statements with the remaining permissions and broken calls."""
    items = cast("Sequence[CutItem]", document.items)
    for number, item in enumerate(items):
        if not number:
            yield from screen.wrap(
                f"{safe(item['subject'])} {safe(item['action'])} on "
                f"{safe(item['resource'])}: {verdict(item['before'], screen)}",
                "    ",
            )
        yield ""
        if item["statements"]:
            assumed = f", assuming no {', '.join(item['assuming'])} allows"
            yield (
                f"cut {number + 1}: {verdict(item['verdict'], screen)}"
                f"{assumed if item['assuming'] else ''}"
            )
        for each in item.get("unknown", []):
            yield from screen.wrap(f"  {safe(would_tell(each))}", "    ")
        for one in item["statements"]:
            yield from screen.wrap(f"  --without {safe(one['id'])}", "      ")
            if one["text"]:
                yield from screen.wrap(f"      {safe(one['text'])}", "      ")
        if item["statements"]:
            yield from _breaks(item, screen)


def _breaks(item: CutItem, screen: Screen) -> Iterator[str]:
    used = item["breaks"]["used"]
    if used is None:
        yield "  breaks: not known, the trail does not tell"
        return
    since = item["breaks"]["since"] or ""
    if not used:
        yield f"  breaks: no call recorded since {safe(since)}"
    for each in used:
        yield from screen.wrap(
            f"  breaks: {safe(each['action'])} by {safe(each['identity'])}, "
            f"{each['count']:,} calls, last {safe(each['last_used'] or '')}",
            "      ",
        )


def everybody(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render risky identities, most severe first, with the reasons."""
    items = cast("Sequence[ExposureItem]", document.items)
    for gravity, group in groupby(items, key=lambda item: item["gravity"]):
        yield f"{safe(gravity)}:"
        for item in group:
            yield f"  {safe(item['subject'])}"
            yield from _exposure(item, screen)
    if "looked" in document.coverage:
        yield ""
        yield from screen.wrap(safe(looked(document.coverage["looked"])), "  ")


def _exposure(item: ExposureItem, screen: Screen) -> Iterator[str]:
    for each in item.get("unknown", []):
        yield from screen.wrap(f"    {safe(would_tell(each))}", "      ")
    words = {key: item[key] for key in _SAID}  # type: ignore[literal-required]
    for name, word in words.items():
        if word not in ("never", "not-known"):
            yield f"    {verdict(word, screen)}  {_SAID[name]}"
    if item["entered_by"]:
        some = ", ".join(map(safe, item["entered_by"][:_MOST]))
        yield from screen.wrap(f"    entered by {some}", "      ")
    if item["becomes"]:
        some = ", ".join(map(safe, item["examples"][:_MOST]))
        yield from screen.wrap(f"    becomes {item['becomes']:,}: {some}", "      ")
    if item["agents"]:
        some = ", ".join(map(safe, item["agents"][:_MOST]))
        yield from screen.wrap(f"    agents: {some}", "      ")
    yield from path(item["path"], item["subject"], screen, "    ")


_SAID = {
    "admin": "administrator, or can become one",
    "public": "its trust lets anyone in",
    "external": "its trust lets an outsider in",
}
